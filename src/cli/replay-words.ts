/** A replay for people: one word on a line of its own, then what has changed, what was not made again, and what is lost. */
import { total } from '../reading.ts';
import type { Changed, Shown } from '../replay/compare.ts';
import type { Replayed } from '../replay/replay.ts';
import type { Sent } from '../replay/to-influx.ts';
import { show, UNITS, type Unit } from '../units.ts';
import { lasting } from './shape.ts';

const MOST = 40; // rows of a list; --json has all

export const utc = (t: number): string =>
  Number.isFinite(t) ? new Date(t / 1000).toISOString().replace('T', ' ').replace('Z', '') : 'no time';
export const count = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`;
export const isUnit = (kind: string): kind is Unit => (UNITS as readonly string[]).includes(kind);
export const list = (lines: readonly string[]): string =>
  [...lines.slice(0, MOST), ...(lines.length > MOST ? [`  ... and ${lines.length - MOST} more: --json has all of them`] : [])]
    .map((line) => `${line}\n`)
    .join('');

function shown(one: Shown | undefined, kind: string): string {
  if (!one) return 'nothing';
  if (one.quality === 'bad') return `bad (${one.why ?? ''})`;
  const { value, sigma } = one;
  const text =
    typeof value === 'number' && isUnit(kind)
      ? `${show(value, kind, sigma === undefined ? undefined : total(sigma as Parameters<typeof total>[0]))} [${value}]`
      : kind === 'trace'
        ? 'a trace'
        : JSON.stringify(value);
  return one.quality === 'suspect' ? `${text} (${one.why ?? 'suspect'})` : text;
}

function changeLines(c: Changed): readonly string[] {
  const unit = isUnit(c.kind) ? c.kind : '';
  const parts = [
    ...(c.changed > 0 ? [`${c.changed} of ${c.readings} changed (${c.what.join(', ')})`] : []),
    ...(c.missing > 0 ? [`${c.missing} of ${c.readings} not made today`] : []),
    ...(c.more > 0 ? [`${c.more} made today that were not there`] : []),
  ];
  const size =
    c.largest === undefined || c.median === undefined ? '' : `; largest change ${show(c.largest, unit)}, median ${show(c.median, unit)}`;
  return [
    `  ${c.channel}: ${parts.join(', ')}${size}`,
    `    ${utc(c.first)} to ${utc(c.last)}; first ${utc(c.example.t)}: ${shown(c.example.recorded, c.kind)} -> ${shown(c.example.today, c.kind)}`,
  ];
}

/** `seconds`: how long it took. */
export function replayWords(head: string, r: Replayed, seconds: number): string {
  const { readings: n, exchanges: x } = r;
  const pace = seconds > 0 ? ` (${Math.round(r.duration / seconds)} x as fast as it was)` : '';
  const out = [
    `${head}\n`,
    `${count(n.recorded, 'reading')} and ${count(x.total, 'exchange')} of ${lasting(Number(r.duration.toPrecision(6)))}, replayed in ${seconds.toFixed(2)} s${pace}\n\n`,
    `${r.verdict}\n\n`,
    `  ${n.same} readings made again to the last bit${n.host > 0 ? `; ${n.host} bad ones are the host's own word, where nothing was asked` : ''}\n`,
    `  sha256 of all readings, recorded ${r.hash.recorded}\n`,
    ...(r.hash.today === r.hash.recorded ? [] : [`  sha256 of all readings, today    ${r.hash.today}\n`]),
  ];
  if (r.changes.length > 0) out.push(`\nchanged: ${count(r.changes.length, 'channel')}\n`, list(r.changes.flatMap((c) => changeLines(c))));
  if (x.differences.length > 0)
    out.push(
      '\nexchanges that are not as they were\n',
      list(
        x.differences.flatMap((d) => [
          `  ${d.instrument} ${d.by}: ${d.what}${d.count > 1 ? `, and ${d.count - 1} more like it` : ''}`,
          `    ${utc(d.first)}${d.count > 1 ? ` to ${utc(d.last)}` : ''}; channels ${d.channels.slice(0, 6).join(', ')}${d.channels.length > 6 ? ' ...' : ''}`,
        ]),
      ),
    );
  if (r.taken.length > 0)
    out.push(
      '\nnot made again, and so not compared\n',
      list(r.taken.map(({ channel, why, count: times }) => `  ${channel}: ${count(times, 'reading')}: ${why}`)),
    );
  if (x.unjudged > 0)
    out.push(
      ...(r.taken.length > 0 ? [] : ['\n']),
      `  ${count(x.unjudged, 'exchange')} ${x.unjudged === 1 ? 'is' : 'are'} not judged, because their talk began in what is lost\n`,
    );
  out.push(lostWords(r));
  return out.join('');
}

/** What of a session is missing or cannot be read; nothing where it is whole. */
export function lostWords(r: Pick<Replayed, 'lost' | 'trouble' | 'complete'>): string {
  const lost = Object.entries(r.lost);
  if (lost.length === 0 && r.trouble.length === 0 && r.complete) return '';
  const lines = [
    ...r.trouble.map((t) => `  ${t.part}${t.bytes > 0 ? `, ${t.bytes} bytes from ${t.offset}` : ''}: ${t.kind}: ${t.why}`),
    ...lost.map(([what, many]) => `  ${count(many, 'message')}: ${what}`),
    ...(r.complete ? [] : ['  the end: the session was cut off, or is still being written']),
  ];
  return `\nlost\n${list(lines)}`;
}

export function sentWords({ points, revision, rejected, failed }: Sent, where: string): string {
  const of = revision === 0 ? 'revision 0, as they were measured' : `revision ${revision}, derived anew`;
  const refused = rejected.length > 0 ? `; ${rejected.length} refused: ${rejected[0]?.why}` : '';
  return `\nInfluxDB ${where}: ${count(points, 'point')} (${of})${refused}${failed === undefined ? '' : `; not all are there: ${failed}`}\n`;
}
