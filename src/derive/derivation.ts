/** What a method of derivation is: a pure reducer over event time. The graph pairs its inputs and passes its values on. */
import type { Schema } from '../instrument.ts';
import type { Kinds, Reading, Values } from '../reading.ts';

export interface Derivation<P, I extends Kinds, O extends Kinds, S> {
  /** As the rig names it. */
  readonly method: string;
  /** The first input triggers a step; the others are paired with it. */
  readonly inputs: I;
  /** Inputs that a rig may leave out; never the first. `step` is then called without them. */
  readonly optional?: readonly (keyof I & string)[];
  readonly outputs: O;
  readonly params: Schema<P>;
  /** Dotted names of the parameters that are files: the host puts { path, bytes, sha256 } in the place of the name. */
  readonly files?: readonly string[];
  start(params: P): S;
  /** No clock, no input or output, no state but `state`: the same arguments give the same values, to the last bit. */
  step(state: S, inputs: { readonly [N in keyof I]: Reading<I[N]> }, params: P): readonly [S, Values<O>];
}
