/** Alarms that outlive a run: what is not normal, and who has been told of it, in one file that is always whole. */
import { readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { isNormal, SEVERITIES } from '../alarm-state.ts';
import type { AlarmState } from '../entry.ts';
import { type After, later } from './influx-http.ts';
import { replaceFile } from './replace-file.ts';

export interface AlarmStore {
  /** A state as it has become; it is on its way to the disk when this returns. */
  take(state: AlarmState): void;
  /** All that are not normal now: what is not among them is forgotten. For a recorder that came later than they did; a text alone is no change. */
  takeAll(states: readonly AlarmState[]): void;
  /** What the escalation has done already, so that nobody is told twice over a restart. */
  done(keys: readonly string[]): void;
  /** Resolves when all that was taken is on the disk, or has failed once more (which is told). Never rejects. */
  flush(): Promise<void>;
}

export interface AlarmStoreOptions {
  readonly told: (text: string) => void;
  /** What was kept of the last run. */
  readonly kept?: Pick<KeptAlarms, 'states' | 'done'>;
  readonly after?: After;
}

export interface KeptAlarms {
  readonly states: readonly AlarmState[];
  readonly done: readonly string[];
  /** What could not be read, and where it has been put. */
  readonly why?: string;
}

/** Of a rig, beside its sessions; what was simulated is no alarm of the laboratory. */
export const alarmFile = (rig: { readonly name: string; readonly sessions: string }, simulated: boolean): string =>
  join(rig.sessions, `${rig.name}${simulated ? '.simulated' : ''}.alarms.json`);

const AGAIN = 5; // s after a write that failed

/** One write at a time; what comes meanwhile goes with the next. A disk that fails is told once, and tried again. */
export function alarmStore(file: string, options: AlarmStoreOptions): AlarmStore {
  const { told, after = later } = options;
  let states = new Map((options.kept?.states ?? []).map((state) => [state.name, state]));
  let done: readonly string[] = options.kept?.done ?? [];
  let written: string | undefined;
  let writing: Promise<void> | undefined;
  let failed = false;
  let waiting = false;

  const text = (): string => `${JSON.stringify({ version: 1, alarms: [...states.values()], done })}\n`;
  const write = async (): Promise<void> => {
    for (let now = text(); now !== written; now = text()) {
      try {
        await replaceFile(file, now);
      } catch (error) {
        if (!failed) told(`the alarms cannot be kept in ${file} (${words(error)}): a restart would not know who acknowledged what`);
        failed = true;
        if (!waiting) {
          waiting = true;
          after(AGAIN, () => {
            waiting = false;
            void start();
          });
        }
        return;
      }
      written = now;
      if (failed) told(`the alarms are kept in ${file} again`);
      failed = false;
    }
  };
  const start = (): Promise<void> => {
    writing ??= write().finally(() => {
      writing = undefined;
    });
    return writing;
  };

  return {
    take(state) {
      if (isNormal(state)) states.delete(state.name);
      else states.set(state.name, state);
      void start();
    },
    takeAll(all) {
      const same = (state: AlarmState): AlarmState => {
        const had = states.get(state.name);
        return had?.changed === state.changed ? had : state;
      };
      states = new Map(all.filter((state) => !isNormal(state)).map((state) => [state.name, same(state)]));
      void start();
    },
    done(keys) {
      done = keys;
      void start();
    },
    async flush() {
      await writing; // it may have begun before the last state came
      await start();
    },
  };
}

/** What the last run has kept. A file that cannot be read is set aside and said, never fatal: alarms that last are raised anew. */
export async function readAlarmStates(file: string): Promise<KeptAlarms> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return { states: [], done: [] };
    return { states: [], done: [], why: `the alarms of the last run cannot be read (${file}: ${words(error)}); what lasts is raised anew` };
  }
  const found = parsed(text);
  if (found?.whole) return found;
  const states = found?.states ?? [];
  const aside = `${file}.damaged`;
  const put = await rename(file, aside).then(
    () => `it has been put aside as ${aside}`,
    (error: unknown) => `it could not be put aside (${words(error)})`,
  );
  const rest = states.length === 0 ? 'no alarm of the last run is known' : `${states.length} could be read`;
  return {
    states,
    done: found?.done ?? [],
    why: `the alarms of the last run in ${file} are damaged: ${rest}; ${put}. What lasts is raised anew`,
  };
}

function parsed(text: string): (KeptAlarms & { readonly whole: boolean }) | undefined {
  let given: unknown;
  try {
    given = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isTable(given) || given.version !== 1 || !Array.isArray(given.alarms)) return undefined;
  const list = given.alarms as readonly unknown[];
  const states = list.filter(isState);
  const unique = new Set(states.map((s) => s.name)).size === states.length;
  const done = Array.isArray(given.done) ? (given.done as readonly unknown[]).filter((key) => typeof key === 'string') : [];
  return { states, done, whole: unique && states.length === list.length && Array.isArray(given.done) };
}

const isTable = (value: unknown): value is Readonly<Record<string, unknown>> =>
  value !== null && typeof value === 'object' && !Array.isArray(value);
const isText = (value: unknown): value is string => typeof value === 'string';
const isTime = (value: unknown): boolean => typeof value === 'number' && Number.isFinite(value);
const isSeverity = (value: unknown): boolean => SEVERITIES.some((s) => s === value);

function isState(value: unknown): value is AlarmState {
  if (!isTable(value)) return false;
  const { name, now, severity, since, changed, text, guidance, unacknowledged, acknowledged, shelved } = value;
  return (
    isText(name) &&
    name !== '' &&
    (now === undefined || isSeverity(now)) &&
    isSeverity(severity) &&
    isTime(since) &&
    isTime(changed) &&
    isText(text) &&
    (guidance === undefined || isText(guidance)) &&
    typeof unacknowledged === 'boolean' &&
    (acknowledged === undefined || (isTable(acknowledged) && isText(acknowledged.by) && isTime(acknowledged.t))) &&
    (shelved === undefined || (isTable(shelved) && isText(shelved.by) && isTime(shelved.until) && isText(shelved.why)))
  );
}

const words = (error: unknown): string => (error instanceof Error ? error.message : String(error));
