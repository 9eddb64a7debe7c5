/** The outputs that an interlock trips: what switches them on for a test, and when they have been made safe. */
import type { OrderEntry } from './entry.ts';
import type { Command } from './instrument.ts';
import type { Rig } from './rig.ts';
import { outputOf, showsSafe } from './safety.ts';
import type { TripLab } from './trip-lab.ts';

export interface TripOutput {
  /** As the interlock lists it. */
  readonly name: string;
  readonly instrument: string;
  readonly command: string;
  /** Of an indexed command all of them, unless the interlock names one. */
  readonly indices: readonly (number | undefined)[];
  readonly declared: Command;
  /** instrument.channel */
  readonly readback: string;
}

export const readbackOf = (lab: TripLab, name: string): string | undefined => {
  const { instrument, command } = outputOf(name);
  const channel = lab.host.acquired.get(instrument)?.commands[command]?.readback?.channel;
  return channel === undefined ? undefined : `${instrument}.${channel}`;
};

/** A sentence where it cannot be tested. */
export function tripOutput(lab: TripLab, name: string): TripOutput | string {
  const { instrument, command, index } = outputOf(name);
  const declared = lab.host.acquired.get(instrument)?.commands[command];
  if (!declared) return `${instrument} has not told that it has the command "${command}"`;
  if (!declared.readback) return `${name} has no readback: nobody sees whether it is safe`;
  const indices = declared.count === undefined || index !== undefined ? [index] : Array.from({ length: declared.count }, (_, i) => i);
  return { name, instrument, command, indices, declared, readback: `${instrument}.${declared.readback.channel}` };
}

type Written = string | number | boolean;
const STEPS = [0.01, 0.05, 0.1, 0.2, 0.5, 1]; // of the way from the safe value to the limit
const LATCHES = 5; // seconds in which all of them can be let go of
const CLEAR = 3; // tolerances of the readback

/** Values that are not safe, to be tried in this order: what the rig itself orders at the start, then the smallest. */
export function unsafeValues(rig: Rig, { instrument, command, indices, declared }: TripOutput): readonly (Written | undefined)[] {
  const { takes, safe, readback } = declared;
  if (takes === 'nothing') return [];
  const shown = (value: Written): boolean => value !== safe && !(typeof value === 'string' && /^(off|false|no|0\b)/i.test(value));
  const given = rig.start
    .filter((s) => s.instrument === instrument && s.command === command && (s.index === undefined || indices.includes(s.index)))
    .flatMap(({ value }) => (value !== undefined && shown(value) ? [value] : []));
  if (takes === 'flag') return [safe !== true];
  if (takes === 'state') return [...given, ...(declared.words ?? []).filter((word) => word !== safe)];
  if (typeof safe !== 'number') return given;
  const narrow = rig.instruments.find((one) => one.name === instrument)?.limits[command];
  const [lo, hi] = within(declared.limits, narrow);
  const far = Math.abs(hi - safe) >= Math.abs(lo - safe) ? hi : lo;
  const end = Number.isFinite(far) ? far : safe + 1;
  return [...given, ...STEPS.map((part) => safe + part * (end - safe)).filter((v) => Math.abs(v - safe) > CLEAR * (readback?.by ?? 0))];
}

const within = (a: readonly [number, number] | undefined, b: readonly [number, number] | undefined): readonly [number, number] => [
  Math.max(a?.[0] ?? Number.NEGATIVE_INFINITY, b?.[0] ?? Number.NEGATIVE_INFINITY),
  Math.min(a?.[1] ?? Number.POSITIVE_INFINITY, b?.[1] ?? Number.POSITIVE_INFINITY),
];

/** Each index has been read and is not safe. */
export const isOn = (lab: TripLab, output: TripOutput): boolean =>
  output.indices.every((index) => {
    const last = lab.readings.get(output.readback)?.findLast((r) => index === undefined || r.index === undefined || r.index === index);
    return last !== undefined && last.quality !== 'bad' && !showsSafe(output.declared, last);
  });

