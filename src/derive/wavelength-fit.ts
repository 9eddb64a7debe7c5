/**
 * The wavelength axis of a spectrometer from a lamp of known lines: lines are found, matched with a list from the axis as it is now (off by
 * some nm and some percent), and a polynomial is fitted to their places by weighted least squares.
 */
import type { LineList, ListedLine } from './line-lists.ts';
import { type FoundLine, findLines, type LampSpectrum } from './wavelength-peaks.ts';
import { byPixel, fitted, type Pair, type Polynomial } from './wavelength-polynomial.ts';

export interface AxisProblem extends LampSpectrum {
  /** The axis as it is now: nm per column; monotonic. */
  readonly axis: ArrayLike<number>;
  readonly list: LineList;
  /** Degree of the polynomial, 1 to 5. */
  readonly order: number;
  /** By how much the present axis may be off, nm; 5 when absent. */
  readonly off?: number;
  /** Largest root mean square of what is left over, in pixels; 0.3 when absent. */
  readonly most?: number;
}

export interface MatchedLine {
  readonly nm: number;
  readonly of: string;
  readonly pixel: number;
  /** One sigma of the pixel. */
  readonly sigma: number;
  /** Listed minus fitted, nm. */
  readonly residual: number;
}

export interface AxisFit {
  /** nm by power of the pixel's index, which counts from 0. */
  readonly coefficients: readonly number[];
  readonly lines: readonly MatchedLine[];
  /** Found, but not used. */
  readonly unused: readonly { readonly pixel: number; readonly nm: number; readonly why: string }[];
  /** Root mean square of the residuals, nm and pixels. */
  readonly rms: number;
  readonly rmsPixels: number;
  /** Per degree of freedom. */
  readonly chi2: number;
  /** One sigma of the axis (nm), the worst between the outermost lines and the worst anywhere. */
  readonly inside: number;
  readonly anywhere: number;
  /** nm: from the first line to the last; and the whole axis. */
  readonly span: readonly [number, number];
  readonly window: readonly [number, number];
  /** Present axis minus fitted axis, nm: least and most. */
  readonly moved: readonly [number, number];
  /** Full width at half maximum of a usual line, nm. */
  readonly width: number;
  readonly warnings: readonly string[];
}

export interface NoAxis {
  readonly refused: string;
}

const MOST_SCALE = 0.02;
const MOST_OFF = 5; // nm
const MOST_RMS = 0.3; // pixels
/** Shares of the window that the lines must span: below the first it is told, below the second refused. */
const GOOD_SPAN = 0.85;
const LEAST_SPAN = 0.5;
/** A listed neighbour closer than this many widths, and stronger than this share, moves a line. */
const BLEND_WIDTHS = 1.5;
const BLEND_SHARE = 0.03;
const OUTLIER = 4; // sigma
/** Of the strongest lines of the spectrum this share must be in the list, or it is another lamp. */
const LEAST_KNOWN = 0.65;
/** The best match must be better than any other by this share. */
const CLEARLY = 0.15;

/** The axis, or why there is none and what would be right. */
export function fitAxis(problem: AxisProblem): AxisFit | NoAxis {
  const { axis, list, order, counts } = problem;
  if (!(Number.isInteger(order) && order >= 1 && order <= 5)) return { refused: `the order of the polynomial is 1 to 5, not ${order}` };
  const ends = [axis[0] ?? Number.NaN, axis[axis.length - 1] ?? Number.NaN] as const;
  if (axis.length !== counts.length || !Number.isFinite(ends[0] - ends[1]) || ends[0] === ends[1])
    return { refused: 'the spectrum has no wavelength axis to begin with' };
  const found = findLines(problem);
  const usable = found.lines.filter((l) => l.unfit === undefined);
  const dispersion = Math.abs(ends[1] - ends[0]) / (axis.length - 1);
  const width = found.width * dispersion;
  const needed = order + 3;
  const off = problem.off ?? MOST_OFF;
  const [low, high] = [Math.min(...ends) - off, Math.max(...ends) + off];
  const listed = list.lines.filter(({ nm }) => nm >= low && nm <= high);
  const place = `${list.name} has ${listed.length} lines in ${(low + off).toFixed(0)} to ${(high - off).toFixed(0)} nm`;
  if (usable.length < needed) {
    const lost = found.lines.length - usable.length;
    const why = lost > 0 ? ` (${lost} more are saturated, blended or at the edge)` : '';
    return {
      refused: `${usable.length} lines found${why}, and order ${order} needs ${needed}; ${place}: expose longer, or take a lower order`,
    };
  }
  const matched = match(usable, axis, listed, { off, width, dispersion, order });
  if ('refused' in matched) return matched;
  const solved = refine(matched.pairs, usable, listed, { order, width, needed, half: (axis.length - 1) / 2 });
  if ('refused' in solved) return { refused: `${solved.refused}; ${place}` };
  const strong = [...usable].sort((a, b) => b.height - a.height).slice(0, TRIED);
  const known = strong.filter(
    (l) => Math.abs((nearest(listed, solved.polynomial.at(l.pixel))?.nm ?? 0) - solved.polynomial.at(l.pixel)) < 0.5 * width,
  );
  if (known.length < LEAST_KNOWN * strong.length)
    return {
      refused: `of the ${strong.length} strongest lines of the spectrum only ${known.length} are ones of ${list.name}: is it that lamp (several: --lines mercury+argon), and is the present axis right to ${off} nm?`,
    };
  return report(problem, found.lines, solved, { dispersion, width });
}

