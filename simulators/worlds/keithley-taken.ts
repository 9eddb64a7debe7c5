/** Readings of a simulated 6221 as it writes them, its buffer and what is calculated of it: Model 6220/6221 Reference Manual, sections 6 and 13. */
import type { Taken } from './keithley-delta.ts';
import { type Code, numberOf, OVERFLOW, sci, type Trouble } from './keithley-scpi.ts';
import type { Source } from './keithley-source.ts';

export const BUFFER = 65_536;

export function takenText(s: Source, one: Taken): string {
  const elements = String(s.values.elements).split(',');
  const units = elements.includes('UNIT');
  const unit = String(s.values.unit);
  const { reading, source } = one;
  const shown = unit === 'OHMS' ? reading / source : unit === 'SIEM' ? source / reading : unit === 'W' ? reading * source : reading;
  const suffix = { V: 'VDC', OHMS: 'OHM', SIEM: 'SIEM', W: 'W' }[unit] ?? 'VDC';
  const volts = (v: number, u: string): string => (Number.isFinite(v) ? `${sci(v, 8)}${units ? u : ''}` : OVERFLOW);
  return elements
    .flatMap((e) => {
      if (e === 'READ') return volts(Number.isFinite(reading) ? shown : reading, suffix);
      if (e === 'TST') return `${sci(one.stamp, 6)}${units ? 'SECS' : ''}`;
      if (e === 'SOUR') return `${sci(source, 4)}${units ? 'ADC' : ''}`;
      if (e === 'AVOL') return volts(one.average, 'VDC');
      if (e === 'COMP') return `${one.compliance ? 'T' : 'F'}${units ? 'CMPL' : ''}`;
      if (e === 'RNUM') return `+${one.number}${units ? 'RDNG#' : ''}`;
      return [];
    })
    .join(',');
}
export const latest = (s: Source): string | Code => (s.latest ? takenText(s, s.latest) : -230);
export function fresh(s: Source): string | Code {
  if (!s.fresh) return -230;
  s.fresh = false;
  return latest(s);
}
/** TRAC:DATA:SEL? start, count; the first reading in the buffer is number 0 (manual, section 6). */
export function selected(s: Source, [from, count]: readonly string[]): string | Code {
  const a = numberOf(from, { lo: 0, hi: BUFFER, rst: 0 });
  const n = numberOf(count, { lo: 1, hi: BUFFER, rst: 1 });
  if (typeof a !== 'number') return a.code;
  if (typeof n !== 'number') return n.code;
  if (a + n > s.buffer.length) return -222;
  return s.buffer
    .slice(a, a + n)
    .map((one) => takenText(s, one))
    .join(',');
}
export function statistic(s: Source): Trouble {
  const all = s.buffer.map((one) => one.reading).filter(Number.isFinite);
  if (all.length === 0) return -230;
  const mean = all.reduce((sum, v) => sum + v, 0) / all.length;
  const [lo, hi] = [Math.min(...all), Math.max(...all)];
  const spread = Math.sqrt(all.reduce((sum, v) => sum + (v - mean) ** 2, 0) / Math.max(1, all.length - 1));
  s.statistic = { MEAN: mean, SDEV: spread, MAX: hi, MIN: lo, PKPK: hi - lo }[String(s.values.statForm)] ?? mean;
  return undefined;
}
