/** What is kept of one loop, and what people see of it. */
import type { FeedbackStatus, OrderOutcome } from './entry.ts';
import type { Frames } from './feedback-frame.ts';
import type { LawState, Limited } from './feedback-law.ts';
import { type FeedbackSpec, outputName, sourceName } from './feedback-spec.ts';

export interface Loop {
  readonly spec: FeedbackSpec;
  /** The one by whom its orders are. */
  readonly by: string;
  readonly output: string;
  readonly frames: Frames;
  state: FeedbackStatus['state'];
  /** Counts the starts: what was begun before has nothing to say any more. */
  turn: number;
  target: number;
  law: LawState;
  limited?: Limited;
  /** The value that the output has by the last order, or had at the start. */
  sent: number;
  /** Orders for the output that have not ended, of anybody. */
  readonly pending: Set<number>;
  /** Monotonic second at which the last one of its own ended: its bytes had gone by then. */
  ended: number;
  /** The last step: time of the readings (microseconds) and of the clock (seconds). */
  stepped: { readonly t: number; readonly mono: number };
  /** Lost frames in a row; while it is lost, good ones. */
  lost: number;
  good: number;
  /** Readings of the output in a row that show something else, or none; time of the last one. */
  astray: number;
  unread: number;
  shown: number;
  why?: string;
  /** Of the timer for what does not come. */
  cancel: () => void;
  /** Ends the order by which it is being started. */
  begun?: (outcome: OrderOutcome, why?: string) => void;
}

export const newLoop = (spec: FeedbackSpec, frames: Frames): Loop => ({
  spec,
  by: `feedback ${spec.name}`,
  output: outputName(spec),
  frames,
  state: 'idle',
  turn: 0,
  target: Number.NaN,
  law: { output: Number.NaN, measured: Number.NaN, setpoint: Number.NaN },
  sent: Number.NaN,
  pending: new Set(),
  ended: 0,
  stepped: { t: 0, mono: 0 },
  lost: 0,
  good: 0,
  astray: 0,
  unread: 0,
  shown: 0,
  cancel() {},
});

const SLACK = 0.25; // of the interval between frames

/** Seconds after the last frame at which the quantity is lost when nothing comes: the frames that it may still be held for, and a little. */
export function patience({ frames, lost, spec }: Loop): number {
  const { interval } = frames;
  return interval === undefined ? spec.lost.stale : Math.min(spec.lost.stale, (Math.max(1, spec.lost.frames - lost) + SLACK) * interval);
}

export function statusOf({ spec, output, frames, state, target, law, limited, sent, why }: Loop): FeedbackStatus {
  const { last } = frames;
  const going = state === 'holding' || state === 'lost';
  return {
    name: spec.name,
    holds: spec.holds.map(sourceName),
    unit: spec.unit,
    output,
    outputUnit: spec.outputUnit,
    state,
    ...(going ? { setpoint: law.setpoint, target, at: sent } : {}),
    ...(last && last.why === undefined ? { measured: last.value, sigma: last.sigma } : {}),
    ...(state === 'holding' && limited !== undefined ? { limited } : {}),
    ...(why === undefined ? {} : { why }),
  };
}
