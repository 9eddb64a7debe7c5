/**
 * A session through today's drivers and derivations: its exchanges, streams and orders in its one order, on its own time. Nothing is asked
 * again. What is made of them is compared with what the session says was made then.
 */
import type { Catalogue } from '../catalogue.ts';
import { virtualClock } from '../clock.ts';
import type { LedgerRecord } from '../derive/ledger.ts';
import type { Alarm, OrderEntry } from '../entry.ts';
import { type Graph, graph, type NodeSpec } from '../graph.ts';
import type { Reading } from '../reading.ts';
import type { McapMessage } from '../recorder/mcap-read.ts';
import { chunksFrom, type Trouble } from '../recorder/session-read.ts';
import type { Rig } from '../rig.ts';
import { adapted, modelOf, parsed, wires } from '../rig-wires.ts';
import { type Changed, Comparison, nameOf } from './compare.ts';
import { learntFrom } from './learnt.ts';
import { Match, type Slot, type TakenOver } from './match.ts';
import { alarmIn, calibrationIn, exchangeIn, type LearntEntry, orderIn, readingIn, traceIn } from './messages.ts';
import { type Numbering, Player, type Recorded, shownHex } from './player.ts';
import { Schedule } from './schedule.ts';
import { type Messages, messagesOf } from './stream.ts';
import { Tape, type Told } from './tape.ts';

/** Exchanges that are not as they were: asked otherwise, not to be read, or not what the raw bytes say. */
export interface Difference {
  readonly instrument: string;
  readonly by: string;
  readonly what: string;
  readonly channels: readonly string[];
  count: number;
  readonly first: number;
  last: number;
}

export interface Replayed {
  readonly verdict: 'identical' | 'differs';
  readonly readings: {
    /** All of the recording. */
    readonly recorded: number;
    readonly same: number;
    readonly changed: number;
    readonly missing: number;
    readonly more: number;
    /** Bad readings in the host's own words, where nothing was asked: taken as they are. */
    readonly host: number;
    readonly taken: number;
  };
  /** SHA-256 of all readings, of the recording and of today. */
  readonly hash: { readonly recorded: string; readonly today: string };
  readonly changes: readonly Changed[];
  readonly exchanges: { readonly total: number; readonly checked: number; readonly differences: readonly Difference[] };
  readonly taken: readonly TakenOver[];
  /** Messages whose numbers are missing, by topic. */
  readonly lost: Readonly<Record<string, number>>;
  readonly trouble: readonly Trouble[];
  /** False: the session has no end. */
  readonly complete: boolean;
  /** Seconds of the session. */
  readonly duration: number;
}

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
const THERE = 'is there'; // how host.ts says that an instrument has identified itself; anything else says why it is not there
const DOWN = 'link down'; // exchange.ts
const NOT_SAFE = 'is not there to be made safe'; // safety.ts, in the same name
const FAR = 10e6; // microseconds by which a reading may bear an earlier time than the arrival that it was made of

export async function replay(options: ReplayOptions): Promise<Replayed> {
  const one = new Replay(options);
  try {
    return await one.run();
  } finally {
    await one.close();
  }
}

class Replay {
  readonly #options: ReplayOptions;
  readonly #players = new Map<string, Player>();
  /** instrument/role -> its link. */
  readonly #tapes = new Map<string, Tape>();
  /** Link -> whom its unasked messages are for. */
  readonly #users = new Map<Tape, readonly { readonly player: Player; readonly role: string }[]>();
  readonly #schedules = new Map<string, Schedule>();
  readonly #foreseen = new Map<McapMessage, Recorded>();
  readonly #clock = virtualClock(0);
  readonly #derive: Graph;
  readonly #comparison = new Comparison();
  readonly #match: Match;
  readonly #differences = new Map<string, Difference>();
  readonly #trouble: Trouble[] = [];
  readonly #told = new Set<string>();
  readonly #lost = new Map<string, number>();
  readonly #expected = new Map<string, number>();
  readonly #traces: Messages;
  readonly #calibrations: Messages;
  #waits: Promise<void> | undefined;
  #stranger = false;
  #recorded = 0;
  #exchanges = 0;
  #checked = 0;
  #ended = false;
  #from = Number.POSITIVE_INFINITY;
  #to = Number.NEGATIVE_INFINITY;

