/** One recorded session: its streams as one run of hits, and the physics of each by itself. */
import { accidentals, coincidences } from '../derive/hit-coincidence.ts';
import { type ChannelStatistics, hitStatistics, spanned } from '../derive/hit-statistics.ts';
import { FLAG, type Hits } from '../derive/hits.ts';
import { conditionsJson, conditionsText } from './analyse-conditions.ts';
import { type Gains, gainsOf } from './analyse-gains.ts';
import { type Feed, feed, merged } from './analyse-hits.ts';
import { builtOf, joinedStream, joinTime, offsets } from './analyse-join.ts';
import { conditionMeasures, hitMeasures, type Measure, physicsMeasures } from './analyse-measures.ts';
import type { AnalyseOptions } from './analyse-options.ts';
import { type Physics, physicsOf } from './analyse-physics.ts';
import { channelResult, type FileResult, type HitResult, sums } from './analyse-result.ts';
import { span } from './analyse-run.ts';
import { type From, type Recorded, type Session, type Tape, tape } from './analyse-session.ts';
import { sessionWarnings, tapeWarnings } from './analyse-session-warnings.ts';
import { channelWarnings, overlaps } from './analyse-warnings.ts';
import { type Parsed, Usage } from './command.ts';

export interface SessionResult {
  readonly json: HitResult;
  readonly channels: ReadonlyMap<string, ChannelStatistics>;
  /** What the physics and the conditions say, for people. */
  readonly text: string;
  readonly measures: readonly Measure[];
}

interface Run {
  readonly stream: Recorded;
  readonly tape: Tape;
  readonly feed: Feed;
  readonly physics: Physics | undefined;
  readonly gains: Gains | undefined;
  readonly frames: Frames;
}

/** Frames that have a hit, and steps back between their first ones: within a frame hits stand by channel. */
interface Frames {
  count: number;
  backward: number;
  /** Nanoseconds. */
  largest: number;
}

