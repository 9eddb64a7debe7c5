/**
 * Lines of the lamps that wavelengths are calibrated with, in nm of standard air. Strengths are the tables' own: coarse, and of different
 * scales far apart in wavelength; they say which of two neighbours is the stronger one, no more.
 */

export interface ListedLine {
  /** In air, whatever the list was written in. */
  readonly nm: number;
  readonly strength: number;
  /** Ne, Ar, Hg; of a file of the user's its comment or nothing. */
  readonly of: string;
}

export interface LineList {
  readonly name: string;
  /** Who measured or compiled it. */
  readonly source: string;
  /** Rising. */
  readonly lines: readonly ListedLine[];
}

type Row = readonly [nm: number, strength: number];

/**
 * Ne I. J. E. Sansonetti, W. C. Martin, Handbook of Basic Atomic Spectroscopic Data, J. Phys. Chem. Ref. Data 34, 1559 (2005), strong lines of
 * neon (NIST SRD 108); 743.88981 from the NIST Atomic Spectra Database. Lines of the ion are left out: pencil lamps do not show them.
 */
// biome-ignore format: a table
const NEON: readonly Row[] = [
  [336.98076, 50], [336.99072, 70], [341.79031, 50], [344.77024, 20], [345.41944, 10], [346.43382, 10], [346.65781, 20], [347.25706, 50],
  [349.80636, 10], [350.12159, 20], [351.51902, 20], [352.04711, 100], [359.35257, 50], [359.36389, 30], [368.22421, 10], [453.77545, 100],
  [470.43949, 150], [470.88594, 120], [471.20633, 150], [475.2732, 50], [478.89258, 100], [479.02195, 50], [500.51587, 50], [503.77512, 50],
  [514.49384, 50], [533.07775, 60], [534.10938, 100], [534.32834, 60], [540.05618, 200], [556.27662, 50], [565.66588, 50], [571.92248, 50],
  [574.82985, 50], [576.44188, 70], [580.44496, 50], [582.01558, 50], [585.24879, 200], [587.28275, 50], [588.18952, 100], [590.24623, 5],
  [590.64294, 5], [594.48342, 50], [596.5471, 50], [597.46273, 50], [597.5534, 60], [598.79074, 15], [602.99969, 100], [607.43377, 100],
  [609.61631, 30], [612.84499, 10], [614.30626, 100], [616.35939, 100], [618.2146, 15], [621.72812, 100], [626.6495, 100], [630.47889, 10],
  [632.81646, 30], [633.44278, 100], [638.29917, 100], [640.2248, 200], [650.65281, 150], [653.28822, 10], [659.89529, 100], [665.20927, 15],
  [667.82762, 50], [671.7043, 7], [692.94673, 1000], [702.40504, 300], [703.24131, 800], [705.12923, 20], [705.91074, 100], [717.39381, 800],
  [724.51666, 800], [743.88981, 80], [747.24386, 30], [748.88712, 300], [753.57741, 300], [754.40443, 130], [783.90529, 2], [792.71177, 3],
  [793.69961, 13], [794.31814, 80], [808.2458, 60], [811.85492, 40], [812.89108, 12], [813.64054, 170], [825.9379, 30], [826.60772, 70],
  [826.71162, 10], [830.03258, 300], [836.57466, 50], [837.7608, 800], [841.71606, 30], [841.84274, 250], [846.33575, 40], [848.44435, 13],
  [849.53598, 700], [854.46958, 15], [857.13524, 30], [859.12584, 400], [863.4647, 350], [864.70411, 60], [865.43831, 600], [865.5522, 80],
  [867.94925, 130], [868.19211, 150], [870.41116, 30], [877.16563, 100], [878.06226, 600], [878.37533, 400], [883.09072, 6], [885.38668, 300],
  [886.53063, 20], [886.57552, 150], [891.95006, 60], [898.85564, 20], [914.86716, 120], [920.17591, 90], [922.00601, 60], [922.15801, 20],
  [922.66903, 20], [927.55196, 9], [930.08527, 80], [931.05839, 8], [931.39726, 30], [932.65068, 70], [937.33078, 15], [942.53788, 50],
  [945.92095, 30], [948.66818, 50], [953.41629, 60], [954.74049, 30], [966.54197, 180], [1056.24075, 80], [1079.80429, 60], [1084.44772, 90],
];

/** Ar I. The same handbook, strong lines of argon, after G. Norlen, Phys. Scr. 8, 249 (1973). Lines of the ion are left out. */
// biome-ignore format: a table
const ARGON: readonly Row[] = [
  [415.859, 400], [419.0713, 100], [419.8317, 200], [420.0674, 400], [425.9362, 200], [426.6286, 100], [427.2169, 150], [430.0101, 100],
  [433.3561, 100], [451.0733, 100], [603.2127, 40], [667.7282, 100], [675.2834, 150], [687.1289, 150], [696.5431, 10000], [703.0251, 150],
  [706.7218, 10000], [706.8736, 100], [714.7042, 1000], [727.2936, 2000], [737.2118, 200], [738.398, 10000], [750.3869, 20000],
  [751.4652, 15000], [763.5106, 25000], [772.3761, 15000], [772.4207, 10000], [794.8176, 20000], [800.6157, 20000], [801.4786, 25000],
  [810.3693, 20000], [811.5311, 35000], [826.4522, 10000], [840.821, 15000], [842.4648, 20000], [852.1442, 15000], [866.7944, 4500],
  [912.2967, 35000], [922.4499, 15000], [935.422, 1600], [965.7786, 25000], [978.4503, 4500],
];

