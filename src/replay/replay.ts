/**
 * A session through today's drivers and derivations: its exchanges, streams and orders in its one order, on its own time. Nothing is asked
 * again. What is made of them is compared with what the session says was made then.
 */
import type { Catalogue } from '../catalogue.ts';
import { virtualClock } from '../clock.ts';
import type { LedgerRecord } from '../derive/ledger.ts';
import { type Graph, graph, type NodeSpec } from '../graph.ts';
import type { Reading } from '../reading.ts';
import type { Known as Channel, ChunkMessage } from '../recorder/mcap-read.ts';
import { chunksFrom, type Trouble } from '../recorder/session-read.ts';
import type { Rig } from '../rig.ts';
import { Asked } from './asked.ts';
import { Comparison } from './compare.ts';
import { Heard } from './heard.ts';
import { learntFrom } from './learnt.ts';
import { Match, type Slot } from './match.ts';
import { alarmIn, calibrationIn, exchangeIn, isTrace, type LearntEntry, orderIn, readingIn, traceIn } from './messages.ts';
import { PlainExchanges } from './plain-exchange.ts';
import { type Form, PlainReadings } from './plain-reading.ts';
import type { Recorded } from './player.ts';
import type { Replayed } from './replayed.ts';
import { type Seat, type Seating, seated } from './seats.ts';
import { type Messages, messagesOf } from './stream.ts';

export type { Difference, Replayed } from './replayed.ts';

export interface ReplayOptions {
  readonly folder: string;
  readonly rig: Rig;
  readonly nodes: readonly NodeSpec[];
  readonly catalogue: Catalogue;
  /** Which calibrations that came while the rig ran are learnt; all unless given. */
  readonly learns?: (record: LedgerRecord) => boolean;
  /** Each reading as it is today, in the recording's order; `anew`: derived, or another one than was recorded. Awaited where it gives a promise. */
  readonly see?: (reading: Reading, anew: boolean) => Promise<void> | undefined;
}

const AHEAD = 10e6; // microseconds: no question waits longer for its turn
const MOST_AHEAD = 256; // chunks

export async function replay(options: ReplayOptions): Promise<Replayed> {
  const one = new Replay(options);
  try {
    return await one.run();
  } finally {
    await one.close();
  }
}

/** A chunk whose turn has not come, and its exchanges, which are looked at before; undefined where one cannot be read. */
interface Coming {
  /** Exchanges are missing in it or before it. */
  readonly hole: boolean;
  readonly messages: readonly ChunkMessage[];
  readonly exchanges: readonly (Recorded | undefined)[];
}

/** What a topic is to a replay, and the number that its next message should have. */
interface Topic {
  readonly name: string;
  readonly is: 'readings' | 'exchanges' | 'other' | 'trend';
  expected: number;
  foreseen: number;
}

/** What stands behind the form of a plain reading. */
interface Known {
  readonly slot: Slot;
  readonly seat: Seat | undefined;
}

class Replay {
  readonly #options: ReplayOptions;
  readonly #seating: Seating;
  readonly #asked: Asked;
  readonly #heard: Heard;
  readonly #derive: Graph;
  readonly #comparison = new Comparison();
  readonly #match: Match;
  readonly #plain = new PlainReadings();
  readonly #exchanges = new PlainExchanges();
  readonly #known = new Map<Form, Known>();
  readonly #trouble: Trouble[] = [];
  readonly #told = new Set<string>();
  readonly #lost = new Map<string, number>();
  readonly #topics = new Map<string, Topic>();
  /** The topic that came last, and its channel. */
  #channel: Channel | undefined;
  #topic: Topic = { name: '', is: 'other', expected: 0, foreseen: 0 };
  readonly #traces: Messages;
  readonly #calibrations: Messages;
  #waits: Promise<void> | undefined;
  #stranger = false;
  #recorded = 0;
  #ended = false;
  #from = Number.POSITIVE_INFINITY;
  #to = Number.NEGATIVE_INFINITY;

