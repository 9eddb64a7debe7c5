/** The trip test on the virtual clock: it passes what works, and finds what does not. */
import { describe, expect, test } from 'vitest';
import type { Leaf } from '../src/condition.ts';
import type { RigInterlock } from '../src/rig.ts';
import { tripTest } from '../src/trip-test.ts';
import { toyRig, toys } from './toys.ts';

const leaf = (more: Partial<Leaf> & Pick<Leaf, 'of' | 'test'>): Leaf => ({
  kind: 'V',
  hysteresis: 0,
  hold: 0,
  stale: 0.3,
  suspect: false,
  ...more,
});
const cold: Leaf = leaf({ of: 'sensor.level', test: { is: 'below', limit: 5 } });
const interlock = (more: Partial<RigInterlock> = {}): RigInterlock => ({
  name: 'cold',
  when: cold,
  forbids: ['toy.output'],
  trips: ['toy.output'],
  latch: true,
  ...more,
});

describe('what works', () => {
  test('every fault of one input trips', () => {
    const rig = toyRig(['toy', 'sensor'], {}, { interlocks: [interlock()] });
    const results = [...tripTest(rig, toys)];
    expect(results.map((r) => `${r.fault} ${r.outcome}`)).toEqual([
      'value tripped',
      'stale tripped',
      'stuck untested',
      'garbled tripped',
      'unplugged tripped',
      'nan tripped',
      'unit tripped',
    ]);
  });
});
