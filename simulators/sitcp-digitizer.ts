import { crc32 } from '../protocols/crc32.ts';
import { DIGITIZER_CLOCK, DIGITIZER_REGISTERS, DIGITIZER_STATUS, type DigitizerRegister } from '../protocols/digitizer-registers.ts';
import { concat, type Protocol } from '../protocols/protocol.ts';
import { type RbcpAsk, type RbcpTell, rbcp } from '../protocols/rbcp.ts';
import { waveformFrames } from '../protocols/waveform-frames.ts';
import { DIGITIZER_64 } from '../protocols/waveform-layout.ts';
import { options, simulator } from '../src/simulator.ts';
import { DETECTOR_TICK, type DetectorWorld, detector, type LightEvent } from './worlds/detector.ts';
import { type BoardOptions, boardFields } from './worlds/detector-board.ts';
import { Flood, preparedRecords } from './worlds/detector-flood.ts';
import { CHANNELS } from './worlds/detector-light.ts';
import { heightOf, Pulses } from './worlds/detector-pulses.ts';
import { Random } from './worlds/detector-random.ts';
import { type Given, setupFields } from './worlds/detector-setup.ts';

type Options = BoardOptions & Given;
type Name = keyof typeof DIGITIZER_REGISTERS;

const R: Readonly<Record<Name, DigitizerRegister>> = DIGITIZER_REGISTERS;
const LAYOUT = DIGITIZER_64;
const frames = waveformFrames(LAYOUT, crc32);
/** Seconds of the clock's ticks. */
const CLOCK = 1 / DIGITIZER_CLOCK;
/** Seconds after which light of before a record is no more to be seen in it. */
const OLD = 2e-6;
/** SiTCP's own registers lie at the end of the address space. */
const OWN = { address: 0xffffff00, bytes: 0x80 } as const;
/** Seconds between two looks at what there is to send. */
const EVERY = 0.01;
/** Of a flood: frames of one piece, and seconds that the board can hold before it loses some. */
const PIECE = 8;
const HELD = 0.2;

class Board {
  readonly options: Options;
  readonly name: string;
  /** By address. */
  readonly memory = new Map<number, number>();
  readonly readOnly = new Set<number>();
  told = false;
  /** Whether a run is on, how many frames it has made, and how many triggers it has lost. */
  running: boolean;
  made = 0;
  lost = 0;
  lostBefore = false;
  /** The number of the last event of the world that was looked at, and what of them may still be in a record. */
  seen = 0;
  private near: LightEvent[] = [];
  /** Seconds: no trigger before it; and of the next test pulse. */
  private free = 0;
  private nextTest = 0;
  private began = 0;
  /** Records since power-up: the noise of each is its own. */
  private records = 0;
  /** What waits to be sent, and a frame that comes after the next. */
  private ready: Uint8Array[] = [];
  private held: Uint8Array | undefined;
  private pulses: Pulses | undefined;
  private poured: Flood | undefined;

  constructor(options_: Options, name: string) {
    this.options = options_;
    this.name = name;
    this.running = options_.running;
    for (const { address, bytes, count = 1, writable, first } of Object.values(R)) {
      for (let i = 0; i < count; i++) this.put(address + i * bytes, bytes, address === R.threshold.address ? options_.threshold : first);
      if (!writable) for (let i = 0; i < count * bytes; i++) this.readOnly.add(address + i);
    }
    for (let i = 0; i < OWN.bytes; i++) this.memory.set(OWN.address + i, 0);
    this.put(R.run.address, 1, Number(this.running));
  }

  private put(address: number, bytes: number, value: number): void {
    for (let i = 0; i < bytes; i++) this.memory.set(address + i, Math.floor(value / 256 ** (bytes - 1 - i)) % 256);
  }
  get(name: Name, index = 0): number {
    const { address, bytes } = R[name];
    let value = 0;
    for (let i = 0; i < bytes; i++) value = value * 256 + (this.memory.get(address + index * bytes + i) ?? 0);
    return value;
  }

  /** The registers that the board writes by itself. */
  show(): void {
    const { running, overflow, locked } = DIGITIZER_STATUS;
    this.put(R.status.address, R.status.bytes, locked | (this.running ? running : 0) | (this.lost > 0 ? overflow : 0));
    this.put(R.frames.address, R.frames.bytes, this.made % 2 ** 32);
    this.put(R.lost.address, R.lost.bytes, this.lost % 2 ** 32);
  }

