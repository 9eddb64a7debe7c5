/** Wavelength axes from lamps of known lines: spectra are made here, lines on a dispersion of known polynomial, counted by Poisson. */
import { describe, expect, test } from 'vitest';
import { airOf, LINE_LISTS, type LineList, lineList, lineListOf } from '../../src/derive/line-lists.ts';
import { type AxisFit, type AxisProblem, fitAxis } from '../../src/derive/wavelength-fit.ts';

const random = (seed: number): (() => number) => {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), a | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
};
const gauss = (u: () => number): number => Math.sqrt(-2 * Math.log(1 - u())) * Math.cos(2 * Math.PI * u());
function poisson(u: () => number, mean: number): number {
  if (mean > 200) return Math.max(0, Math.round(mean + Math.sqrt(mean) * gauss(u)));
  let [k, p] = [0, u()];
  for (const limit = Math.exp(-mean); p > limit; k++) p *= u();
  return k;
}

interface Lamp {
  readonly list: LineList;
  /** nm by u = (pixel - half) / half. */
  readonly truth: readonly number[];
  readonly pixels?: number;
  /** Full width, pixels. */
  readonly width?: number;
  /** Electrons at the top of a line of the list's strength. */
  readonly height?: (strength: number) => number;
  readonly background?: number;
  readonly seed?: number;
}
const trueAxis = ({ truth, pixels = 1024 }: Lamp): Float64Array =>
  Float64Array.from({ length: pixels }, (_, i) =>
    truth.reduceRight((sum, c) => (sum * (i - (pixels - 1) / 2)) / ((pixels - 1) / 2) + c, 0),
  );

/** A strength is as deep as its logarithm: real lamps differ by less than the tables. */
const usual = (strength: number): number => 400 * strength ** 0.7;

function spectrumOf(lamp: Lamp): Float64Array {
  const { list, pixels = 1024, width = 3, height = usual, background = 200, seed = 1 } = lamp;
  const axis = trueAxis(lamp);
  const u = random(seed);
  const mean = new Float64Array(pixels).fill(background);
  const rises = (axis[1] ?? 0) > (axis[0] ?? 0);
  const sigma = width / 2.3548;
  for (const { nm, strength } of list.lines) {
    let at = axis.findIndex((x) => (rises ? x > nm : x < nm));
    if (at < 1) continue;
    at -= ((axis[at] ?? 0) - nm) / ((axis[at] ?? 0) - (axis[at - 1] ?? 0));
    for (let i = Math.max(0, Math.floor(at - 6 * width)); i < Math.min(pixels, at + 6 * width); i++)
      mean[i] = (mean[i] ?? 0) + height(strength) * Math.exp(-(((i - at) / sigma) ** 2) / 2);
  }
  return mean.map((m) => poisson(u, m) + 8 * gauss(u));
}

function listNamed(name: string): LineList {
  const found = lineList(name);
  if (!found) throw new Error(`no list ${name}`);
  return found;
}
const NEON = listNamed('neon');
const ARGON = listNamed('argon');
/** 600 to 750 nm and somewhat bent, as a grating bends it. */
const BENT = [670, 78, -1.2, 0.15];

const problem = (lamp: Lamp, more: Partial<AxisProblem> = {}): AxisProblem => ({
  counts: spectrumOf(lamp),
  readVariance: 64,
  axis: trueAxis(lamp),
  list: lamp.list,
  order: 3,
  ...more,
});
function axisOf(p: AxisProblem): AxisFit {
  const got = fitAxis(p);
  if ('refused' in got) throw new Error(got.refused);
  return got;
}
const at = ({ coefficients }: AxisFit, pixel: number): number => coefficients.reduceRight((sum, c) => sum * pixel + c, 0);
const worst = (got: AxisFit, truth: Float64Array): number => truth.reduce((most, x, i) => Math.max(most, Math.abs(at(got, i) - x)), 0);
const shifted = (axis: Float64Array, shift: number, scale: number): Float64Array => {
  const middle = axis[axis.length >> 1] ?? 0;
  return axis.map((x) => middle + (x - middle) * (1 + scale) + shift);
};

