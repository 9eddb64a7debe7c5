/**
 * A session against simulators: what was asked and ordered then goes, at its time, to the simulators of the rig, and their answers are
 * compared with the recorded ones: in their form, and, as today's drivers read both, in their values.
 */
import type { Catalogue } from '../catalogue.ts';
import { type VirtualClock, virtualClock } from '../clock.ts';
import type { Reading } from '../reading.ts';
import type { McapMessage } from '../recorder/mcap-read.ts';
import { chunksFrom, type Trouble } from '../recorder/session-read.ts';
import type { Rig } from '../rig.ts';
import { isBuilt, type Wire, wires } from '../rig-wires.ts';
import { type Asking, Devices } from './against-devices.ts';
import { type Example, Findings } from './against-findings.ts';
import { type Form, formOf, roughly } from './against-form.ts';
import { isAsked, isPoll, Judge } from './against-judge.ts';
import { type Against, outcome } from './against-result.ts';
import { collect, inPairs, type Side, type Twice } from './against-twice.ts';
import { leavesOf, Values } from './against-values.ts';
import { alarmIn, exchangeIn, orderIn } from './messages.ts';
import { type Open, type Recorded, shownHex } from './player.ts';
import { Schedule } from './schedule.ts';
import { hexOf, Tape, type Told } from './tape.ts';

export type { Against } from './against-result.ts';

export interface AgainstOptions {
  readonly folder: string;
  readonly rig: Rig;
  readonly catalogue: Catalogue;
  /** Of the simulated world; 1 unless given. */
  readonly seed?: number;
  /** 0.05 unless given. */
  readonly tolerance?: number;
}

export const TOLERANCE = 0.05;
const AHEAD = 10e6; // microseconds: no question waits longer for its answer, as in replay.ts
const MOST_AHEAD = 256; // chunks
const THERE = 'is there'; // how host.ts says that an instrument has identified itself
const DOWN = 'link down'; // exchange.ts
const NOT_SAFE = 'is not there to be made safe'; // safety.ts, in the same name

export async function againstSimulators(options: AgainstOptions): Promise<Against> {
  const one = new Rehearsal(options);
  try {
    return await one.run();
  } finally {
    await one.close();
  }
}

interface Coming {
  readonly x: Recorded;
  readonly asking: Asking | undefined;
}

class Rehearsal {
  readonly #options: AgainstOptions;
  readonly #seed: number;
  readonly #tolerance: number;
  readonly #wires: readonly Wire[];
  readonly #twice = new Map<string, Twice>();
  readonly #without = new Map<string, { readonly instrument: string; readonly model: string; exchanges: number }>();
  readonly #links = new Map<string, Wire>();
  readonly #schedules = new Map<string, Readonly<Record<Side, Schedule>>>();
  readonly #tapes = new Map<string, Tape>();
  readonly #coming = new Map<McapMessage, Coming>();
  readonly #findings = new Findings();
  readonly #judge = new Judge(this.#findings);
  readonly #values: Values;
  readonly #clock = virtualClock(0);
  #devices: { readonly devices: Devices; readonly clock: VirtualClock } | undefined;
  /** What the players gave in this step. */
  readonly #given: Record<Side, Reading[]> = { then: [], now: [] };
  /** The form of the message of a stream that is being read. */
  #streaming: Form | undefined;
  readonly #heard = new Map<string, { instrument: string; role: string; then: number; now: number; first: Example }>();
  readonly #notCompared = new Map<string, { of: string; why: string; count: number }>();
  readonly #trouble: Trouble[] = [];
  readonly #told = new Set<string>();
  readonly #lost = new Map<string, number>();
  readonly #expected = new Map<string, number>();
  #recorded = 0;
  #asked = 0;
  #compared = 0;
  #ended = false;
  #from = Number.POSITIVE_INFINITY;
  #to = Number.NEGATIVE_INFINITY;