/** The axis at a pixel that is none of its own. */
function axisAt(axis: ArrayLike<number>, pixel: number): number {
  const i = Math.min(axis.length - 2, Math.max(0, Math.floor(pixel)));
  const [a = 0, b = 0] = [axis[i], axis[i + 1]];
  return a + (b - a) * (pixel - i);
}

/** Nearest listed line, by bisection. */
function nearest(listed: readonly ListedLine[], nm: number): ListedLine | undefined {
  let [a, b] = [0, listed.length - 1];
  while (b - a > 1) {
    const middle = (a + b) >> 1;
    if ((listed[middle]?.nm ?? 0) <= nm) a = middle;
    else b = middle;
  }
  const [x, y] = [listed[a], listed[b]];
  return x && y ? (Math.abs(x.nm - nm) <= Math.abs(y.nm - nm) ? x : y) : x;
}

/** Lines that stand out most are tried as pairs; these many give enough guesses. */
const TRIED = 12;
/** By how much the present axis may be bent beside shift and scale: nm at both ends against the middle. */
const MOST_BEND = 2;

interface Guess {
  readonly score: number;
  readonly shift: number;
  readonly scale: number;
  readonly bend: number;
}

/** Shift, scale and bend under which most lines of the spectrum fall on lines of the list, each on one of its own. */
function match(
  found: readonly FoundLine[],
  axis: ArrayLike<number>,
  listed: readonly ListedLine[],
  { off, width, dispersion, order }: { readonly off: number; readonly width: number; readonly dispersion: number; readonly order: number },
): { readonly pairs: readonly Pair[] } | NoAxis {
  const half = (axis.length - 1) / 2;
  const middle = axisAt(axis, half);
  const seen = found.map((line) => ({ line, nm: axisAt(axis, line.pixel) }));
  const within = Math.max(1.2 * width, 3 * dispersion, 0.15);
  const place = ({ shift, scale, bend }: Guess, { line, nm }: (typeof seen)[number]): number =>
    middle + (nm - middle + bend * ((line.pixel - half) / half) ** 2) * (1 + scale) + shift;
  const score = (guess: Guess): number => {
    let sum = 0;
    let last: ListedLine | undefined;
    for (const one of seen) {
      const at = place(guess, one);
      const near = nearest(listed, at);
      const d = near ? Math.abs(near.nm - at) / within : 2;
      if (near && d < 1 && near !== last) sum += 1 - d * d;
      if (d < 1) last = near;
    }
    return sum;
  };
  const steps = Math.ceil(MOST_BEND / within);
  const bends = Array.from({ length: 2 * steps + 1 }, (_, i) => ((i - steps) / Math.max(1, steps)) * MOST_BEND);
  const guesses = bends.flatMap((bend) => guessesOf(bend)).map((g) => ({ ...g, score: score(g) }));
  const best = guesses.reduce<Guess>((most, g) => (g.score > most.score ? g : most), { score: 0, shift: 0, scale: 0, bend: 0 });

  function guessesOf(bend: number): readonly Guess[] {
    const strong = [...seen]
      .sort((a, b) => b.line.height - a.line.height)
      .slice(0, TRIED)
      .map((one) => place({ score: 0, shift: 0, scale: 0, bend }, one));
    const near = strong.map((nm) => listed.filter((l) => Math.abs(l.nm - nm) <= off));
    const out: Guess[] = [];
    for (const [i, a] of strong.entries()) {
      for (let j = i + 1; j < strong.length; j++) {
        const b = strong[j] ?? a;
        if (Math.abs(a - b) < 10 * width) continue;
        for (const p of near[i] ?? []) {
          for (const q of near[j] ?? []) {
            const scale = (q.nm - p.nm) / (b - a) - 1;
            const shift = p.nm - middle - (a - middle) * (1 + scale);
            if (Math.abs(scale) <= MOST_SCALE && Math.abs(shift) <= off) out.push({ score: 0, shift, scale, bend });
          }
        }
      }
    }
    return out;
  }

  const elsewhere = (g: Guess): boolean =>
    seen.filter((one) => Math.abs(place(g, one) - place(best, one)) > within).length > seen.length / 2;
  const other = guesses.reduce((most, g) => (g.score > most && elsewhere(g) ? g.score : most), 0);
  const least = Math.max(order + 2, 0.4 * seen.length);
  if (best.score < 0.6 * least)
    return {
      refused: `the lines of the spectrum do not lie as those of the list do: ${Math.round(best.score)} of ${seen.length} fall on one within ${off} nm; is it that lamp, and is the present axis right to ${off} nm?`,
    };
  if (other > (1 - CLEARLY) * best.score)
    return {
      refused: `the lines can be matched in more than one way (${Math.round(best.score)} and ${Math.round(other)} of ${seen.length} lines fit): more lines are needed, or a better axis to begin with`,
    };
  const pairs = seen.flatMap((one): readonly Pair[] => {
    const at = place(best, one);
    const near = nearest(listed, at);
    return near && Math.abs(near.nm - at) < within ? [{ line: one.line, listed: near }] : [];
  });
  return { pairs };
}

