/** One run of WaveDump or ABCD files through the fast plane's sources. */
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { readWaveDumpConfig, type WaveDumpConfig } from '../../protocols/wavedump-config.ts';
import { ABCD_TICK, type AbcdSource, abcdSource } from '../derive/abcd-source.ts';
import { accidentals, coincidences } from '../derive/hit-coincidence.ts';
import { type ChannelStatistics, hitStatistics, spanned } from '../derive/hit-statistics.ts';
import { FLAG } from '../derive/hits.ts';
import { WAVEDUMP_TICK, WAVEDUMP_TIME_BITS, type WaveDumpSource, waveDumpSource } from '../derive/wavedump-source.ts';
import type { DetectorFile } from './analyse-file.ts';
import { type Feed, feed, merged } from './analyse-hits.ts';
import type { AnalyseOptions } from './analyse-options.ts';
import { pulseOf } from './analyse-pulse.ts';
import { channelResult, type FileResult, type HitResult, sums } from './analyse-result.ts';
import { channelWarnings, fileWarnings, runWarnings, seldomWarnings } from './analyse-warnings.ts';
import { Usage } from './command.ts';

export interface Analysed {
  readonly json: HitResult;
  readonly channels: ReadonlyMap<string, ChannelStatistics>;
  readonly gates: boolean;
}

const CHANNELS = 64; // of one board, at most

/** Throws Usage where a channel is named that is not there; a sentence where no file has a whole event. */
export async function analyseHits(files: readonly DetectorFile[], options: AnalyseOptions): Promise<Analysed | string> {
  const gates = files[0]?.format === 'abcd';
  const boards = [...new Set(files.map((f) => f.header?.board).filter((b) => b !== undefined))].sort((a, b) => a - b);
  const nameOf = (n: number): string => (boards.length < 2 ? String(n) : `${boards[Math.floor(n / CHANNELS)]}.${n % CHANNELS}`);
  const numberOf = (name: string): number => {
    const [a = '', b] = name.split('.');
    if (boards.length < 2) return b === undefined ? Number(a) : boards[0] === Number(a) ? Number(b) : -1;
    return b === undefined ? -1 : boards.indexOf(Number(a)) * CHANNELS + Number(b);
  };
  const wanted = options.coincidence.map((set) => set.map(numberOf));
  const config = gates ? undefined : await configOf(files, options.config);
  const made = files.map((file) => (gates ? ofAbcd(options) : ofWaveDump(file, boards, config?.config, options)));
  const seen = new Map<number, { first: number; last: number; file: number }[]>();
  const feeds: Feed[] = files.map((file, i) => {
    const source = made[i] ?? ofAbcd(options); // there is one for each
    const times = span(seen, i);
    return feed(file.path, source, options.window, files.length, times);
  });
  const statistics = hitStatistics({
    ...(options.split === undefined ? {} : { split: options.split }),
    ...(options.charges ? { charges: options.charges } : {}),
  });
  const search = coincidences(wanted, options.within, FLAG.late);
  await merged(feeds, (block) => {
    statistics.take(block);
    search.take(block);
  });

  const found = statistics.channels;
  const results = feeds.map((one, i) => fileResult(one, files[i]?.size ?? 0));
  if (results.every((r) => r.events === 0)) return nothing(files, results);
  const channels = new Map([...found].map(([n, c]) => [nameOf(n), c] as const));
  const all = [...channels.values()];
  const duration = spanned(all);
  for (const [s, set] of wanted.entries()) {
    const absent = set.findIndex((n) => !found.has(n));
    if (absent >= 0)
      throw new Usage(
        `--coincidence: there is no channel ${options.coincidence[s]?.[absent]}; there are ${[...channels.keys()].join(', ')}`,
      );
  }
  const json: HitResult = {
    file: files.length === 1 ? (files[0]?.path ?? null) : null,
    format: files[0]?.format ?? '',
    events: results.reduce((n, r) => n + r.events, 0),
    duration: duration / 1e9,
    backward_steps: results.reduce((n, r) => n + r.backward_steps, 0),
    largest_backward_step: Math.max(...results.map((r) => r.largest_backward_step)),
    late: results.reduce((n, r) => n + r.late, 0),
    cut_off_bytes: results.reduce((n, r) => n + r.cut_off_bytes, 0),
    ...sums(all, gates),
    channels: Object.fromEntries([...channels].map(([name, c]) => [name, channelResult(c, duration, gates)])),
    coincidences: search.counts.map((c) => ({
      channels: c.channels.map(nameOf),
      within: c.within / 1e9,
      count: c.count,
      expected_accidentals: accidentals(
        c.channels.map((n) => (found.get(n)?.events ?? 0) - (found.get(n)?.empty ?? 0)),
        c.within,
        duration,
      ),
    })),
    warnings: [
      ...feeds.flatMap((one, i) => fileWarnings(one, results[i], files[i], made[i], config, options)),
      ...channelWarnings(channels, gates ? 'list mode' : 'records'),
      ...(gates ? [] : seldomWarnings(channels, 2 ** (options.timeBits ?? WAVEDUMP_TIME_BITS) * (options.tick ?? WAVEDUMP_TICK))),
      ...runWarnings(files, boards, channels, seen, nameOf),
    ],
    files: results,
    settings: {
      tick: (options.tick ?? (gates ? ABCD_TICK : WAVEDUMP_TICK)) / 1e9,
      window: options.window / 1e9,
      ...(gates
        ? {}
        : { time_bits: options.timeBits ?? WAVEDUMP_TIME_BITS, sample: options.sample === undefined ? null : options.sample / 1e9 }),
      ...(options.split === undefined ? {} : { split: options.split }),
      ...(options.charges ? { charge: options.charges } : {}),
      ...(config ? { config: config.path } : {}),
    },
  };
  return { json, channels, gates };
}