  constructor(options: ReplayOptions) {
    const { folder, rig, catalogue, nodes } = options;
    this.#options = options;
    const onTrouble = (trouble: Trouble): void => {
      const key = JSON.stringify([trouble.part, trouble.offset, trouble.kind]);
      if (!this.#told.has(key)) this.#trouble.push(trouble);
      this.#told.add(key);
    };
    this.#traces = messagesOf(folder, 'raw-traces', onTrouble);
    this.#calibrations = messagesOf(folder, 'raw-calibrations', onTrouble);
    this.#derive = graph(nodes);
    this.#match = new Match({
      comparison: this.#comparison,
      derive: this.#derive,
      derived: new Set(nodes.map(({ name }) => name)),
      see: (reading, anew) => this.#see(reading, anew),
    });
    const numbering = new Map<string, Numbering>();
    for (const placed of rig.instruments) {
      const model = adapted(modelOf(catalogue, placed), placed);
      const roles = Object.fromEntries(
        Object.entries(placed.links).map(([role, { wire }]) => {
          const known = numbering.get(wire) ?? { offset: 0 };
          numbering.set(wire, known);
          return [role, known] as const;
        }),
      );
      const player = new Player({
        name: placed.name,
        model,
        options: parsed(model, placed),
        numbering: roles,
        clock: this.#clock,
        origin: 'simulator', // until the recording tells: what is simulated must not pass for measured
        reading: (r) => this.#match.made(placed.name, r),
      });
      this.#players.set(placed.name, player);
    }
    const { wires: plain, tunnels } = wires(rig, catalogue);
    for (const wire of [...plain, ...tunnels]) {
      const tape = new Tape(folder, wire.key, wire.users[0].protocol, onTrouble);
      const users = wire.users.flatMap(({ instrument, role }) => {
        const player = this.#players.get(instrument.name);
        return player ? [{ player, role }] : [];
      });
      for (const { player, role } of users) this.#tapes.set(`${player.name}/${role}`, tape);
      this.#users.set(tape, users);
    }
    this.#onTrouble = onTrouble;
  }

  readonly #onTrouble: (trouble: Trouble) => void;

  async run(): Promise<Replayed> {
    const ahead: (readonly McapMessage[])[] = [];
    let last = Number.NEGATIVE_INFINITY;
    for await (const { messages } of chunksFrom(this.#options.folder, undefined, { ended: true, onTrouble: this.#onTrouble })) {
      for (const m of messages) {
        if (m.topic === 'exchanges') this.#foresee(m);
        last = Math.max(last, m.t);
      }
      ahead.push(messages);
      while (ahead.length > 0 && ((ahead[0].at(-1)?.t ?? 0) < last - AHEAD || ahead.length > MOST_AHEAD))
        await this.#take(ahead.shift() ?? []);
    }
    for (const messages of ahead) await this.#take(messages);
    this.#match.leftOver(this.#ended);
    return this.#result();
  }

  /** What is known before its turn: where its talk began. */
  #foresee(m: McapMessage): void {
    const x = exchangeIn(m);
    if (!x) return;
    this.#foreseen.set(m, x);
    const player = this.#players.get(x.instrument);
    if (player) this.#scheduleOf(x).foresee(x, player);
  }

  #scheduleOf({ instrument, role }: Recorded): Schedule {
    const link = this.#tapes.get(`${instrument}/${role}`)?.link ?? '';
    let schedule = this.#schedules.get(link);
    if (!schedule) {
      schedule = new Schedule();
      this.#schedules.set(link, schedule);
    }
    return schedule;
  }

  async #take(messages: readonly McapMessage[]): Promise<void> {
    for (const message of messages) {
      const { topic, sequence, t } = message;
      this.#count(topic, sequence);
      if (topic.startsWith('trend-')) continue;
      this.#from = Math.min(this.#from, t);
      this.#to = Math.max(this.#to, t);
      this.#match.event++;
      switch (topic) {
        case 'readings': {
          const r = readingIn(message);
          const waits = r ? this.#reading(r) : this.#strange(topic);
          if (waits) await waits;
          if (this.#waits) await this.#waits;
          this.#waits = undefined;
          break;
        }
        case 'exchanges': {
          const x = this.#foreseen.get(message);
          this.#foreseen.delete(message);
          const waits = x ? this.#exchange(x) : this.#strange(topic);
          if (waits) await waits;
          break;
        }
        case 'orders': {
          const order = orderIn(message);
          if (order) this.#order(order);
          else this.#strange(topic);
          break;
        }
        case 'calibrations': {
          const entry = calibrationIn(message);
          if (entry) await this.#learn(entry);
          else this.#strange(topic);
          break;
        }
        case 'alarms': {
          const alarm = alarmIn(message);
          if (alarm) await this.#state(alarm);
          else this.#strange(topic);
          break;
        }
        case 'end':
          this.#ended = true;
          break;
      }
    }
  }

  async close(): Promise<void> {
    await this.#traces.close();
    await this.#calibrations.close();
    for (const tape of this.#users.keys()) await tape.close();
  }

  /** A number below the one expected is a recorder that began anew, with nothing lost. */
  #count(topic: string, sequence: number): void {
    const missing = sequence - (this.#expected.get(topic) ?? 0);
    this.#expected.set(topic, sequence + 1);
    if (missing <= 0) return;
    this.#lost.set(topic, (this.#lost.get(topic) ?? 0) + missing);
    if (topic === 'readings' || topic === 'exchanges' || topic === 'orders') this.#match.losses++;
  }

  /** A message that is none of ours, though its checksum holds. */
  #strange(topic: string): undefined {
    const name = `${topic} that cannot be read`;
    this.#lost.set(name, (this.#lost.get(name) ?? 0) + 1);
    this.#match.losses++;
    this.#stranger = true;
    return undefined;
  }

  #differ(x: Recorded, what: string, channels: readonly string[]): void {
    // One for each kind: what it was is that of the first.
    const key = JSON.stringify([x.instrument, x.by, channels, what.replace(/[0-9a-f]{4,}|"[^"]*"|[\d.]+/g, '')]);
    const known = this.#differences.get(key);
    if (known) {
      known.count++;
      known.last = x.asked;
    } else this.#differences.set(key, { instrument: x.instrument, by: x.by, what, channels, count: 1, first: x.asked, last: x.asked });
  }

  #exchange(x: Recorded): Promise<void> | undefined {
    this.#exchanges++;
    const tape = this.#tapes.get(`${x.instrument}/${x.role}`);
    const waits = tape && x.came !== undefined ? tape.pull(x.came) : undefined;
    if (waits) return waits.then(() => this.#exchanged(x, tape));
    this.#exchanged(x, tape);
    return undefined;
  }

  #exchanged(x: Recorded, tape: Tape | undefined): void {
    const player = this.#players.get(x.instrument);
    if (!player) {
      this.#differ(x, `the rig has no instrument "${x.instrument}"`, [x.instrument]);
      return;
    }
    let told: Told | undefined;
    if (tape && x.came !== undefined && x.reply !== undefined) {
      const found = tape.reply(x.came, x.reply, (before) => this.#unasked(tape, before));
      if (found === 'other')
        this.#differ(x, `the raw bytes of ${tape.link} have another reply than ${shownHex(x.reply)}`, player.channelsOf(x.by));
      else if (found === 'lost') {
        const name = `raw bytes of ${tape.link}, replies that gave ${player.channelsOf(x.by).join(', ')}`;
        this.#lost.set(name, (this.#lost.get(name) ?? 0) + 1);
      } else {
        this.#checked++;
        told = found;
      }
    }
    const schedule = this.#scheduleOf(x);
    this.#advance(x.asked);
    const known = schedule.due(x);
    if (x.came !== undefined) this.#advance(x.came);
    const otherwise = player.exchange(x, known, told);
    schedule.ended();
    if (otherwise) this.#differ(x, otherwise.what, otherwise.channels);
  }

  /** What waits, waits by the recording's time. */
  #advance(t: number): void {
    const left = (t - this.#clock.now()) / 1e6;
    if (left > 0) this.#clock.advance(left);
  }

  #order(order: OrderEntry): void {
    const player = this.#players.get(order.instrument);
    if (!player) return;
    this.#advance(order.ended ?? order.t);
    if (order.outcome === undefined) for (const schedule of this.#schedules.values()) schedule.before(player, `order:${order.command}`);
    player.order(order);
  }

  #unasked(tape: Tape, told: Told): void {
    this.#match.event++;
    this.#advance(told.t);
    this.#users.get(tape)?.some(({ player, role }) => player.unasked(role, told));
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

  /** The recorded reading that replay has come to. */
  #reading(r: Reading): Promise<void> | undefined {
    this.#recorded++;
    const name = nameOf(r);
    const slot = this.#match.slot(name);
    const at = r.from.indexOf('.');
    const owner = r.from.slice(0, at);
    const player = this.#players.get(owner);
    const roles = player ? player.streamRoles(r.from.slice(at + 1)) : [];
    if (r.kind === 'trace' && r.quality !== 'bad') return this.#withTrace(r, slot, player, roles);
    if (roles.length > 0 && player) return this.#heard(r, slot, player, roles).then(() => this.#match.met(r, slot, player));
    this.#match.met(r, slot, player);
    return undefined;
  }

  async #withTrace(r: Reading, slot: Slot, player: Player | undefined, roles: readonly string[]): Promise<void> {
    if (player && roles.length > 0) await this.#heard(r, slot, player, roles);
    const found = await this.#traces.next(r.from, (m) => {
      const one = traceIn(m);
      return one?.seq === r.seq && one.t === r.t && one.index === r.index;
    });
    const whole = found && traceIn(found);
    if (whole) {
      this.#match.met(whole, slot, player);
      return;
    }
    this.#lost.set('numbers of traces', (this.#lost.get('numbers of traces') ?? 0) + 1);
    this.#match.takeOver(r, 'the numbers of the trace are not in the session');
    slot.made.shift();
    slot.seq = r.seq + 1;
  }

  /** Takes what came by itself until it has given this channel. */
  async #heard(r: Reading, slot: Slot, player: Player, roles: readonly string[]): Promise<void> {
    await this.#hear(r, slot, player, roles);
    const holes = roles.reduce((n, role) => n + (this.#tapes.get(`${player.name}/${role}`)?.holes ?? 0), 0);
    const spent = slot.made.length === 0 && roles.some((role) => this.#tapes.get(`${player.name}/${role}`)?.spent);
    if (holes !== slot.holes || spent) slot.clean = -1;
    slot.holes = holes;
  }

  async #hear(r: Reading, slot: Slot, player: Player, roles: readonly string[]): Promise<void> {
    const there = (): boolean => slot.made.some(({ reading: { t } }) => t >= r.t || Number.isNaN(t));
    for (const until of r.quality === 'bad' ? [r.t] : [r.t, r.t + FAR]) {
      // One that bears an earlier time than the arrival that it was made of is looked for further on.
      if (until > r.t && slot.made.length > 0) return;
      for (const role of roles) {
        const tape = this.#tapes.get(`${player.name}/${role}`);
        if (!tape) continue;
        const waits = tape.pull(until);
        if (waits) await waits;
        while (!there()) {
          const told = tape.waiting.shift();
          if (!told) break;
          this.#unasked(tape, told);
        }
        if (there()) return;
      }
    }
  }

  /** An instrument comes or goes: what it sent by itself before that was read, or not, as it was then. */
  async #state({ t, from, text }: Alarm): Promise<void> {
    const player = this.#players.get(from);
    if (!player || text === NOT_SAFE) return;
    for (const role of player.streaming) {
      const tape = this.#tapes.get(`${from}/${role}`);
      if (!tape) continue;
      await tape.pull(t);
      for (let told = tape.waiting[0]; told !== undefined && told.t <= t; told = tape.waiting[0]) {
        tape.waiting.shift();
        this.#unasked(tape, told);
      }
    }
    player.running = text === THERE;
    if (text !== DOWN) return;
    for (const role of Object.keys(player.languages)) {
      const tape = this.#tapes.get(`${from}/${role}`);
      await tape?.pull(t);
      tape?.reset();
    }
  }

  #see(reading: Reading, anew: boolean): void {
    const waits = this.#options.see?.(reading, anew);
    if (waits) this.#waits = waits;
  }

  #result(): Replayed {
    const { identical, changed, missing, more } = this.#comparison;
    const differences = [...this.#differences.values()];
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
      exchanges: { total: this.#exchanges, checked: this.#checked, differences },
      taken,
      lost: Object.fromEntries(this.#lost),
      trouble: this.#trouble,
      complete: this.#ended,
      duration: Math.max(0, (this.#to - this.#from) / 1e6),
    };
  }
}
