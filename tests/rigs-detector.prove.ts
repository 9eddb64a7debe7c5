/** The rigs of the detector prototype on virtual time: a source is found within its cone, none is stated without one, a moved one is followed. */
import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { catalogue } from '../src/catalogue.ts';
import { methods } from '../src/methods.ts';
import type { Reading } from '../src/reading.ts';
import { loadRig, printed } from '../src/rig.ts';
import { type Laboratory, laboratory } from './laboratory.ts';

const known = await catalogue();
const DEGREE = Math.PI / 180;

async function lab(name: string, seed: number): Promise<Laboratory> {
  const loaded = await loadRig(resolve(import.meta.dirname, '../rigs/detector', name), known, methods);
  if (!loaded.ok) throw new Error(loaded.messages.map(printed).join('\n'));
  expect(loaded.warnings).toEqual([]);
  return laboratory(loaded.rig, known, { seed });
}
const last = (all: Laboratory, channel: string, from = 'board'): Reading | undefined => all.readings(`${from}.${channel}`).at(-1);
const value = (r: Reading | undefined): number | string | boolean =>
  r === undefined || r.quality === 'bad' ? Number.NaN : (r.value as number | string | boolean); // no trace is asked for
const apart = (a: readonly [number, number], b: readonly [number, number]): number =>
  Math.acos(Math.sin(a[0]) * Math.sin(b[0]) * Math.cos(a[1] - b[1]) + Math.cos(a[0]) * Math.cos(b[0]));
const found = (all: Laboratory): readonly [number, number] => [Number(value(last(all, 'theta'))), Number(value(last(all, 'phi')))];

test('rig.yaml: pairs, their capture time, and the source within its cone', async () => {
  const all = await lab('rig.yaml', 1);
  expect(value(last(all, 'direction'))).toBeNaN();
  all.clock.advance(10);
  // Some seconds are too few to say anything: no arrow, and its reason.
  expect(value(last(all, 'direction'))).toBe('none');
  expect(last(all, 'theta')).toMatchObject({ quality: 'bad', why: expect.stringContaining('no direction') });
  all.clock.advance(290);
  expect(value(last(all, 'direction'))).toBe('stated');
  const cone = Number(value(last(all, 'cone')));
  const miss = apart(found(all), [70 * DEGREE, 50 * DEGREE]);
  console.log(`found ${(miss / DEGREE).toFixed(1)} degrees from where it is, cone ${(cone / DEGREE).toFixed(1)} degrees`);
  expect(value(last(all, 'source'))).toBe('within');
  expect(miss).toBeLessThan(cone);
  const tau = last(all, 'capture_time');
  if (tau === undefined || tau.quality === 'bad') throw new Error('no capture time');
  expect(Math.abs(Number(tau.value) - 41.1e-6)).toBeLessThan(4 * (tau.sigma?.random ?? 0));
  expect(tau.sigma?.random).toBeLessThan(5e-6);
  expect(value(last(all, 'missing'))).toBe(0);
});

test('no-source.yaml: no direction', async () => {
  const all = await lab('no-source.yaml', 1);
  all.clock.advance(300);
  const said = new Set(all.readings('board.direction').map(value));
  expect([...said]).toEqual(['none']);
  expect(all.readings('board.theta').every((r) => r.quality === 'bad')).toBe(true);
  expect(value(last(all, 'pairs_off'))).toBeGreaterThan(0);
});

test('moved-source.yaml: after the spectra have begun anew the direction is that of the new place', async () => {
  const all = await lab('moved-source.yaml', 1);
  all.clock.advance(180);
  expect(apart(found(all), [70 * DEGREE, 50 * DEGREE])).toBeLessThan(2 * Number(value(last(all, 'cone'))));
  all.host.order({ by: 'test', instrument: 'board', command: 'clear' }, () => {});
  all.clock.advance(15);
  expect(value(last(all, 'direction'))).toBe('none');
  all.clock.advance(200);
  expect(value(last(all, 'direction'))).toBe('stated');
  expect(apart(found(all), [120 * DEGREE, 250 * DEGREE])).toBeLessThan(2 * Number(value(last(all, 'cone'))));
});

test('two-boards.yaml: the source within its cone, by events of the light of both boards', async () => {
  const all = await lab('two-boards.yaml', 1);
  all.clock.advance(300);
  const of = (channel: string): number | string | boolean => value(last(all, channel, 'detector'));
  expect([of('late'), of('untaken'), of('direction'), of('source')]).toEqual([0, 0, 'stated', 'within']);
  expect(of('together')).toBeGreaterThan(0.7);
  const tau = last(all, 'capture_time', 'detector');
  if (tau === undefined || tau.quality === 'bad') throw new Error('no capture time');
  expect(Math.abs(Number(tau.value) - 41.1e-6)).toBeLessThan(4 * (tau.sigma?.random ?? 0));
});
