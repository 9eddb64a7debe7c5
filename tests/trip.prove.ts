/** Every interlock of every example rig trips with every fault of its inputs; and a rig that would not is found. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { catalogue } from '../src/catalogue.ts';
import { columns } from '../src/cli/table.ts';
import { methods } from '../src/methods.ts';
import { loadRig, printed, type Rig } from '../src/rig.ts';
import { withUserDrivers } from '../src/rig-drivers.ts';
import { failureLines, matrix, summary } from '../src/trip-table.ts';
import { casesOf, FAULTS, type FaultKind, tripTest } from '../src/trip-test.ts';

const known = await catalogue();

/** Undefined where files of the rig are not there: data that is not part of the program. */
async function rigAt(folder: string): Promise<Rig | undefined> {
  const loaded = await loadRig(folder, known, methods);
  if (loaded.ok) return loaded.rig;
  if (loaded.messages.every(({ text }) => text.startsWith('there is no file'))) return undefined;
  throw new Error(loaded.messages.map(printed).join('\n'));
}

const rigs = resolve(import.meta.dirname, '../rigs');
const folders = [...readdirSync(rigs).map((name) => join(rigs, name)), resolve(import.meta.dirname, 'fixtures/rigs/trips')];

describe.each(folders)('%s', (folder) => {
  // A second seed where there are few instruments.
  test.for(/(demo|trips)$/.test(folder) ? [1, 2] : [1])('seed %i', async (seed, { skip }) => {
    const rig = await rigAt(folder);
    if (!rig) {
      skip('its calibration files are not here');
      return;
    }
    const { catalogue: all } = await withUserDrivers(known, rig.folder);
    const results = [...tripTest(rig, all, { seed })];
    expect(results.length).toBe(casesOf(rig).length);
    if (results.length === 0) return; // a rig without hazards
    console.log(`${columns(matrix(results))}${summary(results)}`);
    expect(failureLines(results)).toEqual([]);
    // Not tested is only what the rig does not watch for.
    expect(results.filter((r) => r.outcome === 'untested' && r.fault !== 'stuck')).toEqual([]);
    expect(results.filter((r) => r.outcome === 'tripped').length).toBeGreaterThanOrEqual(
      (results.length * (FAULTS.length - 1)) / FAULTS.length,
    );
  });
});

/** A rig of one camera and one laser; the camera says nothing unless a file comes. */
const watched = (stale: string): string => `
rig: watched
instruments:
  laser:
    model: ipg-ylr
    link: tcp:192.168.0.5:10001
    leases:
      emission: { longest: 1 h, deadline: 0.8 s, then: safe }
      current: { longest: 1 h, deadline: 0.8 s, then: safe }
  camera:
    model: princeton-spe
    link: folder:/data/spectra?pattern=*.spe
interlocks:
  exposure:
    when: { of: camera.exposure, below: 100 s, stale: ${stale} }
    forbids: [laser.emission, laser.current]
`;

describe('a camera whose files end', () => {
  const failuresWith = async (stale: string, faults: readonly FaultKind[]): Promise<readonly string[]> => {
    const folder = mkdtempSync(join(tmpdir(), 'bridgman-trip-'));
    try {
      writeFileSync(join(folder, 'rig.yaml'), watched(stale));
      const rig = await rigAt(folder);
      if (!rig) throw new Error('this rig names no files');
      return failureLines([...tripTest(rig, known, { faults })]);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  };
  test('is missed after its stale time', async () => {
    expect(await failuresWith('4 s', ['stale', 'nan', 'unit'])).toEqual([]);
  });
  test('and is not, where the stale time is none: found', async () => {
    const [line = '', ...others] = await failuresWith('100 d', ['stale']);
    expect(others).toEqual([]);
    expect(line).toMatch(/^exposure: camera\.exposure \(below 100.* s\), stale: .*laser\.emission: no safe order was sent/);
    expect(line).toMatch(/the interlock still holds/);
  });
});
