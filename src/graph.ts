/**
 * Derivations as one function from a reading to readings. The first input triggers; the others pair by `last`, `exact` or
 * `interpolate`, always with `within`, else the result is bad with that reason. There is no clock inside: time is that of the readings.
 */
import type { Derivation } from './derive/derivation.ts';
import { bad, type Kind, type Kinds, type Measured, type Provenance, type Reading } from './reading.ts';

export interface Input {
  /** instrument.channel, or instrument.channel[index] */
  readonly from: string;
  readonly pair: 'last' | 'exact' | 'interpolate';
  /** Seconds. */
  readonly within: number;
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

const KEPT = 4096; // readings kept per input for pairing, far more than `within` ever needs

const source = (r: Reading): readonly string[] => (r.index === undefined ? [r.from] : [r.from, `${r.from}[${r.index}]`]);

export function graph(specs: readonly NodeSpec[]): (reading: Reading) => readonly Reading[] {
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
  return (reading) => {
    const made: Reading[] = [];
    const queue: Reading[] = [reading];
    for (let r = queue.shift(); r; r = queue.shift()) {
      for (const node of nodes) {
        const out = take(node, r);
        made.push(...out);
        queue.push(...out);
      }
    }
    return made;
  };
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

function take(node: Running, r: Reading): readonly Reading[] {
  const [first, ...others] = node.inputs;
  const names = source(r);
  let concerned = false;
  for (const [name, input] of others) {
    if (!names.includes(input.from)) continue;
    concerned = true;
    const kept = node.history.get(name) ?? [];
    kept.push(r);
    if (kept.length > KEPT) kept.shift();
    node.history.set(name, kept);
  }
  if (first && names.includes(first[1].from)) {
    concerned = true;
    const wait = Math.max(0, ...others.map(([, i]) => (i.pair === 'last' ? 0 : i.within * 1e6)));
    node.pending.push({ trigger: r, latest: r.t + wait });
  }
  if (!concerned) return [];
  const out: Reading[] = [];
  // Triggers are decided in their order: a reducer has a state.
  while (node.pending.length > 0) {
    const [p] = node.pending;
    const decided = decide(node, p, Math.max(r.t, p.trigger.t));
    if (!decided) break;
    node.pending.shift();
    out.push(...step(node, p.trigger, decided));
  }
  return out;
}

type Paired = Readonly<Record<string, Reading>> | { readonly why: string };

/** The other inputs at the trigger's time, a reason why there are none, or undefined while they may still come. */
function decide(node: Running, p: Pending, now: number): Paired | undefined {
  const [, ...others] = node.inputs;
  const found: Record<string, Reading> = {};
  for (const [name, input] of others) {
    const kept = node.history.get(name) ?? [];
    const reach = input.within * 1e6;
    const before = kept.findLast((r) => r.t <= p.trigger.t);
    const after = kept.find((r) => r.t >= p.trigger.t);
    if (input.pair === 'last') {
      if (!before || p.trigger.t - before.t > reach) return { why: `no ${input.from} within ${input.within} s before` };
      found[name] = before;
    } else if (input.pair === 'exact') {
      const same = kept.find((r) => r.t === p.trigger.t);
      if (!same && now <= p.latest) return undefined;
      if (!same) return { why: `no ${input.from} of the same time` };
      found[name] = same;
    } else {
      if (!after && now <= p.latest) return undefined;
      if (!before || !after || p.trigger.t - before.t > reach || after.t - p.trigger.t > reach) {
        return { why: `no ${input.from} within ${input.within} s on both sides` };
      }
      found[name] = between(before, after, p.trigger.t);
    }
  }
  return found;
}

/** Linear in time; the uncertainty of a mean with the same weights. */
function between(a: Reading, b: Reading, t: number): Reading {
  if (a.quality === 'bad') return a;
  if (b.quality === 'bad') return b;
  if (a.t === b.t || typeof a.value !== 'number' || typeof b.value !== 'number') return a;
  const w = (t - a.t) / (b.t - a.t);
  const random = Math.hypot((1 - w) * (a.sigma?.random ?? 0), w * (b.sigma?.random ?? 0));
  const shared: Record<string, number> = {};
  for (const [cause, size] of Object.entries(a.sigma?.shared ?? {})) shared[cause] = (1 - w) * size;
  for (const [cause, size] of Object.entries(b.sigma?.shared ?? {})) shared[cause] = (shared[cause] ?? 0) + w * size;
  const worst = a.quality === 'suspect' ? a : b;
  return { ...worst, t, value: (1 - w) * a.value + w * b.value, sigma: { random, shared } };
}

function step(node: Running, trigger: Reading, paired: Paired): readonly Reading[] {
  const { derivation, params } = node.spec;
  const [first] = node.inputs;
  const given = 'why' in paired && typeof paired.why === 'string' ? undefined : (paired as Readonly<Record<string, Reading>>);
  const all: Readonly<Record<string, Reading>> = { [first[0]]: trigger, ...given };
  const inputs = Object.values(all).map((r) => `${r.from}${r.index === undefined ? '' : `[${r.index}]`}#${r.seq}`);
  const made: Provenance = {
    method: derivation.method,
    parameters: node.spec.parametersId,
    ...(node.spec.calibration ? { calibration: node.spec.calibration } : {}),
    inputs,
  };
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
      origin: trigger.origin,
      made,
    } as Reading;
  };
  const nothing = (why: string): readonly Reading[] => Object.entries(outputs).map(([channel, kind]) => emit(channel, kind, bad(why)));
  if (!given) return nothing(String((paired as { why: string }).why));
  const worst = Object.entries(all).find(([, r]) => r.quality === 'bad');
  if (worst && worst[1].quality === 'bad') return nothing(`${worst[1].from}: ${worst[1].why}`);
  const suspect = Object.values(all).find((r) => r.quality === 'suspect');
  let values: Readonly<Record<string, unknown>>;
  try {
    [node.state, values] = derivation.step(node.state, all, params);
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
      out.push(emit(channel, kind, tainted, Array.isArray(value) ? i : undefined));
    });
  }
  return out;
}