  /** True where the board takes the write: every register whole values within its range, nothing read-only or unknown. */
  write(address: number, data: Uint8Array): boolean {
    const before = Array.from(data, (_, i) => this.memory.get(address + i));
    if (before.some((byte, i) => byte === undefined || this.readOnly.has(address + i))) return false;
    data.forEach((byte, i) => {
      this.memory.set(address + i, byte);
    });
    const good = Object.entries(R).every(([name, { most, count = 1, writable }]) => {
      if (!writable) return true;
      for (let i = 0; i < count; i++) if (this.get(name as Name, i) > most) return false; // a key of the table
      return true;
    });
    if (!good) for (const [i, byte] of before.entries()) this.memory.set(address + i, byte ?? 0);
    return good;
  }

  start(t: number): void {
    this.running = true;
    this.made = 0;
    this.lost = 0;
    this.lostBefore = false;
    this.near = [];
    this.free = t;
    this.began = t;
    this.nextTest = t;
  }
  stop(): void {
    this.running = false;
    if (this.held) this.ready.push(this.held);
    this.held = undefined;
  }

  /** Makes the frames of all that has happened until now. */
  collect(w: DetectorWorld): void {
    const events = w.events(this.seen);
    this.seen = w.flashes;
    if (!this.running || this.options.flood > 0) return;
    for (const event of events) if (event.t >= this.began) this.near.push(event);
    const now = w.ticks * DETECTOR_TICK;
    const interval = CLOCK * Math.max(1, this.get('divider'));
    const span = LAYOUT.samples * interval;
    const thresholds = Array.from({ length: CHANNELS }, (_, c) => this.get('threshold', c));
    const fires = (event: LightEvent): boolean => thresholds.some((least, c) => least > 0 && heightOf(event, c, w, this.options) >= least);
    for (;;) {
      // A flash fires no more than once: the record that it opens covers it.
      const next = this.near.find((event) => event.t >= this.free && fires(event))?.t ?? Number.POSITIVE_INFINITY;
      const test = this.get('testPulse') > 0 && this.get('testRate') > 0 ? this.nextTest : Number.POSITIVE_INFINITY;
      const at = Math.min(next, test);
      if (at + span > now) break;
      if (test <= next) this.nextTest = Math.max(test + 1 / this.get('testRate'), this.free);
      if (at < this.free) continue; // a test pulse in the record before
      this.record(w, at, interval, test <= next);
    }
    if (this.get('testPulse') === 0) this.nextTest = now;
    this.near = this.near.filter((event) => event.t > now - OLD - 2 * span);
  }

  private record(w: DetectorWorld, at: number, interval: number, isTest: boolean): void {
    const { options: o } = this;
    const ns = interval * 1e9;
    // The clock samples when it does: the trigger falls somewhere between two of its ticks.
    const first = Math.floor(at / CLOCK) - this.get('preTrigger') * Math.max(1, this.get('divider'));
    const t = first * CLOCK;
    const end = t + LAYOUT.samples * interval;
    this.free = end;
    const chance = new Random(w.seed, `${this.name} faults`, this.records);
    const { drop, duplicate, reorder, flip, junk, overflow, stalls } = o;
    if (chance.next() < overflow || (stalls && at >= stalls[0] && at < stalls[1])) {
      this.records++;
      this.lost++;
      this.lostBefore = true;
      return;
    }
    this.pulses ??= new Pulses(w, o, this.name);
    const flashes = this.near.filter((event) => event.t > t - OLD && event.t < end).map((event) => ({ after: (event.t - t) * 1e9, event }));
    const samples = this.pulses.record(
      {
        interval: ns,
        samples: LAYOUT.samples,
        flashes,
        t,
        ...(isTest && { test: { after: (at - t) * 1e9, height: this.get('testHeight') } }),
      },
      this.records++,
    );
    const { number, time } = this.counters(this.made++, first);
    const frame = frames.tells.encode({ number, time, samples, ...(this.lostBefore && { lost: true }) });
    this.lostBefore = false;
    if (chance.next() < drop) return;
    if (chance.next() < flip) frame[Math.floor(frame.length * chance.next())] ^= 1 << Math.floor(8 * chance.next());
    if (chance.next() < junk) this.ready.push(Uint8Array.from({ length: 1 + Math.floor(64 * chance.next()) }, () => 256 * chance.next()));
    const before = this.held;
    this.held = undefined;
    if (!before && chance.next() < reorder) this.held = frame;
    else this.ready.push(frame);
    if (before) this.ready.push(before);
    if (chance.next() < duplicate) this.ready.push(frame);
  }

