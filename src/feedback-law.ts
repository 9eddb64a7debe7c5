/**
 * The control law: proportional and integral, a step for each new value, in the time of the readings. The proportional part acts on what
 * is measured alone, so that a new set point never kicks the output. The integral is the output itself as far as it could go (full
 * back-calculation), so that nothing winds up at a limit.
 */
import type { FeedbackSpec } from './feedback-spec.ts';

export interface LawState {
  /** The output wanted last, and what was measured then. */
  readonly output: number;
  readonly measured: number;
  /** The set point of now, on its way to the target. */
  readonly setpoint: number;
}

export type Limited = 'low' | 'high' | 'rate';

type Law = Pick<FeedbackSpec, 'gain' | 'integral' | 'deadband' | 'ramp'> & { readonly limits: Pick<FeedbackSpec['limits'], 'output'> };

/** `dt`: seconds since the last step. `room`: what its rate lets the output be now. */
export function lawStep(
  law: Law,
  before: LawState,
  measured: number,
  target: number,
  dt: number,
  room: readonly [number, number],
): LawState & { readonly limited?: Limited } {
  const { gain, integral, deadband, limits } = law;
  const setpoint = towards(before.setpoint, target, law.ramp === undefined ? Number.POSITIVE_INFINITY : law.ramp * dt);
  const error = setpoint - measured;
  const quiet = Math.abs(error) <= deadband && setpoint === target;
  const wanted = before.output + (quiet ? 0 : (gain * error * dt) / integral - gain * (measured - before.measured));
  const [low, high] = limits.output;
  const within = Math.min(Math.max(wanted, low), high);
  const output = Math.min(Math.max(within, room[0], low), room[1], high);
  const limited = output !== within ? 'rate' : wanted < low ? 'low' : wanted > high ? 'high' : undefined;
  return { output, measured, setpoint, ...(limited === undefined ? {} : { limited }) };
}

const towards = (from: number, to: number, by: number): number => (Math.abs(to - from) <= by ? to : from + Math.sign(to - from) * by);
