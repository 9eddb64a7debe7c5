/** The rig of docs/optics-board.md is right, and runs. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { dac } from '../simulators/worlds/dac.ts';
import { catalogue } from '../src/catalogue.ts';
import type { OrderEntry } from '../src/entry.ts';
import { methods } from '../src/methods.ts';
import { loadRig, printed } from '../src/rig.ts';
import { laboratory } from './laboratory.ts';

const known = await catalogue();
const folder = mkdtempSync(join(tmpdir(), 'bridgman-optics-'));
afterAll(() => rmSync(folder, { recursive: true }));
const [, yaml = ''] = /^```yaml\n(.*?)^```$/ms.exec(readFileSync(resolve(import.meta.dirname, '../docs/optics-board.md'), 'utf8')) ?? [];

async function load(text: string) {
  writeFileSync(join(folder, 'rig.yaml'), text);
  return loadRig(folder, known, methods);
}

test('it is taken, and its parts move what the world sees', async () => {
  const loaded = await load(yaml);
  expect((loaded.ok ? loaded.warnings : loaded.messages).map(printed)).toEqual([]);
  if (!loaded.ok) return;
  const lab = laboratory(loaded.rig, known);
  lab.clock.advance(3);
  const { optics } = lab.simulated.universe.of(dac);
  const order = (command: string, written: string): OrderEntry | undefined => {
    let end: OrderEntry | undefined;
    lab.host.order({ by: 'test', instrument: 'optics', command, written }, (o) => {
      end = o;
    });
    lab.clock.advance(3);
    lab.simulated.universe.settle();
    return end;
  };
  expect([optics.transmission('up', 700e-9), optics.transmission('down', 700e-9)]).toEqual([0, 1]);
  expect(order('shutter', 'open')).toMatchObject({ outcome: 'done' });
  expect(order('nd', 'in')).toMatchObject({ outcome: 'done' });
  expect([optics.transmission('up', 700e-9), optics.transmission('down', 700e-9)]).toEqual([
    expect.closeTo(0.1, 6),
    expect.closeTo(0.1, 6),
  ]);
  expect(optics.transmission('up', 800e-9)).toBeCloseTo(0.1 * Math.exp(0.4), 6);
  expect(order('mirror', 'in')).toMatchObject({ outcome: 'done' });
  expect(optics.sees('up')).toEqual({ sample: 0, lamp: 1 });
  expect(order('lamp', 'on')).toMatchObject({ outcome: 'done' });
  expect(lab.readings('optics.diode').at(-1)).toMatchObject({ kind: 'V', value: expect.closeTo(2, 1) });
  for (const name of ['shutter', 'mirror', 'nd', 'wheel', 'pump', 'lamp', 'diode', 'door', 'key', 'shutter_at_open', 'shutter_at_closed'])
    expect(lab.readings(`optics.${name}`).at(-1)?.quality, name).toBe('good');
});

test('what is wrong in it is said where it stands', async () => {
  const said = async (from: string, to: string): Promise<string> => {
    const loaded = await load(yaml.replace(from, to));
    return loaded.ok ? 'taken' : loaded.messages.map(printed).join('\n');
  };
  expect(await said('pin: 13', 'pin: 1')).toMatch(/rig\.yaml:13:33:.*lamp: pin: a pin is a whole number from 2 to 127/s);
  expect(await said('safe: closed', 'safe: shut')).toMatch(/shutter: safe: must be one of open, closed, not "shut"/);
  expect(await said('beams: [up] }', 'beams: [upp] }')).toMatch(/optics: shutter: beams: must be a list of up, down, gauge, laser/);
});
