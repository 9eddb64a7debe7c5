/** One fault of one input of one interlock, in a laboratory of its own: what holds is broken, and what was on has to become safe. */
import type { Catalogue } from './catalogue.ts';
import { type Leaf, leavesOf } from './condition.ts';
import { alike, duration, limitsOf, spoken } from './condition-words.ts';
import type { InterlockStatus } from './entry.ts';
import { covers } from './interlock.ts';
import type { Rig, RigInterlock } from './rig.ts';
import { uniform } from './simulator.ts';
import { type Input, keyOf, type Point, type Value } from './trip-inputs.ts';
import { type Source, type TripLab, type TripLabOptions, tripLab } from './trip-lab.ts';
import { bringUp, forbidden, isOn, letGo, madeSafe, switchOn, type TripOutput, tripOutput, whyNot } from './trip-outputs.ts';
import { besides, type Heard, isDerived, type Plan, planOf, rootOf } from './trip-plan.ts';
import type { FaultKind, OutputResult, TripResult } from './trip-result.ts';
import { frozen, nonsense, otherKind, type Put, put, ramp, type Signal, steady } from './trip-signal.ts';

export interface Bench {
  readonly rig: Rig;
  readonly catalogue: Catalogue;
  readonly options: TripLabOptions;
  readonly heard: (channel: string) => Heard;
  /** Output -> the value that switches it on, once one has been found. */
  readonly onValues: Map<string, string | number | boolean | undefined>;
}

export interface Case {
  readonly interlock: RigInterlock;
  readonly leaf: Leaf;
  readonly fault: FaultKind;
}

const LONGEST_START = 300; // seconds until the start orders have ended
const LONGEST_HOLD = 60; // seconds until a condition holds, beside its own times
const QUICK = 20; // seconds in which it holds again by itself, beside its own times
const BRING_UP = 2; // times that the start orders are given again after a fault
const SETTLE = 0.5; // seconds
const RUN = 1.5; // seconds that the outputs are on before the fault
const TURN = 0.25; // seconds that each output before it in the order of the interlock may take
const SILENT = 60; // seconds: a stale time longer than this and than ten of its readings is none
const MANY = 10;

export const testWords = (leaf: Leaf): string => {
  const { test } = leaf;
  if (test.is === 'one-of') return test.words.map(spoken).join(' or ');
  const limits = limitsOf(test);
  const { limits: shown, unit } = alike(leaf.kind, leaf.slope !== undefined, limits[0] ?? 0, limits);
  return `${test.is} ${shown.join(' and ')}${unit}`;
};

/** Why there is nothing to test; undefined where there is. */
function untested(bench: Bench, { leaf, fault }: Case, source: Source | undefined): string | undefined {
  if (fault === 'stuck' && leaf.stuck === undefined) return 'not watched: the rig gives it no "stuck" time';
  if (source?.role === '' && fault !== 'value' && fault !== 'nan' && fault !== 'unit') return 'it comes from no wire';
  return bench.heard(leaf.of).now.every((v) => v === undefined) && source === undefined
    ? 'its instrument has not told what it is'
    : undefined;
}

export function runCase(bench: Bench, one: Case, forced = false): TripResult {
  const lab = tripLab(bench.rig, bench.catalogue, bench.options);
  try {
    const found = tried(bench, one, lab, forced);
    if (found !== 'again') return found;
  } finally {
    lab.close();
  }
  return runCase(bench, one, true);
}

