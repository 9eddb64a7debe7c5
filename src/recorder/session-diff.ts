/** What two sessions have in common and in what they differ: rigs, channels reading by reading, orders, alarms. */
import { createHash } from 'node:crypto';
import type { Reading } from '../reading.ts';
import { type ListDiff, lineDiff, listDiff } from './list-diff.ts';
import { channelName } from './session-count.ts';
import { readSession, type SessionMessage, type Trouble } from './session-read.ts';

export interface Side {
  readonly good: number;
  readonly suspect: number;
  readonly bad: number;
  /** Of numbers and flags. */
  readonly min?: number;
  readonly max?: number;
}

export interface Other {
  /** Which reading of the channel, counted from 0; its times in both, microseconds since 1970. */
  readonly number: number;
  readonly t: readonly [number, number];
  readonly what: 'value' | 'quality' | 'why' | 'sigma' | 'kind' | 'numbers';
  /** As a person reads them. */
  readonly a: string;
  readonly b: string;
}

export interface ChannelDiff {
  readonly a?: Side;
  readonly b?: Side;
  /** Readings held against one another, and how many of them differ. */
  readonly compared: number;
  readonly differing: number;
  readonly first?: Other;
  /** The largest change of a number, in the channel's unit. */
  readonly largest?: number;
  /** Too many readings of one side waited for the other: it was compared up to here only. */
  readonly incomplete: boolean;
  readonly same: boolean;
}

export interface RigDiff {
  readonly same: boolean;
  readonly names: readonly [string | null, string | null];
  /** Of the program that wrote. Another one makes no difference by itself. */
  readonly versions: readonly [string | null, string | null];
  /** Lines of the rig with - (only in A) and + (only in B), and its files by name. */
  readonly lines: readonly string[];
  readonly files: readonly string[];
}

export interface SessionDiff {
  readonly same: boolean;
  readonly rig: RigDiff;
  readonly channels: Readonly<Record<string, ChannelDiff>>;
  readonly orders: ListDiff;
  readonly alarms: ListDiff;
  /** Every reading bears the same time in both. Other times alone make no difference. */
  readonly sameTimes: boolean;
  readonly began: readonly [number | null, number | null];
  readonly trouble: readonly [readonly Trouble[], readonly Trouble[]];
}

const WAITING = 200_000; // readings of one session that wait for their partners, at most
const decoder = new TextDecoder();

/** Reads both once, side by side. Memory is bounded for readings; orders and alarms are held. Throws a SessionError where one cannot be read. */
export async function diffSessions(a: string, b: string): Promise<SessionDiff> {
  const sides = [new Half(a), new Half(b)] as const;
  const pairs = new Pairs();
  try {
    // The one that is behind, by the time since its beginning, reads on: partners then wait as briefly as may be.
    for (;;) {
      const [left, right] = sides;
      const which = right.done || (!left.done && left.at <= right.at) ? 0 : 1;
      const side = sides[which];
      const m = await side.next();
      if (m) pairs.see(which, side, m);
      else if (left.done && right.done) break;
    }
  } finally {
    for (const side of sides) await side.close();
  }
  const [left, right] = sides;
  const rig = rigDiff(left, right);
  const channels = pairs.channels();
  const orders = listDiff([...left.orders.values()], [...right.orders.values()]);
  const alarms = listDiff(left.alarms, right.alarms);
  return {
    same: rig.same && orders.same && alarms.same && Object.values(channels).every((c) => c.same),
    rig,
    channels,
    orders,
    alarms,
    sameTimes: pairs.sameTimes,
    began: [left.began ?? null, right.began ?? null],
    trouble: [left.trouble, right.trouble],
  };
}

/** One of the two sessions, while it is read. */
class Half {
  readonly #stream: AsyncGenerator<SessionMessage, void, undefined>;
  readonly trouble: Trouble[] = [];
  readonly orders = new Map<string, string>();
  readonly alarms: string[] = [];
  readonly files = new Map<string, string>();
  name: string | undefined;
  version: string | undefined;
  yaml: string | undefined;
  began: number | undefined;
  at = 0;
  done = false;

  constructor(folder: string) {
    this.#stream = readSession(folder, { raw: ['raw-traces', 'raw-calibrations'], onTrouble: (one) => this.trouble.push(one) });
  }

