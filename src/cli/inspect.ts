/** `bridgman inspect`: what a session holds, and what is missing or damaged in it; also one that is being written, or cut. */
import { stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { nearest } from '../catalogue.ts';
import type { OrderEntry } from '../entry.ts';
import { type Reading, total } from '../reading.ts';
import { SessionError } from '../recorder/session-error.ts';
import { show } from '../units.ts';
import { type Command, EXIT, guarded, type Io, parse, Usage } from './command.ts';
import { type Account, account, type Outline, outline } from './inspect-account.ts';
import { type Extra, extra, missingLines, trendLines } from './inspect-trends.ts';
import { isSession, plural, sessionsIn, size, troubleOf, utc } from './session-words.ts';
import { kindShown } from './shape.ts';

const HELP = `Examples:
  bridgman inspect rigs/demo/sessions                          all sessions: date, duration, size
  bridgman inspect rigs/demo/sessions/2026-11-22T12-56-50Z     one of them
  bridgman inspect rigs/demo/sessions/2026-11-22T12-56-50Z --channel laser.output_power
  bridgman inspect rigs/demo/sessions/2026-11-22T12-56-50Z --json

bridgman inspect SESSION [--channel NAME] [--json]

Says what a session holds: channels and how they went, gaps with their causes, orders and how they ended, exchanges without a good reply, notes and marks,
bytes on the wire, and every part that is cut, damaged or missing. Nothing is changed; a session that is being written can be looked at.
All times are UTC.

Options:
  --channel NAME    only this channel (without [index]: all of its indices)
  --json            the same as JSON: times in microseconds since 1970, values in SI

Exit codes: 0 it could be read, whatever is damaged in it; 1 there is no session; 2 wrong arguments.
`;

export const inspect: Command = {
  name: 'inspect',
  summary: 'says what a session holds, and what is missing or damaged in it',
  help: HELP,
  run: (args, io) =>
    guarded('inspect', io, async () => {
      const { options, flags, rest } = parse(args, { json: 'boolean', channel: 'string' });
      const [path, ...others] = rest;
      if (path === undefined) throw new Usage('a session is wanted: bridgman inspect SESSION');
      if (others.length > 0) throw new Usage(`one session at a time, not also ${others.join(' ')}`);
      try {
        return await look(path, options.channel, flags.has('json'), io);
      } catch (error) {
        if (error instanceof Usage || !(error instanceof SessionError || (error instanceof Error && 'code' in error))) throw error;
        io.err(`bridgman inspect: ${error.message}\n`);
        return EXIT.failed;
      }
    }),
};

async function look(path: string, channel: string | undefined, json: boolean, io: Io): Promise<number> {
  const failed = (why: string): number => {
    io.err(`bridgman inspect: ${why}\n`);
    return EXIT.failed;
  };
  const found = await stat(path).catch(() => undefined);
  if (!found) return failed(`there is no folder ${path}; a session is a folder, such as rigs/demo/sessions/2026-11-22T12-56-50Z`);
  if (!found.isDirectory())
    return failed(`${path} is a file; a session is the folder that it lies in: bridgman inspect ${resolve(path, '..')}`);
  const data = (value: unknown): void => io.out(`${JSON.stringify(value, null, 2)}\n`);
  if (await isSession(path)) {
    const session = await account(path);
    const wanted = channel === undefined ? session : only(session, channel);
    const more = await extra(path, wanted);
    if (json) data({ ...wanted, ...more });
    else io.out(asText(wanted, more, channel !== undefined));
    return EXIT.ok;
  }
  const sessions = await sessionsIn(path);
  if (sessions.length === 0) {
    const below = (await sessionsIn(join(path, 'sessions'))).length > 0;
    return failed(
      `${path} is no session: it has no parts such as slow-0001.mcap${below ? `; did you mean ${join(path, 'sessions')}?` : ''}`,
    );
  }
  if (channel !== undefined) throw new Usage(`${path} holds ${sessions.length} sessions: name one of them to see a channel`);
  const rows = await Promise.all(sessions.map((name) => outline(join(path, name))));
  if (json) data(rows);
  else io.out(listing(rows));
  return EXIT.ok;
}

/** The part of an account that speaks of one channel. */
function only(all: Account, channel: string): Account {
  const mine = (name: string): boolean => name === channel || name.startsWith(`${channel}[`);
  const channels = Object.fromEntries(Object.entries(all.channels).filter(([name]) => mine(name)));
  if (Object.keys(channels).length === 0) {
    const near = nearest(channel, Object.keys(all.channels));
    throw new Usage(`this session has no channel "${channel}"${near === undefined ? '' : `; did you mean "${near}"?`}`);
  }
  const [instrument] = channel.split('.');
  return {
    ...all,
    channels,
    gaps: all.gaps.filter((g) => mine(g.channel)),
    orders: all.orders.filter((o) => o.instrument === instrument),
    exchanges: { total: all.exchanges.total, faults: all.exchanges.faults.filter((f) => f.instrument === instrument) },
    alarms: all.alarms.filter((a) => a.from === instrument || a.from.startsWith(`${instrument}.`)),
    alarmStates: all.alarmStates.filter((a) => `${a.name} ${a.text}`.includes(channel)),
    interlocks: all.interlocks.filter((one) => (one.why ?? '').includes(channel)),
  };
}

const WIDTH = 100;
const MOST = 40; // rows of a list on the screen; --json has all

/** Columns of which the last wraps at the screen's width. */
function rows(all: readonly (readonly string[])[], indent = '  ', most = MOST): string {
  const shown = all.slice(0, most);
  const widths: number[] = [];
  for (const row of shown) for (const [i, cell] of row.slice(0, -1).entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length);
  const left = indent.length + widths.reduce((n, w) => n + w + 2, 0);
  const room = Math.max(24, WIDTH - left);
  const lines = shown.map((row) => {
    const before = row.slice(0, -1).map((cell, i) => `${cell.padEnd(widths[i] ?? 0)}  `);
    return `${indent}${before.join('')}${wrapped(row.at(-1) ?? '', room).join(`\n${' '.repeat(left)}`)}`.trimEnd();
  });
  if (all.length > most) lines.push(`${indent}... and ${all.length - most} more: --json has all of them`);
  return `${lines.join('\n')}\n`;
}

function wrapped(text: string, room: number): readonly string[] {
  const lines: string[] = [];
  let rest = text.replaceAll(/\s*\n\s*/g, ' ');
  while (rest.length > room) {
    const blank = rest.lastIndexOf(' ', room);
    const cut = blank > room / 2 ? blank : room;
    lines.push(rest.slice(0, cut));
    rest = rest.slice(cut).trimStart();
  }
  return [...lines, rest];
}

const stamp = (t: number): string => utc(t).slice(0, 19);
function lasting(seconds: number | null): string {
  if (seconds === null) return '';
  if (seconds < 120) return `${seconds.toFixed(1)} s`;
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60), Math.floor(seconds % 60)];
  return `${h > 0 ? `${h} h ` : ''}${m} min ${s} s`;
}

