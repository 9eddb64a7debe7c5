/** Bridges, source-meters and scanners behind one GPIB adapter: each answers at its own address, with its own line ends. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { catalogue } from '../../src/catalogue.ts';
import { methods } from '../../src/methods.ts';
import { loadRig } from '../../src/rig.ts';
import { laboratory } from '../laboratory.ts';

const MODELS = ['lake-shore-336', 'lake-shore-372', 'keithley-2400', 'keithley-2450', 'keithley-2000', 'keithley-7001'] as const;
const LEASES: Readonly<Record<string, string>> = {
  'lake-shore-336': 'leases: { heater_range: unused }',
  'lake-shore-372': 'leases: { heater_range: unused }',
  'keithley-2400': 'leases: { output: unused, current: unused, voltage: unused }',
  'keithley-2450': 'leases: { output: unused, current: unused, voltage: unused }',
};
const RIG = [
  'rig: bus',
  'instruments:',
  '  adapter: { model: prologix-gpib, link: tcp:192.168.1.30:1234 }',
  ...MODELS.map(
    (model, i) =>
      `  ${model.replaceAll('-', '_')}: { model: ${model}, link: gpib:adapter/${i + 5}${LEASES[model] ? `, ${LEASES[model]}` : ''} }`,
  ),
].join('\n');

describe('behind an adapter', async () => {
  const known = await catalogue();
  const folder = mkdtempSync(join(tmpdir(), 'bus-'));
  writeFileSync(join(folder, 'rig.yaml'), `${RIG}\n`);
  const loaded = await loadRig(folder, known, methods);
  rmSync(folder, { recursive: true });

  test('the rig is as it should be', () => expect('rig' in loaded ? [] : loaded).toEqual([]));
  test('all run, and every reading is as it is alone', () => {
    if (!('rig' in loaded)) return;
    const lab = laboratory(loaded.rig, known);
    lab.clock.advance(30);
    for (const model of MODELS) {
      const name = model.replaceAll('-', '_');
      expect(lab.host.acquired.get(name)?.state, model).toEqual({ is: 'running' });
      const late = lab.readings().filter((r) => r.from.startsWith(`${name}.`));
      expect(late.length, model).toBeGreaterThan(10);
      expect(late.filter((r) => r.quality === 'bad').map((r) => `${r.from}: ${r.quality === 'bad' ? r.why : ''}`)).toEqual([]);
    }
  });
});