/** Switches it on; a sentence where that cannot be. `known`: what has worked before. */
export function switchOn(lab: TripLab, rig: Rig, output: TripOutput, known: Map<string, Written | undefined>): string | undefined {
  const { name, instrument, command, indices } = output;
  const wanted = known.has(name) ? [known.get(name)] : unsafeValues(rig, output);
  if (wanted.length === 0) return `${name} has no value that would switch it on`;
  let why = '';
  for (const written of wanted) {
    const ends = indices.map((index) => lab.order({ instrument, command, index, written }));
    const wrong = ends.find((end) => end?.outcome !== 'done');
    if (wrong === undefined && ends.length > 0) {
      known.set(name, written);
      return undefined;
    }
    why = whyNot(wrong);
    if (wrong?.outcome === 'refused') break; // not a matter of the value
    lab.until(LATCHES, () => letGo(lab, undefined));
  }
  return `${name} could not be switched on: ${why}`;
}

export const whyNot = (end: OrderEntry | undefined): string =>
  end === undefined ? 'the order has not ended' : `${end.outcome}: ${end.why ?? ''}`;

/** Lets go of every latch but that of this interlock (leases', other interlocks', a standstill's); whether none of them is left. */
export function letGo(lab: TripLab, but: string | undefined): boolean {
  const status = lab.host.status();
  const interlocks = status.interlocks ?? [];
  for (const name of [...status.leases, ...interlocks].map((one) => one.name)) if (name !== but) lab.host.acknowledge('trip-test', name);
  lab.host.acknowledge('trip-test', 'standstill');
  const { latched, interlocks: now = [] } = lab.host.status();
  const [first] = latched?.split(': ') ?? [];
  return (first === undefined || first === but) && now.every((one) => one.name === but || one.latched === undefined);
}

/** Gives an order that must not be carried out; a sentence where it was, or where bytes of it went. */
export function forbidden(lab: TripLab, output: TripOutput, written: Written | undefined): string | undefined {
  const { name, instrument, command, indices } = output;
  const since = lab.clock.now();
  const end = lab.order({ instrument, command, index: indices[0], written });
  if (end?.outcome === 'refused') return undefined;
  // A ramp that waits for its present value is ended by the safe order: nothing of it has gone either.
  const safes = new Set(lab.wiresOf(instrument).flatMap(({ wire }) => wire.safes));
  const gone = lab.sent.some((one) => one.t >= since && one.instrument === instrument && one.command === command && !safes.has(one.t));
  return end?.outcome !== 'failed' || gone ? `${name}: switching it on was not refused (${whyNot(end)})` : undefined;
}

/** Gives the rig's start orders once more, as a person would: instruments that have been cut off begin anew. Refusals are none of its business. */
export function bringUp(lab: TripLab, rig: Rig, but: readonly string[]): void {
  for (const { instrument, command, index, value, after } of rig.start) {
    if (but.includes(`${instrument}.${command}`)) continue;
    lab.until(after, () => false);
    const output = tripOutput(lab, `${instrument}.${command}${index === undefined ? '' : `[${index}]`}`);
    const hazardous = typeof output !== 'string' && output.declared.safe !== undefined;
    if (hazardous && !(lab.readings.has(output.readback) && isOn(lab, output))) lab.order({ instrument, command, index, written: value });
  }
}

/** The first byte of a safe order since then, as the wire took it, and the readings that show each index safe; microseconds. */
export function madeSafe(lab: TripLab, output: TripOutput, since: number): { readonly sent?: number; readonly shown?: number } {
  const given = lab.sent
    .filter((one) => one.t >= since && one.instrument === output.instrument && one.command === output.command)
    .map((one) => one.t)
    .sort((a, b) => a - b);
  // Of an indexed command as many orders as it has outputs.
  const asked = given[output.indices.length - 1];
  if (asked === undefined) return {};
  // Behind an adapter the bytes go later than the order's question does.
  const taken = lab.wiresOf(output.instrument).flatMap(({ wire }) => wire.safes.find((t) => t >= asked) ?? []);
  const sent = taken.length > 0 ? Math.min(...taken) : asked;
  const list = lab.readings.get(output.readback) ?? [];
  const shown = output.indices.map(
    (index) => list.find((r) => r.t >= sent && (index === undefined || r.index === index) && showsSafe(output.declared, r))?.t,
  );
  const all = shown.flatMap((t) => (t === undefined ? [] : [t]));
  return all.length < shown.length ? { sent } : { sent, shown: Math.max(...all) };
}
