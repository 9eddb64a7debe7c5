/** What a method of derivation is: a pure reducer over event time. The graph pairs its inputs and passes its values on. */
import type { Schema } from '../instrument.ts';
import type { Kinds, Reading, Values } from '../reading.ts';
import type { CalibrationKind } from './calibration-record.ts';
import type { LedgerRecord } from './ledger.ts';

export interface Derivation<P, I extends Kinds, O extends Kinds, S> {
  /** As the rig names it. */
  readonly method: string;
  /** The first input triggers a step; the others are paired with it. */
  readonly inputs: I;
  /** Inputs that a rig may leave out; never the first. `step` is then called without them. */
  readonly optional?: readonly (keyof I & string)[];
  readonly outputs: O;
  /** `step` hears of bad inputs too, and of a partner that was not found as a bad reading of it; otherwise they make all outputs bad. */
  readonly takesBad?: true;
  readonly params: Schema<P>;
  /** Dotted names of the parameters that are files: the host puts { path, bytes, sha256 } in the place of the name. */
  readonly files?: readonly string[];
  /**
   * The kinds of calibration that it takes from the rig's ledger where the rig says `calibration: auto`. It has the parameter `path` then, and
   * those entries of it that are channels come to `step` as inputs named `path.NAME`.
   */
  readonly takes?: readonly CalibrationKind[];
  start(params: P): S;
  /** A calibration that there is from now on, at the start and while it runs. */
  learn?(state: S, record: LedgerRecord, params: P): S;
  /** No clock, no input or output, no state but `state`: the same arguments give the same values, to the last bit. */
  step(state: S, inputs: { readonly [N in keyof I]: Reading<I[N]> }, params: P): Stepped<S, O>;
}

/** The state after it, the values, and the ids of the calibrations that made them: first the one that counts as theirs. */
export type Stepped<S, O extends Kinds> = readonly [state: S, values: Values<O>, calibrations?: readonly string[]];
