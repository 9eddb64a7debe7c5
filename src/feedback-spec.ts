/** What a rig says of a loop that holds an output on a measured quantity. */
import type { Unit } from './units.ts';

/** A channel of this rig, or the output of a derivation; `index` where it is one of a list. */
export interface FeedbackSource {
  readonly of: string;
  readonly index?: number;
}

/** `lower`: to the low end of its limits. `off`: to its safe value. Both release the loop. `hold`: the output stays, and the loop goes on when the readings are good again. */
export const ANSWERS = ['lower', 'hold', 'off'] as const;
export type Answer = (typeof ANSWERS)[number];

/** SI; seconds. */
export interface FeedbackSpec {
  readonly name: string;
  /** Of one unit; several are weighted by their errors. */
  readonly holds: readonly FeedbackSource[];
  readonly unit: Unit;
  /** Emissivity factors, whose jump means that the coupling has changed. */
  readonly factor: readonly FeedbackSource[];
  /** The output. */
  readonly instrument: string;
  readonly command: string;
  readonly index?: number;
  readonly outputUnit: Unit;
  /** Unit of the output per unit of what is held; below zero where more output lowers it. */
  readonly gain: number;
  /** Integral time. */
  readonly integral: number;
  /** How far off the measured quantity may be without anything being done. */
  readonly deadband: number;
  /** Unit of what is held per second: the set point goes at this rate, from what is measured at the start. */
  readonly ramp?: number;
  readonly limits: {
    readonly output: readonly [number, number];
    /** Unit of the output per second. */
    readonly rate: number;
    readonly setpoint: readonly [number, number];
    /** Largest one-sigma bar of each quantity. */
    readonly sigma?: number;
    /** Largest difference of any two of them. */
    readonly difference?: number;
    /** Largest change of a factor, as a part of its running mean. */
    readonly jump?: number;
  };
  readonly lost: {
    /** At this lost frame in a row, or when nothing has come for as long, `then` is carried out. */
    readonly frames: number;
    readonly then: Answer;
    /** In place of `then` after a jump of a factor. */
    readonly jumped: Answer;
    /** A reading older than this when it comes is none; and nothing may be missing for longer. */
    readonly stale: number;
  };
}

/** What start orders and orders of people call the loops: feedback.NAME. */
export const FEEDBACK = 'feedback';

export const sourceName = ({ of, index }: FeedbackSource): string => (index === undefined ? of : `${of}[${index}]`);
export const outputName = ({ instrument, command, index }: Pick<FeedbackSpec, 'instrument' | 'command' | 'index'>): string =>
  `${instrument}.${command}${index === undefined ? '' : `[${index}]`}`;
