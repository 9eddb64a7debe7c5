/** An output on virtual time that can be ramped: it takes steps late or never, its readback lags, fails or lies. For tests of ramps. */
import { type VirtualClock, virtualClock } from '../src/clock.ts';
import type { OrderEntry, OrderOutcome } from '../src/entry.ts';
import type { OrderRequest } from '../src/order.ts';
import { type Ramps, type RampWorld, ramps, type Shown } from '../src/ramp.ts';

export interface Output {
  /** What it has been set to, and what it is. */
  set: number;
  actual: number;
  /** Unit per second at which it follows; infinite where it is there at once. */
  speed: number;
  /** Seconds until a step's bytes go. */
  delay: number;
  /** Why there is no reading. */
  lost: string | undefined;
  /** What the readback shows instead. */
  lie: number | (() => number) | undefined;
  /** How the next step ends instead of being carried out. */
  refuse: { readonly outcome: OrderOutcome; readonly why: string } | undefined;
}

interface Move {
  readonly t: number;
  readonly value: number;
  readonly was: number;
  readonly placed: number;
  readonly by: string;
}

export interface RampBench {
  readonly clock: VirtualClock;
  readonly ramps: Ramps;
  readonly output: Output;
  /** Steps whose bytes went: when (monotonic), what the output was just before, when the step was placed and by whom. */
  readonly moves: Move[];
  readonly placed: OrderRequest[];
  readonly ends: { readonly order: number; readonly outcome: OrderOutcome; readonly why: string | undefined }[];
  readonly words: string[];
  changes: number;
  /** Gives the order; its end comes to `ends` under this number. */
  order(value: number, more?: Partial<OrderRequest>): number;
  /** What a trip or a person's order of the safe value is for the ramps: its two entries, with the bytes between. */
  safe(value: number, by: string): void;
}

export const POLL = 0.2;
const TOLERANCE = 1e-6;
const READBACK = 2.5; // s

interface Setting {
  readonly rate?: number;
  readonly band?: number;
  readonly every?: number;
  readonly at?: number;
  readonly safe?: number;
  readonly limits?: readonly [number, number];
}

export function rampBench(setting: Setting = {}): RampBench {
  const clock = virtualClock();
  const at = setting.at ?? 300;
  const output: Output = { set: at, actual: at, speed: Infinity, delay: 0.05, lost: undefined, lie: undefined, refuse: undefined };
  const moves: Move[] = [];
  const placed: OrderRequest[] = [];
  const ends: { order: number; outcome: OrderOutcome; why: string | undefined }[] = [];
  const words: string[] = [];
  let shown: Shown | string = 'nothing read yet';
  let watching: ((shown: Shown) => void) | undefined;
  let followed = 0;
  let ids = 0;
  let lastSafe = 0;
  let orders = 0;
  const follow = (): void => {
    const way = output.set - output.actual;
    const reach = output.speed === Infinity ? Infinity : output.speed * (clock.mono() - followed);
    output.actual = Math.abs(way) <= reach ? output.set : output.actual + Math.sign(way) * reach;
    followed = clock.mono();
  };
  const read = (): void => {
    follow();
    shown = output.lost ?? { value: typeof output.lie === 'function' ? output.lie() : (output.lie ?? output.actual), t: clock.now() };
    if (typeof shown !== 'string') watching?.(shown);
  };
  const put = (value: number, placed: number, by: string): void => {
    follow();
    moves.push({ t: clock.mono(), value, was: output.actual, placed, by });
    output.set = value;
  };
  const poll = (): void => {
    read();
    clock.after(POLL, poll);
  };
  poll();

  const entry = (request: OrderRequest): OrderEntry => ({ ...request, id: ++ids, t: clock.now() });
  const world: RampWorld = {
    place(request, done) {
      placed.push(request);
      const base = entry(request);
      made.seeOrder(base);
      const end = (outcome: OrderOutcome, why?: string): void => {
        watching = undefined;
        const ended = { ...base, outcome, ...(why === undefined ? {} : { why }) };
        made.seeOrder(ended);
        done(ended);
      };
      const given = clock.mono();
      clock.after(output.delay, () => {
        const no = lastSafe > base.id ? { outcome: 'refused' as const, why: 'a safe order was given after it' } : output.refuse;
        if (no) {
          output.refuse = undefined;
          end(no.outcome, no.why);
          return;
        }
        put(Number(request.value), given, request.by);
        const since = clock.now();
        const cancel = clock.after(READBACK, () => end('failed', 'not read back'));
        watching = (one) => {
          if (one.t <= since || Math.abs(one.value - Number(request.value)) > TOLERANCE) return;
          cancel();
          end('done');
        };
      });
    },
    unfit: ({ value }) => (setting.limits && !(Number(value) <= setting.limits[1]) ? 'outside of the limits' : undefined),
    latest: () => shown,
    refresh: () => void clock.after(0.02, read),
    told: (from, text) => words.push(`${from} ${text}`),
    change: () => {
      bench.changes++;
    },
  };
  const spec = {
    instrument: 'cell',
    command: 'setpoint',
    unit: 'K',
    rate: setting.rate ?? 1,
    band: setting.band ?? 3,
    every: setting.every ?? 1,
    safe: setting.safe,
  } as const;
  const made = ramps([spec], clock, world);
  const bench: RampBench = {
    clock,
    ramps: made,
    output,
    moves,
    placed,
    ends,
    words,
    changes: 0,
    order(value, more = {}) {
      const order = ++orders;
      made.start({ by: 'test', instrument: 'cell', command: 'setpoint', value, ...more }, (outcome, why) =>
        ends.push({ order, outcome, why }),
      );
      return order;
    },
    safe(value, by) {
      const base = entry({ by, instrument: 'cell', command: 'setpoint', value });
      lastSafe = base.id;
      made.seeOrder(base);
      clock.after(0.3, () => {
        follow();
        output.set = value;
        made.seeOrder({ ...base, outcome: 'done' });
      });
    },
  };
  clock.advance(1);
  return bench;
}