  async next(): Promise<SessionMessage | undefined> {
    if (this.done) return undefined;
    const { value } = await this.#stream.next();
    if (!value) {
      this.done = true;
      return undefined;
    }
    this.began ??= value.t;
    if (!value.topic.startsWith('trend-')) this.at = Math.max(this.at, value.t - this.began); // a trend's row bears its beginning
    return value;
  }

  async close(): Promise<void> {
    await this.#stream.return(undefined);
  }

  /** A message that is no reading. */
  see(m: SessionMessage): void {
    if (m.series === 'raw-calibrations') {
      this.files.set(m.topic.replace(/^file /, ''), digest(m.bytes));
      return;
    }
    const value = parsed(m);
    if (!value) return;
    if (m.topic === 'rig') {
      this.name = String(value.name);
      this.version ??= String(value.version);
      this.yaml ??= String(value.yaml);
    } else if (m.topic === 'orders') {
      const { id, t, by, instrument, command, index, value: to, unit, outcome, why } = value;
      const key = id === 0 ? `refused ${this.orders.size}` : `${id} ${t}`;
      const what = `${instrument}.${command}${index === undefined ? '' : `[${index}]`}${to === undefined ? '' : ` ${to}`}${unit ? ` ${unit}` : ''}`;
      this.orders.set(key, `${what} (${by}): ${outcome ?? 'no outcome'}${why ? `: ${why}` : ''}`);
    } else if (m.topic === 'alarms') this.alarms.push(`${value.from}: ${value.text}`);
    else if (m.topic === 'alarm-states') this.alarms.push(`${value.name} ${value.now ?? 'over'}: ${value.text}`);
  }
}

const digest = (bytes: Uint8Array): string => createHash('sha1').update(bytes).digest('hex');

function parsed(m: SessionMessage): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(decoder.decode(m.bytes));
    return value !== null && typeof value === 'object' ? (value as Record<string, unknown>) : undefined; // an object, as was seen
  } catch {
    return undefined;
  }
}

/** A reading as it waits for its partner. */
interface Waiting {
  readonly t: number;
  readonly kind: string;
  readonly quality: string;
  readonly why: string;
  readonly sigma: string;
  /** A number as it is, all else as JSON. */
  readonly value: number | string;
  readonly numbers?: true;
}

interface Open {
  readonly sides: [MutableSide | undefined, MutableSide | undefined];
  queue: Waiting[];
  /** Whose readings wait. */
  from: 0 | 1;
  head: number;
  compared: number;
  differing: number;
  first?: Other;
  largest?: number;
  stopped: boolean;
}
interface MutableSide {
  good: number;
  suspect: number;
  bad: number;
  min?: number;
  max?: number;
}

class Pairs {
  readonly #open = new Map<string, Open>();
  #waiting = 0;
  sameTimes = true;