function asText(a: Account, more: Extra, brief: boolean): string {
  // Within one day the hour says enough.
  const sameDay = a.began !== null && a.ended !== null && utc(a.began).slice(0, 10) === utc(a.ended).slice(0, 10);
  const at = (t: number): string => (sameDay ? utc(t).slice(11, 23) : utc(t).slice(5, 23));
  const short = (t: number): string => at(t).slice(0, -4);
  const section = (title: string, all: readonly (readonly string[])[], most?: number): string =>
    all.length === 0 ? '' : `\n${title}\n${rows(all, '  ', most)}`;
  const state = a.complete ? 'ended in order' : 'without an end: it is still being written, or was cut short';
  const { program, version } = a.writtenBy;
  const lost = Object.entries(a.lost);
  const channels = Object.entries(a.channels);
  const series = [...new Set(a.parts.map((p) => p.series))].map((name) => {
    const own = a.parts.filter((p) => p.series === name);
    return [name, plural(own.length, 'part'), size(own.reduce((n, p) => n + p.bytes, 0))];
  });
  const head = rows(
    [
      ['session', a.session],
      ['rig', a.rig ?? 'not said'],
      [
        'time',
        a.began === null || a.ended === null
          ? 'not known'
          : `${utc(a.began)} to ${sameDay ? at(a.ended) : utc(a.ended)} UTC (${lasting(a.duration)})`,
      ],
      ['state', state],
      ['written', `by ${program}${version === null ? ', which did not say its version' : ` ${version}`}`],
      ['size', `${size(a.bytes)} in ${plural(a.parts.length, 'part')}, ${plural(a.messages, 'message')}`],
    ],
    '',
  );
  return [
    head,
    channels.length === 0 ? '\nno readings\n' : '',
    section(
      'CHANNELS',
      [
        ['', 'unit', 'good', 'suspect', 'bad', 'per s', 'first', 'last', 'last value'],
        ...channels.map(([name, c]) => [
          name,
          kindShown(c.kind),
          ...[c.good, c.suspect, c.bad].map(String),
          c.rate === null ? '' : String(Number(c.rate.toPrecision(3))),
          short(c.first),
          short(c.last),
          lastValue(c.latest),
        ]),
      ],
      Number.POSITIVE_INFINITY,
    ),
    section('TREND', trendLines(more, a.channels), Number.POSITIVE_INFINITY),
    section(
      'BAD READINGS',
      channels.flatMap(([name, c]) => Object.entries(c.why).map(([why, n]) => [name, String(n), why])),
    ),
    section(
      `GAPS (${a.gaps.length})`,
      a.gaps.map((g) => [g.channel, at(g.from), g.to === undefined ? 'no end' : at(g.to), `${g.missed} missed`, g.cause]),
    ),
    section('GAPS TOGETHER', a.gaps.length > 1 ? missingLines(more) : []),
    section(
      `ORDERS (${a.orders.length})`,
      a.orders.map((o) => [at(o.t), orderOf(o), o.by, `${o.outcome ?? 'no outcome'}${o.why ? `: ${o.why}` : ''}`]),
    ),
    `\n${plural(a.exchanges.total, 'exchange')}, ${a.exchanges.faults.reduce((n, f) => n + f.count, 0)} with faults\n`,
    a.exchanges.faults.length === 0
      ? ''
      : rows(a.exchanges.faults.map((f) => [f.instrument, f.by, String(f.count), `${short(f.first)} to ${short(f.last)}`, f.fault])),
    section(
      `INTERLOCKS (${plural(a.interlocks.length, 'change')})`,
      a.interlocks.map((one) => [at(one.t), one.name, `${one.is}${one.latched === undefined ? '' : ', latched'}`, one.why ?? '']),
    ),
    section(
      `ALARMS (${plural(a.alarmStates.length, 'change')})`,
      a.alarmStates.map((one) => [
        at(one.changed),
        one.name,
        one.now ?? 'over',
        one.unacknowledged ? 'waits' : one.acknowledged ? `acknowledged by ${one.acknowledged.by}` : '',
        one.text,
      ]),
    ),
    section(
      `SAID (${a.alarms.length})`,
      a.alarms.map((one) => [at(one.t), one.from, one.text]),
    ),
    section(
      'NOTES',
      a.notes.map((n) => [at(n.t), n.by, n.text]),
    ),
    section(
      'MARKS',
      a.marks.map((m) => [at(m.t), m.by, `run ${m.run} ${m.what}`]),
    ),
    brief
      ? ''
      : section(
          'WIRE',
          Object.entries(a.wire).map(([link, w]) => [link, `${w.in} bytes in`, `${w.out} bytes out`]),
        ),
    brief ? '' : section('PARTS', series),
    section(
      'LOST MESSAGES',
      lost.map(([lane, n]) => [lane, plural(n, 'message')]),
    ),
    a.strange === 0 ? '' : `\n${plural(a.strange, 'message')} that cannot be understood\n`,
    section(`DAMAGE (${a.trouble.length})`, a.trouble.map(troubleOf)),
    a.trouble.length === 0 ? '\nno damage\n' : '',
  ].join('');
}