describe('the axis from a lamp', () => {
  test('neon: lines are matched from an axis that is 3 nm and 1 % off', () => {
    const lamp = { list: NEON, truth: BENT };
    const truth = trueAxis(lamp);
    const got = axisOf(problem(lamp, { axis: shifted(truth, 3, -0.01) }));
    expect(worst(got, truth)).toBeLessThan(0.02);
    expect(got.lines.length).toBeGreaterThan(15);
    expect(got.rmsPixels).toBeLessThan(0.06);
    expect(got.moved[1]).toBeCloseTo(3.8, 0);
    expect(got.warnings).toEqual([]);
  });
  test.each([
    [-4.5, 0.012],
    [4.5, 0.004],
    [0, -0.018],
    [-2, -0.01],
  ])('shift %f nm, scale %f', (shift, scale) => {
    const lamp = { list: NEON, truth: BENT, seed: 7 };
    expect(worst(axisOf(problem(lamp, { axis: shifted(trueAxis(lamp), shift, scale) })), trueAxis(lamp))).toBeLessThan(0.03);
  });
  test('a straight axis to begin with, where the true one is bent', () => {
    const lamp = { list: NEON, truth: BENT };
    const truth = trueAxis(lamp);
    const [a = 0, b = 0] = [truth[0], truth[1023]];
    expect(worst(axisOf(problem(lamp, { axis: truth.map((_, i) => a + ((b - a) * i) / 1023) })), truth)).toBeLessThan(0.02);
  });
  test('argon; a falling axis', () => {
    const lamp = { list: ARGON, truth: [780, -85, 0.8, 0], width: 4 };
    const truth = trueAxis(lamp);
    const got = axisOf(problem(lamp, { axis: shifted(truth, -2, 0.005) }));
    expect(worst(got, truth)).toBeLessThan(0.05);
    expect(got.lines.some((l) => Math.abs(l.nm - 772.4) < 0.1)).toBe(false); // two lines that are seen as one
  });
  test('mercury and argon together', () => {
    const list = listNamed('mercury+argon');
    const lamp = { list, truth: [640, 250, -3, 0.5], pixels: 2048, height: (s: number) => 3000 * s ** 0.3 };
    const got = axisOf(problem(lamp, { axis: shifted(trueAxis(lamp), 1.5, 0.003) }));
    expect(got.lines.some((l) => l.of === 'Hg')).toBe(true);
    expect(worst(got, trueAxis(lamp))).toBeLessThan(0.25); // 0.24 nm a pixel; no lines at the ends
  });
  test('its error bar is that of repeated spectra', () => {
    const lamp = { list: NEON, truth: BENT, height: (s: number) => 60 * s ** 0.5 };
    const truth = trueAxis(lamp);
    let square = 0;
    let quoted = 0;
    for (let seed = 1; seed <= 60; seed++) {
      const got = axisOf(problem({ ...lamp, seed }));
      const off = Math.max(...[200, 500, 800].map((i) => Math.abs(at(got, i) - (truth[i] ?? 0))));
      square += off * off;
      quoted += got.inside ** 2;
      expect(got.chi2).toBeLessThan(3);
    }
    expect(Math.sqrt(square / quoted)).toBeGreaterThan(0.3);
    expect(Math.sqrt(square / quoted)).toBeLessThan(1.3);
  });
  test('lines that are in no list, hot pixels and a saturated line do no harm', () => {
    const lamp = { list: NEON, truth: BENT };
    const truth = trueAxis(lamp);
    const counts = spectrumOf({
      ...lamp,
      list: { ...NEON, lines: [...NEON.lines, ...[611.3, 645.7, 680.2].map((nm) => ({ nm, strength: 90, of: '' }))] },
    });
    for (const i of [100, 333, 801]) counts[i] = (counts[i] ?? 0) + 50_000;
    const strongest = counts.indexOf(Math.max(...counts.subarray(340, 440)));
    const saturated = new Uint8Array(1024);
    for (let i = strongest - 1; i <= strongest + 1; i++) {
      counts[i] = 20_000;
      saturated[i] = 1;
    }
    const got = axisOf({ ...problem(lamp), counts, saturated });
    expect(worst(got, truth)).toBeLessThan(0.03);
    expect(got.unused.map((l) => l.why)).toContain('saturated');
    expect(got.lines.every((l) => Math.abs((truth[Math.round(l.pixel)] ?? 0) - l.nm) < 0.2)).toBe(true);
  });
  test('lines that cover a part of the window: told, with the error where it is extrapolated', () => {
    const lamp = { list: { ...NEON, lines: NEON.lines.filter(({ nm }) => nm < 706) }, truth: BENT };
    const got = axisOf(problem(lamp, { order: 2 }));
    expect(got.warnings.join()).toMatch(
      /the lines span 59\d\.\d to 70\d\.\d nm of 590\.\d to 74\d\.\d nm: outside them the axis is extrapolated/,
    );
    expect(got.anywhere).toBeGreaterThan(2 * got.inside);
  });
});

