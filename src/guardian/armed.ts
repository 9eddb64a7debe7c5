/** What passes between host and guardian. */
import type { CalibrationSent } from '../calibrate-live.ts';
import type { AlarmState, OrderEntry, Severity } from '../entry.ts';
import type { WrittenOrder } from '../host.ts';
import type { Rig } from '../rig.ts';

/** All that is needed to make one output safe without the host. `deadline` and `order` are those of its lease. */
export interface Prepared {
  /** instrument.command, or instrument.command[index] */
  readonly name: string;
  readonly instrument: string;
  readonly model: string;
  readonly options: unknown;
  readonly id: unknown;
  readonly command: string;
  readonly index?: number;
  /** Seconds without a heartbeat that names it after which the guardian acts. */
  readonly deadline: number;
  readonly then: 'safe' | 'keep';
  /** Its place when several are made safe: smaller ones first, equal ones together, those without one last. */
  readonly order?: number;
  /** False for a simulator in the host's own process: it dies with the host. */
  readonly outside: boolean;
  /** role -> address, as in the rig. */
  readonly links: Readonly<Record<string, string>>;
  /** For an instrument behind a tunnel: the instruments that carry it. */
  readonly carriers: Readonly<Record<string, PreparedCarrier>>;
}

export interface PreparedCarrier {
  readonly model: string;
  readonly options: unknown;
  readonly id: unknown;
  readonly links: Readonly<Record<string, string>>;
}

export interface HostInit {
  readonly rig: Rig;
  readonly simulate: boolean;
  readonly seed: number;
  /** Where the recorder listens. */
  readonly recorder: string;
  /** The session's folder: readout processes write parts of their own into it. */
  readonly session: string;
  /** What earlier runs have left behind unsigned: nothing hazardous until a person has acknowledged the record. */
  readonly unsettled: readonly Unsettled[];
  /** Alarms as they stood when the last run ended. */
  readonly restored?: readonly AlarmState[];
}

export interface Unsettled {
  /** The output, or "record" where the record itself says too little. */
  readonly name: string;
  readonly why: string;
}

export type ToHost =
  | { readonly is: 'init'; readonly init: HostInit }
  | { readonly is: 'armed'; readonly name: string; readonly why?: string }
  | { readonly is: 'watch' }
  | { readonly is: 'stop'; readonly why: string }
  /** No hazardous order while there is a reason; without one they are allowed again. */
  | { readonly is: 'forbid'; readonly why?: string }
  /** An alarm of the guardian's or the recorder's; without a severity its cause has gone. */
  | { readonly is: 'alarm'; readonly name: string; readonly severity?: Severity; readonly text: string }
  | { readonly is: 'end' }
  | { readonly is: 'ask'; readonly id: number; readonly request: Request };

export type Request =
  | { readonly do: 'order'; readonly order: WrittenOrder }
  | { readonly do: 'note'; readonly by: string; readonly text: string }
  | { readonly do: 'mark'; readonly by: string; readonly what: 'start' | 'stop' }
  /** What is named, or everything; without a name, the one thing that waits for it. */
  | { readonly do: 'acknowledge'; readonly by: string; readonly name?: string; readonly all?: boolean }
  | { readonly do: 'shelve'; readonly by: string; readonly name: string; readonly seconds: number; readonly why: string }
  | { readonly do: 'ramp'; readonly by: string; readonly output: string; readonly what: 'hold' | 'resume' | 'stop' }
  /** A loop is let go of, with its output where it is or switched off; it is begun by an order of feedback.NAME. */
  | { readonly do: 'hold'; readonly by: string; readonly loop: string; readonly what: 'release' | 'off' }
  /** A calibration that is on the disk now and holds from the next spectrum on. */
  | ({ readonly do: 'calibrate' } & CalibrationSent)
  | { readonly do: 'status' };

export type Reply =
  | {
      readonly ok: true;
      readonly order?: OrderEntry;
      readonly run?: number;
      readonly status?: unknown;
      /** With a status: the session's folder and the rig's, absolute. */
      readonly where?: { readonly session: string; readonly folder: string };
    }
  | { readonly ok: false; readonly why: string };

export type ToGuardian =
  | { readonly is: 'up' }
  | { readonly is: 'prepare'; readonly prepared: Prepared }
  | { readonly is: 'arm'; readonly name: string }
  | { readonly is: 'release'; readonly name: string }
  /** The main loop turns; `active` are the leases that have fresh evidence. */
  | { readonly is: 'beat'; readonly active: readonly string[] }
  /** A person has acknowledged it; "record": what earlier runs have left behind. */
  | { readonly is: 'acknowledged'; readonly name: string }
  /** Every output is safe and read back after a stop. */
  | { readonly is: 'stopped'; readonly unsafe: readonly string[] }
  | { readonly is: 'ended'; readonly unsafe: readonly string[] }
  | { readonly is: 'failed'; readonly why: string }
  | { readonly is: 'reply'; readonly id: number; readonly reply: Reply };