/**
 * Hg I as pencil lamps of natural mercury show it: C. J. Sansonetti, M. L. Salit, J. Reader, Appl. Opt. 35, 74 (1996). The handbook asks for
 * these where a pencil lamp is used: its own are shorter by 0.0007 nm.
 */
// biome-ignore format: a table
const MERCURY: readonly Row[] = [
  [253.6521, 15000], [296.7283, 1200], [302.1504, 300], [313.1555, 320], [313.1844, 320], [334.1484, 80], [365.0158, 2800],
  [365.4842, 300], [366.2887, 80], [366.3284, 240], [404.6565, 1800], [407.7837, 150], [434.7506, 40], [435.8335, 4000], [546.075, 1100],
  [576.961, 240], [579.067, 280],
];

const HANDBOOK = 'NIST Handbook of Basic Atomic Spectroscopic Data, J. Phys. Chem. Ref. Data 34, 1559 (2005)';
const listOf = (name: string, source: string, of: string, rows: readonly Row[]): LineList => ({
  name,
  source,
  lines: rows.map(([nm, strength]) => ({ nm, strength, of })),
});

const KNOWN: readonly LineList[] = [
  listOf('neon', HANDBOOK, 'Ne', NEON),
  listOf('argon', HANDBOOK, 'Ar', ARGON),
  listOf('mercury', 'Sansonetti, Salit, Reader, Appl. Opt. 35, 74 (1996)', 'Hg', MERCURY),
];
export const LINE_LISTS: readonly string[] = KNOWN.map(({ name }) => name);

/** A known list by its name, or several as "mercury+argon"; undefined where a name is not known. */
export function lineList(names: string): LineList | undefined {
  const found = names.split('+').map((name) => KNOWN.find((k) => k.name === name.trim().toLowerCase()));
  const lists = found.flatMap((f) => (f ? [f] : []));
  const [first, ...others] = lists;
  if (!first || lists.length < found.length) return undefined;
  if (others.length === 0) return first;
  return {
    name: lists.map(({ name }) => name).join('+'),
    source: [...new Set(lists.map(({ source }) => source))].join('; '),
    lines: lists.flatMap(({ lines }) => lines).sort((a, b) => a.nm - b.nm),
  };
}

/**
 * A list from a text: a line of it is a wavelength in nm and, where known, a strength; "#" begins a comment. A comment that has the word
 * "vacuum" says that the wavelengths are those of vacuum: they are converted. Gives a sentence where it cannot be read.
 */
export function lineListOf(text: string, name: string): LineList | string {
  const rows: Row[] = [];
  let vacuum = false;
  for (const [n, raw] of text.split(/\r\n|\r|\n/).entries()) {
    const [written = '', comment = ''] = raw.split(/#(.*)/s);
    if (/\bvacuum\b/i.test(comment)) vacuum = true;
    if (written.trim() === '') continue;
    const [nm = Number.NaN, strength = 1, ...more] = written
      .trim()
      .split(/[\s,;]+/)
      .map(Number);
    if (!(nm >= 185 && nm <= 2500) || !(strength > 0) || more.length > 0)
      return `line ${n + 1} is no wavelength from 185 to 2500 nm with or without a strength: "${raw.trim().slice(0, 60)}"`;
    rows.push([nm, strength]);
  }
  if (rows.length < 2) return `a list of lines needs two or more; ${rows.length} found`;
  const lines = rows.map(([nm, strength]) => ({ nm: vacuum ? airOf(nm) : nm, strength, of: '' })).sort((a, b) => a.nm - b.nm);
  const twice = lines.find(({ nm }, i) => nm === lines[i + 1]?.nm);
  if (twice) return `the wavelength ${twice.nm} nm is there twice`;
  return { name, source: vacuum ? `${name} (written in vacuum wavelengths)` : name, lines };
}

/**
 * Wavelength in standard air (15 C, 101.325 kPa, dry, 330 ppm CO2) of a vacuum wavelength, both nm, 185 to 1700 nm: E. R. Peck, K. Reeder,
 * J. Opt. Soc. Am. 62, 958 (1972), as the NIST Atomic Spectra Database uses it.
 */
export function airOf(vacuum: number): number {
  const s2 = (1e3 / vacuum) ** 2; // 1/um2
  return vacuum / (1 + 1e-8 * (8060.51 + 2480990 / (132.274 - s2) + 17455.7 / (39.32957 - s2)));
}
