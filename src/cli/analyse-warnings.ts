/** What is suspicious in detector files, as sentences: nothing of it has been left out of the counts. */
import type { WaveDumpConfig } from '../../protocols/wavedump-config.ts';
import { ABCD_TICK, type AbcdSource } from '../derive/abcd-source.ts';
import type { HitOrderCounts } from '../derive/hit-order.ts';
import type { ChannelStatistics } from '../derive/hit-statistics.ts';
import type { HitSource } from '../derive/hits.ts';
import type { WaveDumpSource } from '../derive/wavedump-source.ts';
import { show } from '../units.ts';
import type { DetectorFile } from './analyse-file.ts';
import type { Feed } from './analyse-hits.ts';
import type { AnalyseOptions } from './analyse-options.ts';
import type { FileResult } from './analyse-result.ts';

const plural = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`;
const were = (n: number): string => (n === 1 ? 'was' : 'were');

/** Of one file. */
export function fileWarnings(
  one: Feed,
  result: FileResult | undefined,
  file: DetectorFile | undefined,
  source: HitSource | undefined,
  config: { readonly path: string; readonly config: WaveDumpConfig } | undefined,
  options: AnalyseOptions,
): readonly string[] {
  if (!result || !file || !source) return [];
  const { path } = file;
  const { counts } = one.order;
  const { missing, late, doubled, damaged, junk, cutOff } = source.counts;
  const said: string[] = [];
  if (cutOff > 0)
    said.push(
      `${path} ends in the middle of an event: the last ${plural(cutOff, 'byte')}, from byte ${file.size - cutOff} on, ${were(cutOff)} left out`,
    );
  if (damaged > 0) said.push(`${path} has ${plural(damaged, 'damaged place')}: ${plural(junk, 'byte')} between events belong to none`);
  if (junk > 0 && damaged === 0) said.push(`${path}: ${plural(junk, 'byte')} belong to no event`);
  if (missing > 0) said.push(`${path}: ${plural(missing, 'event number')} between the first and the last ${were(missing)} not written`);
  if (doubled > 0) said.push(`${path}: ${plural(doubled, 'event')} stood there twice and ${were(doubled)} counted once in the channels`);
  if (late > 0) said.push(`${path}: event numbers go back ${plural(late, 'time')}; was the run started again?`);
  if (isAbcd(source) && source.zeros.count > 0)
    said.push(
      `${path}: ${plural(source.zeros.count, 'event')} of nothing but zeros, the first at byte ${source.zeros.at}; most likely pages that were never written`,
    );
  said.push(...orderWarnings(path, counts, options.window));
  if (isWaveDump(source)) said.push(...converterWarnings(path, source, options.width, options.waveform.bits));
  const asked = config?.config.recordLength;
  if (isWaveDump(source) && asked !== undefined && result.samples && (result.samples.least !== asked || result.samples.most !== asked)) {
    const { least, most } = result.samples;
    said.push(
      `${path} has ${least === most ? least : `${least} to ${most}`} samples an event, ${config?.path} asks for ${asked}: the headers were believed`,
    );
  }
  return said;
}

/** A record that is read with the wrong width, or reaches the end of its converter unseen: `bits` is what the user says of it. */
function converterWarnings(path: string, { highest }: WaveDumpSource, width: 1 | 2, bits: number | undefined): readonly string[] {
  const { sample, events } = highest;
  if (bits !== undefined || width === 1) return [];
  if (sample >= 2 ** MOST_BITS)
    return [
      `${path}: samples reach ${sample}, more than the ${MOST_BITS} bits of these boards; --sample-bytes 1 reads those of the 8-bit boards 721 and 731`,
    ];
  const end = CONVERTERS.find((n) => 2 ** n - 1 === sample);
  return end === undefined
    ? []
    : [
        `${path}: ${plural(events, 'event')} ${events === 1 ? 'reaches' : 'reach'} ${sample}, the end of a ${end}-bit converter; with --bits ${end} ${events === 1 ? 'it counts' : 'they count'} as saturated`,
      ];
}
/** Of CAEN's boards with a buffer of waveforms. */
const CONVERTERS = [10, 12, 14];
const MOST_BITS = 14;

/**
 * Hits whose charge is not that of their pulse, by channel. In list mode the board has made the charges; in a session a channel may well have
 * nothing to say.
 */
export function channelWarnings(
  channels: ReadonlyMap<string, ChannelStatistics>,
  kind: 'list mode' | 'records' | 'session',
): readonly string[] {
  const all = (of: (c: ChannelStatistics) => number, what: string): readonly string[] => {
    const those = [...channels].filter(([, c]) => of(c) > 0);
    const names = those.map(([name]) => name);
    const more = names.length > SHOWN ? ` and ${names.length - SHOWN} others` : '';
    const [n, events] = [those.reduce((sum, [, c]) => sum + of(c), 0), those.reduce((sum, [, c]) => sum + c.events, 0)];
    if (names.length === 0) return [];
    return [
      `${names.length === 1 ? 'channel' : 'channels'} ${names.slice(0, SHOWN).join(', ')}${more}: ${n} of ${plural(events, 'event')} ${what}`,
    ];
  };
  const sums = 'they are in the sums and means, and in no pulse shape';
  return [
    ...all(
      (c) => c.saturated,
      kind === 'list mode'
        ? `with a gate of 65535, the end of its range, which is no charge of a pulse; ${sums}`
        : `saturated: their charges are too small; ${sums}`,
    ),
    ...all((c) => c.cut, `with a gate that leaves the record, or begins within its baseline: part of the charge is not there; ${sums}`),
    ...(kind === 'records'
      ? all(
          (c) => (c.events >= SOME && c.empty > c.events / 2 ? c.empty : 0),
          'without a pulse; is the polarity right (--polarity), and the threshold (--threshold)?',
        )
      : []),
  ];
}

/** Of channels whose events are so far apart that the counter of `turn` nanoseconds may have gone round between two of them unseen. */
export function seldomWarnings(channels: ReadonlyMap<string, ChannelStatistics>, turn: number): readonly string[] {
  return [...channels].flatMap(([name, { events, first, last }]) => {
    const apart = events > 1 ? (last - first) / (events - 1) : 0;
    return apart > turn / 8
      ? [
          `channel ${name}: its events are ${show(apart / 1e9, 's')} apart, and the counter goes round every ${show(turn / 1e9, 's')}: turns without an event are not seen, and the time may be longer`,
        ]
      : [];
  });
}

/** So many records say something of the polarity; and so many channels are named. */
const [SOME, SHOWN] = [10, 5];

/** Of hits that do not come in the order of their times; `window` in nanoseconds. */
export function orderWarnings(path: string, counts: HitOrderCounts, window: number): readonly string[] {
  const said: string[] = [];
  if (counts.stray > 0)
    said.push(`${path}: ${plural(counts.stray, 'single time stamp')} far ahead of the others; most likely damaged bytes`);
  if (counts.restarts > 0) said.push(`${path}: the clock went back for good ${plural(counts.restarts, 'time')}, as where runs were joined`);
  const behind = counts.late - counts.stray;
  // Damaged bytes go back by days: no window is meant for that.
  const far = counts.largestBackwardStep / 1e9;
  const wider = far < 1000 ? ` (--window ${show(far * 1.01, 's').replaceAll(' ', '')} would take them in)` : '';
  if (behind > 0)
    said.push(
      `${path}: ${plural(behind, 'event')} came more than ${show(window / 1e9, 's')} after later ones; they count in the channels, not in coincidences${wider}`,
    );
  if (counts.crowded > 0)
    said.push(
      `${path}: more events within the window than are held; ${plural(counts.crowded, 'event')} ${were(counts.crowded)} given on before it was over`,
    );
  return said;
}

/** Of each channel, from when to when (ns) it is in which file. */
export type Spans = ReadonlyMap<number, readonly { readonly first: number; readonly last: number; readonly file: number }[]>;

/** So few events of a channel are suspicious where another has so many. */
const [RARE, MANY] = [2, 1000];

/** Of all files together. */
export function runWarnings(
  files: readonly DetectorFile[],
  boards: readonly number[],
  channels: ReadonlyMap<string, ChannelStatistics>,
  seen: Spans,
  nameOf: (n: number) => string,
): readonly string[] {
  const said: string[] = [];
  if (boards.length > 1) said.push(`times of boards ${boards.join(', ')} are compared as if they had one clock`);
  const most = Math.max(...[...channels.values()].map((c) => c.events));
  const rare = [...channels].filter(([, c]) => c.events <= RARE && most >= MANY).map(([name, c]) => `${name} (${c.events})`);
  const more = rare.length > SHOWN ? ` and ${rare.length - SHOWN} others` : '';
  if (rare.length > 0)
    said.push(
      `${rare.length === 1 ? 'channel' : 'channels'} ${rare.slice(0, SHOWN).join(', ')}${more} ${rare.length === 1 ? 'has' : 'have'} hardly an event, others up to ${most}; most likely damaged bytes`,
    );
  return [...said, ...overlaps(files, seen, nameOf)];
}

/** Channels that are in two of the files at the same time. */
export function overlaps(files: readonly { readonly path: string }[], seen: Spans, nameOf: (n: number) => string): readonly string[] {
  const said: string[] = [];
  for (const [channel, spans] of seen) {
    const inTime = [...spans].sort((a, b) => a.first - b.first);
    for (const [i, later] of inTime.entries()) {
      const earlier = inTime[i - 1];
      if (!earlier || later.first > earlier.last) continue;
      const [a, b] = [files[earlier.file]?.path, files[later.file]?.path];
      said.push(
        `channel ${nameOf(channel)} is in ${a} and in ${b} at the same time; if they are of different runs, --separate takes each by itself`,
      );
      break;
    }
  }
  return said;
}

/** How sure the times of a format are. */
export const sureOf = (format: string, options: AnalyseOptions): string | undefined =>
  format === 'abcd' && options.tick === undefined
    ? `times are in ticks of ${ABCD_TICK * 1e3} ps, as the ABCD program takes them; a 250 MHz board may count twice that, and the file does not say (--tick)`
    : undefined;

const isAbcd = (source: HitSource): source is AbcdSource => 'zeros' in source;
const isWaveDump = (source: HitSource): source is WaveDumpSource => 'samples' in source;