/** Throws Usage; a sentence where no hit can be read. `streams` are those of the session, or some of them. */
export async function analyseSession(
  session: Session,
  streams: readonly Recorded[],
  options: AnalyseOptions,
  parsed: Parsed,
): Promise<SessionResult | string> {
  const { from } = parsed.options;
  if (from !== undefined && from !== 'hits' && from !== 'stream') throw new Usage(`--from is hits or stream, not "${from}"`);
  const seen = new Map<number, { first: number; last: number; file: number }[]>();
  const built = builtOf(session.built, streams);
  const within = joinTime(parsed, streams.length, built);
  const joined = within === undefined ? undefined : joinedStream(streams, built);
  const together = joined && (await physicsOf(joined.stream, parsed, within));
  if (joined && !together)
    throw new Usage(
      '--join needs energies: not every board has a scale in the rig, nor has what is built of them, and there is no --scale',
    );
  const shifts = offsets(parsed, streams, built);
  const runs: Run[] = [];
  for (const [i, stream] of streams.entries()) {
    const physics = joined ? undefined : await physicsOf(stream, parsed);
    const gains = parsed.flags.has('gains') ? gainsOf(stream, session.began) : undefined;
    const opened = run(session, stream, from, { physics, gains }, options.window, streams.length, span(seen, i), shifts[i] ?? 0);
    if (typeof opened === 'string') return opened;
    runs.push(opened);
  }
  if (parsed.flags.has('gains') && runs.every(({ gains }) => gains === undefined))
    throw new Usage(
      '--gains: the rig has neither photoelectrons nor an edge in the options of its boards, so there is nothing to be fitted',
    );
  const statistics = hitStatistics({
    ...(options.split === undefined ? {} : { split: options.split }),
    ...(options.charges ? { charges: options.charges } : {}),
  });
  const wanted = options.coincidence.map((set) => set.map((name) => (name.includes('.') ? -1 : Number(name))));
  const search = coincidences(wanted, options.within, FLAG.late);
  await merged(
    runs.map((one) => one.feed),
    (block) => {
      statistics.take(block);
      search.take(block);
      together?.take(block);
    },
  );

  const found = statistics.channels;
  if (found.size === 0) {
    const [lost] = runs.flatMap((one) => tapeWarnings(session, one.stream, one.tape, one.feed.order.counts, options.window));
    return `${session.path} has no hit in its ${streams.length === 1 ? 'stream' : 'streams'}${lost === undefined ? '' : `; ${lost}`}`;
  }
  for (const [s, set] of wanted.entries()) {
    const absent = set.findIndex((n) => !found.has(n));
    if (absent >= 0)
      throw new Usage(`--coincidence: there is no channel ${options.coincidence[s]?.[absent]}; there are ${[...found.keys()].join(', ')}`);
  }
  const channels = new Map([...found].map(([n, c]) => [String(n), c] as const));
  const all = [...channels.values()];
  const duration = spanned(all);
  const results = runs.map(resultOf);
  const physics = [
    ...runs.flatMap(({ stream, physics: of }) => (of ? [{ stream, ...of.end(stream.dead) }] : [])),
    ...(joined && together ? [{ stream: joined.stream, ...together.end(joined.stream.dead) }] : []),
  ];
  const gains = runs.flatMap(({ stream, gains: of }) => (of ? [{ stream, ...of.end() }] : []));
  const total = (of: (one: FileResult) => number): number => results.reduce((n, one) => n + of(one), 0);
  const json: HitResult = {
    ...{ file: session.path, format: 'session', rig: session.rig ?? null },
    began: session.began === undefined ? null : new Date(session.began / 1000).toISOString(),
    ended: session.ended === undefined ? null : new Date(session.ended / 1000).toISOString(),
    events: total((r) => r.events),
    hits: all.reduce((n, c) => n + c.events, 0),
    duration: duration / 1e9,
    backward_steps: total((r) => r.backward_steps),
    largest_backward_step: Math.max(...results.map((r) => r.largest_backward_step)),
    late: total((r) => r.late),
    cut_off_bytes: total((r) => r.cut_off_bytes),
    ...sums(all, false),
    channels: Object.fromEntries([...channels].map(([name, c]) => [name, channelResult(c, duration, false)])),
    coincidences: search.counts.map((c) => ({
      channels: c.channels.map(String),
      within: c.within / 1e9,
      count: c.count,
      expected_accidentals: accidentals(
        c.channels.map((n) => (found.get(n)?.events ?? 0) - (found.get(n)?.empty ?? 0)),
        c.within,
        duration,
      ),
    })),
    ...(physics.length > 0 ? { physics: physics.map(({ stream, json: said }) => ({ stream: stream.link, ...said })) } : {}),
    ...(gains.length > 0 ? { gains: gains.map(({ stream, json: said }) => ({ stream: stream.link, ...said })) } : {}),
    ...(session.conditions.length > 0 ? { conditions: conditionsJson(session.conditions) } : {}),
    warnings: [
      ...sessionWarnings(session, runs),
      ...runs.flatMap((one) => tapeWarnings(session, one.stream, one.tape, one.feed.order.counts, options.window)),
      ...channelWarnings(channels, 'session'),
      ...overlaps(
        runs.map(({ stream }) => ({ path: stream.link })),
        seen,
        String,
      ),
      ...(joined?.warnings ?? []),
      ...physics.flatMap(({ warnings }) => warnings),
    ],
    files: results,
    settings: {
      window: options.window / 1e9,
      from: runs.map((one) => one.tape.from),
      ...(options.split === undefined ? {} : { split: options.split }),
      ...(options.charges ? { charge: options.charges } : {}),
    },
  };
  const measures = [
    ...hitMeasures(channels, duration),
    ...physics.flatMap(({ stream, state }) => physicsMeasures(state, physics.length > 1 ? (stream.instrument ?? stream.link) : '')),
    ...gains.flatMap(({ stream, measures: of }) =>
      of.map((m) => (gains.length > 1 ? { ...m, quantity: `${stream.instrument ?? stream.link} ${m.quantity}` } : m)),
    ),
    ...conditionMeasures(session.conditions),
  ];
  const head = (link: string): string => (physics.length > 1 || gains.length > 1 ? `${link}\n` : '');
  return {
    json,
    channels,
    measures,
    text: `${physics
      .map(({ stream, text }) => `\n${head(stream.link)}${text}`)
      .join('')}${gains.map(({ stream, text }) => `\n${head(stream.link)}${text}`).join('')}${conditionsText(session.conditions)}`,
  };
}

function run(
  session: Session,
  stream: Recorded,
  from: From | undefined,
  { physics, gains }: Pick<Run, 'physics' | 'gains'>,
  window: number,
  streams: number,
  times: Feed['seen'],
  shift: number,
): Run | string {
  const opened = tape(session, stream, from);
  if (typeof opened === 'string') return opened;
  const frames: Frames = { count: 0, backward: 0, largest: 0 };
  let [last, before] = [-1, Number.NEGATIVE_INFINITY];
  const seen = (block: Hits): void => {
    if (shift !== 0) for (let i = 0; i < block.count; i++) block.t[i] = (block.t[i] as number) + shift; // i < count
    for (let i = 0; i < block.count; i++) {
      const [frame, t] = [block.frame[i] as number, block.t[i] as number]; // i < count
      if (frame === last) continue;
      if (t < before) {
        frames.backward++;
        frames.largest = Math.max(frames.largest, before - t);
      }
      [last, before] = [frame, t];
      frames.count++;
    }
    times?.(block);
    physics?.take(block);
    gains?.take(block);
  };
  return { stream, tape: opened, physics, gains, frames, feed: feed(stream.link, opened.source, window, streams, seen, opened.steps) };
}

function resultOf({ stream, tape: { source, found }, feed: { order }, frames }: Run): FileResult {
  const { missing, doubled, damaged, junk, cutOff } = source.counts;
  return {
    ...{ file: stream.link, bytes: found.bytes, events: frames.count },
    backward_steps: frames.backward,
    largest_backward_step: frames.largest / 1e9,
    cut_off_bytes: cutOff,
    ...{ late: order.counts.late, restarts: order.counts.restarts },
    ...{ missing, doubled, damaged, junk_bytes: junk },
    counted: Object.fromEntries(stream.counted),
  };
}