function tried(bench: Bench, one: Case, lab: TripLab, forced: boolean): TripResult | 'again' {
  const { interlock, leaf, fault } = one;
  const { rig } = bench;
  const plain = {
    interlock: interlock.name,
    input: keyOf(leaf),
    test: testWords(leaf),
    fault,
    failures: [],
    outputs: [],
    inProgram: false,
    held: [],
  } as const;
  const fail = (...failures: readonly string[]): TripResult => ({ ...plain, outcome: 'failed', failures });

  // Sources are known a moment after the start, and stay.
  const sources = new Map<string, Source>();
  const source = (channel: string): Source | undefined => {
    const known = sources.get(channel) ?? lab.source(channel);
    if (known) sources.set(channel, known);
    return known;
  };
  lab.until(LONGEST_HOLD, () => [...lab.host.acquired.values()].every(({ state }) => state.is !== 'connecting'));
  const root = rootOf(rig, leaf.of);
  const why = untested(bench, one, source(root));
  if (why !== undefined) return { ...plain, outcome: 'untested', why };
  const plan = planOf(rig, interlock, leaf, bench.heard, source, forced);
  if (!plan) return fail('no values of its inputs were found with which the interlock holds and hangs on this one alone');

  let inProgram = false;
  const held = holding(plan, bench);
  put(lab, held, source);
  // Each of them has been read twice before anything is switched on.
  lab.until(SETTLE + 3 * Math.max(0, ...held.map(({ channel }) => bench.heard(channel).interval)), () => false);
  const heldNames = [...plan.held.keys()];
  const outputs = made(lab, bench, interlock);
  if (typeof outputs === 'string') return forced ? fail(outputs) : 'again';

  // --- the fault
  const from = source(root);
  const within = from?.within ?? 0;
  const interval = from?.every ?? bench.heard(leaf.of).interval;
  lab.until(RUN + Math.min(5, interval) * uniform(bench.options.seed, `${interlock.name} ${keyOf(leaf)} ${fault}`, 0), () => false);
  const level = lab.host.status().interlocks?.find(({ name }) => name === interlock.name);
  const off = outputs.find((output) => !isOn(lab, output));
  if (level?.is !== 'holds' || off) {
    const text = off ? `${off.name} was off again before the fault` : `it did not hold any more before the fault: ${level?.why ?? ''}`;
    return forced ? fail(text) : 'again';
  }
  const cause = faulted(bench, one, plan, lab, source, held, () => {
    inProgram = true;
  });
  const at = lab.clock.now();
  const after = (seconds: number, position: number): number => seconds + 2 * within + TURN * position;
  const reading = fault === 'value' || fault === 'nan' || fault === 'unit' || fault === 'stuck' ? 0 : interval;
  const stale = Math.min(leaf.stale, Math.max(SILENT, MANY * Math.max(interval, bench.heard(leaf.of).interval)));
  const allowed =
    reading + (fault === 'stuck' ? (leaf.stuck ?? 0) + interval : reading > 0 ? stale : 0) + (fault === 'value' ? (leaf.slope ?? 0) : 0);
  const behind = (output: TripOutput): boolean =>
    cause.unplugged !== undefined && lab.wiresOf(output.instrument).some(({ key }) => key === cause.unplugged);
  const reachable = outputs.filter((output) => !behind(output));
  const began = (): number => cause.began() ?? at;
  const safe = (output: TripOutput): ReturnType<typeof madeSafe> => madeSafe(lab, output, at);
  const noticed = (): number | undefined =>
    lab.levels.find(({ t, interlock: { name, is } }) => t >= at && name === interlock.name && is !== 'holds')?.t;
  const longest = allowed + Math.max(0, ...outputs.map(({ declared }) => declared.readback?.within ?? 0));
  lab.until(
    after(longest, outputs.length) + interval + 1,
    () => noticed() !== undefined && reachable.every((o) => safe(o).shown !== undefined),
  );

  const failures: string[] = [];
  const results = new Map<string, OutputResult>();
  const look = (output: TripOutput, since: number, isBehind: boolean): void => {
    const { sent, shown } = safe(output);
    results.set(output.name, {
      output: output.name,
      ...(sent === undefined ? {} : { sent: (sent - since) / 1e6 }),
      ...(shown === undefined ? {} : { shown: (shown - since) / 1e6 }),
      ...(isBehind ? { behind: true } : {}),
      allowed: after(isBehind ? 0 : allowed, outputs.indexOf(output)),
    });
  };
  if (cause.began() === undefined) failures.push('no reply or reading came that could carry the fault');
  for (const output of reachable) look(output, began(), false);
  const first = noticed();
  if (first === undefined) failures.push('the interlock still holds');
  else if ((first - began()) / 1e6 > after(allowed, 0))
    failures.push(lateWords('the interlock no longer held', first - began(), after(allowed, 0)));
  failures.push(...refusals(lab, interlock, bench));

  // --- and back
  cause.undo();
  const back = lab.clock.now();
  const returned = outputs.filter(behind);
  lab.until(after(longest, outputs.length) + LONGEST_HOLD, () => outputs.every((o) => safe(o).shown !== undefined));
  for (const output of returned) look(output, back, true);
  for (const output of outputs)
    if (results.get(output.name)?.shown === undefined && !returned.includes(output)) look(output, began(), false);
  for (const one of results.values()) failures.push(...outputFailures(one));
  // What has not become safe is failure enough.
  if (first !== undefined && [...results.values()].every(({ shown }) => shown !== undefined))
    failures.push(...recovered(lab, bench, interlock, outputs, leaf));
  return {
    ...plain,
    outcome: failures.length === 0 ? 'tripped' : 'failed',
    failures,
    outputs: [...results.values()],
    ...(first === undefined ? {} : { noticed: (first - began()) / 1e6 }),
    inProgram,
    held: heldNames,
  };
}

