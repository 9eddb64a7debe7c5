/** What the host hands to the recorder: all that belongs into a session, and the state of things for people to look at. */
import type { Exchanged } from './exchange.ts';
import type { Reading } from './reading.ts';

export type OrderValue = number | boolean | string;
export type OrderOutcome = 'done' | 'sent' | 'refused' | 'failed' | 'expired' | 'unknown';

/** Written twice: the intent before the first byte goes, and again with its one outcome. */
export interface OrderEntry {
  readonly id: number;
  /** Microseconds since 1970. */
  readonly t: number;
  readonly by: string;
  readonly instrument: string;
  readonly command: string;
  readonly index?: number;
  readonly value?: OrderValue;
  /** One sigma of a value entered by hand, in its unit. */
  readonly sigma?: number;
  readonly unit?: string;
  readonly outcome?: OrderOutcome;
  readonly why?: string;
  readonly ended?: number;
}

/** A time in which a channel had no good reading, with its cause. `to` is absent while it lasts. */
export interface Gap {
  readonly channel: string;
  readonly from: number;
  readonly to?: number;
  readonly cause: string;
  readonly missed: number;
}

export interface Alarm {
  readonly t: number;
  readonly from: string;
  readonly text: string;
}

export type Severity = 'warning' | 'alarm' | 'critical';

/** One alarm with one cause, as it stands after a change. Times in microseconds since 1970. */
export interface AlarmState {
  /** As the rig names it, or what the program watches by itself ("link tcp:10.0.0.5:10001", "silence laser.set_point"). */
  readonly name: string;
  /** The severity of now; absent when its cause has gone. */
  readonly now?: Severity;
  /** The highest since it was last acknowledged. */
  readonly severity: Severity;
  readonly since: number;
  readonly changed: number;
  /** The value or the reason. */
  readonly text: string;
  readonly guidance?: string;
  /** Waits for a person. */
  readonly unacknowledged: boolean;
  readonly acknowledged?: { readonly by: string; readonly t: number };
  readonly shelved?: { readonly by: string; readonly until: number; readonly why: string };
}

export interface InterlockStatus {
  readonly name: string;
  readonly is: 'holds' | 'broken' | 'unknown';
  readonly why?: string;
  readonly since: number;
  readonly latched?: string;
  readonly forbids: readonly string[];
  readonly guidance?: string;
}

export interface RampStatus {
  readonly output: string;
  readonly state: 'ramping' | 'held' | 'stopped' | 'done';
  readonly from: number;
  readonly at: number;
  readonly to: number;
  readonly unit: string;
  readonly why?: string;
}

/** A loop that holds an output on a measured quantity. */
export interface FeedbackStatus {
  readonly name: string;
  readonly holds: readonly string[];
  readonly unit: string;
  readonly output: string;
  readonly outputUnit: string;
  /** `lost`: its quantity is not measured well, and the output stays as it is until it is. */
  readonly state: 'idle' | 'starting' | 'holding' | 'lost' | 'released';
  /** The set point of now, on its way to the target, and the output by the last order. */
  readonly setpoint?: number;
  readonly target?: number;
  readonly at?: number;
  /** What keeps the output from going where the loop wants it. */
  readonly limited?: 'low' | 'high' | 'rate';
  readonly measured?: number;
  readonly sigma?: number;
  readonly why?: string;
}

export interface Note {
  readonly t: number;
  readonly by: string;
  readonly text: string;
}

/** A calibration that came while the rig ran, as it lies in the rig's folder now: used from the next spectrum on. */
export interface CalibrationEntry {
  readonly t: number;
  readonly by: string;
  readonly id: string;
  /** instrument.channel that it is of. */
  readonly of: string;
  /** The record's file below the rig's folder. */
  readonly path: string;
  /** Record and data by their paths below the rig's folder. */
  readonly files: Readonly<Record<string, Uint8Array>>;
}

export interface Mark {
  readonly t: number;
  readonly by: string;
  readonly what: 'start' | 'stop';
  readonly run: number;
}

export interface Wire {
  readonly link: string;
  readonly direction: 'in' | 'out';
  readonly t: number;
  readonly bytes: Uint8Array;
  readonly name?: string;
  /** Of a fast stream that is read in the host's own process: its bytes, or the hits found in them. Each has a series of its own. */
  readonly part?: StreamPart;
}

export type StreamPart = 'stream' | 'hits';
/** Takes what the session is to hold of such a stream. The bytes are nobody else's. */
export type Keep = (part: StreamPart, t: number, bytes: Uint8Array) => void;

export interface LinkStatus {
  readonly link: string;
  readonly up: boolean;
  readonly waiting: number;
  readonly asked: number;
  readonly timeouts: number;
  readonly garbled: number;
  readonly dropped: number;
  readonly noise: number;
  /** Seconds. */
  readonly latencyMean: number;
  readonly latencyMax: number;
}

export interface LeaseStatus {
  readonly name: string;
  readonly active: boolean;
  /** Seconds of on-time left, and since the last evidence. */
  readonly left?: number;
  readonly evidence?: number;
  /** Who makes the output safe when the host cannot. */
  readonly holder: string;
}

export interface InstrumentStatus {
  readonly state: string;
  readonly why?: string;
  /** Polls that were due and were not asked, and those whose answer did not come, since the run began. */
  readonly skipped: number;
  readonly failed: number;
  /** Those skipped, by the first channel of the poll; absent where there are none. */
  readonly behind?: Readonly<Record<string, number>>;
}

export interface Status {
  readonly t: number;
  readonly instruments: Readonly<Record<string, InstrumentStatus>>;
  readonly links: readonly LinkStatus[];
  readonly leases: readonly LeaseStatus[];
  readonly latched?: string;
  readonly interlocks?: readonly InterlockStatus[];
  /** Those that are not normal. */
  readonly alarms?: readonly AlarmState[];
  readonly ramps?: readonly RampStatus[];
  readonly feedback?: readonly FeedbackStatus[];
  /** Seconds by which the main loop's last second was late at most. */
  readonly lateness: number;
  /** Entries waiting on their way to the recorder, and dropped there. */
  readonly queued: number;
  readonly dropped: number;
  readonly memory: number;
  /** In a simulated run: what is true in the simulators' worlds. */
  readonly truth?: Readonly<Record<string, number>>;
}

export type Entry =
  | { readonly kind: 'reading'; readonly reading: Reading }
  | { readonly kind: 'exchange'; readonly exchanged: Exchanged }
  | { readonly kind: 'bytes'; readonly wire: Wire }
  | { readonly kind: 'order'; readonly order: OrderEntry }
  | { readonly kind: 'gap'; readonly gap: Gap }
  | { readonly kind: 'alarm'; readonly alarm: Alarm }
  /** A change of an alarm's state; `alarm` entries are words. */
  | { readonly kind: 'alarm-state'; readonly state: AlarmState }
  /** A change of an interlock's level or latch. */
  | { readonly kind: 'interlock'; readonly interlock: InterlockStatus; readonly t: number }
  | { readonly kind: 'note'; readonly note: Note }
  | { readonly kind: 'mark'; readonly mark: Mark }
  | { readonly kind: 'calibration'; readonly calibration: CalibrationEntry }
  | { readonly kind: 'status'; readonly status: Status };
