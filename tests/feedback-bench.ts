/** Loops on virtual time with an output that takes orders late or never, and readings that a test makes up. */
import { type VirtualClock, virtualClock } from '../src/clock.ts';
import type { FeedbackStatus, OrderEntry, OrderOutcome } from '../src/entry.ts';
import { type Feedbacks, type FeedbackWorld, feedbacks } from '../src/feedback.ts';
import type { FeedbackSpec } from '../src/feedback-spec.ts';
import type { OrderRequest } from '../src/order.ts';
import type { Reading } from '../src/reading.ts';

/** 20 K a per cent or so, as a laser has it. */
export const SPEC: FeedbackSpec = {
  name: 'heating',
  holds: [{ of: 'up.temperature' }],
  unit: 'K',
  factor: [],
  instrument: 'laser',
  command: 'current',
  outputUnit: '1',
  gain: 1e-4,
  integral: 0.5,
  deadband: 0,
  limits: { output: [0.1, 0.6], rate: 0.1, setpoint: [1000, 4000] },
  lost: { frames: 2, then: 'off', jumped: 'off', stale: 5 },
};
export const BOTH: FeedbackSpec = {
  ...SPEC,
  holds: [{ of: 'up.temperature' }, { of: 'down.temperature' }],
  limits: { ...SPEC.limits, sigma: 100, difference: 300 },
};

export type Given =
  | number
  | { readonly value: number; readonly sigma?: number; readonly quality?: 'suspect'; readonly why?: string }
  | { readonly bad: string };

export interface Move {
  /** Seconds at which its bytes went, and at which it was placed. */
  readonly t: number;
  readonly placed: number;
  readonly value: number;
  readonly by: string;
  readonly orderly: boolean;
}

export interface FeedbackBench {
  readonly clock: VirtualClock;
  readonly loops: Feedbacks;
  readonly output: {
    actual: number;
    delay: number;
    lost?: string;
    lie?: number;
    refuse?: { readonly outcome: OrderOutcome; readonly why: string };
  };
  readonly moves: Move[];
  readonly words: string[];
  readonly alarms: Map<string, string>;
  readonly ends: { readonly outcome: OrderOutcome; readonly why: string | undefined }[];
  /** Readings of now, or of so many seconds ago, and a look at them. */
  give(values: Readonly<Record<string, Given>>, age?: number): void;
  /** So many frames of these values, one every `every` seconds. */
  run(frames: number, every: number, values: (n: number) => Readonly<Record<string, Given>>): void;
  start(at: number, by?: string): void;
  /** An order of somebody else. */
  order(value: number, by: string): void;
  status(): FeedbackStatus;
}

export function feedbackBench(spec: FeedbackSpec = SPEC, from = 0.3): FeedbackBench {
  const clock = virtualClock();
  const output: FeedbackBench['output'] = { actual: from, delay: 0.02 };
  const moves: Move[] = [];
  const words: string[] = [];
  const alarms = new Map<string, string>();
  const ends: { outcome: OrderOutcome; why: string | undefined }[] = [];
  let ids = 0;
  let seq = 0;
  let shown = { value: from, t: clock.now() };
  const read = (): void => {
    shown = { value: output.lie ?? output.actual, t: clock.now() };
  };
  const poll = (): void => {
    read();
    clock.after(0.2, poll);
  };
  poll();
  const place = (request: OrderRequest, done: (order: OrderEntry) => void): void => {
    const base: OrderEntry = { ...request, id: ++ids, t: clock.now() };
    loops.seeOrder(base);
    const placed = clock.mono();
    clock.after(output.delay, () => {
      const { refuse } = output;
      if (!refuse) {
        output.actual = Number(request.value);
        moves.push({ t: clock.mono(), placed, value: output.actual, by: request.by, orderly: request.orderly === true });
        read();
      }
      const end: OrderEntry = { ...base, outcome: refuse?.outcome ?? 'done', ...(refuse ? { why: refuse.why } : {}) };
      loops.seeOrder(end);
      done(end);
    });
  };
  const world: FeedbackWorld = {
    place,
    unfit: () => undefined,
    latest: () => output.lost ?? shown,
    refresh: () => void clock.after(0.01, read),
    facts: () => ({ resolution: 0.0006, safe: 0 }),
    told: (_, text) => void words.push(text),
    alarm(name, text) {
      if (text === undefined) alarms.delete(name);
      else alarms.set(name, text);
    },
  };
  const loops: Feedbacks = feedbacks([spec], clock, world);
  const reading = (from: string, given: Given, age: number): Reading => {
    const about = {
      from,
      kind: from.endsWith('factor') ? ('1' as const) : ('K' as const),
      t: clock.now() - Math.round(age * 1e6),
      seq: seq++,
      origin: 'simulator' as const,
    };
    if (typeof given === 'number') return { ...about, quality: 'good', value: given, sigma: { random: 5 } };
    if ('bad' in given) return { ...about, quality: 'bad', why: given.bad };
    const { value, sigma = 5, quality = 'good', why } = given;
    return { ...about, quality, value, sigma: { random: sigma }, ...(why === undefined ? {} : { why }) };
  };
  const bench: FeedbackBench = {
    clock,
    loops,
    output,
    moves,
    words,
    alarms,
    ends,
    give(values, age = 0) {
      for (const [name, given] of Object.entries(values)) loops.see(reading(name, given, age));
      loops.look();
    },
    run(frames, every, values) {
      for (let n = 0; n < frames; n++) {
        clock.advance(every);
        bench.give(values(n));
      }
    },
    start: (at, by = 'ada') => loops.start('heating', at, by, (outcome, why) => void ends.push({ outcome, why })),
    order: (value, by) => place({ by, instrument: 'laser', command: 'current', value }, () => {}),
    status() {
      const [one] = loops.status();
      if (!one) throw new Error('no loop');
      return one;
    },
  };
  return bench;
}
