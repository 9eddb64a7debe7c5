/** The live screen during a run: what must be seen first, readings with their bars and age, links, leases, queues, and the last words. */
import type { WriteStream } from 'node:tty';
import type { Clock } from '../clock.ts';
import type { Entry, Status } from '../entry.ts';
import { type Reading, type Trace, total } from '../reading.ts';
import type { Rig } from '../rig.ts';
import { show } from '../units.ts';
import type { Summary } from './recorder.ts';
import {
  ageText,
  alarmLines,
  feedbackLines,
  interlockLines,
  latchLines,
  leaseLines,
  printable,
  quietInterlocks,
  rampLines,
  type StopShown,
  stopLines,
} from './view-head.ts';
import { listText } from './view-list.ts';

export interface View {
  see(entry: Entry): void;
  tell(text: string): void;
  /** A stop, under way or over: shown until somebody has acknowledged. */
  stop(stop: StopShown): void;
  draw(summaryOf: () => Pick<Summary, 'began' | 'points' | 'bytes'>, influx: string | undefined): void;
  close(): void;
}

const EVERY = 0.25; // seconds between two pictures
const WORDS = 6;
const LIST = 4; // indices of a channel above which it is shown in one line
const LEAST_ROWS = 6; // of readings, before links without trouble are shown
const LEAST_BELOW = 3; // lines for leases, readings and words, below what is urgent

