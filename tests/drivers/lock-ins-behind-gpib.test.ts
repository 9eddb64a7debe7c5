/** Lock-ins and a nanovolt meter behind one GPIB adapter: each answers at its own address, and the sample is the same for all. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { catalogue } from '../../src/catalogue.ts';
import { methods } from '../../src/methods.ts';
import { loadRig } from '../../src/rig.ts';
import { laboratory } from '../laboratory.ts';

const RIG = `rig: bus
instruments:
  adapter: { model: prologix-gpib, link: tcp:192.168.1.30:1234 }
  old: { model: srs-sr830, link: gpib:adapter/8, leases: { amplitude: unused, aux_out: unused } }
  new: { model: srs-sr860, link: gpib:adapter/4, leases: { amplitude: unused, dc_level: unused, aux_out: unused } }
  nvm: { model: keysight-34420a, link: gpib:adapter/22, leases: { function: unused } }
`;

test('all run behind an adapter, and every reading is good', async () => {
  const known = await catalogue();
  const folder = mkdtempSync(join(tmpdir(), 'bus-'));
  writeFileSync(join(folder, 'rig.yaml'), RIG);
  const loaded = await loadRig(folder, known, methods);
  rmSync(folder, { recursive: true });
  expect('rig' in loaded ? [] : loaded).toEqual([]);
  if (!('rig' in loaded)) return;
  const lab = laboratory(loaded.rig, known);
  lab.clock.advance(30);
  for (const [name, channels] of Object.entries({
    old: ['x', 'y', 'sensitivity'],
    new: ['x', 'y', 'sensitivity'],
    nvm: ['voltage', 'range'],
  })) {
    expect(lab.host.acquired.get(name)?.state, name).toEqual({ is: 'running' });
    for (const channel of channels) expect(lab.readings(`${name}.${channel}`).length, `${name}.${channel}`).toBeGreaterThan(3);
  }
  expect(lab.readings().flatMap((r) => (r.quality === 'bad' ? [`${r.from}: ${r.why}`] : []))).toEqual([]);
});
