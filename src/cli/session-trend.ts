/** `bridgman trend`: one channel over the time of one or several sessions, as numbers or as a curve of letters. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { nearest } from '../catalogue.ts';
import type { Kind, Reading } from '../reading.ts';
import { channelName } from '../recorder/session-count.ts';
import { chunksFrom, type Trouble } from '../recorder/session-read.ts';
import type { TrendRow } from '../recorder/trend.ts';
import { type Stretch, stretches, together, trendRows } from '../recorder/trend-read.ts';
import { quantity, type Unit } from '../units.ts';
import { type Command, EXIT, type Io, parse, Usage } from './command.ts';
import { outline } from './inspect-account.ts';
import { type Column, columnsIn, plot } from './session-plot.ts';
import { type Between, between, isSession, noSession, overSession, sessionsIn, tellTrouble, utc, wantSession } from './session-words.ts';

const HELP = `Examples:
  bridgman trend rigs/demo/sessions/2026-11-22T12-56-50Z up.temperature --plot
  bridgman trend rigs/demo/sessions/2026-11-22T12-56-50Z laser.output_power --every 10s
  bridgman trend rigs/demo/sessions gas.pressure --every 1h        all sessions of a folder, in the order of time
  bridgman trend monday tuesday gas.pressure --json

bridgman trend SESSION [SESSION ...] CHANNEL [--every TIME] [--plot] [--from TIME] [--until TIME] [--width N] [--json]

Shows a channel over time: in each stretch how many readings there were, how many of them bad, and the smallest, mean and largest value, in SI.
It reads the counts that a session keeps of every second and minute, not its readings: a day is drawn in a moment. A whole second is the
finest that there is. States and traces have no trend. Times are UTC.

Options:
  --every TIME      the length of a stretch: 1s, 10s, 1min, 1h. Without it: 1 s up to ten minutes, 1 min up to a day, 10 min beyond
  --plot            a curve: bars from minimum to maximum, points at the mean, x below where all readings were bad, . where some were
  --width N         letters in a line of the curve, in place of the terminal's width (80 where there is none)
  --from TIME       not before: 2026-11-22T12:57:00Z, 12:57:00 (UTC, of the day of the first session's beginning), or +90s after it
  --until TIME      before this time, written alike
  --json            numbers as JSON: t in microseconds since 1970, values in SI

Exit codes: 0 shown; 1 there is no session, or nothing in this time; 2 wrong arguments, or no such channel.
`;

export const trend: Command = {
  name: 'trend',
  summary: 'shows a channel of one or several sessions over time, as numbers or as a curve',
  help: HELP,
  run: (args, io) =>
    overSession('trend', io, async () => {
      const kinds = { every: 'string', from: 'string', until: 'string', width: 'string', plot: 'boolean', json: 'boolean' } as const;
      const { options, flags, rest } = parse(args, kinds);
      if (flags.has('plot') && flags.has('json')) throw new Usage('--plot and --json: one of them');
      const { sessions, channel } = await named(rest);
      const every = everyOf(options.every);
      const width = widthOf(options.width);
      const [first = ''] = sessions;
      const range = await between(options, first);
      const trouble: Trouble[] = [];
      const walk = new Walk(sessions, range, trouble);
      const seconds = every ?? (await fitting(sessions, range));
      const look: Look = { channel, seconds, unit: await unitOf(sessions, channel), sessions };
      const shown = flags.has('plot')
        ? await drawn(walk, look, width, io)
        : flags.has('json')
          ? await asJson(walk, look, io)
          : await asTable(walk, look, io);
      tellTrouble('trend', io, trouble);
      return shown ? EXIT.ok : await nothing(walk, look, io);
    }),
};

interface Look {
  readonly channel: string;
  readonly seconds: number;
  readonly unit: Kind | undefined;
  readonly sessions: readonly string[];
}

/** Sessions in the order of time, and the one word that is none. */
async function named(rest: readonly string[]): Promise<{ sessions: readonly string[]; channel: string }> {
  const usage = 'a session and a channel are wanted: bridgman trend SESSION CHANNEL';
  const folders: string[] = [];
  const words: string[] = [];
  for (const one of rest) ((await stat(one).catch(() => undefined)) ? folders : words).push(one);
  const [channel, ...more] = words;
  const path = words.find((word) => /[\\/]/.test(word)) ?? (folders.length === 0 ? words[0] : undefined);
  if (path !== undefined && (words.length > 1 || folders.length === 0)) await wantSession(path); // not there: said so
  if (channel === undefined || folders.length === 0) throw new Usage(usage);
  if (more.length > 0) throw new Usage(`one channel at a time, not also ${more.join(' ')}`);
  const all: string[] = [];
  for (const folder of folders) {
    const several = (await stat(folder)).isDirectory() && !(await isSession(folder)) ? await sessionsIn(folder) : [];
    if (several.length === 0) await wantSession(folder);
    all.push(...(several.length === 0 ? [folder] : several.map((name) => join(folder, name))));
  }
  const begun = await Promise.all([...new Set(all)].map(async (session) => ({ session, began: (await outline(session)).began ?? 0 })));
  return { sessions: begun.sort((a, b) => a.began - b.began).map(({ session }) => session), channel };
}

function everyOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const read = quantity(text);
  if (typeof read === 'string' || read.unit !== 's' || !(read.value >= 1) || !Number.isInteger(read.value))
    throw new Usage(`--every takes whole seconds, minutes or hours, such as 1s or 10min, not "${text}"`);
  return read.value;
}

function widthOf(text: string | undefined): number {
  const columns = process.stdout.isTTY ? process.stdout.columns : undefined;
  if (text === undefined) return Math.max(40, columns ?? 80);
  const n = Number(text);
  if (!Number.isInteger(n) || n < 40 || n > 1000) throw new Usage(`--width takes 40 to 1000 letters, not "${text}"`);
  return n;
}

/** A stretch that gives no more than some hundred lines. */
async function fitting(sessions: readonly string[], { from, until }: Between): Promise<number> {
  let seconds = 0;
  for (const session of sessions) {
    const { began, ended } = await outline(session);
    if (began === null || ended === null) continue;
    seconds += Math.max(0, Math.min(ended, until ?? ended) - Math.max(began, from ?? began)) / 1e6;
  }
  return seconds <= 600 ? 1 : seconds <= 86_400 ? 60 : 600;
}

/** All sessions, one after the other. */
class Walk {
  readonly #sessions: readonly string[];
  readonly #range: Between;
  readonly #trouble: Trouble[];
  /** Names of all channels that came by. */
  readonly known = new Set<string>();

  constructor(sessions: readonly string[], range: Between, trouble: Trouble[]) {
    this.#sessions = sessions;
    this.#range = range;
    this.#trouble = trouble;
  }