describe('refused', () => {
  const refused = (p: AxisProblem): string => {
    const got = fitAxis(p);
    return 'refused' in got ? got.refused : `fitted ${got.lines.length} lines, off by ${worst(got, Float64Array.from(p.axis))} nm`;
  };
  const lamp = { list: NEON, truth: BENT };
  test('another lamp than was said', () => {
    const argon = { ...lamp, truth: [760, 78, -1.2, 0], list: ARGON };
    expect(refused(problem(argon, { list: NEON }))).toMatch(
      /do not lie as those of the list|can be matched in more than one way|lines match/,
    );
    const neon = { ...lamp, truth: [760, 78, -1.2, 0] };
    expect(refused(problem(neon, { list: ARGON }))).toMatch(
      /do not lie as those of the list|can be matched in more than one way|lines match/,
    );
  });
  test('an axis that is 40 nm off', () => {
    expect(refused(problem(lamp, { axis: shifted(trueAxis(lamp), 40, 0) }))).toMatch(
      /do not lie|more than one way|lines match|less than half/,
    );
  });
  test('no light, too few lines, lines in a corner', () => {
    expect(refused(problem({ ...lamp, height: () => 0 }))).toMatch(
      /^0 lines found, and order 3 needs 6; neon has \d+ lines in \d+ to \d+ nm: expose longer/,
    );
    const three = { ...NEON, lines: NEON.lines.filter((l) => [614, 640, 703].includes(Math.floor(l.nm))) };
    expect(refused(problem({ ...lamp, list: three }))).toMatch(/^3 lines found, and order 3 needs 6/);
    const corner = { ...NEON, lines: NEON.lines.filter(({ nm }) => nm < 640) };
    expect(refused(problem({ ...lamp, list: corner }, { order: 2 }))).toMatch(/less than half: take a lamp/);
  });
  test('an order that makes no sense, no axis', () => {
    expect(refused(problem(lamp, { order: 9 }))).toMatch(/order of the polynomial is 1 to 5, not 9/);
    expect(refused(problem(lamp, { axis: new Float64Array(1024) }))).toMatch(/no wavelength axis/);
  });
});

describe('lists of lines', () => {
  test('all rise, and no line is there twice', () => {
    for (const name of LINE_LISTS) {
      const { lines } = listNamed(name);
      expect(lines.every((l, i) => i === 0 || l.nm > (lines[i - 1]?.nm ?? 0))).toBe(true);
    }
    expect(lineList('neon+xenon')).toBeUndefined();
  });
  test('vacuum wavelengths become those of air (wavenumbers of the NIST ASD for Ar I; Sansonetti et al. 2004 for Ne I)', () => {
    expect(airOf(1e7 / 10217.441)).toBeCloseTo(978.4503, 4);
    expect(airOf(1e7 / 31237.4)).toBeCloseTo(320.037, 3);
    expect(airOf(841.94727)).toBeCloseTo(841.71597, 4);
    expect(airOf(867.00389)).toBeCloseTo(866.7659, 1);
    expect(airOf(546.2268)).toBeCloseTo(546.075, 3);
    const list = lineListOf('# vacuum\n841.94727 30\n842.07402 # Ne I\n', 'mine.txt');
    expect(list).toMatchObject({ source: 'mine.txt (written in vacuum wavelengths)' });
    if (typeof list !== 'string') expect(list.lines[0]?.nm).toBeCloseTo(841.71597, 4);
  });
  test('a file that is wrong says where', () => {
    expect(lineListOf('700\n7032.4 3\n', 'x')).toBe('line 2 is no wavelength from 185 to 2500 nm with or without a strength: "7032.4 3"');
    expect(lineListOf('# nothing\n', 'x')).toBe('a list of lines needs two or more; 0 found');
    expect(lineListOf('700\n700\n', 'x')).toBe('the wavelength 700 nm is there twice');
  });
});
