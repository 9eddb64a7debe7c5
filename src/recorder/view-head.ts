/** What stands at the top of the live screen: what a person must see, and what to do about it. Lines may be coloured; one line each. */
import type { AlarmState, FeedbackStatus, InterlockStatus, RampStatus, Severity, Status } from '../entry.ts';
import { show, UNITS } from '../units.ts';

export type Paint = (code: string, text: string) => string;

/** How a stop has ended. */
export interface StopShown {
  readonly by: string;
  readonly unsafe: readonly { readonly name: string; readonly why: string }[];
  /** False while it is under way. */
  readonly over: boolean;
}

/** What others wrote must not move the cursor. */
export const printable = (text: string): string => text.replace(/\p{Cc}+/gu, ' ');

export const ageText = (seconds: number): string =>
  seconds < 99.5 ? `${seconds.toFixed(1)} s` : seconds < 5970 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;

/** In letters that are seen from across the room. */
export function stopLines(stop: StopShown, paint: Paint): readonly string[] {
  const big = (code: string, text: string): string => paint(code, `   ${text}   `);
  if (!stop.over) return [big('1;7', `S T O P  by ${printable(stop.by)}: under way`)];
  if (stop.unsafe.length === 0) return [big('1;30;42', `S T O P P E D,  read back  (by ${printable(stop.by)})`)];
  return stop.unsafe.flatMap(({ name, why }) => [
    big('1;37;41', `N O   A N S W E R  from ${printable(name)}:  USE THE WALL BUTTON`),
    paint('31', `    (${printable(why)})`),
  ]);
}

/** What keeps everything hazardous off, with what to type. */
export function latchLines(status: Status | undefined, paint: Paint): readonly string[] {
  if (!status?.latched) return [];
  return [
    paint('1;31', `LATCHED: ${printable(status.latched)}`),
    paint('1;31', '  nothing hazardous until: bridgman order rig acknowledge'),
  ];
}

const WORDS: Readonly<Record<InterlockStatus['is'], string>> = { holds: 'holds', broken: 'BROKEN', unknown: 'UNKNOWN' };

const quiet = (i: InterlockStatus): boolean => i.is === 'holds' && i.latched === undefined;

/** Those that do not hold, or are latched, each with the reason, what it forbids and what to type. */
export function interlockLines(status: Status | undefined, paint: Paint): readonly string[] {
  return (status?.interlocks ?? [])
    .filter((i) => !quiet(i))
    .flatMap((i) => {
      const what = `interlock ${i.name}: ${WORDS[i.is]}${i.why ? `: ${printable(i.why)}` : ''}`;
      const forbids = i.is === 'holds' ? '' : `  (forbids ${i.forbids.join(', ')})`;
      const guidance = i.guidance === undefined ? '' : `  ${printable(i.guidance)}`;
      const lines = [paint(i.is === 'holds' ? '33' : '1;31', `${what}${forbids}${guidance}`)];
      if (i.latched !== undefined)
        lines.push(paint('1;31', `  LATCHED, until: bridgman order rig acknowledge ${i.name}   (${printable(i.latched)})`));
      return lines;
    });
}

/** The ones without trouble, in one line. */
export function quietInterlocks(status: Status | undefined): readonly string[] {
  const names = (status?.interlocks ?? []).filter(quiet).map((i) => i.name);
  return names.length === 0 ? [] : [`interlocks that hold: ${names.join(', ')}`];
}

const RANK: Readonly<Record<Severity, number>> = { critical: 0, alarm: 1, warning: 2 };
const COLOUR: Readonly<Record<Severity, string>> = { critical: '1;31', alarm: '31', warning: '33' };

