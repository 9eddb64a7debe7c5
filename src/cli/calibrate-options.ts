/** The words behind `bridgman calibrate`, read and checked before anything is looked at. */
import { isoMicroseconds } from '../../protocols/spe-form.ts';
import { CALIBRATIONS, type OpticalPath } from '../derive/calibration-record.ts';
import { quantity, type Unit } from '../units.ts';
import { parse, suggestion, Usage } from './command.ts';

export const KINDS = ['lamp', 'dark', 'wavelength'] as const;
export type Kind = (typeof KINDS)[number];

export interface Wanted {
  readonly kind: Kind;
  readonly channel: string;
  readonly frames: number;
  readonly path: OpticalPath;
  readonly rows?: readonly [number, number];
  readonly rig?: string;
  readonly session?: string;
  readonly into?: string;
  /** Microseconds: of a finished session, the frames that began after it. */
  readonly from?: number;
  readonly named?: string;
  /** Seconds that it holds. */
  readonly valid?: number;
  /** Seconds to wait for a frame. */
  readonly within: number;
  readonly note?: string;
  readonly json: boolean;
  /** lamp */
  readonly temperature?: { readonly value: number; readonly sigma?: number };
  readonly radiance?: string;
  readonly dark?: string;
  readonly drift: boolean;
  /** wavelength */
  readonly lines: string;
  readonly order: number;
  readonly off: number;
}

const OWN: Readonly<Record<string, Kind>> = {
  temperature: 'lamp',
  radiance: 'lamp',
  dark: 'lamp',
  drift: 'lamp',
  lines: 'wavelength',
  order: 'wavelength',
  off: 'wavelength',
};
const FRAMES = 10;
const MOST_FRAMES = 1000;
const PATIENCE = 60; // s
const OFF = 5; // nm

/** Throws Usage. */
export function wantedOf(args: readonly string[]): Wanted {
  const { options, flags, rest } = parse(gathered(args), {
    temperature: 'string',
    radiance: 'string',
    frames: 'string',
    dark: 'string',
    valid: 'string',
    path: 'string',
    note: 'string',
    rig: 'string',
    session: 'string',
    into: 'string',
    from: 'string',
    for: 'string',
    rows: 'string',
    within: 'string',
    lines: 'string',
    order: 'string',
    off: 'string',
    drift: 'boolean',
    json: 'boolean',
  });
  const [word, channel, ...more] = rest.filter((r) => !r.includes('='));
  const kind = KINDS.find((k) => k === word);
  if (word === undefined) throw new Usage('what is to be taken? lamp, dark or wavelength');
  if (!kind)
    throw new Usage(
      word === 'response'
        ? 'a response is no measurement of the instruments: it is written by hand (docs/calibration.md); taken are lamp, dark and wavelength'
        : `there is no calibration "${word}"${suggestion(word, CALIBRATIONS, '')}; taken are ${KINDS.join(', ')}`,
    );
  if (channel === undefined) throw new Usage(`of which channel? bridgman calibrate ${kind} INSTRUMENT.CHANNEL, such as us.spectrum`);
  if (more.length > 0) throw new Usage(`one channel at a time, not also ${more.join(' ')}`);
  for (const [name, of] of Object.entries(OWN))
    if (of !== kind && (options[name] !== undefined || flags.has(name)))
      throw new Usage(`--${name} is for a ${of} calibration, not for ${kind}`);
  if (options.rig !== undefined && options.session !== undefined)
    throw new Usage('--rig names a running rig, --session a folder: one of them');
  for (const name of ['into', 'from'])
    if (options[name] !== undefined && options.session === undefined) throw new Usage(`--${name} goes with --session`);
  if (kind === 'lamp' && (options.temperature === undefined) === (options.radiance === undefined))
    throw new Usage('a lamp is known by its temperature or by its radiance: --temperature "2255 K +- 10 K", or --radiance FILE');
  if (kind === 'wavelength' && options.lines === undefined)
    throw new Usage('the lines of which lamp? --lines neon, argon, mercury+argon, or a FILE');
  const temperature = amount('temperature', options.temperature, 'K', '"2255 K +- 10 K"');
  const valid = amount('valid', options.valid, 's', '7d');
  const within = amount('within', options.within, 's', '2min');
  const pathEntries = [...(options.path === undefined ? [] : options.path.split(',')), ...rest.filter((r) => r.includes('='))];
  const given = {
    rows: options.rows === undefined ? undefined : rows(options.rows),
    from: options.from === undefined ? undefined : moment(options.from),
    rig: options.rig,
    session: options.session,
    into: options.into,
    named: options.for,
    note: options.note,
    radiance: options.radiance,
    dark: options.dark,
    temperature,
    valid: valid?.value,
  };
  const defined = Object.fromEntries(Object.entries(given).filter(([, v]) => v !== undefined)) as {
    -readonly [N in keyof typeof given]?: NonNullable<(typeof given)[N]>;
  }; // what was undefined is left out
  return {
    ...defined,
    kind,
    channel,
    frames: whole('frames', options.frames, FRAMES, [1, MOST_FRAMES]),
    path: Object.fromEntries(pathEntries.map(entry)),
    within: within?.value ?? PATIENCE,
    json: flags.has('json'),
    drift: flags.has('drift'),
    lines: options.lines ?? '',
    order: whole('order', options.order, 3, [1, 5]),
    off: off(options.off),
  };
}

