/** What the commands that look at a session have in common: finding it, and how times, sizes and rows are written. */
import { readdir, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parsePartName } from '../recorder/part-name.ts';
import { SessionError } from '../recorder/session-error.ts';
import type { Trouble } from '../recorder/session-read.ts';
import { quantity } from '../units.ts';
import { EXIT, guarded, type Io, Usage } from './command.ts';
import { outline } from './inspect-account.ts';

export const isSession = async (folder: string): Promise<boolean> =>
  (await readdir(folder)).some((name) => parsePartName(name) !== undefined);

/** The names of the sessions in a folder, in the order of their names: that of time. */
export async function sessionsIn(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const names = entries.filter((e) => !e.isFile()).map((e) => e.name);
  const are = await Promise.all(names.map((name) => isSession(join(folder, name)).catch(() => false)));
  return names.filter((_, i) => are[i]).sort();
}

/** Why there is no session at this path, as a sentence that says what would be right; undefined where there is one. */
export async function noSession(path: string): Promise<string | undefined> {
  const found = await stat(path).catch(() => undefined);
  if (!found) return `there is no folder ${path}; a session is a folder, such as rigs/demo/sessions/2026-11-22T12-56-50Z`;
  if (!found.isDirectory()) return `${path} is a file; a session is the folder that it lies in: ${resolve(path, '..')}`;
  if (await isSession(path)) return undefined;
  const [one] = await sessionsIn(path);
  if (one !== undefined) return `${path} holds sessions: name one of them, such as ${join(path, one)}`;
  const below = (await sessionsIn(join(path, 'sessions'))).length > 0;
  return `${path} is no session: it has no parts such as slow-0001.mcap${below ? `; did you mean ${join(path, 'sessions')}?` : ''}`;
}

/** Throws a SessionError where there is no session at this path. */
export async function wantSession(path: string): Promise<void> {
  const why = await noSession(path);
  if (why !== undefined) throw new SessionError('SESSION_NO_FOLDER', why);
}

/** Runs the body of a command; what the arguments, the folder or the disk say becomes its sentence on stderr. */
export const overSession = (name: string, io: Io, body: () => Promise<number>): Promise<number> =>
  guarded(name, io, async () => {
    try {
      return await body();
    } catch (error) {
      // The system's errors have a code such as EACCES; what has none is a fault of the program.
      const theirs =
        error instanceof SessionError || (error instanceof Error && 'code' in error && /^E[A-Z0-9]+$/.test(String(error.code)));
      if (!theirs || !(error instanceof Error)) throw error;
      io.err(`bridgman ${name}: ${error.message}\n`);
      return EXIT.failed;
    }
  });

/** The one session that the arguments name. */
export function oneSession(name: string, rest: readonly string[]): string {
  const [path, ...others] = rest;
  if (path === undefined) throw new Usage(`a session is wanted: bridgman ${name} SESSION`);
  if (others.length > 0) throw new Usage(`one session at a time, not also ${others.join(' ')}`);
  return path;
}

export const utc = (t: number): string => {
  const ms = t / 1000;
  return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString().replace('T', ' ').replace('Z', '') : `${t} µs`; // beyond, no date is known
};
/** With microseconds. */
export const utcMicro = (t: number): string => `${utc(t)}${String(Math.trunc(t) % 1000).padStart(3, '0')}`;
export const plural = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`;
export const size = (bytes: number): string =>
  bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : bytes < 1e9 ? `${(bytes / 1e6).toFixed(2)} MB` : `${(bytes / 1e9).toFixed(2)} GB`;

export const troubleOf = ({ kind, part, offset, bytes, why }: Trouble): readonly string[] => [
  part,
  kind,
  kind === 'missing' ? why : `${plural(bytes, 'byte')} from byte ${offset}: ${why}`,
];

/** What of a session could not be read, on stderr: at most ten lines, and how many more. */
export function tellTrouble(name: string, io: Io, trouble: readonly Trouble[]): void {
  for (const one of trouble.slice(0, 10)) io.err(`bridgman ${name}: ${troubleOf(one).join(': ')}\n`);
  if (trouble.length > 10) io.err(`bridgman ${name}: and ${trouble.length - 10} more: bridgman verify names all\n`);
}

/** Control characters of somebody else's bytes do nothing on a terminal. */
export const plain = (text: string): string => text.replace(/[\x00-\x1f\x7f-\x9f]/g, (c) => (c === '\n' || c === '\t' ? ' ' : '?'));

/** Microseconds since 1970 of "2026-11-22T12:57:00Z", "12:57:00" (of the day on which the session began) or "+90s" (after its beginning). UTC. */
async function instant(option: string, text: string | undefined, session: string): Promise<number | undefined> {
  if (text === undefined) return undefined;
  const wrong = `${option} takes a time such as 2026-11-22T12:57:00Z, 12:57:00 or +90s, not "${text}"`;
  const began = async (): Promise<number> => {
    const { began } = await outline(session);
    if (began === null) throw new Usage(`${option} ${text}: the session does not say when it began`);
    return began;
  };
  if (text.startsWith('+')) {
    const read = quantity(text.slice(1));
    if (typeof read === 'string' || read.unit !== 's') throw new Usage(wrong);
    return (await began()) + Math.round(read.value * 1e6);
  }
  const clock = /^(\d{2}:\d{2})(:\d{2}(?:\.\d+)?)?Z?$/.exec(text);
  const whole = clock ? `${utc(await began()).slice(0, 10)}T${clock[1]}${clock[2] ?? ':00'}Z` : text;
  const [, date, hour = 'T00:00:00', fraction = '', zone = 'Z'] =
    /^(\d{4}-\d{2}-\d{2})(?:([T ]\d{2}:\d{2}(?::\d{2})?)(\.\d+)?)?(Z|[+-]\d{2}:\d{2})?$/.exec(whole) ?? [];
  const ms = date === undefined ? Number.NaN : Date.parse(`${date}${hour.replace(' ', 'T')}${zone}`);
  // Date takes the 30th of February for the 2nd of March.
  if (!Number.isFinite(ms) || new Date(Date.parse(`${date}T00:00:00Z`)).toISOString().slice(0, 10) !== date) throw new Usage(wrong);
  return ms * 1000 + Math.round(Number(`0${fraction}`) * 1e6);
}

export interface Between {
  readonly from?: number;
  readonly until?: number;
}

/** What --from and --until say, in microseconds since 1970; throws Usage where nothing can be between them. */
export async function between(options: Readonly<Record<string, string | undefined>>, session: string): Promise<Between> {
  const from = await instant('--from', options.from, session);
  const until = await instant('--until', options.until, session);
  if (from !== undefined && until !== undefined && from >= until) throw new Usage('--from is not before --until');
  return { ...(from === undefined ? {} : { from }), ...(until === undefined ? {} : { until }) };
}
