/**
 * The record of armed outputs: what is on, in a file that outlives a power cut. A run that ends in order signs it off. What was not signed
 * off, or not read back as safe, is shown at the next start and must be acknowledged before anything hazardous is ordered.
 */
import type { Clock } from '../clock.ts';
import type { Unsettled } from './armed.ts';
import type { Recorded } from './guardian.ts';

export interface ArmedRecord extends Recorded {
  /** A person has seen what earlier runs have left behind. */
  acknowledge(): void;
  /** The end of a run: what is on and named is kept as the rig says; calls back when it is on the disk, or with the reason why not. */
  sign(kept: readonly string[], done: (why?: string) => void): void;
  /** Writes what could not be written, because somebody who can is there again. */
  again(): void;
  /** The file as it should be now; undefined while there is nothing to record. */
  readonly text: string | undefined;
}

export interface RecordOptions {
  readonly rig: string;
  readonly session: string;
  readonly pid: number;
  /** Of this start of the machine. */
  readonly boot: string;
  readonly unsettled: readonly Unsettled[];
  readonly clock: Clock;
  /** Puts the text on the disk in the place of the one before, and calls back once. */
  readonly write: (text: string, done: (why?: string) => void) => void;
}

/** `value`: nobody knows what was ordered last, and where a ramp was. */
type Entry = { readonly since: string } & (
  | { readonly is: 'on'; readonly value: 'unknown' }
  | { readonly is: 'safe'; readonly by: string; readonly t: string }
  | { readonly is: 'kept'; readonly t: string }
  | { readonly is: 'no answer'; readonly why: string; readonly t: string }
);

interface Text {
  readonly version: 1;
  readonly rig: string;
  readonly session: string;
  readonly pid: number;
  readonly boot: string;
  readonly began: string;
  readonly signed?: { readonly by: 'guardian'; readonly t: string };
  readonly outputs: Readonly<Record<string, Entry>>;
  readonly unsettled: readonly Unsettled[];
}

const LAZY = 1; // seconds that what makes the record milder may wait

export function armedRecord(options: RecordOptions): ArmedRecord {
  const { clock, rig, session, pid, boot } = options;
  const time = (): string => new Date(clock.now() / 1000).toISOString();
  const began = time();
  const outputs = new Map<string, Entry>();
  let unsettled = options.unsettled;
  let signed: Text['signed'];
  /** Counts changes: what each write has in it, and who waits for it. */
  let version = 0;
  let confirmed = 0;
  let writing: number | undefined;
  let waiting: { readonly version: number; readonly done: (why?: string) => void }[] = [];
  /** The version since which the disk says that it is on. */
  const onSince = new Map<string, number>();
  let cancel = (): void => {};

  const text = (): string | undefined => {
    if (version === 0) return undefined;
    const all: Text = {
      version: 1,
      rig,
      session,
      pid,
      boot,
      began,
      ...(signed ? { signed } : {}),
      outputs: Object.fromEntries(outputs),
      unsettled,
    };
    return `${JSON.stringify(all, null, 2)}\n`;
  };

  const flush = (): void => {
    cancel();
    const now = text();
    if (writing !== undefined || now === undefined) return;
    const mine = version;
    writing = mine;
    options.write(now, (why) => {
      writing = undefined;
      if (why === undefined) confirmed = mine;
      const over = waiting.filter((one) => one.version <= mine);
      waiting = waiting.filter((one) => one.version > mine);
      if (version > mine) flush();
      for (const one of over) one.done(why);
    });
  };
  const change = (name: string, entry: Entry | undefined): void => {
    version++;
    if (entry) outputs.set(name, entry);
    else outputs.delete(name);
    if (entry?.is === 'on') onSince.set(name, version);
    else onSince.delete(name);
  };
  const soon = (): void => {
    cancel();
    cancel = clock.after(LAZY, flush);
  };
  const since = (name: string): string => outputs.get(name)?.since ?? time();

  return {
    arm(name, done) {
      const on = onSince.get(name);
      if (on !== undefined && on <= confirmed) {
        done();
        return;
      }
      if (on === undefined) change(name, { is: 'on', since: time(), value: 'unknown' });
      waiting.push({ version, done });
      flush();
    },
    drop(name) {
      if (outputs.get(name)?.is !== 'on') return;
      change(name, undefined);
      soon();
    },
    safe(name, by) {
      if (!outputs.has(name)) return;
      change(name, { is: 'safe', since: since(name), by, t: time() });
      soon();
    },
    unanswered(name, why) {
      if (!outputs.has(name)) return;
      change(name, { is: 'no answer', since: since(name), why, t: time() });
      soon();
    },
    acknowledge() {
      unsettled = [];
      version++;
      soon();
    },
    sign(kept, done) {
      if (version === 0) {
        done();
        return;
      }
      for (const [name, entry] of [...outputs]) {
        if (entry.is !== 'on') continue;
        if (kept.includes(name)) change(name, { is: 'kept', since: entry.since, t: time() });
        else change(name, { is: 'no answer', since: entry.since, why: 'not read back', t: time() });
      }
      signed = { by: 'guardian', t: time() };
      version++;
      waiting.push({ version, done });
      flush();
    },
    again() {
      if (version > confirmed) flush();
    },
    get text() {
      return text();
    },
  };
}