/** "--path a=1 --path b=2" as one option. */
function gathered(args: readonly string[]): readonly string[] {
  const out: string[] = [];
  const entries: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] ?? '';
    if (arg.startsWith('--path=')) entries.push(arg.slice('--path='.length));
    else if (arg === '--path' && args[i + 1] !== undefined && !/^--[a-z]/.test(args[i + 1] ?? '')) entries.push(args[++i] ?? '');
    else out.push(arg);
  }
  return entries.length === 0 ? out : [...out, `--path=${entries.join(',')}`];
}

function entry(text: string): readonly [string, number | string] {
  const [, name = '', value = ''] = /^\s*([A-Za-z0-9_-]{1,64})\s*=\s*(.+?)\s*$/.exec(text) ?? [];
  if (name === '') throw new Usage(`--path is NAME=VALUE, such as filter=none, not "${text}"`);
  const n = Number(value);
  return [name, Number.isFinite(n) ? n : value];
}

function whole(name: string, text: string | undefined, otherwise: number, [least, most]: readonly [number, number]): number {
  if (text === undefined) return otherwise;
  const n = Number(text);
  if (Number.isInteger(n) && n >= least && n <= most) return n;
  throw new Usage(`--${name} is a whole number from ${least} to ${most}, not "${text}"`);
}

function amount(
  name: string,
  text: string | undefined,
  unit: Unit,
  like: string,
): { readonly value: number; readonly sigma?: number } | undefined {
  if (text === undefined) return undefined;
  const read = quantity(text);
  if (typeof read === 'string') throw new Usage(`--${name}: ${read}`);
  if (read.unit !== unit || !(read.value > 0)) throw new Usage(`--${name} is such as ${like}, not "${text}"`);
  return { value: read.value, ...(read.sigma === undefined ? {} : { sigma: read.sigma }) };
}

function off(text: string | undefined): number {
  if (text === undefined) return OFF;
  const read = quantity(text);
  const nm = typeof read === 'string' ? Number.NaN : read.unit === 'm' ? read.value * 1e9 : read.unit === '1' ? read.value : Number.NaN;
  if (nm > 0 && nm <= 50) return nm;
  throw new Usage(`--off is by how much the present wavelengths may be wrong, up to 50 nm, such as "5 nm", not "${text}"`);
}

function rows(text: string): readonly [number, number] {
  const [, a = '', b = ''] = /^(\d+):(\d+)$/.exec(text) ?? [];
  const pair = [Number(a), Number(b)] as const;
  if (a === '' || pair[0] > pair[1]) throw new Usage(`--rows is FIRST:LAST, counted from 0, such as 99:110, not "${text}"`);
  return pair;
}

function moment(text: string): number {
  const read = isoMicroseconds(text);
  if (read !== undefined) return read;
  throw new Usage(`--from is a time such as 2026-11-22T10:11:12Z, not "${text}"`);
}