  see(which: 0 | 1, side: Half, m: SessionMessage): void {
    if (m.series === 'raw-traces') {
      // Its numbers; the line before them is the reading, and comes in its own place.
      const numbers = m.bytes.subarray(m.bytes.indexOf(10) + 1);
      this.#take(`numbers of ${m.topic}`, which, {
        t: m.t,
        kind: 'trace',
        quality: '',
        why: '',
        sigma: '',
        value: digest(numbers),
        numbers: true,
      });
      return;
    }
    if (m.topic !== 'readings') {
      side.see(m);
      return;
    }
    const value = parsed(m);
    if (typeof value?.from !== 'string' || typeof value.t !== 'number' || typeof value.quality !== 'string') return;
    const r = value as unknown as Reading; // written by session-json.ts; what it is known by was looked at
    const open = this.#take(channelName(r), which, waiting(r));
    const counts = (open.sides[which] ??= { good: 0, suspect: 0, bad: 0 });
    if (r.quality === 'good' || r.quality === 'suspect' || r.quality === 'bad') counts[r.quality]++;
    if (r.quality === 'bad' || (typeof r.value !== 'number' && typeof r.value !== 'boolean')) return;
    const v = Number(r.value);
    counts.min = Math.min(counts.min ?? v, v);
    counts.max = Math.max(counts.max ?? v, v);
  }

  #take(name: string, which: 0 | 1, one: Waiting): Open {
    let open = this.#open.get(name);
    if (!open) {
      open = { sides: [undefined, undefined], queue: [], from: which, head: 0, compared: 0, differing: 0, stopped: false };
      this.#open.set(name, open);
    }
    if (one.numbers) (open.sides[which] ??= { good: 0, suspect: 0, bad: 0 }).good++;
    if (open.stopped) return open;
    const partner = open.from === which ? undefined : open.queue[open.head];
    if (partner) {
      open.head++;
      this.#waiting--;
      if (open.head === open.queue.length || open.head > 1024) {
        open.queue = open.queue.slice(open.head);
        open.head = 0;
      }
      this.#compare(open, which === 0 ? [one, partner] : [partner, one]);
      return open;
    }
    open.from = which;
    open.queue.push(one);
    if (++this.#waiting > WAITING) this.#giveUp();
    return open;
  }

  /** The channel that waits most is not compared any further. */
  #giveUp(): void {
    let most: Open | undefined;
    for (const open of this.#open.values()) if (!most || open.queue.length - open.head > most.queue.length - most.head) most = open;
    if (!most) return;
    this.#waiting -= most.queue.length - most.head;
    most.queue = [];
    most.head = 0;
    most.stopped = true;
  }

  #compare(open: Open, [a, b]: readonly [Waiting, Waiting]): void {
    const number = open.compared++;
    if (a.t !== b.t) this.sameTimes = false;
    const what = (['kind', 'quality', 'value', 'why', 'sigma'] as const).find((key) => !Object.is(a[key], b[key]));
    if (what === undefined) return;
    open.differing++;
    if (what === 'value' && typeof a.value === 'number' && typeof b.value === 'number')
      open.largest = Math.max(open.largest ?? 0, Math.abs(a.value - b.value));
    open.first ??= { number, t: [a.t, b.t], what: a.numbers ? 'numbers' : what, a: said(a, what), b: said(b, what) };
  }

  channels(): Readonly<Record<string, ChannelDiff>> {
    const names = [...this.#open.keys()].sort();
    return Object.fromEntries(
      names.map((name) => {
        const open = this.#open.get(name);
        if (!open) throw new Error('a channel that was there is gone'); // a fault of the program
        const { sides, compared, differing, first, largest, stopped } = open;
        const [a, b] = sides;
        const equal = a !== undefined && b !== undefined && JSON.stringify(a) === JSON.stringify(b);
        return [
          name,
          {
            ...(a ? { a } : {}),
            ...(b ? { b } : {}),
            compared,
            differing,
            ...(first ? { first } : {}),
            ...(largest === undefined ? {} : { largest }),
            incomplete: stopped,
            same: equal && differing === 0 && !stopped,
          },
        ];
      }),
    );
  }
}

function waiting(r: Reading): Waiting {
  const { t, kind, quality, why = '' } = r;
  const sigma = r.quality === 'bad' || r.sigma === undefined ? '' : JSON.stringify(r.sigma);
  if (r.quality === 'bad') return { t, kind, quality, why, sigma, value: '' };
  if (r.kind !== 'trace') return { t, kind, quality, why, sigma, value: typeof r.value === 'number' ? r.value : JSON.stringify(r.value) };
  const { begin: _, end: __, ...trace } = r.value as unknown as Record<string, unknown>; // without its numbers, as the session has it; times are times
  return { t, kind, quality, why, sigma, value: JSON.stringify(trace) };
}

function said(one: Waiting, what: 'kind' | 'quality' | 'value' | 'why' | 'sigma'): string {
  if (one.numbers) return 'a trace';
  if (what === 'quality') return one.quality === 'good' ? 'good' : `${one.quality}: ${one.why}`;
  return one[what] === '' ? 'none' : String(one[what]);
}

function rigDiff(a: Half, b: Half): RigDiff {
  const names = [...new Set([...a.files.keys(), ...b.files.keys()])].sort();
  const files = names.flatMap((name) => {
    const [left, right] = [a.files.get(name), b.files.get(name)];
    return left === right ? [] : [`${left === undefined ? '+' : right === undefined ? '-' : '*'} ${name}`];
  });
  const lines = lineDiff((a.yaml ?? '').split('\n'), (b.yaml ?? '').split('\n'));
  return {
    same: a.yaml === b.yaml && a.name === b.name && files.length === 0,
    names: [a.name ?? null, b.name ?? null],
    versions: [a.version ?? null, b.version ?? null],
    lines,
    files,
  };
}
