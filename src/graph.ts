/**
 * Derivations as one function from a reading to readings. The first input triggers; the others pair by `last`, `exact`, `interpolate` or
 * `held`, always with `within`, else the result is bad with that reason. There is no clock inside: time is that of the readings.
 */
import type { Derivation, Stepped } from './derive/derivation.ts';
import { heldThrough, placeOf } from './derive/held.ts';
import type { LedgerRecord } from './derive/ledger.ts';
import { samePlace } from './derive/ledger.ts';
import { bad, type Kind, type Kinds, type Measured, type Provenance, type Reading, type Sigma } from './reading.ts';

export interface Input {
  /** instrument.channel, or instrument.channel[index] */
  readonly from: string;
  /** held: what it was during the whole exposure of the trigger (see `heldThrough`). */
  readonly pair: 'last' | 'exact' | 'interpolate' | 'held';
  /** Seconds. */
  readonly within: number;
  /** Of `held`: what it must be; a flag is on or off. */
  readonly is?: number | string;
}

// biome-ignore lint/suspicious/noExplicitAny: methods of different inputs and parameters stand in one list
type AnyDerivation = Derivation<any, any, any, any>;
export interface NodeSpec {
  readonly name: string;
  readonly derivation: AnyDerivation;
  readonly inputs: Readonly<Record<string, Input>>;
  /** As the method's schema gave them. */
  readonly params: unknown;
  /** Hash of the parameters, and of the calibration where there is one. */
  readonly parametersId: string;
  readonly calibration?: string;
  /** The calibrations that there are at the start, for methods that take them from the ledger. */
  readonly records?: readonly LedgerRecord[];
}

export interface Graph {
  (reading: Reading): readonly Reading[];
  /** A calibration that there is from now on. What is made is a function of the sequence of readings and records alone. */
  learn(record: LedgerRecord): void;
}

interface Pending {
  readonly trigger: Reading;
  readonly latest: number; // microseconds: when event time passes this, it is decided
}

interface Running {
  readonly spec: NodeSpec;
  readonly inputs: readonly (readonly [string, Input])[];
  readonly history: Map<string, Reading[]>;
  readonly seqs: Map<string, number>;
  state: unknown;
  pending: Pending[];
}

const NONE: readonly Reading[] = [];
const KEPT = 4096; // readings kept per input for pairing, far more than `within` ever needs
const KEPT_TRACES = 64; // each may be megabytes

const source = (r: Reading): readonly string[] => (r.index === undefined ? [r.from] : [r.from, `${r.from}[${r.index}]`]);

export function graph(specs: readonly NodeSpec[]): Graph {
  const nodes = sorted(specs).map(
    (spec): Running => ({
      spec,
      inputs: Object.entries(spec.inputs),
      history: new Map(),
      seqs: new Map(),
      state: spec.derivation.start(spec.params),
      pending: [],
    }),
  );
  const learn = (node: Running, record: LedgerRecord): void => {
    const { derivation, params } = node.spec;
    if (derivation.learn && node.inputs[0]?.[1].from.replace(/\[\d+\]$/, '') === record.record.of)
      node.state = derivation.learn(node.state, record, params);
  };
  for (const node of nodes) for (const record of node.spec.records ?? []) learn(node, record);
  const wanted = new Set(specs.flatMap((spec) => Object.values(spec.inputs).map(({ from }) => from.replace(/\[\d+\]$/, ''))));
  const hear = (reading: Reading): readonly Reading[] => {
    if (!wanted.has(reading.from)) return NONE; // of what nobody takes nothing is made
    // Each node hears the reading together with all that the nodes before it have made of it: no mixture of old and new.
    const all: Reading[] = [reading];
    for (const node of nodes) all.push(...take(node, all));
    return all.slice(1);
  };
  return Object.assign(hear, {
    learn(record: LedgerRecord): void {
      for (const node of nodes) learn(node, record);
    },
  });
}

/** Each node after those it takes from; the rig's check has refused cycles. */
function sorted(specs: readonly NodeSpec[]): readonly NodeSpec[] {
  const done: NodeSpec[] = [];
  const visit = (spec: NodeSpec, path: readonly string[]): void => {
    if (done.includes(spec) || path.includes(spec.name)) return;
    for (const input of Object.values(spec.inputs)) {
      const before = specs.find((s) => input.from.startsWith(`${s.name}.`));
      if (before) visit(before, [...path, spec.name]);
    }
    done.push(spec);
  };
  for (const spec of specs) visit(spec, []);
  return done;
}