/** `waiting`: those that nobody has acknowledged; `known`: the others that are not normal. */
export function alarmLines(
  status: Status | undefined,
  paint: Paint,
): { readonly waiting: readonly string[]; readonly known: readonly string[] } {
  const all = [...(status?.alarms ?? [])].sort((a, b) => RANK[a.severity] - RANK[b.severity] || b.since - a.since);
  const line = (a: AlarmState): string => {
    const mark = a.unacknowledged ? '!' : ' ';
    const over = a.now === undefined ? ' (over)' : '';
    const age = ageText(Math.max(0, ((status?.t ?? a.since) - a.since) / 1e6));
    const who = a.shelved
      ? `  shelved by ${a.shelved.by} until ${new Date(a.shelved.until / 1000).toISOString().slice(11, 16)}Z: ${a.shelved.why}`
      : a.acknowledged && !a.unacknowledged
        ? `  seen by ${a.acknowledged.by}`
        : '';
    const text = `${mark} ${a.severity.toUpperCase()} ${a.name}: ${a.text}${over}, since ${age}${a.guidance === undefined ? '' : `  -> ${a.guidance}`}${who}`;
    return paint(a.unacknowledged && !a.shelved ? COLOUR[a.severity] : '2', printable(text));
  };
  const waits = (a: AlarmState): boolean => a.unacknowledged && !a.shelved;
  return { waiting: all.filter(waits).map(line), known: all.filter((a) => !waits(a)).map(line) };
}

/** One line each for what is on, one for all that are off and held by the same. */
export function leaseLines(status: Status | undefined, paint: Paint): readonly string[] {
  const all = status?.leases ?? [];
  const on = all
    .filter((l) => l.active)
    .map((l) => {
      const text = paint('1;33', `ON, ${ageText(l.left ?? 0)} left, evidence ${ageText(l.evidence ?? 0)} old`);
      return `lease ${l.name}: ${text}, held by: ${printable(l.holder)}`;
    });
  const off = all.filter((l) => !l.active);
  const holders = [...new Set(off.map((l) => l.holder))];
  return [
    ...on,
    ...holders.map(
      (holder) => `leases off, held by ${printable(holder)}: ${off.flatMap((l) => (l.holder === holder ? [l.name] : [])).join(', ')}`,
    ),
  ];
}

export function rampLines(status: Status | undefined, paint: Paint): readonly string[] {
  return (status?.ramps ?? []).map((r: RampStatus) => {
    const unit = UNITS.find((u) => u === r.unit) ?? '';
    const text = `ramp ${r.output}: ${r.state}, ${show(r.at, unit)} on the way from ${show(r.from, unit)} to ${show(r.to, unit)}`;
    const why = r.why === undefined ? '' : `: ${printable(r.why)}`;
    return r.state === 'stopped' ? paint('1;31', `${text}${why}`) : r.state === 'held' ? paint('33', `${text}${why}`) : `${text}${why}`;
  });
}

/** One line each for the loops that have been begun. */
export function feedbackLines(status: Status | undefined, paint: Paint): readonly string[] {
  return (status?.feedback ?? []).flatMap((f: FeedbackStatus) => {
    if (f.state === 'idle') return [];
    const unit = UNITS.find((u) => u === f.unit) ?? '';
    const outputUnit = UNITS.find((u) => u === f.outputUnit) ?? '';
    const way = f.setpoint === f.target ? '' : ` at ${show(f.setpoint ?? Number.NaN, unit)} on the way`;
    const wanted = f.target === undefined ? '' : `${way} to ${show(f.target, unit)}`;
    const measured = f.measured === undefined ? '' : `, measured ${show(f.measured, unit, f.sigma)}`;
    const output =
      f.at === undefined ? '' : `, ${f.output} at ${show(f.at, outputUnit)}${f.limited === undefined ? '' : ` (limit: ${f.limited})`}`;
    const text = `feedback ${f.name}: ${f.state}${wanted}${measured}${output}${f.why === undefined ? '' : `: ${printable(f.why)}`}`;
    return [f.state === 'lost' || f.state === 'released' ? paint('1;31', text) : text];
  });
}
