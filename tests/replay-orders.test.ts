/** Readings that orders give, values that people enter with their uncertainty, and unsteady wires at odd moments. */
import { expect, test } from 'vitest';
import { catalogue } from '../src/catalogue.ts';
import { nodesOf } from '../src/methods.ts';
import { total } from '../src/reading.ts';
import { replay } from '../src/replay/replay.ts';
import { recorded, rigNamed } from './replay-session.ts';

const known = await catalogue();

test('a value entered by hand, with its bar and its author', async () => {
  const rig = await rigNamed('demo', known);
  const recording = await recorded(rig, known, {
    seconds: 5,
    meanwhile(lab, second) {
      if (second === 2) lab.host.order({ by: 'anna', instrument: 'operator', command: 'thickness', written: '14 um +- 2 um' }, () => {});
      if (second === 3) lab.host.order({ by: 'ben', instrument: 'operator', command: 'thickness', written: '15 um' }, () => {});
    },
  });
  try {
    const { folder, lab } = recording;
    const entered = lab.readings('operator.thickness');
    expect(entered.map((r) => (r.quality === 'bad' ? undefined : [r.value, total(r.sigma)]))).toEqual([
      [12e-6, 1e-6],
      [14e-6, 2e-6],
      [15e-6, 0],
    ]);
    const { verdict, changes, readings, taken } = await replay({ folder, rig, nodes: nodesOf(rig), catalogue: known });
    expect([verdict, changes, taken]).toEqual(['identical', [], []]);
    expect(readings.same).toBe(lab.readings().length);
  } finally {
    await recording.remove();
  }
});

test('an entry of an order that says another value: its channel is named', async () => {
  const rig = await rigNamed('demo', known);
  const recording = await recorded(rig, known, {
    seconds: 3,
    meanwhile(lab, second) {
      if (second === 2) lab.host.order({ by: 'anna', instrument: 'operator', command: 'thickness', written: '14 um +- 2 um' }, () => {});
    },
    before: (entry) =>
      entry.kind === 'order' && entry.order.instrument === 'operator' ? { ...entry, order: { ...entry.order, value: 13e-6 } } : entry,
  });
  try {
    const { verdict, changes } = await replay({ folder: recording.folder, rig, nodes: nodesOf(rig), catalogue: known });
    expect(verdict).toBe('differs');
    expect(changes).toMatchObject([{ channel: 'operator.thickness', changed: 1, largest: expect.closeTo(1e-6, 9) }]);
  } finally {
    await recording.remove();
  }
});