const ofAbcd = (options: AnalyseOptions): AbcdSource => abcdSource(options.tick === undefined ? {} : { tick: options.tick });

function ofWaveDump(
  file: DetectorFile,
  boards: readonly number[],
  config: WaveDumpConfig | undefined,
  options: AnalyseOptions,
): WaveDumpSource {
  const { tick, timeBits, sample, width } = options;
  return waveDumpSource({
    pulse: pulseOf(width === 1 ? { bits: 8, ...options.waveform } : options.waveform, config, CHANNELS),
    width,
    numbered: (board, channel) =>
      board === (file.header?.board ?? board) ? Math.max(0, boards.indexOf(board)) * CHANNELS + channel : undefined,
    ...(tick === undefined ? {} : { tick }),
    ...(timeBits === undefined ? {} : { timeBits }),
    ...(sample === undefined ? {} : { sample }),
  });
}

/** When each channel has its first and last hit in each file. */
export function span(seen: Map<number, { first: number; last: number; file: number }[]>, file: number): Feed['seen'] {
  const own = new Map<number, { first: number; last: number; file: number }>();
  return (block) => {
    for (let i = 0; i < block.count; i++) {
      const [channel, t] = [block.channel[i] ?? 0, block.t[i] ?? 0];
      let one = own.get(channel);
      if (!one) {
        one = { first: t, last: t, file };
        own.set(channel, one);
        seen.set(channel, [...(seen.get(channel) ?? []), one]);
      }
      if (t < one.first) one.first = t;
      if (t > one.last) one.last = t;
    }
  };
}

function fileResult({ path, source, order }: Feed, bytes: number): FileResult {
  const { frames, cutOff, missing, doubled, damaged, junk } = source.counts;
  return {
    ...{ file: path, bytes, events: frames },
    backward_steps: order.counts.backwardSteps,
    largest_backward_step: order.counts.largestBackwardStep / 1e9,
    cut_off_bytes: cutOff,
    ...{ late: order.counts.late, restarts: order.counts.restarts, missing, doubled, damaged, junk_bytes: junk },
    ...('zeros' in source ? { zero_events: (source as AbcdSource).zeros.count } : {}), // only that one has them
    ...('samples' in source && frames > 0 ? { samples: { ...(source as WaveDumpSource).samples } } : {}),
  };
}

function nothing(files: readonly DetectorFile[], results: readonly FileResult[]): string {
  const [file, result] = [files[0], results[0]];
  if (!file || !result) return 'there is no file';
  const { header } = file;
  if (header && result.cut_off_bytes > 0)
    return `${file.path} has no whole event: its first one, of ${header.size} bytes, ends after ${result.cut_off_bytes}`;
  return `${file.path} has no whole event in its ${file.size} bytes`;
}

/** The configuration beside the first file, or the one that is named. Throws Usage where that cannot be read. */
async function configOf(
  files: readonly DetectorFile[],
  named: string | undefined,
): Promise<{ readonly path: string; readonly config: WaveDumpConfig } | undefined> {
  const folder = dirname(files[0]?.path ?? '.');
  const beside =
    named === undefined ? (await readdir(folder).catch(() => [])).filter((name) => /WaveDumpConfig.*\.txt$/i.test(name)).sort() : [];
  // Several are of several runs: none is taken.
  const path = named ?? (beside.length === 1 ? join(folder, beside[0] ?? '') : undefined);
  if (path === undefined) return undefined;
  const text = await readFile(path, 'latin1').catch(() => undefined);
  if (text === undefined) {
    if (named === undefined) return undefined;
    throw new Usage(`--config: ${path} cannot be read`);
  }
  const config = readWaveDumpConfig(text);
  const says = Object.keys(config).length > 1 || config.channels.size > 0; // channels are always there
  if (!says && named !== undefined)
    throw new Usage(`--config: ${path} has no line of a WaveDumpConfig.txt, such as "PULSE_POLARITY POSITIVE" or "RECORD_LENGTH 1024"`);
  return says ? { path, config } : undefined;
}
