/** Whole laboratories: every wire of an example rig is recorded and served, and our host runs against it. */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { catalogue } from '../src/catalogue.ts';
import { EXIT } from '../src/cli/command.ts';
import { ready } from '../src/cli/replay-ready.ts';
import { serveRecording } from '../src/cli/replay-serve.ts';
import { realClock } from '../src/clock.ts';
import { host } from '../src/host.ts';
import { methods, nodesOf } from '../src/methods.ts';
import { loadRig, printed } from '../src/rig.ts';
import { openWire } from '../src/rig-open.ts';
import { keeperHere } from './laboratory.ts';
import { program } from './links/require.ts';
import { recorded, rigNamed } from './replay-session.ts';
import { scratchFolder } from './session-made.ts';

const SECONDS = 8;
/** Identify asks for it too, and what takes spectra asks how many wait: what they hear is no reading. */
const ASKED_ELSEWHERE = /\.(detector_temperature|waiting)$/;
const known = await catalogue();

describe.skipIf(!program('socat', '-V'))('served recordings (need socat)', () => {
  test.each(['laser-heating', 'resistivity', 'detector'])('%s: our host gives what was recorded', async (name) => {
    const place = scratchFolder('laboratory');
    mkdirSync(join(place, 'terminals'));
    const rig = await rigNamed(name, known);
    const session = await recorded({ ...rig, start: [] }, known, { seconds: SECONDS });
    const then = session.lab.readings().filter((r) => r.quality !== 'bad');
    // What a readout process makes of a stream depends on when it looks; its hits are compared in replay-serve-detector.test.ts.
    const isFast = (name: string): boolean => name === 'board';
    const owners = new Set(rig.instruments.map((i) => i.name).filter((one) => !isFast(one)));
    const values = new Map<string, Set<string>>();
    for (const r of then) if (r.kind !== 'trace') values.set(r.from, (values.get(r.from) ?? new Set()).add(JSON.stringify(r.value)));
    const set = await ready(session.folder, {}, known);
    if ('code' in set) throw new Error(set.words);
    let [out, err] = ['', ''];
    const io = { out: (t: string) => void (out += t), err: (t: string) => void (err += t) };
    const write = join(place, 'served.yaml');
    const wanted = { strict: false, speed: 1, repeat: false, asWritten: false, json: false, write, pty: join(place, 'terminals') };
    const other: string[] = [];
    let missing: string[] = [];
    const code = await serveRecording(session.folder, set, wanted, io, async () => {
      // The copy's orders at its start would be orders to last night.
      const loaded = await loadRig(write, known, methods);
      if (!loaded.ok) throw new Error(loaded.messages.map(printed).join('\n'));
      const copy = { ...loaded.rig, start: [] };
      const clock = realClock();
      const seen = new Set<string>();
      const wantedOf = [...values.keys()].filter((from) => owners.has(from.split('.')[0] ?? ''));
      let done = (): void => {};
      const complete = new Promise<void>((ends) => (done = ends));
      const lab = host({
        rig: copy,
        catalogue: known,
        nodes: nodesOf(copy),
        clock,
        open: (wire, told) => openWire(wire, clock, { base: copy.folder, inProcess: true, told }),
        emit(entry) {
          if (entry.kind !== 'reading' || entry.reading.quality === 'bad' || !owners.has(entry.reading.from.split('.')[0] ?? '')) return;
          const { from, value } = entry.reading;
          seen.add(from);
          if (entry.reading.kind !== 'trace' && !values.get(from)?.has(JSON.stringify(value)))
            other.push(`${from} ${JSON.stringify(value)}`);
          if (wantedOf.every((one) => seen.has(one))) done();
        },
        keeper: keeperHere(),
      });
      const late = clock.after(SECONDS + 8, done);
      await complete;
      late();
      missing = wantedOf.filter((one) => !seen.has(one));
      await new Promise<void>((closed) => lab.close(0, () => closed()));
    });
    expect(missing, 'channels without a reading').toEqual([]);
    expect(
      [...new Set(other)].filter((one) => !ASKED_ELSEWHERE.test(one.split(' ')[0] ?? '')),
      'values that were not recorded',
    ).toEqual([]);
    expect(out).not.toContain('was never asked');
    expect(err).not.toContain('lost');
    expect(code).toBe(EXIT.ok);
    await session.remove();
    rmSync(place, { recursive: true });
  });
});