  constructor(options: ReplayOptions) {
    const { folder, rig, catalogue, nodes, see } = options;
    this.#options = options;
    const onTrouble = (trouble: Trouble): void => this.#troubled(trouble);
    this.#traces = messagesOf(folder, 'raw-traces', onTrouble);
    this.#calibrations = messagesOf(folder, 'raw-calibrations', onTrouble);
    this.#derive = graph(nodes);
    this.#match = new Match({
      comparison: this.#comparison,
      derive: this.#derive,
      derived: new Set(nodes.map(({ name }) => name)),
      wanted: new Set(nodes.flatMap(({ inputs }) => Object.values(inputs).map(({ from }) => from.replace(/\[\d+\]$/, '')))),
      see: see && ((reading, anew) => this.#see(see(reading, anew))),
    });
    const clock = virtualClock(0);
    this.#seating = seated({ folder, rig, catalogue, clock, reading: (r, doubt) => this.#match.made(r, doubt), onTrouble });
    this.#heard = new Heard(this.#seating, this.#match, clock);
    this.#asked = new Asked({
      seating: this.#seating,
      clock,
      unasked: (line, told) => this.#heard.unasked(line, told),
      lost: (what) => this.#lose(what, 1),
    });
  }

  async run(): Promise<Replayed> {
    const ahead: Coming[] = [];
    let last = Number.NEGATIVE_INFINITY;
    const onTrouble = (trouble: Trouble): void => this.#troubled(trouble);
    for await (const { messages } of chunksFrom(this.#options.folder, undefined, { ended: true, onTrouble })) {
      const exchanges: (Recorded | undefined)[] = [];
      let hole = false;
      for (const m of messages) {
        const topic = this.#topicOf(m);
        if (topic.is === 'exchanges') {
          if (m.sequence > topic.foreseen) this.#asked.hole();
          hole ||= m.sequence > topic.foreseen;
          topic.foreseen = m.sequence + 1;
          exchanges.push(this.#foresee(m));
        } else if (topic.name === 'alarms') {
          const alarm = alarmIn(m);
          if (alarm) this.#heard.foresee(alarm);
        }
        if (m.t > last) last = m.t;
      }
      ahead.push({ messages, exchanges, hole });
      while (ahead.length > 0 && ((ahead[0].messages.at(-1)?.t ?? 0) < last - AHEAD || ahead.length > MOST_AHEAD))
        await this.#take(ahead.shift());
    }
    for (const coming of ahead) await this.#take(coming);
    this.#match.leftOver(this.#ended);
    return this.#result();
  }

  /** What is known before its turn: where its talk began. */
  #foresee(m: ChunkMessage): Recorded | undefined {
    const x = this.#exchanges.find(m.records, m.from, m.to) ?? exchangeIn(m);
    if (x) this.#asked.foresee(x);
    return x;
  }

  #topicOf({ channel }: ChunkMessage): Topic {
    if (channel === this.#channel) return this.#topic;
    const { topic: name } = channel;
    let topic = this.#topics.get(name);
    if (!topic) {
      const is = name === 'readings' || name === 'exchanges' ? name : name.startsWith('trend-') ? 'trend' : 'other';
      topic = { name, is, expected: 0, foreseen: 0 };
      this.#topics.set(name, topic);
    }
    this.#channel = channel;
    this.#topic = topic;
    return topic;
  }

  async #take(coming: Coming | undefined): Promise<void> {
    let exchange = 0;
    if (coming?.hole) for (const { player } of this.#seating.seats.values()) player.hole();
    for (const message of coming?.messages ?? []) {
      const topic = this.#topicOf(message);
      this.#count(topic, message.sequence);
      if (topic.is === 'trend') continue;
      const { t } = message;
      if (t < this.#from) this.#from = t;
      if (t > this.#to) this.#to = t;
      this.#match.event++;
      if (topic.is === 'readings') {
        if (!this.#isPlain(message)) {
          const r = readingIn(message);
          const waits = r ? this.#reading(r) : this.#strange(topic.name);
          if (waits) await waits;
        }
        if (this.#waits) await this.#waits;
        this.#waits = undefined;
      } else if (topic.is === 'exchanges') {
        const x = coming?.exchanges[exchange++];
        const waits = x ? this.#asked.exchange(x) : this.#strange(topic.name);
        if (waits) await waits;
      } else await this.#other(message);
    }
  }

  /** A message such as there are few. */
  async #other(message: ChunkMessage): Promise<void> {
    const { topic } = message;
    switch (topic) {
      case 'orders': {
        const order = orderIn(message);
        if (order) this.#asked.order(order);
        else this.#strange(topic);
        return;
      }
      case 'calibrations': {
        const entry = calibrationIn(message);
        if (entry) await this.#learn(entry);
        else this.#strange(topic);
        return;
      }
      case 'alarms': {
        const alarm = alarmIn(message);
        if (alarm) await this.#heard.state(alarm);
        else this.#strange(topic);
        return;
      }
      case 'end':
        this.#ended = true;
    }
  }

  async close(): Promise<void> {
    await this.#traces.close();
    await this.#calibrations.close();
    for (const { tape } of this.#seating.lines) await tape.close();
  }

  #troubled(trouble: Trouble): void {
    const key = JSON.stringify([trouble.part, trouble.offset, trouble.kind]);
    if (!this.#told.has(key)) this.#trouble.push(trouble);
    this.#told.add(key);
    for (const { player } of this.#seating.seats.values()) player.lossy = true;
  }

  #lose(what: string, count: number): void {
    this.#lost.set(what, (this.#lost.get(what) ?? 0) + count);
  }

  /** A number below the one expected is a recorder that began anew, with nothing lost. */
  #count(topic: Topic, sequence: number): void {
    const missing = sequence - topic.expected;
    topic.expected = sequence + 1;
    if (missing <= 0) return;
    this.#lose(topic.name, missing);
    for (const { player } of this.#seating.seats.values()) player.lossy = true;
    if (topic.is === 'readings' || topic.is === 'exchanges' || topic.name === 'orders') this.#match.losses++;
  }

  /** A message that is none of ours, though its checksum holds. */
  #strange(topic: string): undefined {
    this.#lose(`${topic} that cannot be read`, 1);
    this.#match.losses++;
    this.#stranger = true;
    return undefined;
  }

  async #learn(entry: LearntEntry): Promise<void> {
    const files: Record<string, Uint8Array> = {};
    for (const path of entry.files) {
      const found = await this.#calibrations.next(`file ${path}`, (m) => m.t === entry.t);
      if (found) files[path] = found.bytes;
    }
    const record = learntFrom(entry, files);
    if (typeof record === 'string') {
      this.#trouble.push({ kind: 'missing', part: 'raw-calibrations', offset: 0, bytes: 0, why: record });
      return;
    }
    if (this.#options.learns?.(record) ?? true) this.#derive.learn(record);
  }

  /** A plain reading that was made again just so, as nearly all are: nothing else needs to be done for it. */
  #isPlain({ records, from, to }: ChunkMessage): boolean {
    const form = this.#plain.find(records, from, to);
    if (!form) return false;
    let known = this.#known.get(form);
    if (!known) {
      const slot = this.#match.slot(form);
      known = { slot, seat: this.#seating.seats.get(slot.owner.name) };
      this.#known.set(form, known);
    }
    const { slot, seat } = known;
    if (seat && seat.player.streamRoles(slot.channel).length > 0) return false; // made when it is asked for
    if (!this.#match.metPlain(form, slot, this.#plain)) return false;
    this.#recorded++;
    return true;
  }

  /** The recorded reading that replay has come to. */
  #reading(r: Reading): Promise<void> | undefined {
    this.#recorded++;
    const slot = this.#match.slot(r);
    const seat = this.#seating.seats.get(slot.owner.name);
    const roles = seat?.player.streamRoles(slot.channel) ?? [];
    if (r.kind === 'trace' && r.quality !== 'bad') return this.#withTrace(r, slot, seat, roles);
    if (roles.length > 0 && seat) return this.#heard.reading(r, slot, seat, roles).then(() => this.#match.met(r, slot, seat.player));
    this.#match.met(r, slot, seat?.player);
    return undefined;
  }

  async #withTrace(r: Reading, slot: Slot, seat: Seat | undefined, roles: readonly string[]): Promise<void> {
    if (seat && roles.length > 0) await this.#heard.reading(r, slot, seat, roles);
    const found = await this.#traces.next(r.from, (m) => isTrace(m, r));
    const whole = found && traceIn(found);
    if (whole) {
      this.#match.met(whole, slot, seat?.player);
      return;
    }
    this.#lose('numbers of traces', 1);
    this.#match.hollow(r, slot);
  }

  #see(waits: Promise<void> | undefined): void {
    if (waits) this.#waits = waits;
  }

  #result(): Replayed {
    const { identical, changed, missing, more } = this.#comparison;
    const { differences, total, checked, unjudged } = this.#asked;
    const { taken, host } = this.#match;
    // Where nothing at all could be compared, nothing is the same.
    const nothing = identical === 0 && this.#recorded > host;
    const differs = changed + missing + more > 0 || differences.length > 0 || this.#stranger || nothing;
    return {
      verdict: differs ? 'differs' : 'identical',
      readings: {
        recorded: this.#recorded,
        same: identical,
        changed,
        missing,
        more,
        host,
        taken: taken.reduce((n, one) => n + one.count, 0),
      },
      hash: this.#comparison.hashes(),
      changes: this.#comparison.changes(),
      exchanges: { total, checked, unjudged, differences },
      taken,
      lost: Object.fromEntries(this.#lost),
      trouble: this.#trouble,
      complete: this.#ended,
      duration: Math.max(0, (this.#to - this.#from) / 1e6),
    };
  }
}
