/** `bridgman diff`: two sessions side by side. */
import type { ListDiff } from '../recorder/list-diff.ts';
import { type ChannelDiff, diffSessions, type SessionDiff, type Side } from '../recorder/session-diff.ts';
import { type Command, EXIT, type Io, parse, Usage } from './command.ts';
import { overSession, plain, plural, tellTrouble, utcMicro, wantSession } from './session-words.ts';
import { columns } from './table.ts';

const HELP = `Examples:
  bridgman diff rigs/demo/sessions/2026-11-22T12-56-50Z rigs/demo/sessions/2026-11-22T12-56-50Z-repaired
  bridgman diff monday tuesday --json

bridgman diff SESSION SESSION [--json]

Says \`same\` or \`differs\` as a word of its own, and in what: the rig's lines and files, channels (those that only one has, counts, ranges, how
many readings differ, the largest change, and the first reading that is another one: the first of a channel is held against the first, the
second against the second), orders and how they ended, alarms. A is the first session, B the second. Other times alone, and another
version of the program, make no difference; bytes on the links are not compared. Nothing is changed.

Options:
  --json    the same as JSON, with the channels that are the same

Exit codes: 0 same; 1 differs, or there is no session; 2 wrong arguments.
`;

export const diff: Command = {
  name: 'diff',
  summary: 'says in what two sessions differ: rig, channels, orders, alarms',
  help: HELP,
  run: (args, io) =>
    overSession('diff', io, async () => {
      const { flags, rest } = parse(args, { json: 'boolean' });
      const [a, b, ...others] = rest;
      if (a === undefined || b === undefined || others.length > 0)
        throw new Usage('two sessions are wanted: bridgman diff SESSION SESSION');
      for (const path of [a, b]) await wantSession(path);
      const found = await diffSessions(a, b);
      if (flags.has('json')) io.out(`${JSON.stringify({ verdict: found.same ? 'same' : 'differs', a, b, ...found }, null, 2)}\n`);
      else told(found, io);
      return found.same ? EXIT.ok : EXIT.failed;
    }),
};

const TOP = 40; // lines of a list on the screen; --json has all

function told(d: SessionDiff, io: Io): void {
  for (const [i, side] of ['A', 'B'].entries()) tellTrouble(`diff: ${side}`, io, d.trouble[i] ?? []);
  const section = (title: string, lines: readonly string[]): void => {
    if (lines.length === 0) return;
    io.out(`${title}\n`);
    for (const line of lines.slice(0, TOP)) io.out(`  ${plain(line)}\n`);
    if (lines.length > TOP) io.out(`  ... and ${lines.length - TOP} more: --json has all of them\n`);
  };
  const { rig } = d;
  const names = rig.names[0] === rig.names[1] ? [] : [`A is of the rig ${rig.names[0] ?? 'not said'}, B of ${rig.names[1] ?? 'not said'}`];
  section('RIG', [
    ...names,
    ...rig.lines,
    ...rig.files.map((file) => `${file.startsWith('*') ? 'another' : file.startsWith('-') ? 'only A' : 'only B'}: ${file.slice(2)}`),
  ]);
  if (rig.versions[0] !== rig.versions[1])
    io.out(`A was written by version ${rig.versions[0] ?? 'not said'}, B by ${rig.versions[1] ?? 'not said'}\n`);
  const all = Object.entries(d.channels);
  const others = all.filter(([, c]) => !c.same);
  section(
    `CHANNELS (${others.length} of ${all.length} differ)`,
    others.length === 0 ? [] : others.flatMap(([name, c]) => channelLines(name, c)),
  );
  for (const [title, list] of [
    ['ORDERS', d.orders],
    ['ALARMS', d.alarms],
  ] as const)
    section(title, listLines(list));
  const [a, b] = d.began;
  if (!d.sameTimes && a !== null && b !== null && a !== b) io.out(`B begins ${Math.abs(b - a) / 1e6} s ${b > a ? 'after' : 'before'} A\n`);
  io.out(`${plural(all.length, 'channel')}, ${plural(d.orders.a, 'order')} in A and ${d.orders.b} in B\n${d.same ? 'same' : 'differs'}\n`);
}

function channelLines(name: string, c: ChannelDiff): readonly string[] {
  const { a, b, first } = c;
  if (!a || !b) return [`${name}: only in ${a ? 'A' : 'B'}: ${counts(a ?? b)}`];
  const lines = [
    `${name}: ${c.differing} of ${plural(c.compared, 'reading')} differ${c.largest === undefined ? '' : `, by ${c.largest} at most`}`,
  ];
  if (c.incomplete) lines[0] += '; compared no further: too many of one session have no partner in the other';
  if (counts(a) !== counts(b))
    lines.push(
      ...columns(
        [
          ['A', counts(a)],
          ['B', counts(b)],
        ],
        '  ',
      )
        .trimEnd()
        .split('\n'),
    );
  if (first)
    lines.push(
      `  first ${first.what === 'numbers' ? 'numbers of' : `${first.what} of`} reading ${first.number}: A ${first.a} at ${utcMicro(first.t[0])}, B ${first.b} at ${utcMicro(first.t[1])}`,
    );
  return lines;
}

function counts(side: Side | undefined): string {
  if (!side) return 'none';
  const { good, suspect, bad, min, max } = side;
  const range = min === undefined || max === undefined ? '' : `, ${min} to ${max}`;
  return `${good} good${suspect > 0 ? `, ${suspect} suspect` : ''}${bad > 0 ? `, ${bad} bad` : ''}${range}`;
}

function listLines({ a, b, same, onlyA, onlyB }: ListDiff): readonly string[] {
  if (same) return [];
  const lines = [...onlyA.map((line) => `- ${line}`), ...onlyB.map((line) => `+ ${line}`)];
  return lines.length > 0 ? lines : [`the same ${Math.max(a, b)} in another order`];
}