  async *rows(seconds: number): AsyncGenerator<TrendRow, void, undefined> {
    const finest = seconds % 60 === 0 ? 60 : 1;
    const several = this.#sessions.length > 1;
    for (const session of this.#sessions) {
      const onTrouble = (one: Trouble): void => void this.#trouble.push(several ? { ...one, part: join(session, one.part) } : one);
      for await (const row of trendRows(session, finest, { ...this.#range, onTrouble })) {
        for (const name of Object.keys(row.channels)) this.known.add(name);
        yield row;
      }
    }
  }
}

/** The unit of a channel, from the first reading of it: looked for in the first readings only. */
async function unitOf(sessions: readonly string[], channel: string): Promise<Kind | undefined> {
  const decoder = new TextDecoder();
  for (const session of sessions) {
    let chunks = 0;
    for await (const { messages } of chunksFrom(session, undefined, { ended: true })) {
      for (const m of messages) {
        if (m.topic !== 'readings') continue;
        try {
          const r = JSON.parse(decoder.decode(m.bytes)) as Reading; // written by session-json.ts; looked at before it is used
          if (typeof r.from === 'string' && channelName(r) === channel) return r.kind;
        } catch {
          // verify says so
        }
      }
      if (++chunks > FIRST_CHUNKS) break;
    }
  }
  return undefined;
}

const FIRST_CHUNKS = 1500; // some minutes of a session
const unitWords = (unit: Kind | undefined): string => (unit === undefined || unit === '1' ? '' : ` (${unit})`);
const asUnit = (unit: Kind | undefined): Unit | '' =>
  unit === undefined || unit === 'flag' || unit === 'state' || unit === 'trace' ? '' : unit;

async function asTable(walk: Walk, { channel, seconds, unit }: Look, io: Io): Promise<boolean> {
  let some = false;
  const cell = (v: number | undefined): string => (v === undefined ? '' : String(Number(v.toPrecision(8)))).padStart(14);
  for await (const one of stretches(walk.rows(seconds), channel, seconds)) {
    if (!some) {
      io.out(`${channel}${unitWords(unit)}, every ${seconds} s, UTC\n`);
      io.out(
        `${'time'.padEnd(19)}  ${'readings'.padStart(8)}  ${'bad'.padStart(6)}  ${['min', 'mean', 'max'].map((s) => s.padStart(14)).join('  ')}\n`,
      );
    }
    some = true;
    const values = one.n === 0 ? [undefined, undefined, undefined] : [one.min, meanOf(one), one.max];
    const counts = `${String(one.n + one.bad).padStart(8)}  ${String(one.bad).padStart(6)}`;
    io.out(`${`${utc(one.t).slice(0, 19)}  ${counts}  ${values.map(cell).join('  ')}`.trimEnd()}\n`);
  }
  return some;
}

/** Between minimum and maximum, as a mean is: a sum of many numbers is rounded. */
const meanOf = ({ n, min, max, sum }: Stretch): number => Math.min(max, Math.max(min, sum / n));

async function asJson(walk: Walk, { channel, seconds, unit }: Look, io: Io): Promise<boolean> {
  let some = false;
  for await (const one of stretches(walk.rows(seconds), channel, seconds)) {
    const { t, n, bad } = one;
    const values = n === 0 ? { min: null, mean: null, max: null } : { min: one.min, mean: meanOf(one), max: one.max };
    io.out(some ? ',\n' : `${JSON.stringify({ channel, unit: unit ?? null, seconds }).slice(0, -1)},"stretches":[\n`);
    io.out(JSON.stringify({ t, n, bad, ...values }));
    some = true;
  }
  if (some) io.out('\n]}\n');
  return some;
}

const MOST = 8192; // stretches held for a curve; beyond, two become one

async function drawn(walk: Walk, { channel, seconds, unit }: Look, width: number, io: Io): Promise<boolean> {
  let held = new Map<number, Column>();
  let each = seconds;
  const put = (into: Map<number, Column>, k: number, c: Column): void => {
    const known = into.get(k);
    into.set(k, known ? together(known, c) : c);
  };
  for await (const { t, ...bin } of stretches(walk.rows(seconds), channel, seconds)) {
    put(held, Math.floor(t / 1e6 / each), bin);
    while (held.size > MOST) {
      const coarser = new Map<number, Column>();
      for (const [k, c] of held) put(coarser, Math.floor(k / 2), c);
      held = coarser;
      each *= 2;
    }
  }
  if (held.size === 0) return false;
  const first = Math.min(...held.keys());
  const count = Math.max(...held.keys()) - first + 1;
  const room = Math.min(columnsIn(width), count);
  const wide = Math.max(1, Math.floor(columnsIn(width) / room)); // few stretches are drawn broad
  const columns = new Map<number, Column>();
  for (const [k, c] of held) put(columns, Math.floor(((k - first) * room) / count), c);
  const height = process.stdout.isTTY ? Math.max(8, Math.min(24, (process.stdout.rows ?? 24) - 2)) : 20;
  const colour = process.stdout.isTTY === true && !process.env.NO_COLOR;
  io.out(
    `${`${channel}${unitWords(unit)}, one column is ${Number(((each * count) / room / wide).toPrecision(3))} s, UTC`.slice(0, width)}\n`,
  );
  const span = { from: first * each * 1e6, to: (first + count) * each * 1e6 };
  io.out(
    plot(
      Array.from({ length: room }, (_, k) => columns.get(k)),
      { width, height, unit: asUnit(unit), colour, ...span },
    ),
  );
  return true;
}

/** Why nothing could be shown. */
async function nothing(walk: Walk, { channel, unit, sessions }: Look, io: Io): Promise<number> {
  if (unit === 'state' || unit === 'trace') {
    io.err(`bridgman trend: ${channel} is a ${unit}, which has no trend: "bridgman inspect" shows its last value\n`);
    return EXIT.failed;
  }
  if (unit === undefined && !walk.known.has(channel)) {
    const near = nearest(channel, walk.known);
    const list = [...walk.known].sort();
    if (list.length > 0)
      throw new Usage(
        `there is no channel "${channel}"${near === undefined ? '' : ` (did you mean "${near}"?)`}; there are ${list.slice(0, 40).join(', ')}${list.length > 40 ? ` and ${list.length - 40} more` : ''}`,
      );
  }
  const missing =
    sessions.length === 1 ? ((await noSession(sessions[0] ?? '')) ?? 'no counts of it can be read') : 'no counts of it can be read';
  io.err(`bridgman trend: nothing of ${channel} in this time: ${missing}\n`);
  return EXIT.failed;
}
