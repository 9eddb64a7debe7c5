/**
 * Ruby pressure scales, forward and backward. Pressures in Pa, wavelengths in metre; constants as published: GPa, and GPa/nm for the
 * linear one. All are kept beside each other because a pressure means nothing without the name of its scale.
 */
import { constant, nanometres, type Part, type Proven } from './gauge.ts';

/** power: (A/B)((l/l0)^B - 1); quadratic: A d (1 + C d) with d = l/l0 - 1; linear: K (l - l0). */
export type RubyForm =
  | { readonly form: 'power'; readonly a: number; readonly b: number; readonly sa?: number; readonly sb?: number }
  | { readonly form: 'quadratic'; readonly a: number; readonly c: number; readonly sa?: number; readonly sc?: number }
  | { readonly form: 'linear'; readonly k: number; readonly sk?: number };

export type RubyScale = RubyForm & {
  readonly name: string;
  readonly source: string;
  /** GPa. */
  readonly range: readonly [number, number];
  readonly proven: Proven;
};

export const RUBY_SCALES: readonly RubyScale[] = [
  {
    name: 'ruby2020',
    form: 'quadratic',
    a: 1870,
    sa: 10,
    c: 5.63,
    sc: 0.03,
    range: [0, 150],
    proven: 'seen',
    source: 'Shen et al., High Pressure Research 40 (2020) 299, endorsed by AIRAPT',
  },
  {
    name: 'dewaele2008',
    form: 'power',
    a: 1920,
    sa: 20,
    b: 9.61,
    sb: 0.05,
    range: [0, 200],
    proven: 'seen',
    source: 'Dewaele et al., Physical Review B 78 (2008) 104102',
  },
  {
    name: 'jacobsen2008',
    form: 'power',
    a: 1904,
    b: 10.32,
    sb: 0.07,
    range: [0, 118],
    proven: 'seen',
    source: 'Jacobsen et al., American Mineralogist 93 (2008) 1823',
  },
  {
    name: 'dorogokupets2007',
    form: 'quadratic',
    a: 1884,
    c: 5.5,
    range: [0, 120],
    proven: 'unverified',
    source: 'Dorogokupets and Oganov, Physical Review B 75 (2007) 024115',
  },
  {
    name: 'chijioke2005',
    form: 'power',
    a: 1876,
    sa: 6.7,
    b: 10.71,
    sb: 0.14,
    range: [0, 150],
    proven: 'seen',
    source: 'Chijioke et al., J. Appl. Phys. 98 (2005) 114905',
  },
  {
    name: 'dewaele2004',
    form: 'power',
    a: 1904,
    b: 9.5,
    range: [0, 153],
    proven: 'unverified',
    source: 'Dewaele, Loubeyre and Mezouar, Physical Review B 70 (2004) 094112',
  },
  {
    name: 'zha2000',
    form: 'power',
    a: 1904,
    b: 7.715,
    range: [0, 55],
    proven: 'unverified',
    source: 'Zha, Mao and Hemley, PNAS 97 (2000) 13494',
  },
  {
    name: 'mao1986',
    form: 'power',
    a: 1904,
    b: 7.665,
    range: [0, 80],
    proven: 'seen',
    source: 'Mao, Xu and Bell, J. Geophys. Res. 91 (1986) 4673',
  },
  {
    name: 'mao1978',
    form: 'power',
    a: 1904,
    b: 5,
    range: [0, 100],
    proven: 'seen',
    source: 'Mao et al., J. Appl. Phys. 49 (1978) 3276 (not hydrostatic)',
  },
  {
    name: 'piermarini1975',
    form: 'linear',
    k: 2.74,
    sk: 0.016,
    range: [0, 19.5],
    proven: 'seen',
    source: 'Piermarini et al., J. Appl. Phys. 46 (1975) 2774',
  },
];

const ALIASES: Readonly<Record<string, string>> = {
  shen2020: 'ruby2020',
  ippsruby2020: 'ruby2020',
  mao1978nonhydrostatic: 'mao1978',
};

/** A scale by its name, written in any case and with or without "-" and "_"; undefined when there is none. */
export function rubyScale(name: string): RubyScale | undefined {
  const plain = name.toLowerCase().replace(/[-_ ]/g, '');
  return RUBY_SCALES.find((s) => s.name === (ALIASES[plain] ?? plain));
}

/** Pressure (Pa) of a line already corrected for temperature. Not bounded by the scale's range; NaN for lengths that are none. */
export function rubyPressure(scale: RubyForm, line: number, reference: number): number {
  const [l, l0] = [nanometres(line), nanometres(reference)];
  if (!(l > 0 && l0 > 0)) return Number.NaN;
  const d = (l - l0) / l0;
  if (scale.form === 'linear') return scale.k * (l - l0) * 1e9;
  if (scale.form === 'quadratic') return scale.a * d * (1 + scale.c * d) * 1e9;
  return (scale.a / scale.b) * Math.expm1(scale.b * Math.log1p(d)) * 1e9;
}

/** The line (m) at a pressure (Pa) and the reference's temperature; NaN below all that the formula can give. */
export function rubyLine(scale: RubyForm, pressure: number, reference: number): number {
  const p = pressure / 1e9;
  if (scale.form === 'linear') return reference + p / scale.k / 1e9;
  if (scale.form === 'quadratic') return reference * (1 + (2 * (p / scale.a)) / (1 + Math.sqrt(1 + (4 * scale.c * p) / scale.a)));
  return reference * Math.exp(Math.log1p((scale.b * p) / scale.a) / scale.b);
}

/** dP/dl at the line, dP/dl0 (Pa/m), and a term for each constant of the scale that has an uncertainty. */
export function rubySlopes(
  scale: RubyForm & { readonly name: string },
  line: number,
  reference: number,
): { readonly line: number; readonly reference: number; readonly constants: readonly Part[] } {
  const [l, l0] = [nanometres(line), nanometres(reference)];
  const d = (l - l0) / l0;
  const cause = (letter: string, size: number | undefined): Part[1] => constant(`${scale.name}_${letter}`, size);
  if (scale.form === 'linear') {
    const k = scale.k * 1e18;
    return { line: k, reference: -k, constants: [[(l - l0) * 1e9, cause('k', scale.sk)]] };
  }
  if (scale.form === 'quadratic') {
    const slope = ((scale.a * (1 + 2 * scale.c * d)) / l0) * 1e18;
    return {
      line: slope,
      reference: (-slope * l) / l0,
      constants: [
        [d * (1 + scale.c * d) * 1e9, cause('a', scale.sa)],
        [scale.a * d * d * 1e9, cause('c', scale.sc)],
      ],
    };
  }
  const { a, b } = scale;
  const log = Math.log1p(d);
  const slope = (a / l0) * Math.exp((b - 1) * log) * 1e18;
  return {
    line: slope,
    reference: (-slope * l) / l0,
    constants: [
      [(Math.expm1(b * log) / b) * 1e9, cause('a', scale.sa)],
      // d/dB of ((1+d)^B - 1)/B
      [(a / b) * (log * Math.exp(b * log) - Math.expm1(b * log) / b) * 1e9, cause('b', scale.sb)],
    ],
  };
}
