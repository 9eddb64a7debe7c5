/** Sessions for the tests of replay: example rigs of simulators on virtual time, written to disk by the real recorder. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Catalogue } from '../src/catalogue.ts';
import type { Entry } from '../src/entry.ts';
import { filesOf, methods } from '../src/methods.ts';
import { recorder } from '../src/recorder/recorder.ts';
import { loadRig, printed, type Rig } from '../src/rig.ts';
import { type Laboratory, type LaboratoryOptions, laboratory } from './laboratory.ts';

export interface Recording {
  readonly folder: string;
  readonly rig: Rig;
  readonly lab: Laboratory;
  remove(): Promise<void>;
}

export async function rigNamed(name: string, known: Catalogue): Promise<Rig> {
  const loaded = await loadRig(resolve(import.meta.dirname, '../rigs', name), known, methods);
  if (!loaded.ok) throw new Error(loaded.messages.map(printed).join('\n'));
  return loaded.rig;
}

export interface Take extends LaboratoryOptions {
  readonly seconds: number;
  /** Called after each tenth of a second. */
  readonly meanwhile?: (lab: Laboratory, second: number) => void;
  readonly before?: (entry: Entry) => Entry;
  /** Address of a database: the points go there as in a live run. */
  readonly influx?: string;
  /** The run is cut off: no orderly end. */
  readonly cut?: boolean;
}

/** A run of a rig, in order to its end, as a session on the disk. */
export async function recorded(rig: Rig, known: Catalogue, take: Take): Promise<Recording> {
  const parent = await mkdtemp(join(tmpdir(), 'bridgman-recorded-'));
  const folder = join(parent, 'session');
  const lab = laboratory(rig, known, take);
  const { clock } = lab;
  const files = Object.fromEntries(Object.values(filesOf(rig)).map((f) => [f.path, f.bytes]));
  let [closing, late] = [false, 0];
  const keeper = await recorder({
    folder,
    rig: { name: rig.name, text: rig.text, files },
    version: 'test',
    ...(take.influx === undefined ? {} : { influx: take.influx }),
    // At the end the disk takes its time.
    now: () => clock.now() + (closing ? 1000 * ++late : 0),
    mono: () => clock.mono() * 1000,
    told: () => {},
    full: () => {},
  });
  const { before = (entry: Entry): Entry => entry } = take;
  let at = 0;
  const flush = (): void => {
    keeper.take(lab.entries.slice(at).map(before));
    at = lab.entries.length;
    keeper.tick();
  };
  flush();
  for (let i = 0; i < Math.round(take.seconds * 10); i++) {
    clock.advance(0.1);
    take.meanwhile?.(lab, (i + 1) / 10);
    flush();
    // The disk takes its chunks in between.
    await new Promise((done) => setImmediate(done));
  }
  if (!take.cut) {
    lab.host.close(3, () => {});
    clock.advance(4);
    flush();
  }
  closing = true;
  await keeper.close(take.influx === undefined ? 0 : 60);
  return { folder, rig, lab, remove: () => rm(parent, { recursive: true, force: true }) };
}
