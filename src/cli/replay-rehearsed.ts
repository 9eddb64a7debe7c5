/** `bridgman replay SESSION --against simulators`: its options, and what comes of it. */
import type { Catalogue } from '../catalogue.ts';
import { againstSimulators, TOLERANCE } from '../replay/against.ts';
import type { Rig } from '../rig.ts';
import { EXIT, type Parsed, Usage } from './command.ts';
import { againstWords } from './replay-against.ts';
import type { Outcome } from './replay-ready.ts';

export const AGAINST = { against: 'string', tolerance: 'string', seed: 'string' } as const;

export interface Rehearsing {
  readonly tolerance: number;
  readonly seed: number;
}

/** Undefined where no simulators are asked. Throws a Usage. */
export function rehearsing({ options, flags }: Parsed): Rehearsing | undefined {
  const { against, tolerance, seed } = options;
  if (against === undefined) {
    for (const [name, given] of Object.entries({ tolerance, seed }))
      if (given !== undefined) throw new Usage(`--${name} belongs to --against simulators`);
    return undefined;
  }
  if (against !== 'simulators') throw new Usage(`--against is followed by "simulators", not "${against}"`);
  const others = ['calibration', 'influx', 'speed', 'as'].filter((name) => options[name] !== undefined);
  if (flags.has('rebuild')) others.push('rebuild');
  if (others.length > 0) throw new Usage(`--against simulators compares answers: leave out --${others.join(', --')}`);
  return { tolerance: partOf(tolerance), seed: wholeOf(seed) };
}

function partOf(text: string | undefined): number {
  if (text === undefined) return TOLERANCE;
  const [, digits = '', percent] = /^\s*(\d+(?:\.\d*)?|\.\d+)\s*(%)?\s*$/.exec(text) ?? [];
  const part = digits === '' ? Number.NaN : Number(digits) / (percent === undefined ? 1 : 100);
  if (!(part >= 0 && part < 1)) throw new Usage(`--tolerance is a part from 0 to below 1, such as 0.05 or "5 %", not "${text}"`);
  return part;
}

function wholeOf(text: string | undefined): number {
  const seed = text === undefined ? 1 : Number(text);
  if (!Number.isSafeInteger(seed) || text?.trim() === '') throw new Usage(`--seed is a whole number, not "${text}"`);
  return seed;
}

export async function rehearsed(
  session: string,
  { rig, known, head }: { readonly rig: Rig; readonly known: Catalogue; readonly head: string },
  { tolerance, seed }: Rehearsing,
): Promise<Outcome> {
  const began = performance.now();
  const result = await againstSimulators({ folder: session, rig, catalogue: known, tolerance, seed });
  const seconds = (performance.now() - began) / 1000;
  return {
    code: result.verdict === 'as the instruments' ? EXIT.ok : EXIT.failed,
    words: againstWords(head, result, seconds),
    data: { session, rig: rig.name, ...result, seconds },
  };
}
