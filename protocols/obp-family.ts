import type { ObpForm } from './obp-spectrum.ts';
import { OBP } from './obp-types.ts';

/** What a unit of a family has and does not say itself. */
export interface ObpFamily {
  readonly form: ObpForm;
  readonly get: number;
  readonly pixels: number;
  /** First and last pixel that see light, where others do not. */
  readonly active?: readonly [number, number];
  /** Pixels that are kept dark. */
  readonly dark?: readonly number[];
  /** Microseconds. */
  readonly limits: readonly [number, number];
  readonly saturation: number;
  /** By the number of the trigger mode; `waits` are those in which an exposure begins from outside. */
  readonly triggers: Readonly<Record<number, string>>;
  readonly waits: readonly string[];
  readonly temperatures: readonly (string | undefined)[];
}

/** Numbers of python-seabreeze devices.py; pixels of the QE Pro and the order of its sensors of Ocean Optics' demo-qepro-api.c. */
const FAMILIES = {
  'qe-pro': {
    form: 'meta32',
    get: OBP.bufferedSpectrum,
    pixels: 1044,
    active: [10, 1033],
    dark: [4, 5, 6, 7, 8, 9, 1034, 1035, 1036, 1037, 1038, 1039],
    limits: [8000, 1_600_000_000],
    saturation: 2 ** 18 - 1,
    triggers: { 0: 'normal', 1: 'level', 2: 'synchronous', 3: 'edge' },
    waits: ['level', 'edge'],
    temperatures: ['cpu_temperature', undefined, 'board_temperature', 'detector_temperature'],
  },
  fx: {
    form: 'meta64',
    get: OBP.bufferedSpectra,
    pixels: 2136,
    limits: [10, 10_000_000],
    saturation: 65535,
    triggers: { 0: 'normal', 1: 'edge', 3: 'level', 255: 'disabled' },
    waits: ['edge', 'level', 'disabled'],
    temperatures: [],
  },
  // Averaged or not, its pixels have 14 bits. Trigger modes: Ventana data sheet, page 16; sensors: the STS library for RS-232 (D. Bongiorno).
  sts: {
    form: 'u16',
    get: OBP.rawSpectrum,
    pixels: 1024,
    limits: [10, 85_000_000],
    saturation: 16383,
    triggers: { 0: 'normal', 1: 'edge', 2: 'synchronous' },
    waits: ['edge'],
    temperatures: ['detector_temperature', undefined, 'board_temperature'],
  },
} as const satisfies Readonly<Record<string, ObpFamily>>;
export type ObpFamilyName = keyof typeof FAMILIES;
export const familyOf = (name: ObpFamilyName): ObpFamily => FAMILIES[name];

export const OBP_FAMILIES = ['qe-pro', 'fx', 'sts'] as const satisfies readonly ObpFamilyName[];
