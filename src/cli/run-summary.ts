/** The last words of a run: what was measured, beside what was true where it was simulated, and where the session lies. */

import { type Reading, total } from '../reading.ts';
import type { Summary } from '../recorder/recorder.ts';
import { show } from '../units.ts';

export function closing(s: Summary, about: { readonly simulated: boolean; readonly instruments: readonly string[] }): string {
  const channels = Object.entries(s.channels).sort(([a], [b]) => (a < b ? -1 : 1));
  const lines = ['', `${about.simulated ? 'Simulated run' : 'Run'} of ${s.rig}, ${((s.ended - s.began) / 1e6).toFixed(1)} s`, ''];
  const width = Math.max(7, ...channels.map(([name]) => name.length));
  lines.push(`${'channel'.padEnd(width)}  ${'readings'.padStart(8)}  ${'bad'.padStart(5)}  last`);
  for (const [name, c] of channels) {
    const last = s.last[name];
    lines.push(
      `${name.padEnd(width)}  ${String(c.good + c.suspect + c.bad).padStart(8)}  ${String(c.bad).padStart(5)}  ${last ? shown(last) : ''}`.trimEnd(),
    );
    for (const [why, n] of Object.entries(c.why)) lines.push(`${''.padEnd(width)}  ${''.padStart(8)}  ${String(n).padStart(5)}  ${why}`);
  }
  const silent = about.instruments.filter((name) => !channels.some(([channel]) => channel.startsWith(`${name}.`)));
  if (silent.length > 0) lines.push('', `no reading of: ${silent.join(', ')}`);
  const truth = Object.entries(s.truth ?? {});
  if (truth.length > 0) {
    lines.push('', "True in the simulators' world at the end:");
    for (const [name, value] of truth) lines.push(`  ${name} ${Number(value.toPrecision(7))}`);
  }
  const outcomes = Object.entries(s.orders);
  lines.push('', `orders: ${outcomes.length === 0 ? 'none' : outcomes.map(([o, n]) => `${n} ${o}`).join(', ')}`);
  const faults = Object.entries(s.exchanges.faults);
  lines.push(`exchanges: ${s.exchanges.total}${faults.length === 0 ? '' : ` (${faults.map(([f, n]) => `${n} ${f}`).join(', ')})`}`);
  if (s.points.written + s.points.spooled + s.points.set_aside > 0) {
    lines.push(`InfluxDB: ${s.points.written} points written, ${s.points.spooled} waiting in the session, ${s.points.set_aside} set aside`);
  }
  for (const l of s.lost) lines.push(`LOST: ${l.messages} messages (${l.bytes} bytes) of ${l.class}: ${l.cause}`);
  // A fast stream's own process writes its parts; what it could not is known by its readings.
  for (const [name, last] of Object.entries(s.last))
    if (name.endsWith('.unrecorded') && last.quality !== 'bad' && Number(last.value) > 0)
      lines.push(`LOST: ${last.value} bytes of the stream of ${name.replace(/\.unrecorded$/, '')} were not recorded`);
  lines.push(`gaps: ${s.gaps.length}`, `session: ${s.session} (${(s.bytes.recorded / 1e6).toFixed(2)} MB)`, '');
  return lines.join('\n');
}

function shown(r: Reading): string {
  if (r.quality === 'bad') return `bad: ${r.why}`;
  const text =
    r.kind === 'trace'
      ? 'trace'
      : r.kind === 'flag'
        ? r.value
          ? 'yes'
          : 'no'
        : r.kind === 'state'
          ? String(r.value)
          : show(Number(r.value), r.kind, total(r.sigma));
  return r.quality === 'suspect' ? `${text} (suspect: ${r.why ?? ''})` : text;
}