  constructor(options: AgainstOptions) {
    const { rig, catalogue, seed = 1, tolerance = TOLERANCE } = options;
    this.#options = options;
    this.#seed = seed;
    this.#tolerance = tolerance;
    this.#values = new Values(tolerance, (from) => {
      const at = from.indexOf('.');
      return this.#twice.get(from.slice(0, at))?.then.natureOf(from.slice(at + 1));
    });
    const found = wires(rig, catalogue);
    this.#wires = [...found.wires, ...found.tunnels];
    for (const wire of this.#wires) for (const { instrument, role } of wire.users) this.#links.set(`${instrument.name}/${role}`, wire);
    const twice = inPairs(catalogue, this.#clock, (side, reading) => this.#gave(side, reading));
    for (const placed of rig.instruments) {
      const { name, model, links } = placed;
      if (Object.keys(links).length === 0) continue; // nothing is asked of it
      if (catalogue.simulators.has(model) || Object.values(links).every(isBuilt)) this.#twice.set(name, twice(placed));
      else this.#without.set(name, { instrument: name, model, exchanges: 0 });
    }
  }

  readonly #onTrouble = (trouble: Trouble): void => {
    const key = JSON.stringify([trouble.part, trouble.offset, trouble.kind]);
    if (!this.#told.has(key)) this.#trouble.push(trouble);
    this.#told.add(key);
  };

  async run(): Promise<Against> {
    const ahead: (readonly McapMessage[])[] = [];
    let last = Number.NEGATIVE_INFINITY;
    for await (const { messages } of chunksFrom(this.#options.folder, undefined, { ended: true, onTrouble: this.#onTrouble })) {
      const began = Math.min(...messages.map(talkedAt));
      if (began < Number.POSITIVE_INFINITY) this.#begin(began);
      for (const m of messages) {
        if (m.topic === 'exchanges') this.#foresee(m);
        last = Math.max(last, m.t);
      }
      ahead.push(messages);
      while (ahead.length > 0 && ((ahead[0].at(-1)?.t ?? 0) < last - AHEAD || ahead.length > MOST_AHEAD))
        await this.#take(ahead.shift() ?? []);
    }
    for (const messages of ahead) await this.#take(messages);
    await this.#hear(Number.POSITIVE_INFINITY);
    return this.#result();
  }

  async close(): Promise<void> {
    this.#devices?.devices.close();
    for (const tape of this.#tapes.values()) await tape.close();
  }

  /** The simulated world begins when the instruments were first spoken to, as in a run: before, the program was getting ready. */
  #begin(t: number): Devices {
    if (!this.#devices) {
      const { rig, catalogue } = this.#options;
      const clock = virtualClock(t);
      const unasked = (link: string, m: unknown, at: number, name: string | undefined): boolean =>
        this.#unasked('now', link, { t: at, m, ...(name === undefined ? {} : { name }) });
      this.#devices = { clock, devices: new Devices({ rig, catalogue, clock, seed: this.#seed, unasked }) };
    }
    return this.#devices.devices;
  }

  #foresee(message: McapMessage): void {
    const x = exchangeIn(message);
    if (!x) return;
    const devices = this.#begin(x.asked);
    const twice = this.#twice.get(x.instrument);
    this.#coming.set(message, { x, asking: twice && isAsked(x) ? devices.ask(x) : undefined });
    if (!twice) return;
    const schedules = this.#scheduleOf(x);
    schedules.then.foresee(x, twice.then);
    schedules.now.foresee(x, twice.now);
  }

  #scheduleOf({ instrument, role }: Recorded): Readonly<Record<Side, Schedule>> {
    const link = this.#links.get(`${instrument}/${role}`)?.key ?? '';
    const known = this.#schedules.get(link);
    if (known) return known;
    const made = { then: new Schedule(), now: new Schedule() };
    this.#schedules.set(link, made);
    return made;
  }

  async #take(messages: readonly McapMessage[]): Promise<void> {
    for (const message of messages) {
      const { topic, sequence, t } = message;
      this.#count(topic, sequence);
      if (topic.startsWith('trend-')) continue;
      this.#from = Math.min(this.#from, t);
      this.#to = Math.max(this.#to, t);
      this.#pass(t);
      if (topic === 'exchanges') {
        const coming = this.#coming.get(message);
        this.#coming.delete(message);
        if (coming) await this.#exchange(coming);
        else this.#strange(topic);
      } else if (topic === 'orders') {
        const order = orderIn(message);
        if (!order) this.#strange(topic);
        else {
          await this.#hear(t);
          this.#order(order);
        }
      } else if (topic === 'alarms') {
        const alarm = alarmIn(message);
        if (!alarm) this.#strange(topic);
        else if (this.#twice.has(alarm.from) && alarm.text !== NOT_SAFE) await this.#state(alarm.t, alarm.from, alarm.text);
      } else if (topic === 'end') this.#ended = true;
    }
    await this.#hear(messages.at(-1)?.t ?? Number.NEGATIVE_INFINITY);
  }

  /** A number below the one expected is a recorder that began anew, with nothing lost. */
  #count(topic: string, sequence: number): void {
    const missing = sequence - (this.#expected.get(topic) ?? 0);
    this.#expected.set(topic, sequence + 1);
    if (missing > 0) this.#lost.set(topic, (this.#lost.get(topic) ?? 0) + missing);
  }

  #strange(topic: string): void {
    const name = `${topic} that cannot be read`;
    this.#lost.set(name, (this.#lost.get(name) ?? 0) + 1);
  }

  #skip(of: string, why: string): void {
    const key = JSON.stringify([of, why]);
    const known = this.#notCompared.get(key);
    if (known) known.count++;
    else this.#notCompared.set(key, { of, why, count: 1 });
  }

  /** The simulated world goes on to a time of the recording. */
  #pass(t: number): void {
    if (!this.#devices) return;
    const { clock } = this.#devices;
    const left = (t - clock.now()) / 1e6;
    if (left > 0) clock.advance(left);
  }

  #advance(t: number): void {
    const left = (t - this.#clock.now()) / 1e6;
    if (left > 0) this.#clock.advance(left);
  }

  #gave(side: Side, reading: Reading): void {
    if (this.#streaming) this.#values.stream(side, reading, this.#streaming);
    else this.#given[side].push(reading);
  }

  async #exchange({ x, asking }: Coming): Promise<void> {
    this.#recorded++;
    const twice = this.#twice.get(x.instrument);
    if (!twice) {
      const without = this.#without.get(x.instrument);
      if (without) without.exchanges++;
      else this.#skip(x.instrument, 'the rig has no such instrument');
      return;
    }
    if (asking) this.#asked++;
    const told = await this.#recordedReply(x);
    if (asking) this.#begin(x.asked).settle(asking);
    this.#advance(x.asked);
    const schedules = this.#scheduleOf(x);
    const known = { then: schedules.then.due(x), now: schedules.now.due(x) };
    if (x.came !== undefined) this.#advance(x.came);
    this.#play(x, twice, known, told, asking);
    schedules.then.ended();
    schedules.now.ended();
  }

  /** A reply that the raw bytes have a name for, and what came by itself before it, where something does. */
  async #recordedReply(x: Recorded): Promise<Told | undefined> {
    const link = this.#links.get(`${x.instrument}/${x.role}`)?.key ?? '';
    const tape = this.#tapes.get(link);
    if (!tape || x.came === undefined || x.reply === undefined) return undefined;
    await tape.pull(x.came);
    const found = tape.reply(x.came, x.reply, (before) => this.#unasked('then', link, before));
    return typeof found === 'string' ? undefined : found;
  }

  #play(
    x: Recorded,
    twice: Twice,
    known: Readonly<Record<Side, Open | undefined>>,
    told: Told | undefined,
    asking: Asking | undefined,
  ): void {
    const then = twice.then.exchange(x, known.then, told);
    const {
      usable,
      example,
      skip,
      spoil,
      forms,
      odd = false,
      compared,
    } = this.#judge.exchange(x, this.#devices?.devices.protocolOf(x), told, asking);
    if (compared) this.#compared++;
    if (skip !== undefined) this.#skip(x.instrument, skip);
    if (spoil !== undefined && isPoll(x)) twice.spoilt.set(x.by, spoil);
    if (usable && !twice.then.channels)
      this.#skip(x.instrument, 'read by nobody: it has not identified itself in what there is of the session');
    if (forms) collect(twice, x, forms, odd);
    const t = x.came ?? x.asked;
    const now =
      usable === undefined
        ? twice.now.exchange(x, known.now, told)
        : twice.now.exchange({ ...x, reply: usable.hex }, known.now, {
            t,
            m: usable.m,
            ...(told?.name === undefined ? {} : { name: told.name }),
          });
    if (then && isPoll(x)) twice.spoilt.set(x.by, `today's driver ${then.what}`);
    else if (now && isPoll(x)) {
      twice.spoilt.set(x.by, 'the driver asks on otherwise after what the simulator answers');
      for (const channel of twice.now.channelsOf(x.by)) twice.now.failed(channel.slice(x.instrument.length + 1), 'asks otherwise');
    }
    this.#meet(x, twice, example);
  }

  /** Both players have taken this exchange: what they made of it is compared. */
  #meet(x: Recorded, twice: Twice, example: Example): void {
    const then = this.#given.then.splice(0);
    const now = this.#given.now.splice(0);
    if (then.length === 0 && now.length === 0) return;
    const why = twice.spoilt.get(x.by);
    const leaves = twice.leaves.get(x.by);
    if (then.length > 0) {
      twice.spoilt.delete(x.by);
      twice.leaves.delete(x.by);
    }
    if (why !== undefined) {
      for (const r of then) this.#skip(r.from, why);
      return;
    }
    if (!isPoll(x)) return; // what an order gives is the recording's own
    this.#values.exchange(then, now, example, leaves?.odd ?? false, leaves && leavesOf(leaves.then, leaves.now));
  }

  #order(order: NonNullable<ReturnType<typeof orderIn>>): void {
    const twice = this.#twice.get(order.instrument);
    if (!twice) return;
    this.#advance(order.ended ?? order.t);
    if (order.outcome === undefined)
      for (const { then, now } of this.#schedules.values()) {
        then.before(twice.then, `order:${order.command}`);
        now.before(twice.now, `order:${order.command}`);
      }
    twice.then.order(order);
    twice.now.order(order);
    this.#given.then.length = 0;
    this.#given.now.length = 0;
  }

  /** An instrument comes or goes: what it sends by itself is read, or not, as it was then. */
  async #state(t: number, name: string, text: string): Promise<void> {
    const twice = this.#twice.get(name);
    if (!twice) return;
    await this.#hear(t);
    for (const role of twice.then.streaming) {
      const wire = this.#links.get(`${name}/${role}`);
      if (!wire || this.#tapes.has(wire.key)) continue;
      const tape = new Tape(this.#options.folder, wire.key, wire.users[0].protocol, this.#onTrouble);
      this.#tapes.set(wire.key, tape);
      await tape.pull(t);
      while (tape.waiting.length > 0 && (tape.waiting[0]?.t ?? t) <= t) tape.waiting.shift();
    }
    twice.then.running = text === THERE;
    twice.now.running = text === THERE;
    if (text === DOWN)
      for (const role of Object.keys(twice.then.languages)) this.#tapes.get(this.#links.get(`${name}/${role}`)?.key ?? '')?.reset();
  }

  /** Takes what had come by itself until a time of the recording. */
  async #hear(t: number): Promise<void> {
    for (const [link, tape] of this.#tapes) {
      await tape.pull(t);
      while (tape.waiting.length > 0 && tape.waiting[0].t < t) {
        const told = tape.waiting.shift();
        if (told) this.#unasked('then', link, told);
      }
    }
  }

  /** True where a stream takes it. */
  #unasked(side: Side, link: string, told: Told): boolean {
    const wire = this.#wires.find(({ key }) => key === link);
    this.#streaming = formOf(told.m);
    try {
      return (wire?.users ?? []).some(({ instrument, role }) => {
        const player = this.#twice.get(instrument.name)?.[side];
        if (!player?.unasked(role, told)) return false;
        if (player.running) this.#streamed(side, instrument.name, role, told.m, told.t);
        return true;
      });
    } finally {
      this.#streaming = undefined;
    }
  }

  #streamed(side: Side, instrument: string, role: string, m: unknown, t: number): void {
    const key = JSON.stringify([instrument, role, roughly(m)]);
    let heard = this.#heard.get(key);
    if (!heard) {
      const protocol = this.#twice.get(instrument)?.then.languages[role];
      const shown = protocol ? shownHex(hexOf({ t, m }, protocol)) : '';
      heard = { instrument, role, then: 0, now: 0, first: { t, [side === 'then' ? 'recorded' : 'simulator']: shown } };
      this.#heard.set(key, heard);
    }
    heard[side]++;
  }

  #result(): Against {
    const { findings, rare } = this.#findings.list();
    return {
      ...outcome({
        findings,
        ...this.#values.channels(),
        heard: [...this.#heard.values()],
        skipped: [...this.#notCompared.values(), ...rare],
        compared: this.#compared,
      }),
      seed: this.#seed,
      tolerance: this.#tolerance,
      exchanges: { recorded: this.#recorded, asked: this.#asked, compared: this.#compared },
      without: [...this.#without.values()],
      lost: Object.fromEntries(this.#lost),
      trouble: this.#trouble,
      complete: this.#ended,
      duration: Math.max(0, (this.#to - this.#from) / 1e6),
    };
  }
}

/** When an instrument was spoken to, or said to be there; never for any other message. */
function talkedAt(message: McapMessage): number {
  const at = message.topic === 'exchanges' ? exchangeIn(message)?.asked : undefined;
  const alarm = message.topic === 'alarms' ? alarmIn(message) : undefined;
  const there = alarm?.text === THERE ? alarm.t : undefined;
  return at ?? there ?? Number.POSITIVE_INFINITY;
}
