/** The rig of docs/detector-slow-control.md: what leak, level and purge do to the voltage. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { catalogue } from '../../src/catalogue.ts';
import { methods } from '../../src/methods.ts';
import { loadRig, printed } from '../../src/rig.ts';
import { keeperHere, laboratory } from '../laboratory.ts';

const page = readFileSync(resolve(import.meta.dirname, '../../docs/detector-slow-control.md'), 'utf8');
const [, yaml = ''] = /`my-rig\/rig\.yaml`\s+```yaml\n(.*?)^```$/ms.exec(page) ?? [];
const folder = mkdtempSync(join(tmpdir(), 'bridgman-slow-control-'));
afterAll(() => rmSync(folder, { recursive: true }));
const known = await catalogue();
const load = (text: string) => {
  writeFileSync(join(folder, 'rig.yaml'), text);
  return loadRig(folder, known, methods);
};
const loaded = await load(yaml);
const bench = async (change: (text: string) => string = (text) => text) => {
  const rig = await load(change(yaml));
  if (!rig.ok) throw new Error(rig.messages.map(printed).join('\n'));
  const lab = laboratory(rig.rig, known, { keeper: keeperHere() });
  lab.clock.advance(12);
  const shows = (channel: string, index?: number) => {
    const r = lab.readings(channel).findLast((one) => one.index === index);
    return r === undefined || r.quality === 'bad' ? r?.why : r.value;
  };
  const order = (instrument: string, command: string, written: string | number | boolean, index?: number) => {
    let end: string | undefined;
    lab.host.order({ by: 'test', instrument, command, written, ...(index === undefined ? {} : { index }) }, (o) => {
      end = `${o.outcome}${o.why === undefined ? '' : `: ${o.why}`}`;
    });
    lab.clock.advance(6);
    return end;
  };
  return { ...lab, shows, order };
};

describe('the rig of the page', () => {
  test('is without a complaint', () => {
    expect(loaded.ok ? loaded.warnings : loaded.messages.map(printed)).toEqual([]);
  });

  test('reads purge, level and leak in SI', async () => {
    const b = await bench();
    expect(b.shows('plant.purge')).toBeCloseTo(0.5, 4);
    expect(b.shows('plant.level')).toBeCloseTo(2.1, 3);
    expect(b.shows('plant.leak')).toBe(false);
    expect(b.order('plant', 'purge_valve', false)).toBe('done');
    expect(b.shows('plant.purge_valve')).toBe(false);
  });

  test('goes up under its leases, and off by a ramp', async () => {
    const b = await bench();
    expect(b.order('hv', 'ramp_up', '200 V/s', 1)).toBe('done');
    expect(b.order('hv', 'voltage', '1200 V', 1)).toBe('done');
    expect(b.order('hv', 'switch', true, 1)).toBe('done');
    b.clock.advance(10);
    expect(b.shows('hv.voltage', 1)).toBeCloseTo(1200, 0);
    expect(b.host.status().leases.find((one) => one.name === 'hv.switch[1]')).toMatchObject({ active: true });
    expect(b.order('hv', 'voltage', '1501 V', 1)).toContain('refused: 1.501 kV is outside of the limits');
    expect(b.order('hv', 'switch', false, 1)).toBe('done');
    expect(b.shows('hv.ramping', 1)).toBe(true);
  });

  test.each([
    ['a leak', 'leak: off', 'leak: on', 'dry'],
    ['a tank that is not full', 'level: 2.1 m', 'level: 1.2 m', 'covered'],
  ])('with %s no output is switched on', async (_, is, other, interlock) => {
    const b = await bench((text) => text.replace(is, other));
    expect(b.order('hv', 'switch', true, 0)).toContain(`refused`);
    expect(b.order('hv', 'switch', true, 0)).toContain(interlock);
    expect(b.shows('hv.on', 0)).toBe(false);
  });

  test('purge that fails is an alarm after a minute', async () => {
    const b = await bench((text) => text.replace('purge: 50 %, level', 'purge: 5 %, level'));
    const raised = () => b.host.status().alarms?.some((one) => one.name === 'purge' && one.now !== undefined) ?? false;
    expect(raised()).toBe(false);
    b.clock.advance(70);
    expect(raised()).toBe(true);
  });
});
