/** The results of a trip test for people: a row per input, a column per fault, then what failed, in sentences. */
import { FAULTS, type FaultKind, type TripResult } from './trip-result.ts';

const HEADS: Readonly<Record<FaultKind, string>> = {
  value: 'value',
  stale: 'stale',
  stuck: 'stuck',
  garbled: 'garbled',
  unplugged: 'unplugged',
  nan: 'NaN',
  unit: 'wrong unit',
};
export const faultWords = (fault: FaultKind): string => HEADS[fault];

const IN_PROGRAM = '*';
const BEHIND = '^';
const HELD = '+';

/** Worst of its outputs, in ms: to the first byte of the safe order; where it trips none, until it no longer holds. */
export function worst({ outputs, noticed }: TripResult): number | undefined {
  const times = outputs.map((one) => one.sent);
  if (times.length === 0) return noticed === undefined ? undefined : noticed * 1000;
  return times.some((t) => t === undefined) ? undefined : Math.max(...times.map((t) => (t ?? 0) * 1000));
}

function cell(result: TripResult | undefined): string {
  if (!result) return '';
  if (result.outcome === 'failed') return 'FAIL';
  if (result.outcome === 'untested') return result.why?.startsWith('not watched') ? 'not watched' : 'not possible';
  const ms = worst(result);
  const marks = `${result.inProgram ? IN_PROGRAM : ''}${result.outputs.some((one) => one.behind) ? BEHIND : ''}`;
  return `${ms === undefined ? '?' : Math.round(ms)}${marks}`;
}

/** Rows of cells, the first of them the heads. */
export function matrix(results: readonly TripResult[]): string[][] {
  const rows = new Map<string, { readonly name: string[]; readonly cells: Map<FaultKind, TripResult> }>();
  for (const result of results) {
    const key = JSON.stringify([result.interlock, result.input, result.test]);
    const row = rows.get(key) ?? { name: [result.interlock, result.input, result.test], cells: new Map() };
    rows.set(key, row);
    row.cells.set(result.fault, result);
  }
  const faults = FAULTS.filter((fault) => results.some((one) => one.fault === fault));
  return [
    ['interlock', 'input', 'must be', ...faults.map(faultWords)],
    ...[...rows.values()].map(({ name: [interlock = '', input = '', test = ''], cells }) => {
      const held = [...cells.values()].some((one) => one.held.includes(input));
      return [interlock, held ? `${input}${HELD}` : input, test, ...faults.map((fault) => cell(cells.get(fault)))];
    }),
  ];
}

export function footnotes(results: readonly TripResult[]): readonly string[] {
  const notes = ['ms of simulated time from the fault to the first byte of the safe order, the slowest of its outputs'];
  if (results.some((one) => one.outcome === 'tripped' && one.inProgram)) notes.push(`${IN_PROGRAM} set in the program, not on the wire`);
  if (results.some((one) => one.outputs.some((o) => o.behind)))
    notes.push(`${BEHIND} the output is behind the unplugged link, where no byte can go: counted from the moment the link was back`);
  if (results.some((one) => one.held.includes(one.input)))
    notes.push(`${HELD} made to say what lets the interlock hold, because its simulator does not by itself`);
  return notes;
}

export const failureLines = (results: readonly TripResult[]): readonly string[] =>
  results
    .filter((one) => one.outcome === 'failed')
    .map((one) => `${one.interlock}: ${one.input} (${one.test}), ${faultWords(one.fault)}: ${one.failures.join('; ')}`);

export interface Counts {
  readonly tripped: number;
  readonly failed: number;
  readonly untested: number;
}
export const counts = (results: readonly TripResult[]): Counts => {
  const of = (outcome: TripResult['outcome']): number => results.filter((one) => one.outcome === outcome).length;
  return { tripped: of('tripped'), failed: of('failed'), untested: of('untested') };
};

/** "12 faults of 2 interlocks: 10 tripped, 1 failed, 1 not tested" */
export function summary(results: readonly TripResult[]): string {
  const { tripped, failed, untested } = counts(results);
  const interlocks = new Set(results.map((one) => one.interlock)).size;
  const many = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`;
  return `${many(results.length, 'fault')} of ${many(interlocks, 'interlock')}: ${tripped} tripped, ${failed} failed, ${untested} not watched for or not possible`;
}