const lateWords = (what: string, micros: number, allowed: number): string =>
  `${what} only after ${duration(micros / 1e6)}; allowed were ${duration(allowed)}`;

function outputFailures({ output, sent, shown, allowed, behind }: OutputResult): readonly string[] {
  if (sent === undefined) return [`${output}: no safe order was sent`];
  const late =
    sent > allowed ? [lateWords(`${output}: the safe order went${behind ? ', once its link was back,' : ''}`, sent * 1e6, allowed)] : [];
  return shown === undefined ? [...late, `${output}: it was never read back as safe`] : late;
}

/** What lets all hold: the inputs of the plan that are not so by themselves. */
function holding(
  { held, inputs }: Plan,
  bench: Bench,
  without?: { readonly input: Input; readonly index: number | undefined },
): readonly Put[] {
  return [...held].flatMap(([key, point]): Put[] => {
    const input = inputs.get(key);
    if (!input) return [];
    const all = input.indices;
    const indices = without && without.input.of === input.of ? all.filter((index) => index !== without.index) : all;
    const moving = input.leaves.some((leaf) => leaf.stuck !== undefined);
    return indices.length === 0 ? [] : [{ channel: input.of, indices, signal: signalOf(input, point, bench, moving, 0), wire: true }];
  });
}

function signalOf(input: Input, point: Point, bench: Bench, moving: boolean, since: number, from?: Value): Signal {
  if (input.slope === undefined) return steady(input, point, moving);
  const said = bench.heard(input.of);
  const start = from ?? said.now[said.indices.indexOf(input.indices[0])];
  return ramp(typeof start === 'number' ? start : 0, Number(point.values[0]), input.slope, since);
}

/** The interlock holds and every output that it trips is on; else why not. */
function made(lab: TripLab, bench: Bench, interlock: RigInterlock): readonly TripOutput[] | string {
  const { rig } = bench;
  lab.until(LONGEST_START, () => lab.host.started);
  const open = holdAll(lab, rig, interlock);
  if (open) return `${open.name === interlock.name ? 'it' : open.name} could not be brought to hold: ${open.why ?? 'nobody knows why'}`;
  lab.until(LONGEST_HOLD, () => letGo(lab, undefined));
  const outputs: TripOutput[] = [];
  for (const name of interlock.trips) {
    const output = tripOutput(lab, name);
    if (typeof output === 'string') return output;
    outputs.push(output);
  }
  // The last ones first: what is made safe first is what the others may be a condition of.
  for (const output of outputs.toReversed()) {
    if (isOn(lab, output)) continue;
    const why = switchOn(lab, rig, output, bench.onValues);
    if (why !== undefined) return why;
  }
  return outputs;
}

/** Waits until it holds, and all that can forbid the same outputs; else gives the first that does not. */
function holdAll(lab: TripLab, rig: Rig, interlock: RigInterlock): InterlockStatus | undefined {
  const wanted = [interlock, ...besides(rig, interlock)];
  const times = wanted.flatMap((one) => leavesOf(one.when)).map((leaf) => leaf.hold + (leaf.slope ?? 0) + Math.min(leaf.stale, SILENT));
  lab.until(LONGEST_HOLD + Math.max(0, ...times), () => wanted.every(({ name }) => lab.holds(name)));
  return (lab.host.status().interlocks ?? []).find(({ name, is }) => is !== 'holds' && wanted.some((one) => one.name === name));
}

interface Cause {
  readonly began: () => number | undefined;
  /** The link that is down. */
  readonly unplugged?: string;
  readonly undo: () => void;
}

