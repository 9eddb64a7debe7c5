/** Tells somebody of alarms that nobody acknowledges: by a command, or by a POST to a webhook. Each outcome is said in words. */
import { isNormal, rank } from '../alarm-state.ts';
import type { Clock } from '../clock.ts';
import type { AlarmState, Entry } from '../entry.ts';
import type { RigEscalation } from '../rig.ts';
import { deliver } from './escalate-send.ts';

export interface EscalationOptions {
  readonly rig: string;
  /** Says so to whoever is told: nobody must get up for a trial. */
  readonly simulated?: boolean;
  readonly clock: Pick<Clock, 'after'>;
  readonly told: (text: string) => void;
  /** Who an earlier recorder has told, and who has been told now, whenever that changes: kept by the alarm store over a restart. */
  readonly before?: readonly string[];
  readonly done?: (keys: readonly string[]) => void;
  readonly deliver?: typeof deliver;
}

export interface Escalation {
  /** Looks at changes of alarms, and at the list in each status: a recorder that came later knows them from there. */
  take(entry: Entry): void;
  /** Nothing more is sent; what is under way is cut. */
  close(): void;
}

const FIRST = 1; // s between the first two attempts; each wait is twice the one before
const LONGEST = 600; // s
const AT_ONCE = 2; // deliveries of one rule under way: one that hangs does not hold up the rest

/** One rise of an alarm that one rule is to tell. */
interface Call {
  readonly key: string;
  readonly name: string;
  state: AlarmState;
  /** Acknowledged, shelved or over meanwhile, or told with another call. */
  over: boolean;
  attempts: number;
  /** Of what it waits for. */
  cancel: () => void;
}

const NEVER = (): void => {};

/**
 * A rule tells each alarm of its severity or a worse one that has not been acknowledged for its time: once, and again when the severity
 * rises, or when it comes again after it was acknowledged, shelved or over. An attempt that failed is made again after 1 s, 2 s, 4 s and so
 * on up to 10 min, until the alarm is acknowledged.
 */
export function escalation(rules: readonly RigEscalation[], options: EscalationOptions): Escalation {
  const known = new Map<string, AlarmState>();
  const done = new Set(options.before ?? []);
  const changed = (): void => options.done?.([...done]);
  const all = rules.map((rule, i) => teller(rule, i, done, changed, options));
  const see = (state: AlarmState): void => {
    if (isNormal(state)) known.delete(state.name);
    else known.set(state.name, state);
    for (const one of all) one.see(state);
  };
  return {
    take(entry) {
      if (entry.kind === 'alarm-state') see(entry.state);
      const listed = entry.kind === 'status' ? entry.status.alarms : undefined;
      if (!listed) return;
      const names = new Set(listed.map((state) => state.name));
      for (const { now: _, shelved: __, ...gone } of [...known.values()])
        if (!names.has(gone.name)) see({ ...gone, unacknowledged: false });
      for (const state of listed) see(state);
    },
    close() {
      for (const one of all) one.close();
    },
  };
}

interface Teller {
  see(state: AlarmState): void;
  close(): void;
}

function teller(rule: RigEscalation, index: number, done: Set<string>, changed: () => void, options: EscalationOptions): Teller {
  const { clock, told } = options;
  const calls = new Map<string, Map<string, Call>>(); // by alarm, then by key
  const queue: Call[] = [];
  const cuts = new Set<() => void>();
  let running = 0;
  let closed = false;

  const keysOf = (name: string): string => `${JSON.stringify([index, name]).slice(0, -1)},`;
  /** `since` tells one incident from the next. */
  const keyOf = ({ name, since, severity }: AlarmState): string => `${keysOf(name)}${since},"${severity}"]`;

  const drop = (call: Call): void => {
    call.over = true;
    call.cancel();
    calls.get(call.name)?.delete(call.key);
  };

  const pump = (): void => {
    while (running < AT_ONCE && queue.length > 0) {
      const call = queue.shift();
      if (call && !call.over) attempt(call);
    }
  };

  const attempt = (call: Call): void => {
    running++;
    call.attempts++;
    const sent = keyOf(call.state);
    const cut = (options.deliver ?? deliver)(
      rule,
      call.state,
      { rig: options.rig, simulated: options.simulated ?? false },
      clock,
      (outcome) => {
        cuts.delete(cut);
        running--;
        if (closed) return;
        if (outcome.ok) {
          told(`${call.name}: ${outcome.text}${call.attempts > 1 ? `, at attempt ${call.attempts}` : ''}`);
          if (!call.over) {
            // It may have risen while it waited: who has been told of the worse is not told of it again.
            for (const one of [...(calls.get(call.name)?.values() ?? [])]) if (one === call || one.key === sent) drop(one);
            done.add(call.key).add(sent);
            changed();
          }
        } else if (call.over) told(`${call.name}: ${outcome.text}; not tried again, as nobody has to be told any more`);
        else {
          const wait = Math.min(LONGEST, FIRST * 2 ** (call.attempts - 1));
          told(`${call.name}: ${outcome.text}; tried again in ${wait} s`);
          call.cancel = clock.after(wait, () => ask(call));
        }
        pump();
      },
    );
    cuts.add(cut);
  };

  const ask = (call: Call): void => {
    call.cancel = NEVER;
    queue.push(call);
    pump();
  };

  const end = (name: string): void => {
    for (const call of [...(calls.get(name)?.values() ?? [])]) drop(call);
    calls.delete(name);
    const over = [...done].filter((key) => key.startsWith(keysOf(name)));
    for (const key of over) done.delete(key);
    if (over.length > 0) changed();
  };

  return {
    see(state) {
      const { name } = state;
      if (!state.unacknowledged || state.shelved || rank(state.severity) < rank(rule.severity)) {
        end(name);
        return;
      }
      const mine = calls.get(name) ?? new Map<string, Call>();
      calls.set(name, mine);
      for (const call of mine.values()) call.state = state;
      const key = keyOf(state);
      if (closed || done.has(key) || mine.has(key)) return;
      const call: Call = { key, name, state, over: false, attempts: 0, cancel: NEVER };
      mine.set(key, call);
      if (rule.after <= 0) ask(call);
      else call.cancel = clock.after(rule.after, () => ask(call));
    },
    close() {
      closed = true;
      for (const mine of calls.values()) for (const call of mine.values()) call.cancel();
      queue.length = 0;
      for (const cut of [...cuts]) cut();
    },
  };
}