function take(node: Running, readings: readonly Reading[]): readonly Reading[] {
  const [first, ...others] = node.inputs;
  const wait = Math.max(0, ...others.map(([, i]) => (i.pair === 'last' || i.pair === 'held' ? 0 : i.within * 1e6)));
  const triggers: Pending[] = [];
  let now = Number.NEGATIVE_INFINITY;
  for (const r of readings) {
    const names = source(r);
    let concerned = false;
    for (const [name, input] of others) {
      if (!names.includes(input.from)) continue;
      concerned = true;
      keep(node, name, r);
    }
    if (first && names.includes(first[1].from)) {
      concerned = true;
      triggers.push({ trigger: r, latest: r.t + wait });
    }
    if (concerned) now = Math.max(now, r.t);
  }
  node.pending.push(...triggers);
  const out: Reading[] = [];
  // Triggers are decided in their order: a reducer has a state.
  while (node.pending.length > 0 && now > Number.NEGATIVE_INFINITY) {
    const [p] = node.pending;
    const decided = decide(node, p, Math.max(now, p.trigger.t));
    if (!decided) break;
    node.pending.shift();
    out.push(...step(node, p.trigger, decided));
  }
  return out;
}

/** In order of time, whatever the order of coming; of two at one time the later comer is behind. */
function keep(node: Running, name: string, r: Reading): void {
  const kept = node.history.get(name) ?? [];
  node.history.set(name, kept);
  kept.splice(kept.findLastIndex((k) => k.t <= r.t) + 1, 0, r);
  if (kept.length > (r.kind === 'trace' ? KEPT_TRACES : KEPT)) kept.shift();
}

/** `read`: all that went into the pairing: of an interpolation, both neighbours. */
type Paired = { readonly found: Readonly<Record<string, Reading>>; readonly read: readonly Reading[] } | { readonly why: string };

/** Of two lists the elements of one index belong together. */
const alike = (r: Reading, trigger: Reading, input: Input): boolean =>
  r.index === undefined || trigger.index === undefined || r.index === trigger.index || input.from.endsWith(']');

/** The other inputs at the trigger's time, a reason why there are none, or undefined while they may still come. */
function decide(node: Running, p: Pending, now: number): Paired | undefined {
  const [, ...others] = node.inputs;
  const found: Record<string, Reading> = {};
  const read: Reading[] = [];
  for (const [name, input] of others) {
    const kept = (node.history.get(name) ?? []).filter((r) => alike(r, p.trigger, input));
    const reach = input.within * 1e6;
    const before = kept.findLast((r) => r.t <= p.trigger.t);
    const after = kept.find((r) => r.t >= p.trigger.t);
    if (input.pair === 'last') {
      if (!before || p.trigger.t - before.t > reach) return { why: `no ${input.from} within ${input.within} s before` };
      found[name] = before;
      read.push(before);
    } else if (input.pair === 'exact') {
      const same = kept.findLast((r) => r.t === p.trigger.t);
      if (!same && now <= p.latest) return undefined;
      if (!same) return { why: `no ${input.from} of the same time` };
      found[name] = same;
      read.push(same);
    } else if (input.pair === 'held') {
      if (p.trigger.quality === 'bad') continue; // nothing is made of it whatever this was
      const held = heldThrough(kept, input.from, reach, p.trigger);
      if (typeof held === 'string') return { why: held };
      const place = placeOf(held, input.from);
      if (typeof place === 'string') return { why: place };
      if (input.is !== undefined && !samePlace(place.value, input.is)) return { why: `${input.from} is ${place.shown}, not ${input.is}` };
      found[name] = held;
      read.push(held);
    } else {
      if (!after && now <= p.latest) return undefined;
      if (!before || !after || p.trigger.t - before.t > reach || after.t - p.trigger.t > reach) {
        return { why: `no ${input.from} within ${input.within} s on both sides` };
      }
      const exact = before.t === p.trigger.t;
      found[name] = exact ? before : between(before, after, p.trigger.t);
      read.push(before, ...(exact ? [] : [after]));
    }
  }
  return { found, read };
}

/** Linear in time; the uncertainty of a mean with the same weights. */
function between(a: Reading, b: Reading, t: number): Reading {
  if (a.quality === 'bad') return a;
  if (b.quality === 'bad') return b;
  if (a.t === b.t || typeof a.value !== 'number' || typeof b.value !== 'number') return a;
  const w = (t - a.t) / (b.t - a.t);
  const sigma = a.sigma || b.sigma ? blended(a.sigma, b.sigma, w) : undefined;
  const worst = a.quality === 'suspect' ? a : b;
  return {
    ...worst,
    t,
    value: (1 - w) * a.value + w * b.value,
    sigma,
    origin: a.origin === 'simulator' ? a.origin : b.origin,
  };
}

function blended(a: Sigma | undefined, b: Sigma | undefined, w: number): Sigma {
  const random = Math.hypot((1 - w) * (a?.random ?? 0), w * (b?.random ?? 0));
  const shared: Record<string, number> = {};
  for (const [cause, size] of Object.entries(a?.shared ?? {})) shared[cause] = (1 - w) * size;
  for (const [cause, size] of Object.entries(b?.shared ?? {})) shared[cause] = (shared[cause] ?? 0) + w * size;
  return { random, shared };
}