function faulted(
  bench: Bench,
  { leaf, fault }: Case,
  plan: Plan,
  lab: TripLab,
  source: (channel: string) => Source | undefined,
  held: readonly Put[],
  inProgram: () => void,
): Cause {
  const root = rootOf(bench.rig, leaf.of);
  const from = source(root);
  let first: number | undefined;
  const began = (t: number): void => {
    first ??= t;
  };
  const whenBegan = (): number | undefined => first;
  const input = plan.own;
  const placed = from && lab.wireOf(from.instrument, from.role);
  if (fault === 'stale' || fault === 'unplugged') {
    began(lab.clock.now());
    const wires = from ? lab.wiresOf(from.instrument) : [];
    if (fault === 'unplugged' && placed) {
      placed.wire.plug(false);
      return { began: whenBegan, unplugged: placed.key, undo: () => placed.wire.plug(true) };
    }
    for (const { key, wire, behind } of wires) wire.silence(key === placed?.key && from && !behind ? from.same : () => true);
    return { began: whenBegan, undo: () => wires.forEach(({ wire }) => void wire.silence(undefined)) };
  }
  if (fault === 'garbled' && placed && from) {
    placed.wire.garble(placed.behind ? () => true : from.same, () => began(lab.clock.now()));
    return { began: whenBegan, undo: () => placed.wire.garble(undefined) };
  }
  if (fault === 'garbled') return { began: whenBegan, undo() {} };
  const derived = isDerived(bench.rig, leaf.of);
  const last = (index: number | undefined) =>
    lab.readings.get(leaf.of)?.findLast((r) => r.index === index && r.quality !== 'bad' && typeof r.value !== 'object');
  const all = input.indices;
  const index = all.at(-1);
  let puts: readonly Put[];
  if (fault === 'stuck') {
    // It has been stuck since its last change.
    const since = all.map((i) => sameSince(lab, leaf.of, i));
    began(Math.max(...since));
    puts = all.flatMap((i): Put[] => {
      const value: unknown = last(i)?.quality === 'bad' ? undefined : (last(i) as { readonly value?: unknown } | undefined)?.value;
      return typeof value === 'number' || typeof value === 'boolean' || typeof value === 'string'
        ? [{ channel: leaf.of, indices: [i], signal: frozen(value), wire: !derived, inProgram }]
        : [];
    });
  } else {
    const now: unknown = (last(index) as { readonly value?: unknown } | undefined)?.value;
    const start = typeof now === 'number' ? now : undefined;
    const signal =
      fault === 'value' ? signalOf(input, plan.broken, bench, false, lab.clock.mono(), start) : fault === 'nan' ? nonsense() : otherKind();
    puts = [{ channel: leaf.of, indices: [index], signal, wire: !derived && fault !== 'unit', began, inProgram }];
  }
  const rest = fault === 'stuck' ? held.filter((one) => one.channel !== leaf.of) : holding(plan, bench, { input, index });
  put(lab, [...rest, ...puts], source);
  // What a person has entered does not come again by itself.
  const [instrument = '', channel = ''] = root.split('.');
  if (from?.role === '' && Object.hasOwn(lab.host.acquired.get(instrument)?.commands ?? {}, channel)) {
    const value = bench.heard(root).now[0];
    lab.order({ instrument, command: channel, ...(value === undefined ? {} : { written: value }) });
  }
  return { began: whenBegan, undo: () => put(lab, held, source) };
}

/** The time of the first of the readings that have all been the same up to now. */
function sameSince(lab: TripLab, channel: string, index: number | undefined): number {
  const list = (lab.readings.get(channel) ?? []).filter((r) => r.index === index && r.quality !== 'bad');
  const values = list.map((r) => (r.quality === 'bad' ? undefined : r.value));
  const other = values.findLastIndex((v) => v !== values.at(-1));
  return list[other + 1]?.t ?? lab.clock.now();
}

