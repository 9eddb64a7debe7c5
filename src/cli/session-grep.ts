/** `bridgman grep`: bytes or text on the links of a session, with times and directions. */
import { stat } from 'node:fs/promises';
import { wireTopic } from '../recorder/session-count.ts';
import { NAMED, namedOf } from '../recorder/session-json.ts';
import { type SessionLink, sessionLinks, streamTopic } from '../recorder/session-links.ts';
import { readSession, type SessionMessage, type Trouble } from '../recorder/session-read.ts';
import { type Match, patternOf, Search, shownHex, shownText } from '../recorder/wire-search.ts';
import { type Command, EXIT, type Io, parse, Usage } from './command.ts';
import { between, overSession, plain, plural, tellTrouble, utcMicro, wantSession } from './session-words.ts';

const HELP = `Examples:
  bridgman grep rigs/demo/sessions/2026-11-22T12-56-50Z 'ERROR' --link laser
  bridgman grep rigs/demo/sessions/2026-11-22T12-56-50Z '0x06 0d0a' --in
  bridgman grep rigs/demo/sessions/2026-11-22T12-56-50Z '*IDN?\\n' --out --from +10s --until 12:57:30
  bridgman grep rigs/demo/sessions/2026-11-22T12-56-50Z '0x03 30 30' --link tcp:192.168.1.21 --json

bridgman grep SESSION PATTERN [--link NAME] [--in | --out] [--from TIME] [--until TIME] [--text] [--json]

Finds bytes on the links of a session, also where they came in several pieces (not over the borders of UDP packets and files, nor where
bytes between are lost). A PATTERN that begins with 0x is bytes in hexadecimal; any other is text, with \\r \\n \\t \\0 \\e \\\\ and \\x06. Each match is
one line: time (of its first byte), link, direction, bytes, text; the match itself stands in [ ]. Times are UTC.

Options:
  --link NAME       only links whose address holds this, or those of this instrument
  --in, --out       only what came, or only what was sent
  --from TIME       not before: 2026-11-22T12:57:00Z, 12:57:00 (UTC, of the day of its beginning), or +90s after the beginning
  --until TIME      before this time, written alike
  --text            PATTERN is text, also where it begins with 0x
  --json            a line of JSON for each match: t, until (microseconds since 1970), link, direction, name, at (its place among all bytes
                    of the link and direction), and before, found, after in hexadecimal

Exit codes: 0 found; 1 not found, or there is no session; 2 wrong arguments.
`;

export const grep: Command = {
  name: 'grep',
  summary: 'finds bytes or text on the links of a session',
  help: HELP,
  run: (args, io) =>
    overSession('grep', io, async () => {
      const kinds = {
        link: 'string',
        from: 'string',
        until: 'string',
        in: 'boolean',
        out: 'boolean',
        text: 'boolean',
        json: 'boolean',
      } as const;
      const { options, flags, rest } = parse(args, kinds);
      const [first, second, ...others] = rest;
      if (first === undefined || second === undefined) throw new Usage('a session and a pattern are wanted: bridgman grep SESSION PATTERN');
      if (others.length > 0) throw new Usage(`one pattern at a time, not also ${others.join(' ')}: put it into quotation marks`);
      if (flags.has('in') && flags.has('out')) throw new Usage('--in and --out: without either both are looked through');
      const swapped = !(await stat(first).catch(() => undefined)) && (await stat(second).catch(() => undefined))?.isDirectory();
      const [session, written] = swapped ? [second, first] : [first, second];
      const needle = patternOf(written, flags.has('text'));
      if (typeof needle === 'string') throw new Usage(needle);
      await wantSession(session);
      const links = chosen(await sessionLinks(session), options.link);
      const { from = Number.NEGATIVE_INFINITY, until = Number.POSITIVE_INFINITY } = await between(options, session);
      const direction = flags.has('in') ? 'in' : flags.has('out') ? 'out' : undefined;
      return find(session, needle, { links, from, until, direction, json: flags.has('json') }, io);
    }),
};

