/**
 * A detector's stream at the full rate of gigabit Ethernet through the processes of a user's run. No rate is asserted, for a busy machine
 * loses frames; but each frame that the board has made was read or is counted as missing, and each byte is in the session or is counted.
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { gigabit, RATE } from '../bench/gigabit.ts';
import { Fault } from '../protocols/protocol.ts';
import { readout } from '../protocols/readout.ts';
import { DIGITIZER_64, frameBytes } from '../protocols/waveform-layout.ts';
import { realClock } from '../src/clock.ts';
import type { ReaderPlan } from '../src/readout/reader.ts';
import { streamLink, streamsEnded } from '../src/readout/stream-link.ts';
import { needs, until } from './bench-top.ts';

const LENGTH = frameBytes(DIGITIZER_64);

test('5 s of the full rate: nothing is lost unseen', { timeout: 240_000 }, async () => {
  const got = await gigabit(RATE, 5);
  const due = got.sent + got.thrown;
  console.log(
    `${got.frames} of ${due} frames, ${got.missing} missing, ${got.thrown} thrown away by the board; ${got.unrecorded} bytes not in the session; host late p99 ${got.host.p99.toFixed(1)} ms; reader ${(100 * got.reader.cpu).toFixed(0)} % of a core`,
  );
  expect(got.damaged).toBe(0);
  // Frames thrown away at the very end are followed by none that would say so.
  expect(got.frames).toBe(got.sent);
  expect(got.missing).toBeLessThanOrEqual(got.thrown);
  if (got.thrown === 0) expect(got.frames).toBe(due);
  // What is written beside the stream's own bytes: the hits, and the heads of messages and chunks.
  expect(got.recorded + got.unrecorded).toBeGreaterThan(got.frames * LENGTH);
  expect(got.hits).toBeGreaterThan(got.frames);
  expect(got.slow).toBeGreaterThan(0);
});

const mount = ((): boolean => {
  if (process.getuid?.() !== 0) return false;
  try {
    execFileSync('which', ['mount', 'umount'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

test.skipIf(!needs('root and mount', mount))(
  'a disk without room: the stream is read on, and what is not recorded is counted',
  async () => {
    const clock = realClock();
    const folder = mkdtempSync(join(tmpdir(), 'bridgman-full-'));
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', folder]);
    onTestFinished(() => {
      execFileSync('umount', ['-l', folder]);
      rmSync(folder, { recursive: true, force: true });
    });
    const frames = 2000;
    const board = spawn(
      process.execPath,
      [resolve(import.meta.dirname, '../dist/bench/flood-board.js'), JSON.stringify({ rate: 1000, frames })],
      { stdio: ['pipe', 'pipe', 'inherit'] },
    );
    onTestFinished(() => void board.kill());
    let said = '';
    board.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    expect(await until(clock, 20, () => said.includes('\n'))).toBe(true);
    const { port } = JSON.parse(said.split('\n')[0] ?? '') as { port: number }; // as flood-board.ts prints it
    const plan: ReaderPlan = {
      source: { format: 'waveforms', layout: DIGITIZER_64 },
      channels: 64,
      spectra: { charge: { low: 0, high: 40_000, bins: 100 } },
      record: { raw: true, hits: false },
    };
    const told: string[] = [];
    const link = streamLink(
      { name: 'board', host: '127.0.0.1', port, plan, session: { folder, rawOrder: [] }, told: (text) => told.push(text) },
      clock,
    );
    const values: Readonly<Record<string, unknown>>[] = [];
    const decode = readout({}).tells.decoder();
    link.arrivals.subscribe(({ bytes }) => {
      for (const m of decode(bytes)) if (!(m instanceof Fault) && m.say === 'values') values.push(m.values);
    });
    expect(await until(clock, 60, () => values.some((v) => v.frames === frames)), told.join('\n')).toBe(true);
    expect(values.at(-1)).toMatchObject({ frames, missing: 0, damaged: 0 });
    // Below 1 GiB of free room a raw stream stops before it takes what the slow parts need.
    expect(Number(values.at(-1)?.unrecorded)).toBeGreaterThan(0);
    expect(
      told.some((text) => text.includes('not recorded any more') && text.includes('nearly full')),
      told.join('\n'),
    ).toBe(true);
    link.close();
    await streamsEnded(clock, 20);
  },
);
