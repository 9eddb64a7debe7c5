/** The trip test on the virtual clock: it passes what works, and finds each way in which an interlock can fail to act. */
import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { tripTestCommand } from '../src/cli/trip-test.ts';
import type { Condition, Leaf } from '../src/condition.ts';
import { type Host, type HostOptions, host } from '../src/host.ts';
import type { RigInterlock } from '../src/rig.ts';
import { arrange, type Input, keyOf, pointsOf, saidOf } from '../src/trip-inputs.ts';
import { footnotes, matrix, summary } from '../src/trip-table.ts';
import { FAULTS, type FaultKind, type TripResult, tripTest } from '../src/trip-test.ts';
import { toyRig, toySimulator, toys } from './toys.ts';

const leaf = (more: Partial<Leaf> & Pick<Leaf, 'of' | 'test'>): Leaf => ({
  kind: 'V',
  hysteresis: 0,
  hold: 0,
  stale: 0.3,
  suspect: false,
  ...more,
});
const cold: Leaf = leaf({ of: 'sensor.level', test: { is: 'below', limit: 5 } });
const interlock = (when: Condition = cold, more: Partial<RigInterlock> = {}): RigInterlock => ({
  name: 'cold',
  when,
  forbids: ['toy.output'],
  trips: ['toy.output'],
  latch: true,
  ...more,
});
const trip = (
  list: readonly RigInterlock[],
  faults: readonly FaultKind[],
  make?: (options: HostOptions) => Host,
): readonly TripResult[] => [...tripTest(toyRig(['toy', 'sensor'], {}, { interlocks: list }), toys, { faults, host: make })];
const outcomes = (results: readonly TripResult[]): readonly string[] => results.map((r) => `${r.input} ${r.fault}: ${r.outcome}`);
/** A host whose rig says something else than the one that is tested. */
const saying =
  (change: (one: RigInterlock) => RigInterlock) =>
  (options: HostOptions): Host =>
    host({ ...options, rig: { ...options.rig, interlocks: options.rig.interlocks?.map(change) } });

describe('what works', () => {
  test('every fault trips; what the rig does not watch for is said, and is not called tripped', () => {
    const results = trip([interlock()], FAULTS);
    expect(results.map((r) => `${r.fault} ${r.outcome}`)).toEqual([
      'value tripped',
      'stale tripped',
      'stuck untested',
      'garbled tripped',
      'unplugged tripped',
      'nan tripped',
      'unit tripped',
    ]);
    expect(results.flatMap((r) => r.failures)).toEqual([]);
    const of = (fault: FaultKind) => results.find((r) => r.fault === fault);
    expect(of('value')).toMatchObject({ inProgram: false, outputs: [{ output: 'toy.output', sent: 0 }] });
    expect(of('unit')).toMatchObject({ inProgram: true });
    const stale = of('stale')?.outputs[0];
    expect(stale?.sent).toBeGreaterThan(0.1);
    expect(stale?.sent).toBeLessThan(0.5);
    expect(stale?.shown).toBeGreaterThan(stale?.sent ?? Number.NaN);
    const [heads = [], row = []] = matrix(results);
    expect(heads).toEqual(['interlock', 'input', 'must be', 'value', 'stale', 'stuck', 'garbled', 'unplugged', 'NaN', 'wrong unit']);
    expect(row.slice(0, 4)).toEqual(['cold', 'sensor.level', 'below 5.00 V', '0']);
    expect(row.at(5)).toBe('not watched');
    expect(row.at(-1)).toBe('0*');
    expect(footnotes(results).join()).toContain('set in the program');
    expect(summary(results)).toBe('7 faults of 1 interlock: 6 tripped, 0 failed, 1 not watched for or not possible');
  });

  test('the same seed, the same results', () => {
    const once = trip([interlock()], ['garbled', 'stale']);
    expect(trip([interlock()], ['garbled', 'stale'])).toEqual(once);
  });

  test('an output behind the unplugged link is counted from its return', () => {
    const [result] = trip([interlock(leaf({ of: 'toy.level', test: { is: 'below', limit: 5 } }))], ['unplugged']);
    expect(result).toMatchObject({ outcome: 'tripped', outputs: [{ behind: true }] });
    expect(matrix([result as TripResult])[1]?.at(-1)).toMatch(/^\d+\^$/); // there is one, as the line before says
  });

  test('stuck counts from the last change; a sensor that never changes is moved so that it does not look stuck before', () => {
    const [result] = trip([interlock({ ...cold, stuck: 2 })], ['stuck']);
    expect(result?.failures).toEqual([]);
    expect(result?.outputs[0]?.sent).toBeCloseTo(2, 3);
    expect(result?.held).toEqual(['sensor.level']);
  });

  test('any-of: the other ways out are closed first, and what does not hold by itself is made to', () => {
    const low = leaf({ of: 'sensor.fast', kind: '1', test: { is: 'above', limit: -1 } });
    const high = leaf({ of: 'sensor.level', test: { is: 'above', limit: 50 } });
    const results = trip([interlock({ any: [low, high] })], ['value', 'stale']);
    expect(results.flatMap((r) => r.failures)).toEqual([]);
    expect(outcomes(results)).toEqual([
      'sensor.fast value: tripped',
      'sensor.fast stale: tripped',
      'sensor.level value: tripped',
      'sensor.level stale: tripped',
    ]);
    expect(results.map((r) => r.held)).toEqual([[], [], ['sensor.fast', 'sensor.level'], ['sensor.fast', 'sensor.level']]);
  });

  test('lists: the last index of one that must pass as a whole; one index by itself', () => {
    const whole = leaf({ of: 'sensor.bias', test: { is: 'below', limit: 40 } });
    const one = leaf({ of: 'sensor.bias', index: 1, test: { is: 'above', limit: -5 } });
    const results = trip([interlock({ all: [whole, one] })], ['value', 'nan', 'unit']);
    expect(results.flatMap((r) => r.failures)).toEqual([]);
  });

  test('an interlock that trips nothing: until it no longer holds', () => {
    const [result] = trip([interlock(cold, { forbids: ['toy.mode'], trips: [] })], ['value']);
    expect(result).toMatchObject({ outcome: 'tripped', noticed: 0, outputs: [] });
  });
});

