/** A real spectrum of a laser-heated sample, from a folder into InfluxDB: the temperatures of both sides as published methods give them. */
import { copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { realClock } from '../src/clock.ts';
import { NAMED, namedOf, traceOf } from '../src/recorder/session-json.ts';
import { readSession } from '../src/recorder/session-read.ts';
import { needs, root, until } from './bench-top.ts';
import { startInfluxd, withoutInfluxd } from './influxd.ts';
import { place, readBack, sessionsOf } from './proof.ts';

const data = resolve(root, '../shared/data/spectra');
const spectra = existsSync(data);
const clock = realClock();

// T-Rax on the same file, rows and window (636 pixels), and the bar it quotes.
const TRAX = { up: { value: 1413.609, sigma: 2.109 }, down: { value: 1046.906, sigma: 14.7 } } as const;
// The fit to counts with the noise of the counts: another estimate of the same light.
const ML = { up: { value: 1419.9, sigma: 2.3 }, down: { value: 1034.2, sigma: 14.1 } } as const;

/** Writes a file as a slow camera program does: in pieces with pauses longer than a folder is looked at. */
async function slowly(path: string, bytes: Uint8Array, pieces: number, pause: number): Promise<void> {
  const file = await open(path, 'w');
  try {
    for (let i = 0; i < pieces; i++) {
      const [from, to] = [i, i + 1].map((n) => Math.floor((n * bytes.length) / pieces));
      await file.write(bytes.subarray(from, to));
      await until(clock, pause, () => false);
    }
  } finally {
    await file.close();
  }
}

describe.skipIf(!needs('influxd', !withoutInfluxd) || !spectra)(
  `a real spectrum${spectra ? '' : ' (skipped: ../shared/data/spectra is not there)'}`,
  () => {
    test('is taken once, when it is whole, and its temperatures are those of the published procedures', async () => {
      const influx = await startInfluxd();
      onTestFinished(() => influx.remove());
      const here = place();
      const rig = join(here.folder, 'spectra');
      for (const sub of ['incoming', 'calibrations']) mkdirSync(join(rig, sub), { recursive: true });
      copyFileSync(resolve(root, 'rigs/spectra/rig.yaml'), join(rig, 'rig.yaml'));
      for (const name of ['us_calibration.spe', 'ds_calibration.spe', '15A_lamp.txt'])
        copyFileSync(join(data, name), join(rig, 'calibrations', name));
      // One that was there before is left.
      cpSync(join(data, 'us_calibration.spe'), join(rig, 'incoming/before.spe'));

      const checked = here.start(['check', rig]);
      expect(await checked.exit, checked.out()).toBe(0);
      const run = here.start(['run', rig, '--for', '20s', '--influx', `${influx.url}/lab`]);
      await run.said('camera: is there');
      await run.said('watched');
      writeFileSync(join(rig, 'incoming/note.txt'), 'of another kind');
      await slowly(join(rig, 'incoming/measured.spe'), readFileSync(join(data, 'test_measurement.spe')), 12, 0.25);
      // One that never becomes whole is told as such after ten seconds.
      writeFileSync(join(rig, 'incoming/torn.spe'), readFileSync(join(data, 'test_measurement.spe')).subarray(0, 3000));
      expect(await run.exit, run.out()).toBe(0);

      const [session = ''] = sessionsOf(join(rig, 'sessions'));
      const { readings, troubles } = await readBack(session);
      expect(troubles).toEqual([]);
      const frames = readings.filter((r) => r.from === 'camera.spectrum');
      expect(
        frames.map((r) => [r.kind, r.quality]),
        run.out(),
      ).toEqual([
        ['trace', 'good'],
        ['trace', 'bad'],
      ]);
      expect(frames[1]).toMatchObject({ why: expect.stringContaining('torn.spe') });
      const traces = [];
      const files: Record<string, number> = {};
      for await (const m of readSession(session, { raw: true })) {
        if (m.topic === 'camera.spectrum') traces.push(traceOf(m.bytes));
        if (!m.topic.endsWith(NAMED)) continue;
        const { name, bytes } = namedOf(m.bytes);
        files[name] = bytes.length;
        expect(Buffer.compare(bytes, readFileSync(join(rig, 'incoming', name)))).toBe(0);
      }
      expect(files).toEqual({ 'measured.spe': statSync(join(data, 'test_measurement.spe')).size, 'torn.spe': 3000 });
      expect(traces).toHaveLength(1);
      const [trace] = traces;
      if (trace?.quality !== 'good') throw new Error('no trace');
      expect(trace.value).toMatchObject({ shape: [255, 1024], settings: { file: 'measured.spe' } });
      expect(trace.value.columns.counts?.data).toHaveLength(255 * 1024);

      const temperature = async (instrument: string) => {
        const rows = await influx.query(
          'lab',
          `SELECT * FROM temperature WHERE instrument = '${instrument}' AND channel = 'temperature' AND quality < 2`,
        );
        expect(rows, run.out()).toHaveLength(1);
        const [row] = rows;
        expect(row).toMatchObject({ origin: 'hardware', rig: 'spectra', revision: '0' });
        return { value: Number(row?.value), sigma: Number(row?.sigma) };
      };
      for (const side of ['up', 'down'] as const) {
        const trax = await temperature(side);
        expect(Math.abs(trax.value - TRAX[side].value), side).toBeLessThan(0.05);
        expect(Math.abs(trax.sigma - TRAX[side].sigma), side).toBeLessThan(0.05);
        const ml = await temperature(`${side}_ml`);
        console.info(
          `${side}: trax ${trax.value.toFixed(3)} +- ${trax.sigma.toFixed(3)}, ml ${ml.value.toFixed(3)} +- ${ml.sigma.toFixed(3)} K`,
        );
        expect(Math.abs(ml.value - ML[side].value), side).toBeLessThan(ML[side].sigma);
        expect(ml.sigma / ML[side].sigma, side).toBeGreaterThan(0.6);
        expect(ml.sigma / ML[side].sigma, side).toBeLessThan(1.6);
      }
    });
  },
);