  /** As they stand in the frame, both rolling over when the rig says. */
  private counters(made: number, ticks: number): { readonly number: number; readonly time: number } {
    const { frames_to_roll: frames_, time_to_roll: time } = this.options;
    const number = (made + (frames_ === undefined ? 0 : 2 ** 32 - frames_)) % 2 ** 32;
    const late = time === undefined ? 0 : 2 ** 48 - Math.round(time / CLOCK);
    return { number, time: (((ticks + late) % 2 ** 48) + 2 ** 48) % 2 ** 48 };
  }

  /** What it sends now. */
  say(w: DetectorWorld, t: number): readonly Uint8Array[] {
    this.collect(w);
    if (this.options.flood > 0 && this.running) this.pour(w.seed, t);
    return this.ready.splice(0);
  }

  private pour(seed: number, t: number): void {
    const { flood: rate } = this.options;
    // Of a detector that has the channels of one board.
    const alone = { ...this.options, sees: 0, tubes: undefined };
    this.poured ??= new Flood(LAYOUT, preparedRecords(seed, 32, alone, LAYOUT, alone));
    const due = Math.floor((t - this.began) * rate) - this.made - this.lost;
    const most = Math.max(1, Math.ceil(HELD * rate));
    if (due > most) {
      this.lost += due - most;
      this.lostBefore = true;
    }
    for (let left = Math.min(due, most); left > 0; left -= PIECE) {
      const count = Math.min(PIECE, left);
      const first = this.counters(this.made, 0);
      const time = (n: number): number =>
        this.counters(0, Math.round((this.began + (n - first.number + this.made + this.lost) / rate) / CLOCK)).time;
      this.ready.push(this.poured.frames(first.number, count, time, this.lostBefore));
      this.lostBefore = false;
      this.made += count;
    }
  }

  /** Settings alone: what the board counts, what waits and what is remembered for speed is none. */
  toJSON(): unknown {
    return { memory: [...this.memory].filter(([address]) => !this.readOnly.has(address)), running: this.running };
  }
}

/** One reply to each question, with its id and address; addresses count up through the data. */
function bus(q: RbcpAsk, s: Board, w: DetectorWorld, t: number): RbcpTell {
  const { command, address, id = 0 } = q;
  s.collect(w);
  const tell = (data: Uint8Array, busError = false): RbcpTell => ({ command, address, id, ack: true, busError, data });
  if (q.command === 'read') {
    s.show();
    const data = Array.from({ length: q.length }, (_, i) => s.memory.get(address + i));
    return tell(
      Uint8Array.from(data, (byte) => byte ?? 0),
      data.includes(undefined),
    );
  }
  if (!s.write(address, q.data)) return tell(q.data, true);
  const wanted = s.get('run') === 1;
  if (wanted && !s.running) s.start(t);
  else if (!wanted && s.running) s.stop();
  return tell(q.data);
}

/** Its bytes as they are: what is sent may be no frame. */
const raw: Protocol<undefined, Uint8Array> = {
  asks: { encode: () => concat(), decoder: () => () => [] },
  tells: { encode: (bytes) => bytes, decoder: () => (bytes) => (bytes.length > 0 ? [bytes] : []) },
  fits: () => 'unasked',
  apart: 'question',
};

/**
 * A waveform digitizer of 64 channels behind SiTCP: registers over RBCP, frames by themselves while a run is on. It looks at the world of the
 * detector: a channel over its threshold opens a record of all channels. The registers (protocols/digitizer-registers.ts) and the frames
 * (protocols/waveform-layout.ts) are ours, as no such board has public ones.
 */
export default simulator({
  options: options<Options>({ ...boardFields, ...setupFields }),
  links: { control: rbcp(), data: raw },
  world: detector,
  state: (p: Options, name): Board => new Board(p, name),
  answer: { control: (q, s, w, t) => [bus(q, s, w, t)] },
  oneClient: ['data'],
  unasked: { data: { every: EVERY, say: (s, w, t) => s.say(w, t) } },
  tick(s, w) {
    if (s.told) return;
    s.told = true;
    w.configure(s.options);
  },
});
