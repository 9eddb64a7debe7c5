/** `bridgman repair`: a sound copy of a damaged session, and what of it is lost. */
import { stat } from 'node:fs/promises';
import { type Repaired, repairSession } from '../recorder/repair.ts';
import { type Command, EXIT, parse, Usage } from './command.ts';
import { overSession, plain, plural, size, utc, wantSession } from './session-words.ts';
import { columns } from './table.ts';

const HELP = `Examples:
  bridgman repair rigs/demo/sessions/2026-11-22T12-56-50Z                 writes 2026-11-22T12-56-50Z-repaired beside it
  bridgman repair rigs/demo/sessions/2026-11-22T12-56-50Z saved/night     writes saved/night

bridgman repair SESSION [NEW] [--json]

Writes every whole chunk of a session to a new folder, in parts with a proper index, and says what was lost: messages, bytes and times, by
series and topic; the same lies in the new folder as repair.json. The old folder is never changed, and one that is there is not written
over. Messages keep their numbers, so "bridgman verify" of the new session names what is missing in it; a session that was whole stays
whole, byte for byte where it was written by this version.

Options:
  --json    what was written and what was lost as JSON

Exit codes: 0 written, whatever was lost; 1 there is no session, or the disk refuses; 2 wrong arguments; 3 the new folder is there already.
`;

export const repair: Command = {
  name: 'repair',
  summary: 'writes what is whole of a damaged session to a new one, and says what is lost',
  help: HELP,
  run: (args, io) =>
    overSession('repair', io, async () => {
      const { flags, rest } = parse(args, { json: 'boolean' });
      const [path, target, ...others] = rest;
      if (path === undefined) throw new Usage('a session is wanted: bridgman repair SESSION');
      if (others.length > 0) throw new Usage(`one session and one new folder, not also ${others.join(' ')}`);
      await wantSession(path);
      const to = target ?? `${path.replace(/[\\/]+$/, '')}-repaired`;
      if (await stat(to).catch(() => undefined)) {
        io.err(`bridgman repair: ${to} is there already, and nothing is written over it: name another folder\n`);
        return EXIT.refused;
      }
      const report = await repairSession(path, to);
      io.out(flags.has('json') ? `${JSON.stringify(report, null, 2)}\n` : asText(report));
      return EXIT.ok;
    }),
};

const TOP = 40; // rows of a list on the screen; --json and repair.json have all

function asText({ to, series, unread, lost, twice, left }: Repaired): string {
  const between = (from: number | undefined, until: number | undefined): string =>
    [from === undefined ? '' : `from ${utc(from)}`, until === undefined ? '' : `to ${utc(until)}`].filter((s) => s !== '').join(' ');
  const more = (n: number): string => (n > TOP ? `  ... and ${n - TOP} more: repair.json has all\n` : '');
  return [
    `${to}\n`,
    columns(
      Object.entries(series).map(([name, s]) => [
        name,
        plural(s.parts, 'part'),
        plural(s.chunks, 'chunk'),
        plural(s.messages, 'message'),
        size(s.bytes),
      ]),
      '  ',
    ),
    unread.length === 0 ? '' : '\nCOULD NOT BE READ\n',
    columns(
      unread
        .slice(0, TOP)
        .map((one) => [
          one.part,
          one.kind,
          one.kind === 'missing' ? '' : plural(one.bytes, 'byte'),
          between(one.first, one.last),
          plain(one.why),
        ]),
      '  ',
    ),
    more(unread.length),
    lost.length === 0 ? '' : '\nMESSAGES LOST (at least)\n',
    columns(
      lost.slice(0, TOP).map((one) => [one.series, plain(one.topic), plural(one.messages, 'message'), between(one.from, one.to)]),
      '  ',
    ),
    more(lost.length),
    twice === 0 ? '' : `\n${plural(twice, 'message')} that came twice: written once\n`,
    left.length === 0 ? '' : `\nnot copied, because it speaks of places in the old parts: ${left.map(plain).join(', ')}\n`,
    unread.length + lost.length === 0 ? '\nnothing is lost\n' : '',
  ].join('');
}
