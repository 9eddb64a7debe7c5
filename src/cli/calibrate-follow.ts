/** Frames and states of a session on disk, also of one that is being written: what a calibration is taken from. */

import type { OpticalPath } from '../derive/calibration-record.ts';
import { heldThrough, placeOf } from '../derive/held.ts';
import type { Reading, Trace } from '../reading.ts';
import { readingOf, traceOf } from '../recorder/session-json.ts';
import { chunksFrom, listParts, type Position } from '../recorder/session-read.ts';
import type { RigInput } from '../rig.ts';

/** One exposure, whole. */
export interface Shot {
  readonly trace: Trace;
  readonly reading: Reading<'trace'>;
}

export interface FollowOptions {
  readonly folder: string;
  /** instrument.channel of the spectra. */
  readonly channel: string;
  /** Name of the path's entry -> channel. */
  readonly path: Readonly<Record<string, RigInput>>;
  readonly frames: number;
  /** Only exposures that began after it (microseconds); absent: the last ones of the session. */
  readonly since?: number;
  /** Nothing more is written. */
  readonly ended: boolean;
  /** Seconds without a new frame after which nobody waits any more. */
  readonly patience: number;
  readonly sleep?: (seconds: number) => Promise<void>;
  /** How many there are by now. */
  readonly seen?: (frames: number) => void;
}

export interface Followed {
  readonly shots: readonly Shot[];
  /** Readings of the path's channels by their name, in order of time. */
  readonly states: ReadonlyMap<string, readonly Reading[]>;
}

const POLL = 0.25; // s between two looks at the files
const BEHIND = 0.5e6; // microseconds by which readings may come into the session behind others of a later time
const LATER = 3; // s for the states after the last exposure to come
const sleepFor = (seconds: number): Promise<void> => new Promise((done) => setTimeout(done, seconds * 1000));

/** Waits for the frames; a sentence when they do not come. Rejects with a SessionError where the folder cannot be read. */
export async function follow(options: FollowOptions): Promise<Followed | string> {
  const { frames, ended, patience, sleep = sleepFor, seen = () => {}, channel } = options;
  const from = await starts(options);
  const shots = new Map<string, Shot>();
  const heard: Heard = { bad: undefined, latest: 0, states: new Map() };
  let waited = 0;
  let before = 0;
  for (;;) {
    await look(options, from, shots, heard);
    if (shots.size > before) waited = 0;
    before = shots.size;
    seen(Math.min(frames, before));
    if (ended || before >= frames) break;
    if (waited > patience) {
      const none = `only ${before} of ${frames} frames of ${channel} came: none in the last ${patience} s`;
      return heard.bad === undefined ? `${none}; is it read, and triggered?` : `${none}; it is bad: ${heard.bad}`;
    }
    await sleep(POLL);
    waited += POLL;
  }
  if (before === 0)
    return `the session has no good frame of ${channel}${heard.bad === undefined ? '' : `; it is bad: ${heard.bad}`}${options.since === undefined ? '' : ' after that time'}`;
  const all = [...shots.values()].sort((a, b) => a.trace.end - b.trace.end);
  const chosen = options.since === undefined ? all.slice(-frames) : all.slice(0, frames);
  const last = chosen.at(-1)?.trace.end ?? 0;
  // What the session says of a later time comes after the states of the last exposure.
  const known = (): boolean =>
    heard.latest >= last + BEHIND ||
    Object.values(options.path).every(({ from: name }) => (heard.states.get(name) ?? []).some((r) => r.t >= last));
  for (let t = 0; !ended && t < LATER && !known(); t += POLL) {
    await sleep(POLL);
    await look(options, from, shots, heard);
  }
  return { shots: chosen, states: heard.states };
}

interface Heard {
  bad: string | undefined;
  /** Microseconds: the latest reading. */
  latest: number;
  readonly states: Map<string, Reading[]>;
}
interface Starts {
  traces: Position | undefined;
  slow: Position | undefined;
}

/** Of a running session only the end is wanted: the last part, and of the states the one before it too. */
async function starts({ folder, ended }: FollowOptions): Promise<Starts> {
  if (ended) return { traces: undefined, slow: undefined };
  const parts = await listParts(folder);
  const late = (series: string, back: number): Position | undefined => {
    const own = parts.filter((p) => p.series === series);
    const part = own.at(-back) ?? own[0];
    return part && { part: part.name, offset: 0 };
  };
  return { traces: late(TRACES, 1), slow: late('slow', 2) };
}
const TRACES = 'raw-traces';
const decoder = new TextDecoder();

/** What has been written since. States first: those of the time of a frame are there when the frame is. */
async function look(options: FollowOptions, from: Starts, shots: Map<string, Shot>, heard: Heard): Promise<void> {
  const { folder, channel, path, since, ended } = options;
  for await (const { messages, next } of chunksFrom(folder, from.traces, { series: TRACES, ended })) {
    from.traces = next;
    for (const m of messages) {
      if (m.topic !== channel) continue;
      const reading = traceOf(m.bytes);
      if (reading.quality === 'bad') continue;
      if (since !== undefined && reading.value.begin < since) continue;
      // A chunk may be written twice.
      shots.set(`${reading.seq} ${reading.index ?? ''}`, { reading, trace: reading.value });
      const oldest = shots.keys().next().value;
      if (since === undefined && shots.size > options.frames && oldest !== undefined) shots.delete(oldest);
    }
  }
  const wanted = new Set(Object.values(path).map(({ from: name }) => name.replace(/\[\d+\]$/, '')));
  wanted.add(channel);
  const marks = [...wanted].map((name) => `"from":${JSON.stringify(name)}`);
  for await (const { messages, next } of chunksFrom(folder, from.slow, { series: 'slow', ended })) {
    from.slow = next;
    for (const m of messages) {
      if (m.topic !== 'readings') continue;
      heard.latest = Math.max(heard.latest, m.t);
      const text = decoder.decode(m.bytes);
      if (!marks.some((mark) => text.includes(mark))) continue;
      const reading = readingOf(m.bytes);
      if (reading.from === channel) {
        if (reading.quality === 'bad' && (since === undefined || reading.t >= since)) heard.bad = reading.why;
        continue;
      }
      for (const name of reading.index === undefined ? [reading.from] : [reading.from, `${reading.from}[${reading.index}]`])
        keep(heard.states, name, reading);
    }
  }
}

function keep(states: Map<string, Reading[]>, name: string, reading: Reading): void {
  const list = states.get(name) ?? [];
  states.set(name, list);
  if (list.some((r) => r.seq === reading.seq && r.index === reading.index)) return;
  list.splice(list.findLastIndex((r) => r.t <= reading.t) + 1, 0, reading);
}

/** What the path's channels were from the first exposure's begin to the last one's end; a sentence where one was not known or changed. */
export function heldPath({ shots, states }: Followed, path: Readonly<Record<string, RigInput>>): OpticalPath | string {
  const [first, last] = [shots[0], shots.at(-1)];
  if (!first || !last) return 'there are no frames';
  const begin = Math.min(...shots.map(({ trace }) => trace.begin));
  const whole: Reading<'trace'> = { ...last.reading, quality: 'good', value: { ...last.trace, begin } };
  const out: Record<string, number | string> = {};
  for (const [name, input] of Object.entries(path)) {
    const held = heldThrough(states.get(input.from) ?? [], input.from, input.within * 1e6, whole);
    if (typeof held === 'string') return held.replace('during the exposure', 'while the frames were taken');
    const place = placeOf(held, input.from);
    if (typeof place === 'string') return place;
    out[name] = place.value;
  }
  return out;
}
