/** Ramps through the host: real orders, limits, readback, leases and trips on a toy. */
import { describe, expect, test } from 'vitest';
import type { OrderEntry } from '../src/entry.ts';
import type { RigInstrument } from '../src/rig.ts';
import { type Laboratory, laboratory } from './laboratory.ts';
import { type ToyState, toyRig, toys } from './toys.ts';

interface Bench extends Laboratory {
  readonly toy: ToyState;
  readonly ends: OrderEntry[];
  give(command: string, written: string, index?: number): void;
  sent(word: string): string[];
  lines(): (readonly [string, unknown, string | undefined])[];
}

function bench(more: Partial<RigInstrument> = {}): Bench {
  const ramps = { level: { rate: 1, band: 1, every: 0.5 }, bias: { rate: 2, band: 3, every: 1 } };
  const lab = laboratory(toyRig(['toy'], { ramps, ...more }), toys);
  lab.clock.advance(1);
  const toy = lab.simulated.device('toy')?.state as ToyState; // the toy's own state
  const ends: OrderEntry[] = [];
  return {
    ...lab,
    toy,
    ends,
    give: (command, written, index) =>
      lab.host.order({ by: 'ada', instrument: 'toy', command, written, ...(index === undefined ? {} : { index }) }, (order) =>
        ends.push(order),
      ),
    sent: (word) => toy.heard.flatMap((h) => (h.text.startsWith(word) ? [h.text] : [])),
    lines: () => lab.entries.flatMap((e) => (e.kind === 'order' ? [[e.order.by, e.order.value, e.order.outcome] as const] : [])),
  };
}

describe('a ramp of the host', () => {
  test('goes in steps, each an order with its readback; the whole is one order with one end', () => {
    const b = bench();
    b.give('level', '1.7 V');
    b.clock.advance(10);
    expect(b.sent('LEV')).toEqual(['LEV 0.50', 'LEV 1.00', 'LEV 1.50', 'LEV 1.70']);
    expect(b.ends.map((o) => [o.by, o.value, o.outcome])).toEqual([['ada', 1.7, 'done']]);
    expect(b.lines()).toEqual([
      ['ada', 1.7, undefined],
      ...[0.5, 1, 1.5, 1.7].flatMap((v) => [
        ['ramp: ada', v, undefined],
        ['ramp: ada', v, 'done'],
      ]),
      ['ada', 1.7, 'done'],
    ]);
    expect(b.host.status().ramps).toEqual([{ output: 'toy.level', state: 'done', from: 0, at: 1.7, to: 1.7, unit: 'V' }]);
  });

  test('begins at the output that the instrument had when it was connected', () => {
    const b = bench();
    b.toy.level = 6;
    b.clock.advance(1);
    b.give('level', '5 V');
    b.clock.advance(10);
    expect(b.sent('LEV')).toEqual(['LEV 5.50', 'LEV 5.00']);
  });

  test('a target outside of the limits is refused before the first step', () => {
    const b = bench();
    b.give('level', '11 V');
    b.clock.advance(5);
    expect(b.ends.map((o) => [o.outcome, o.why])).toEqual([['refused', '11 V is outside of the limits 0 V to 10 V']]);
    expect(b.sent('LEV')).toEqual([]);
  });

  test('hold, resume and stop by name', () => {
    const b = bench();
    b.give('level', '5 V');
    b.clock.advance(1.4);
    expect(b.host.ramp('ada', 'toy.level', 'hold')).toBeUndefined();
    b.clock.advance(30);
    const held = b.sent('LEV');
    expect(held.length).toBeLessThan(5);
    expect(b.host.ramp('ada', 'toy.level', 'resume')).toBeUndefined();
    b.clock.advance(1.4);
    expect(b.sent('LEV').length).toBeGreaterThan(held.length);
    expect(b.host.ramp('ada', 'toy.level', 'stop')).toBeUndefined();
    b.clock.advance(30);
    expect(b.ends.map((o) => o.outcome)).toEqual(['failed']);
    expect(b.ends[0]?.why).toContain('by ada');
    expect(b.toy.level).toBeLessThan(5);
    expect(b.host.ramp('ada', 'toy.output', 'hold')).toBe('there is no ramp of toy.output; nothing is being ramped');
  });

  test('an instrument that falls silent: stopped with its words, nothing more is sent', () => {
    const b = bench();
    b.give('level', '9 V');
    b.clock.advance(1.4);
    b.toy.dead = true;
    b.clock.advance(10);
    const sent = b.sent('LEV').length;
    expect(b.ends.map((o) => o.outcome)).toEqual(['failed']);
    expect(b.ends[0]?.why).toMatch(/^stopped between 1.5 V and 2 V: .*; the output stays where it is$/);
    b.toy.dead = false;
    b.clock.advance(10);
    expect(b.sent('LEV').length).toBe(sent);
  });

  test('one of several outputs, with its lease; its safe value goes at once', () => {
    const b = bench();
    b.give('bias', '5 V', 1);
    b.clock.advance(1.6);
    expect(b.sent('BIAS')).toEqual(['BIAS 1 2', 'BIAS 1 4']);
    b.give('bias', '0 V', 1);
    b.clock.advance(5);
    expect(b.sent('BIAS')).toEqual(['BIAS 1 2', 'BIAS 1 4', 'BIAS 1 0']);
    expect(b.ends.map((o) => [o.value, o.outcome])).toEqual([
      [5, 'failed'],
      [0, 'done'],
    ]);
    expect(b.ends[0]?.why).toContain('made safe (ada)');
    expect(b.host.status().ramps?.map((r) => [r.output, r.state])).toEqual([['toy.bias[1]', 'stopped']]);
  });

  test('a stop ends it, and the output is safe', () => {
    const b = bench();
    b.give('bias', '20 V', 2);
    b.clock.advance(3.7); // between two steps
    expect(b.toy.bias[2]).toBeGreaterThan(3);
    b.host.stop('the button');
    b.clock.advance(10);
    expect(b.toy.bias).toEqual([0, 0, 0]);
    expect(b.sent('BIAS').at(-1)).toBe('BIAS 2 0');
    expect(b.ends.map((o) => o.outcome)).toEqual(['failed']);
    expect(b.ends[0]?.why).toContain('made safe');
  });

  test('at the end of the program it ends where it is', () => {
    const b = bench();
    b.give('level', '9 V');
    b.clock.advance(1.4);
    const sent = b.sent('LEV').length;
    let ended = false;
    b.host.close(2, () => {
      ended = true;
    });
    b.clock.advance(5);
    expect(ended).toBe(true);
    expect(b.ends.map((o) => o.outcome)).toEqual(['failed']);
    expect(b.sent('LEV').length).toBeLessThanOrEqual(sent + 1);
  });
});
