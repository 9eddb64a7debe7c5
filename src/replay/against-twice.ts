/** An instrument of a recording twice: what today's driver makes of what was answered then, and of what a simulator answers to the same. */
import type { Catalogue } from '../catalogue.ts';
import type { Clock } from '../clock.ts';
import type { Reading } from '../reading.ts';
import type { RigInstrument } from '../rig.ts';
import { adapted, modelOf, parsed } from '../rig-wires.ts';
import type { Form } from './against-form.ts';
import { type Numbering, Player, type Recorded } from './player.ts';

export type Side = 'then' | 'now';

const MOST = 4096; // numbers kept of one talk

/** One instrument twice: fed with what was recorded, and with what the simulator says to the same polls. */
export interface Twice {
  readonly then: Player;
  readonly now: Player;
  /** Poll -> why the readings of its talk are not compared. */
  readonly spoilt: Map<string, string>;
  /** Poll -> the numbers of its replies so far. */
  readonly leaves: Map<string, { readonly then: Numbers; readonly now: Numbers; odd: boolean }>;
}

interface Numbers {
  readonly leaves: number[];
  readonly steps: number[];
}

/** Makes the two players of an instrument; `gave`: what they make of what they are given. */
export function inPairs(
  catalogue: Catalogue,
  clock: Clock,
  gave: (side: Side, reading: Reading) => void,
): (placed: RigInstrument) => Twice {
  const numbering = { then: new Map<string, Numbering>(), now: new Map<string, Numbering>() };
  return (placed) => {
    const { name, links } = placed;
    const model = adapted(modelOf(catalogue, placed), placed);
    const player = (side: Side): Player =>
      new Player({
        name,
        model,
        options: parsed(model, placed),
        numbering: Object.fromEntries(
          Object.entries(links).map(([role, { wire }]) => {
            const known = numbering[side].get(wire) ?? { offset: 0 };
            numbering[side].set(wire, known);
            return [role, known] as const;
          }),
        ),
        clock,
        origin: 'simulator',
        reading: (r) => gave(side, r),
      });
    return { then: player('then'), now: player('now'), spoilt: new Map(), leaves: new Map() };
  };
}

/** Keeps the numbers of a poll's replies until its talk has given its readings. */
export function collect({ leaves }: Twice, { by }: Recorded, [a, b]: readonly [Form, Form], odd: boolean): void {
  const known = leaves.get(by) ?? { then: { leaves: [], steps: [] }, now: { leaves: [], steps: [] }, odd: false };
  leaves.set(by, known);
  for (const [form, to] of [
    [a, known.then],
    [b, known.now],
  ] as const) {
    if (to.leaves.length > MOST) continue; // a talk that never gives
    to.leaves.push(...form.leaves);
    to.steps.push(...form.steps);
  }
  known.odd ||= odd;
}