/** Throws Usage, with what there is, where no link is meant. */
function chosen(all: readonly SessionLink[], name: string | undefined): readonly SessionLink[] {
  if (name === undefined) return all;
  const wanted = all.filter(({ link, instruments }) => link.toLowerCase().includes(name.toLowerCase()) || instruments.includes(name));
  if (wanted.length > 0) return wanted;
  const list = [...new Set(all.map(({ link, instruments }) => (instruments.length > 0 ? `${link} (${instruments.join(', ')})` : link)))];
  throw new Usage(`this session has no link "${name}"; it has ${list.length === 0 ? 'none with bytes' : list.join(', ')}`);
}

interface Wanted {
  readonly links: readonly SessionLink[];
  readonly from: number;
  readonly until: number;
  readonly direction: 'in' | 'out' | undefined;
  readonly json: boolean;
}

interface Lane {
  readonly link: string;
  readonly direction: 'in' | 'out';
  /** Messages that do not follow one another: packets, files. */
  readonly apart: boolean;
  readonly search: Search;
  next: number;
}

async function find(session: string, needle: Uint8Array, { links, from, until, direction, json }: Wanted, io: Io): Promise<number> {
  const lanes = new Map<string, Lane | 'none'>();
  const trouble: Trouble[] = [];
  const width = Math.max(0, ...links.map(({ link }) => link.length));
  let count = 0;
  const raw = links.map(({ series }) => series);
  for await (const m of readSession(session, { raw, slow: false, onTrouble: (one) => trouble.push(one) })) {
    if (m.t < from || m.t >= until) continue;
    let lane = lanes.get(`${m.series} ${m.topic}`);
    if (lane === undefined) lanes.set(`${m.series} ${m.topic}`, (lane = laneOf(m, needle)));
    if (lane === 'none' || (direction !== undefined && lane.direction !== direction)) continue;
    for (const match of lookInto(lane, m)) {
      count++;
      io.out(json ? asJson(match, lane, m) : asLine(match, lane, width, m));
    }
  }
  tellTrouble('grep', io, trouble);
  if (!json) io.out(count === 0 ? 'not found\n' : `${plural(count, 'match').replace(/matchs$/, 'matches')}\n`);
  return count > 0 ? EXIT.ok : EXIT.failed;
}

function laneOf(m: SessionMessage, needle: Uint8Array): Lane | 'none' {
  const stream = streamTopic(m.topic);
  const wire = stream === undefined ? wireTopic(m.series, m.topic) : { link: stream, direction: 'in' as const };
  if (!wire) return 'none';
  return { ...wire, apart: m.topic.endsWith(NAMED) || wire.link.startsWith('udp:'), search: new Search(needle), next: m.sequence };
}

function lookInto(lane: Lane, m: SessionMessage): readonly Match[] {
  if (lane.apart || m.sequence !== lane.next) lane.search.apart();
  lane.next = m.sequence + 1;
  return lane.search.take(m.topic.endsWith(NAMED) ? namedBytes(m.bytes) : m.bytes, m.t);
}

const namedBytes = (bytes: Uint8Array): Uint8Array => bytes.subarray(bytes.indexOf(10) + 1);

/** The name that a file's bytes have. */
function nameOf(m: SessionMessage): string | undefined {
  if (!m.topic.endsWith(NAMED)) return undefined;
  try {
    return namedOf(m.bytes).name;
  } catch {
    return undefined;
  }
}

function asJson({ t, until, at, before, found, after }: Match, { link, direction }: Lane, m: SessionMessage): string {
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
  return `${JSON.stringify({ t, until, link, direction, name: nameOf(m) ?? null, at, before: hex(before), found: hex(found), after: hex(after) })}\n`;
}

const SIDE = 8; // bytes shown on each side, in lines for people
const LONG = 24; // of a long match: so many bytes

function asLine({ t, before, found, after }: Match, { link, direction }: Lane, width: number, m: SessionMessage): string {
  const [left, right] = [before.subarray(-SIDE), after.subarray(0, SIDE)];
  const middle = found.subarray(0, LONG);
  const dots = found.length > LONG ? '...' : '';
  const hex = `${shownHex(left)} [${shownHex(middle)}${dots}] ${shownHex(right)}`.trim();
  const text = `${shownText(left)}[${shownText(middle)}${dots}]${shownText(right)}`;
  const name = nameOf(m);
  return `${utcMicro(t)}  ${link.padEnd(width)} ${direction.padEnd(3)}${name === undefined ? '' : `  ${plain(name)}`}  ${hex}  ${text}\n`;
}
