/** What a trip test says: one result for each fault of each input of each interlock. */

export const FAULTS = ['value', 'stale', 'stuck', 'garbled', 'unplugged', 'nan', 'unit'] as const;
export type FaultKind = (typeof FAULTS)[number];

export interface OutputResult {
  /** instrument.command */
  readonly output: string;
  /** Seconds of simulated time from the fault to the first byte of the safe order, and to the reading that shows it; absent: never. */
  readonly sent?: number;
  readonly shown?: number;
  /** It is behind the link that was unplugged: both count from the moment at which the link is back. */
  readonly behind?: boolean;
  /** Seconds that the first byte may take. */
  readonly allowed: number;
}

export interface TripResult {
  readonly interlock: string;
  /** The channel, with its index. */
  readonly input: string;
  /** What it must be: "below 40 °C". */
  readonly test: string;
  readonly fault: FaultKind;
  /** `untested`: not watched for this fault by the rig, or it cannot have it; `why` says so. */
  readonly outcome: 'tripped' | 'failed' | 'untested';
  readonly why?: string;
  /** Sentences; empty unless failed. */
  readonly failures: readonly string[];
  readonly outputs: readonly OutputResult[];
  /** Seconds until the interlock no longer held. */
  readonly noticed?: number;
  /** The fault was set in the program, at the reading, and not on the wire. */
  readonly inProgram: boolean;
  /** Inputs that were made to say what lets the interlock hold, because on the simulators they do not by themselves. */
  readonly held: readonly string[];
}