function lastValue(r: Reading): string {
  if (r.quality === 'bad') return 'bad';
  const suspect = r.quality === 'suspect' ? ' (suspect)' : '';
  if (r.kind === 'trace') return `trace${suspect}`;
  if (r.kind === 'flag') return `${r.value ? 'yes' : 'no'}${suspect}`;
  return `${r.kind === 'state' ? String(r.value) : show(Number(r.value), r.kind, total(r.sigma))}${suspect}`;
}

function orderOf(o: OrderEntry): string {
  const value = typeof o.value === 'number' ? Number(o.value.toPrecision(6)) : o.value;
  const unit = typeof o.value === 'number' && o.unit !== undefined && o.unit !== '1' ? ` ${o.unit}` : '';
  return `${o.instrument}.${o.command}${o.index === undefined ? '' : `[${o.index}]`}${value === undefined ? '' : ` ${value}${unit}`}`;
}

const listing = (all: readonly Outline[]): string =>
  rows(
    [
      ['SESSION', 'RIG', 'BEGAN (UTC)', 'DURATION', 'SIZE', ''],
      ...all.map((s) => [
        basename(resolve(s.session)),
        s.rig ?? '',
        s.began === null ? 'nothing readable' : stamp(s.began),
        lasting(s.duration),
        size(s.bytes),
        s.complete ? '' : 'no end',
      ]),
    ],
    '',
    Number.POSITIVE_INFINITY,
  );