export function view(
  out: NodeJS.WriteStream | WriteStream,
  rig: Rig,
  about: {
    readonly simulated: boolean;
    /** How fast a recording is shown, such as "10 x": it is no running laboratory. */
    readonly replay?: string;
    readonly folder: string;
    /** The space bar stops everything. */
    readonly key: boolean;
    /** Of the time line that the readings are on; the computer's own clock may be set meanwhile. */
    readonly clock: Pick<Clock, 'now' | 'mono'>;
  },
): View {
  const { clock } = about;
  const latest = new Map<string, { r: Reading; n: number }>();
  /** Of channels with indices: how many there are. */
  const sizes = new Map<string, number>();
  const place = (name: string): number => {
    const r = latest.get(name)?.r;
    return r?.index === undefined || (sizes.get(r.from) ?? 0) > LIST ? 0 : r.index;
  };
  const words: string[] = [];
  let status: Status | undefined;
  let drawn = Number.NEGATIVE_INFINITY;
  let stopped: StopShown | undefined;
  let stoppedAt = 0;
  const colour = process.env.NO_COLOR === undefined || process.env.NO_COLOR === '';
  const paint = (code: string, text: string): string => (colour ? `\x1b[${code}m${text}\x1b[0m` : text);
  out.write('\x1b[?1049h\x1b[?25l\x1b[2J');

  // What is derived comes first, then numbers in the rig's order of instruments, then states and flags: a small screen shows what matters.
  const owners = [...rig.derive, ...rig.instruments].map((one) => one.name);
  const rank = (name: string): number => {
    const kind = latest.get(name)?.r.kind;
    const derived = rig.derive.some((d) => name.startsWith(`${d.name}.`));
    const group = derived ? (kind === '1' ? 0.5 : 0) : kind === 'flag' ? 3 : kind === 'state' || kind === 'trace' ? 2 : 1;
    return group * 1000 + owners.findIndex((owner) => name.startsWith(`${owner}.`));
  };

  const row = (name: string, shown: string, r: Reading, now: number): string => {
    const age = Math.max(0, (now - r.t) / 1e6);
    return `${name.padEnd(30).slice(0, 30)} ${shown} ${ageText(age).padStart(6)}`;
  };
  /** One channel with many indices. */
  const listLine = (all: readonly Reading[], now: number): string => {
    const oldest = all.reduce((a, b) => (b.t < a.t ? b : a));
    const text = row(`${oldest.from}[0..${all.length - 1}]`, printable(listText(all)).padEnd(30), oldest, now);
    if (all.some((r) => r.quality === 'bad')) return paint('31', text);
    return all.some((r) => r.quality === 'suspect') ? paint('33', text) : text;
  };
  const line = (r: Reading, now: number): string => {
    const text = row(r.index === undefined ? r.from : `${r.from}[${r.index}]`, printable(value(r)).padEnd(30).slice(0, 34), r, now);
    if (r.quality === 'bad') return paint('31', `${text} bad`);
    if (r.quality === 'suspect') return paint('33', `${text} suspect: ${printable(r.why ?? '')}`);
    return text;
  };

  return {
    see(entry) {
      if (entry.kind === 'status') {
        status = entry.status;
        // What was acknowledged after it needs no letters any more.
        if (stopped?.over && status.latched === undefined && status.t > stoppedAt + 2e6) stopped = undefined;
      }
      if (entry.kind !== 'reading') return;
      const r = entry.reading;
      const name = r.index === undefined ? r.from : `${r.from}[${r.index}]`;
      const had = latest.get(name);
      latest.set(name, { r, n: (had?.n ?? 0) + 1 });
      if (r.index !== undefined) sizes.set(r.from, Math.max(sizes.get(r.from) ?? 0, r.index + 1));
    },
    tell(text) {
      words.push(`${new Date(clock.now() / 1000).toISOString().slice(11, 19)} ${printable(text)}`);
      if (words.length > WORDS) words.shift();
    },
    stop(stop) {
      stopped = stop;
      stoppedAt = clock.now();
      drawn = Number.NEGATIVE_INFINITY;
    },
    draw(summaryOf, influx) {
      const mono = clock.mono();
      if (mono - drawn < EVERY) return;
      drawn = mono;
      const summary = summaryOf();
      const now = clock.now();
      const width = out.columns ?? 100;
      const height = out.rows ?? 40;
      const replayed = about.replay === undefined ? '' : paint('7', ` REPLAY ${about.replay} `);
      const mode = `${replayed}${about.simulated ? paint('7', ' SIMULATED ') : ''}`;
      const key = about.key ? `${paint('1;7', ' SPACE: STOP ')} ` : '';
      const time = new Date(now / 1000).toISOString().slice(0, 19);
      const alarms = alarmLines(status, paint);
      // In the order in which they are kept on a small screen.
      const urgent = [
        ...(stopped ? stopLines(stopped, paint) : []),
        ...latchLines(status, paint),
        ...interlockLines(status, paint),
        ...alarms.waiting,
      ];
      const most = Math.max(1, height - 2 - LEAST_BELOW);
      if (urgent.length > most) urgent.splice(most - 1, urgent.length, paint('1;31', `... and ${urgent.length - most + 1} more of these`));
      const head: string[] = [
        `${key}${paint('1', `bridgman ${rig.name}`)} ${mode} ${time}Z  for ${Math.round((now - summary.began) / 1e6)} s`,
        ...urgent,
        ...leaseLines(status, paint),
        ...rampLines(status, paint),
        ...feedbackLines(status, paint),
      ];
      head.push('');
      // Links and instruments without trouble may give way to readings and words on a small screen.
      const plain: string[] = [...quietInterlocks(status)];
      const foot: string[] = [...alarms.known];
      for (const l of status?.links ?? []) {
        const mean = (l.latencyMean * 1000).toFixed(1);
        const faults = [
          l.timeouts > 0 ? `${l.timeouts} time-outs` : '',
          l.garbled > 0 ? `${l.garbled} garbled` : '',
          l.dropped > 0 ? `${l.dropped} dropped` : '',
          l.noise > 0 ? `${l.noise} noise` : '',
        ].filter((t) => t !== '');
        const text = `link ${l.link}: ${l.up ? 'up' : 'DOWN'}, ${l.asked} questions, ${mean} ms (longest ${(l.latencyMax * 1000).toFixed(0)} ms), ${l.waiting} waiting${faults.length > 0 ? `, ${faults.join(', ')}` : ''}`;
        if (l.up && faults.length === 0) plain.push(text);
        else foot.push(l.up ? text : paint('31', text));
      }
      for (const [name, i] of Object.entries(status?.instruments ?? {})) {
        if (i.state !== 'running') foot.push(paint('31', `${name}: ${i.state}${i.why ? `: ${printable(i.why)}` : ''}`));
        else if (i.skipped > 0) {
          const which = Object.entries(i.behind ?? {}).map(([poll, n]) => `${poll} ${n}`);
          plain.push(`${name}: ${i.skipped} polls skipped${which.length > 0 ? ` (${which.join(', ')})` : ''}, ${i.failed} failed`);
        }
      }
      const held = status
        ? `, loop late ${(status.lateness * 1000).toFixed(0)} ms at most, ${status.queued} waiting, ${status.dropped} dropped`
        : '';
      const db =
        influx === undefined
          ? ''
          : `, InfluxDB ${influx}: ${summary.points.written} written, ${summary.points.spooled} waiting, ${summary.points.set_aside} set aside`;
      if (about.replay === undefined) foot.push(`recorded ${(summary.bytes.recorded / 1e6).toFixed(1)} MB${db}${held}`);
      foot.push(paint('2', about.folder));
      const sorted = [...latest.keys()].sort((a, b) => rank(a) - rank(b) || place(a) - place(b) || (a < b ? -1 : 1));
      // Of a long list the first index stands for all.
      const names = sorted.filter((n) => {
        const r = latest.get(n)?.r;
        return r?.index === undefined || r.index === 0 || (sizes.get(r.from) ?? 0) <= LIST;
      });
      const shownAs = (n: string): string => {
        const r = latest.get(n)?.r as Reading; // the name is one of its keys
        const size = sizes.get(r.from) ?? 0;
        if (r.index === undefined || size <= LIST) return line(r, now);
        return listLine(
          Array.from({ length: size }, (_, i) => latest.get(`${r.from}[${i}]`)?.r).flatMap((one) => (one ? [one] : [])),
          now,
        );
      };
      const needed = Math.min(names.length, LEAST_ROWS);
      const spare = Math.max(0, height - 2 - head.length - foot.length - needed);
      const said = words.slice(-Math.max(1, Math.min(spare, words.length)));
      const fits = plain.length <= spare - said.length;
      foot.unshift('', ...(fits ? plain : []));
      foot.push(...said.map((w) => paint('2', w)));
      const room = Math.max(3, height - head.length - foot.length - 1);
      const rows = names.slice(0, room).map(shownAs);
      if (names.length > room) rows[room - 1] = `... and ${names.length - room + 1} more channels`;
      const all = [...head, ...rows, ...foot].slice(0, height - 1);
      out.write(`\x1b[H${all.map((l) => `${clip(l, width)}\x1b[K`).join('\r\n')}\x1b[J`);
    },
    close() {
      out.write('\x1b[?25h\x1b[?1049l');
    },
  };
}

/** At most `width` visible characters; colour codes take none. */
function clip(text: string, width: number): string {
  let seen = 0;
  let out = '';
  for (const [part] of text.matchAll(/\x1b\[[0-9;]*m|[^\x1b]/gu)) {
    if (part.startsWith('\x1b')) out += part;
    else if (seen < width) {
      out += part;
      seen++;
    }
  }
  return out;
}

function value(r: Reading): string {
  if (r.quality === 'bad') return r.why;
  if (r.kind === 'trace') return `trace of ${(r.value as Trace).shape.join(' x ')}`; // of its kind
  if (r.kind === 'flag') return r.value ? 'yes' : 'no';
  if (r.kind === 'state') return String(r.value);
  return show(Number(r.value), r.kind, total(r.sigma));
}