/** While it does not hold, nothing of what it forbids may be switched on, and it must be latched where the rig says so. */
function refusals(lab: TripLab, interlock: RigInterlock, bench: Bench): readonly string[] {
  const level = lab.host.status().interlocks?.find(({ name }) => name === interlock.name);
  if (level === undefined || level.is === 'holds') return [];
  const failures: string[] = [];
  if (interlock.latch && level.latched === undefined && !byOthers(lab, bench.rig, interlock)) failures.push('it is not latched');
  letGo(lab, interlock.name);
  for (const name of interlock.trips) {
    const output = tripOutput(lab, name);
    if (typeof output === 'string') continue;
    const why = forbidden(lab, output, bench.onValues.get(name) ?? onValue(bench, output));
    if (why !== undefined) failures.push(why);
  }
  return failures;
}

/** All that it trips had been made safe by other interlocks before it broke: their latches hold it, and it had nothing to do. */
function byOthers(lab: TripLab, rig: Rig, interlock: RigInterlock): boolean {
  const latched = (lab.host.status().interlocks ?? []).flatMap((one) => (one.latched === undefined ? [] : [one.name]));
  const trips =
    rig.interlocks?.filter((one) => one.name !== interlock.name && latched.includes(one.name)).flatMap((one) => one.trips) ?? [];
  return interlock.trips.every((output) => trips.some((listed) => covers(listed, output)));
}

function onValue(bench: Bench, output: TripOutput): string | number | boolean | undefined {
  const start = bench.rig.start.findLast((s) => s.instrument === output.instrument && s.command === output.command);
  return start?.value ?? (output.declared.takes === 'flag' ? output.declared.safe !== true : undefined);
}

/** The fault has gone: it holds again, its latch refuses until it is acknowledged, and then the outputs can be switched on again. */
function recovered(lab: TripLab, bench: Bench, interlock: RigInterlock, outputs: readonly TripOutput[], leaf: Leaf): readonly string[] {
  const level = () => lab.host.status().interlocks?.find(({ name }) => name === interlock.name);
  const own = 2 * leaf.hold + (leaf.slope ?? 0) + 4 * bench.heard(leaf.of).interval;
  const holds = (): boolean => lab.holds(interlock.name);
  lab.until(QUICK + own, holds);
  // What it looks at, or another interlock, may have to be switched on again; what it forbids stays off.
  againOn(lab, bench, interlock, [...interlock.trips, ...interlock.forbids], interlock.name);
  if (!lab.until(own, holds)) return [`it does not hold again after the fault: ${level()?.why ?? ''}`];
  const others = level()?.latched === undefined && byOthers(lab, bench.rig, interlock);
  // What else has tripped with it is let go of first: then it alone refuses.
  lab.until(LONGEST_HOLD, () => letGo(lab, interlock.name));
  const failures: string[] = [];
  const [probe] = outputs;
  const on = (output: TripOutput): string | undefined => switchOn(lab, bench.rig, output, bench.onValues);
  if (interlock.latch && probe && !others) {
    const value = bench.onValues.get(probe.name) ?? onValue(bench, probe);
    const end = lab.order({ instrument: probe.instrument, command: probe.command, index: probe.indices[0], written: value });
    if (end?.outcome !== 'refused')
      failures.push(`${probe.name}: it could be switched on again before anybody acknowledged (${whyNot(end)})`);
    else if (!end.why?.includes(`"${interlock.name}"`))
      failures.push(`${probe.name}: refused without the interlock's name: ${end.why ?? ''}`);
    let why: string | undefined = 'not acknowledged';
    lab.until(LONGEST_HOLD, () => {
      why = lab.host.acknowledge('trip-test', interlock.name);
      return why === undefined;
    });
    if (why !== undefined) failures.push(`it cannot be acknowledged: ${String(why)}`);
  }
  againOn(lab, bench, interlock, [], undefined);
  const missing = outputs.toReversed().flatMap((output) => (isOn(lab, output) ? [] : (on(output) ?? [])));
  return [...failures, ...missing.map((why) => `after the fault: ${why}`)];
}

/**
 * All interlocks hold that can forbid the same outputs; where they do not by themselves, the start orders are given again. A board that
 * has tripped by itself says so to the first order, which is then in doubt: the second time that is known.
 */
function againOn(lab: TripLab, bench: Bench, interlock: RigInterlock, but: readonly string[], latched: string | undefined): void {
  for (let i = 0; i < BRING_UP && holdAll(lab, bench.rig, interlock) !== undefined; i++) {
    lab.until(LONGEST_HOLD, () => letGo(lab, latched));
    bringUp(lab, bench.rig, but);
  }
}