/** What is made of calibrated values has their calibrations: of several, all their ids, joined by "+". */
function calibrationsOf(inputs: Readonly<Record<string, Reading>>): string | undefined {
  const ids = new Set(Object.values(inputs).flatMap(({ made }) => made?.calibration?.split('+') ?? []));
  return ids.size === 0 ? undefined : [...ids].join('+');
}

/** Bad readings in the place of partners that were not found. */
function absent(
  others: readonly (readonly [string, Input])[],
  kinds: Kinds,
  { t, origin }: Reading,
  why: string,
): Readonly<Record<string, Reading>> {
  return Object.fromEntries(
    others.map(([name, { from }]) => [name, { ...bad(why), from, kind: kinds[name] ?? 'state', t, seq: -1, origin } as const]),
  );
}

function step(node: Running, trigger: Reading, paired: Paired): readonly Reading[] {
  const { derivation, params } = node.spec;
  const [first, ...others] = node.inputs;
  const found = 'found' in paired ? paired.found : derivation.takesBad ? absent(others, derivation.inputs, trigger, paired.why) : {};
  const all: Readonly<Record<string, Reading>> = { [first[0]]: trigger, ...found };
  const inputs = [trigger, ...('read' in paired ? paired.read : [])].map(
    (r) => `${r.from}${r.index === undefined ? '' : `[${r.index}]`}#${r.seq}`,
  );
  const provenance = (used: readonly string[]): Provenance => {
    const [own = node.spec.calibration, ...more] = used;
    const calibration = own ?? calibrationsOf(all);
    return {
      method: derivation.method,
      parameters: node.spec.parametersId,
      ...(calibration ? { calibration } : {}),
      inputs: more.length > 0 ? [...inputs, ...more.map((id) => `calibration#${id}`)] : inputs,
    };
  };
  let made = provenance([]);
  // What has anything simulated in it can never pass for measured.
  const origin = Object.values(all).some((r) => r.origin === 'simulator') ? 'simulator' : trigger.origin;
  const outputs = derivation.outputs as Kinds;
  const emit = (channel: string, kind: Kind, m: Measured<Kind>, index?: number): Reading => {
    const key = `${channel}[${index ?? ''}]`;
    const seq = node.seqs.get(key) ?? 0;
    node.seqs.set(key, seq + 1);
    // A measured value of its declared kind becomes a reading of that kind.
    return {
      ...m,
      from: `${node.spec.name}.${channel}`,
      ...(index === undefined ? {} : { index }),
      kind,
      t: m.t ?? trigger.t,
      seq,
      origin,
      made,
    } as Reading;
  };
  // What is made of each element of a list is a list again.
  const index = first[1].from.endsWith(']') ? undefined : trigger.index;
  const nothing = (why: string): readonly Reading[] =>
    Object.entries(outputs).map(([channel, kind]) => emit(channel, kind, bad(why), index));
  if ('why' in paired && !derivation.takesBad) return nothing(paired.why);
  const worst = Object.entries(all).find(([, r]) => r.quality === 'bad');
  if (!derivation.takesBad && worst && worst[1].quality === 'bad') return nothing(`${worst[1].from}: ${worst[1].why}`);
  const suspect = Object.values(all).find((r) => r.quality === 'suspect');
  let values: Readonly<Record<string, unknown>>;
  try {
    const [state, given, used]: Stepped<unknown, Kinds> = derivation.step(node.state, all, params);
    [node.state, values] = [state, given];
    if (used) made = provenance(used);
  } catch (error) {
    return nothing(`fault in the method ${derivation.method}: ${error instanceof Error ? error.message : String(error)}`);
  }
  const out: Reading[] = [];
  for (const [channel, kind] of Object.entries(outputs)) {
    const value = values[channel];
    if (value === undefined) continue;
    const list = Array.isArray(value) ? value : [value];
    list.forEach((one: unknown, i) => {
      // A bare value or a Measured, as the derivation's type says.
      const m = (one !== null && typeof one === 'object' && 'quality' in one ? one : { quality: 'good', value: one }) as Measured<Kind>;
      const checked = m.quality !== 'bad' && typeof m.value === 'number' && !Number.isFinite(m.value) ? bad('not a number') : m;
      const tainted =
        suspect && checked.quality === 'good'
          ? {
              ...checked,
              quality: 'suspect' as const,
              why: suspect.quality === 'suspect' ? `${suspect.from}: ${suspect.why ?? 'suspect'}` : '',
            }
          : checked;
      out.push(emit(channel, kind, tainted, Array.isArray(value) ? i : index));
    });
  }
  return out;
}