describe('what does not work is found', () => {
  const failuresOf = (results: readonly TripResult[]): string => results.flatMap((r) => r.failures).join('; ');

  test('a host that does not give the safe orders', () => {
    const results = trip(
      [interlock()],
      ['value'],
      saying((one) => ({ ...one, trips: [] })),
    );
    expect(failuresOf(results)).toMatch(/toy\.output: no safe order was sent/);
  });

  test('a host that looks at another limit', () => {
    const results = trip(
      [interlock()],
      ['value'],
      saying((one) => ({ ...one, when: { ...cold, test: { is: 'below', limit: 99 } } })),
    );
    expect(failuresOf(results)).toMatch(/the interlock still holds/);
  });

  test('a host that does not latch', () => {
    const results = trip(
      [interlock()],
      ['value', 'stale'],
      saying((one) => ({ ...one, latch: false })),
    );
    expect(results.map((r) => r.outcome)).toEqual(['failed', 'failed']);
    expect(failuresOf(results)).toMatch(/not latched/);
    expect(failuresOf(results)).toMatch(/could be switched on again before anybody acknowledged/);
  });

  test('a host that takes what is stuck, stale or of another kind for whole', () => {
    const blind: Leaf = { ...cold, stale: 1e9, stuck: undefined };
    const results = trip(
      [interlock({ ...cold, stuck: 1 })],
      ['stuck'],
      saying((one) => ({ ...one, when: blind })),
    );
    expect(failuresOf(results)).toMatch(/the interlock still holds/);
    const kinds = trip(
      [interlock()],
      ['unit'],
      saying((one) => ({ ...one, when: { ...cold, kind: 'A' } })),
    );
    expect(failuresOf(kinds)).toMatch(/could not be brought to hold/);
  });

  test('an instrument that ignores its safe order', () => {
    const welded = {
      ...toySimulator,
      state: (p: { readonly serial: number }, name: string) => ({ ...toySimulator.state(p, name), welded: true }),
    };
    const results = [
      ...tripTest(
        toyRig(['toy', 'sensor'], {}, { interlocks: [interlock()] }),
        { ...toys, simulators: new Map([['toy', welded]]) },
        { faults: ['value'] },
      ),
    ];
    expect(failuresOf(results)).toMatch(/toy\.output: it was never read back as safe/);
  });

  test('an input that cannot decide', () => {
    const results = trip([interlock({ any: [cold, leaf({ of: 'sensor.level', test: { is: 'above', limit: 4 } })] })], ['value']);
    expect(failuresOf(results)).toMatch(/no values of its inputs were found with which the interlock holds and hangs on this one alone/);
  });
});