export interface Before {
  /** For people: how the last run has left the outputs. */
  readonly words: readonly string[];
  readonly unsettled: readonly Unsettled[];
}

/** What a record says to the run after it. `boot`: of this start of the machine. A damaged one counts as not signed off. */
export function before(text: string, boot: string): Before {
  const found = parsed(text);
  if (typeof found === 'string') {
    const why = `the record of armed outputs is damaged (${found}): nobody knows what the last run has left on`;
    return { words: [why], unsettled: [{ name: 'record', why }] };
  }
  const { signed, outputs, session } = found;
  const left: Unsettled[] = [...found.unsettled];
  const add = (name: string, why: string): void => void left.push({ name, why });
  const cause = found.boot === boot ? 'all its processes ended at once' : 'the machine has been started anew since';
  for (const [name, entry] of Object.entries(outputs)) {
    if (entry.is === 'no answer') add(name, `was not read back as safe when the run ${session} ended (${entry.why})`);
    else if (entry.is === 'on') add(name, `was on since ${entry.since} when the run ${session} ended without signing off (${cause})`);
  }
  if (!signed && left.length === found.unsettled.length && Object.keys(outputs).length > 0)
    add('record', `the run ${session} ended without signing off (${cause}); what it had switched on had been read back as safe before`);
  const states = Object.entries(outputs).map(([name, entry]) => `${name} ${described(entry)}`);
  const end = signed ? `was signed off by the ${signed.by} at ${signed.t}` : 'was NOT signed off';
  const words = states.length === 0 ? [] : [`the last run (${session}) ${end}: ${states.join('; ')}`];
  return { words: [...words, ...left.map(({ name, why }) => `${name}: ${why}`)], unsettled: left };
}

function described(entry: Entry): string {
  switch (entry.is) {
    case 'on':
      return `on since ${entry.since}`;
    case 'safe':
      return `safe, read back by the ${entry.by}`;
    case 'kept':
      return 'kept as the rig says';
    case 'no answer':
      return `NO ANSWER (${entry.why})`;
  }
}

const isTable = (value: unknown): value is Readonly<Record<string, unknown>> =>
  value !== null && typeof value === 'object' && !Array.isArray(value);
const areTexts = (...values: readonly unknown[]): boolean => values.every((value) => typeof value === 'string');

function parsed(text: string): Text | string {
  let given: unknown;
  try {
    given = JSON.parse(text);
  } catch {
    return text.trim() === '' ? 'it is empty' : 'it is not whole';
  }
  if (!isTable(given)) return 'it is no table';
  if (given.version !== 1) return `its version is ${JSON.stringify(given.version)}, not 1`;
  const { session, boot, signed, outputs, unsettled } = given;
  if (!areTexts(session, boot)) return 'it names no session';
  if (signed !== undefined && !(isTable(signed) && areTexts(signed.by, signed.t))) return 'its signature is not whole';
  if (!isTable(outputs) || !Object.values(outputs).every(isEntry)) return 'an output in it makes no sense';
  if (!Array.isArray(unsettled) || !unsettled.every((one: unknown) => isTable(one) && areTexts(one.name, one.why)))
    return 'what was left before makes no sense';
  return given as unknown as Text; // each part that is used has been looked at
}

function isEntry(value: unknown): boolean {
  if (!isTable(value) || !areTexts(value.since)) return false;
  switch (value.is) {
    case 'on':
      return true;
    case 'safe':
      return areTexts(value.by);
    case 'kept':
      return true;
    case 'no answer':
      return areTexts(value.why);
    default:
      return false;
  }
}