interface Solved {
  readonly pairs: readonly Pair[];
  readonly polynomial: Polynomial;
  /** Why a pair was left out. */
  readonly out: ReadonlyMap<FoundLine, string>;
}

interface Frame {
  readonly order: number;
  readonly width: number;
  readonly needed: number;
  /** Half of the pixels: where u is 0. */
  readonly half: number;
}

/** The polynomial of rising degree through the matches, matched anew each time with a narrower reach, without blends and outliers. */
function refine(start: readonly Pair[], found: readonly FoundLine[], listed: readonly ListedLine[], frame: Frame): Solved | NoAxis {
  const { order, width, needed, half } = frame;
  const out = new Map<FoundLine, string>();
  const clear = listed.filter((l) => !blended(l, listed, width));
  const isClear = new Set(clear);
  let pairs: readonly Pair[] = single(start).filter((p) => isClear.has(p.listed));
  for (let degree = Math.min(1, order); degree <= order; degree++) {
    const polynomial = fitted(pairs, degree, half);
    if (!polynomial)
      return {
        refused: `${pairs.length} lines of the spectrum match lines that stand alone in the list, and order ${order} needs ${needed}`,
      };
    // What the next degree takes up must not count as wrong.
    const usual = medianOf(pairs.map((p) => Math.abs(p.listed.nm - polynomial.at(p.line.pixel))));
    const reach = Math.min(1.5 * width, Math.max(degree === order ? 0.3 * width : 0.6 * width, 4 * usual));
    pairs = single(
      found.flatMap((line): readonly Pair[] => {
        const at = polynomial.at(line.pixel);
        const near = nearest(listed, at);
        return near && isClear.has(near) && Math.abs(near.nm - at) < reach ? [{ line, listed: near }] : [];
      }),
    );
  }
  for (let round = 0; ; round++) {
    const polynomial = fitted(pairs, order, half);
    if (!polynomial || pairs.length < needed)
      return { refused: `${pairs.length} lines match, and order ${order} needs ${needed}: take a lower order, or a lamp with more lines` };
    const off = pairs.map((p) => Math.abs(p.listed.nm - polynomial.at(p.line.pixel)) / polynomial.sigmaOf(p.line));
    const usual = Math.max(1, 1.4826 * medianOf(off));
    const worst = off.indexOf(Math.max(...off));
    const bad = pairs[worst];
    if (!bad || (off[worst] ?? 0) <= OUTLIER * usual || round >= 0.25 * found.length) return { pairs, polynomial, out };
    out.set(bad.line, `${((bad.listed.nm - polynomial.at(bad.line.pixel)) * 1e3).toFixed(0)} pm beside ${bad.listed.nm} nm`);
    pairs = pairs.filter((p) => p !== bad);
  }
}