describe('arrangements', () => {
  const input = (of: string, leaves: readonly Leaf[], now?: number | boolean | string): Input => {
    const said = now === undefined ? undefined : saidOf(leaves, now);
    return {
      key: keyOf({ of }),
      of,
      indices: [undefined],
      leaves,
      points: pointsOf(leaves, { now }),
      ...(said && now !== undefined ? { natural: { values: [now], passes: said } } : {}),
    };
  };
  test('values lie clear of the limits and of their hysteresis, and within what is possible', () => {
    const both = [
      leaf({ of: 'a.t', test: { is: 'below', limit: 100 }, hysteresis: 10 }),
      leaf({ of: 'a.t', test: { is: 'above', limit: 0 } }),
    ];
    const points = pointsOf(both, { span: [-1, 102] });
    expect(points.map((p) => p.passes)).toEqual([
      [true, false],
      [true, true],
      [false, true],
    ]);
    for (const { values } of points)
      for (const v of values) expect(Number(v) > -1 && Number(v) < 102 && !(Number(v) >= 90 && Number(v) < 100)).toBe(true);
  });
  test('the fewest inputs are changed, and the others are what decides nothing', () => {
    const a = leaf({ of: 'a.t', test: { is: 'below', limit: 5 } });
    const b = leaf({ of: 'b.t', test: { is: 'below', limit: 5 } });
    const c = leaf({ of: 'c.on', kind: 'flag', test: { is: 'one-of', words: [true] } });
    const when: Condition = { all: [{ any: [a, b] }, c] };
    const inputs = new Map([input('a.t', [a], 1), input('b.t', [b], 1), input('c.on', [c], true)].map((i) => [i.key, i]));
    expect([...(arrange([when], c, inputs)?.held.keys() ?? [])]).toEqual([]);
    const forA = arrange([when], a, inputs);
    expect([...(forA?.held ?? [])].map(([key, point]) => [key, point.passes])).toEqual([['b.t', [false]]]);
    expect(forA?.broken.passes).toEqual([false]);
  });
});

describe('the command', () => {
  const run = async (...args: readonly string[]) => {
    let out = '';
    let err = '';
    const code = await tripTestCommand.run(args, { out: (text) => void (out += text), err: (text) => void (err += text) });
    return { code, out, err };
  };
  const trips = resolve(import.meta.dirname, 'fixtures/rigs/trips');

  test('runs on simulators alone, and says why', async () => {
    const { code, out, err } = await run(trips);
    expect(code).toBe(2);
    expect(out).toBe('');
    expect(err).toContain('it switches every output on that an interlock guards, so it runs on simulators alone: add --simulate');
  });

  test('a rig that is wrong, and an interlock that it has not', async () => {
    expect((await run(resolve(trips, '../wrong/bracket.yaml'), '--simulate')).code).toBe(4);
    const { code, err } = await run(trips, '--simulate', '--interlock', 'frame');
    expect(code).toBe(2);
    expect(err).toContain('the rig has no interlock "frame"; did you mean frames?');
    expect((await run(trips, '--simulate', '--seed', 'x')).err).toContain('--seed must be a whole number');
  });

  test('one interlock, as a table and as data', async () => {
    const table = await run(trips, '--simulate', '--interlock', 'frames');
    expect(table.code).toBe(0);
    expect(table.out).toMatch(
      /^interlock +input +must be +value +stale +stuck +garbled +unplugged +NaN +wrong unit\nframes +board\.lost +below 10\.0 +0\*/,
    );
    expect(table.out).toMatch(/\n7 faults of 1 interlock: 6 tripped, 0 failed, 1 not watched for or not possible\n$/);
    const { out } = await run(trips, '--simulate', '--interlock', 'frames', '--json', '-');
    const data = JSON.parse(out) as {
      readonly tripped: number;
      readonly results: readonly { readonly fault: string; readonly worst: number | null }[];
    };
    expect(data).toMatchObject({ rig: 'trips', seed: 1, tripped: 6, failed: 0, untested: 1 });
    expect(data.results.map((one) => one.fault)).toEqual(FAULTS);
    expect(data.results[1]?.worst).toBeGreaterThan(0);
  });
});