/** Another listed line so near and so strong that the two are seen as one, or pull at each other. */
const blended = (line: ListedLine, listed: readonly ListedLine[], width: number): boolean =>
  listed.some((o) => o !== line && Math.abs(o.nm - line.nm) < BLEND_WIDTHS * width && o.strength > BLEND_SHARE * line.strength);

/** Of two lines on one listed line the stronger one. */
function single(pairs: readonly Pair[]): readonly Pair[] {
  return pairs.filter((p) => !pairs.some((o) => o !== p && o.listed === p.listed && o.line.height > p.line.height));
}

function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? 0;
}

function report(
  problem: AxisProblem,
  all: readonly FoundLine[],
  { pairs, polynomial, out }: Solved,
  { dispersion, width }: { readonly dispersion: number; readonly width: number },
): AxisFit | NoAxis {
  const { axis, order } = problem;
  const n = axis.length;
  const half = (n - 1) / 2;
  const lines = pairs.map(({ line, listed }): MatchedLine => {
    const residual = listed.nm - polynomial.at(line.pixel);
    return { nm: listed.nm, of: listed.of, pixel: line.pixel, sigma: line.sigma, residual };
  });
  const rms = Math.sqrt(lines.reduce((sum, l) => sum + l.residual ** 2, 0) / Math.max(1, lines.length - order - 1));
  const most = problem.most ?? MOST_RMS;
  if (rms > most * dispersion)
    return {
      refused: `what is left over is ${(rms / dispersion).toFixed(2)} pixels rms (${(rms * 1e3).toFixed(0)} pm), more than ${most}: the lines are not where a polynomial of order ${order} has them; try ${order < 5 ? `--order ${order + 1}, or ` : ''}a longer exposure`,
    };
  const slopes = Array.from({ length: n }, (_, i) => polynomial.slope(i));
  if (slopes.some((s) => s * (slopes[0] ?? 0) <= 0))
    return { refused: `the polynomial of order ${order} turns round inside the window: take a lower order` };
  const chi2 = polynomial.chi2 / Math.max(1, lines.length - order - 1);
  const grown = Math.sqrt(Math.max(1, chi2));
  const pixels = lines.map((l) => l.pixel);
  const [first, last] = [Math.min(...pixels), Math.max(...pixels)];
  const share = (last - first) / (n - 1);
  const span = sorted(polynomial.at(first), polynomial.at(last));
  const window = sorted(polynomial.at(0), polynomial.at(n - 1));
  const where = `the lines span ${span.map((x) => x.toFixed(1)).join(' to ')} nm of ${window.map((x) => x.toFixed(1)).join(' to ')} nm`;
  if (share < LEAST_SPAN) return { refused: `${where}, less than half: take a lamp whose lines span more of it` };
  const errors = Array.from({ length: n }, (_, i) => grown * polynomial.error(i));
  const inside = Math.max(...errors.slice(Math.ceil(first), Math.floor(last) + 1));
  const anywhere = Math.max(...errors);
  const warnings: string[] = [];
  if (share < GOOD_SPAN)
    warnings.push(`${where}: outside them the axis is extrapolated, where its error grows to ${(anywhere * 1e3).toFixed(0)} pm`);
  if (width < SAMPLED_PIXELS * dispersion)
    warnings.push('the lines are narrower than two pixels: their places depend on where in a pixel they lie');
  const used = new Set(pairs.map((p) => p.line));
  const moved = Array.from({ length: n }, (_, i) => (axis[i] ?? 0) - polynomial.at(i));
  return {
    coefficients: byPixel(polynomial.c, half),
    lines,
    unused: all.flatMap((l) =>
      used.has(l)
        ? []
        : [{ pixel: l.pixel, nm: polynomial.at(l.pixel), why: l.unfit ?? out.get(l) ?? 'no line of the list stands alone there' }],
    ),
    rms,
    rmsPixels: rms / dispersion,
    chi2,
    inside,
    anywhere,
    span,
    window,
    moved: [Math.min(...moved), Math.max(...moved)],
    width,
    warnings,
  };
}

const SAMPLED_PIXELS = 1.8;
const sorted = (a: number, b: number): readonly [number, number] => (a < b ? [a, b] : [b, a]);
