/** InfluxDB from sessions alone: what was lost is there again, point for point; what is derived anew stands beside it. */
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { catalogue } from '../src/catalogue.ts';
import { EXIT } from '../src/cli/command.ts';
import { replayCommand } from '../src/cli/replay.ts';
import { type Influxd, startInfluxd, withoutInfluxd } from './influxd.ts';
import { recorded, rigNamed } from './replay-session.ts';

const known = await catalogue();
const demo = resolve(import.meta.dirname, '../rigs/demo');

interface Series {
  readonly name: string;
  readonly tags?: Readonly<Record<string, string>>;
  readonly columns: readonly string[];
  readonly values: readonly (readonly unknown[])[];
}

/** Every point of a database, by series. */
async function all(server: Influxd, database: string): Promise<readonly Series[]> {
  const q = new URLSearchParams({ db: database, q: 'SELECT * FROM /.*/ GROUP BY *', epoch: 'ns' });
  const answer = (await (await fetch(`${server.url}/query?${q}`)).json()) as {
    readonly results: readonly { readonly series?: readonly Series[] }[];
  }; // InfluxDB's
  return answer.results[0]?.series ?? [];
}
const points = (series: readonly Series[]): number => series.reduce((n, one) => n + one.values.length, 0);

async function run(...args: readonly string[]): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
  let [out, err] = ['', ''];
  const io = {
    out(text: string): void {
      out += text;
    },
    err(text: string): void {
      err += text;
    },
  };
  const code = await replayCommand.run(args, io);
  return { code, out, err };
}

describe.skipIf(withoutInfluxd)('a real influxd', () => {
  test('a database that was dropped is there again, and another rig makes revision 1 and 2', { timeout: 120_000 }, async () => {
    const server = await startInfluxd();
    const url = `${server.url}/lab`;
    const recording = await recorded(await rigNamed('demo', known), known, { seconds: 6, influx: url });
    const folder = await mkdtemp(join(tmpdir(), 'bridgman-anew-'));
    try {
      const before = await all(server, 'lab');
      // And the session itself; readings of one channel at one time are one point.
      const times = new Set(recording.lab.readings().map((r) => `${r.from} ${r.index ?? ''} ${r.t}`));
      expect(points(before)).toBe(times.size + 1);
      await server.query('lab', 'DROP DATABASE "lab"').catch(() => []);
      expect(await all(server, 'lab')).toEqual([]);
      const renamed = join(folder, 'kept');
      await cp(recording.folder, renamed, { recursive: true });
      const { code, out } = await run(renamed, '--influx', url, '--rebuild');
      expect(out).toMatch(/revision 0, as they were measured/);
      expect(code).toBe(EXIT.ok);
      expect(await all(server, 'lab')).toEqual(before);

      // Nothing has changed: nothing is written.
      expect((await run(recording.folder, '--influx', url)).code).toBe(EXIT.ok);
      expect(points(await all(server, 'lab'))).toBe(points(before));

      await cp(demo, folder, { recursive: true, filter: (path) => !path.includes('sessions') });
      const text = await readFile(join(folder, 'rig.yaml'), 'utf8');
      await writeFile(join(folder, 'rig.yaml'), text.replace('window: [620 nm, 880 nm]', 'window: [640 nm, 860 nm]'));
      for (const revision of ['1', '2']) {
        const anew = await run(recording.folder, '--rig', folder, '--influx', url);
        expect(anew.out).toContain(`revision ${revision}, derived anew`);
        const now = await all(server, 'lab');
        const mine = now.filter((one) => one.tags?.revision === revision);
        const derived = recording.lab.readings().filter((r) => /^(up|down|sides)\./.test(r.from));
        expect(points(mine)).toBe(derived.length);
        expect(mine.every((one) => ['up', 'down', 'sides'].includes(one.tags?.instrument ?? ''))).toBe(true);
        expect(now.filter((one) => !['1', '2'].includes(one.tags?.revision ?? ''))).toEqual(before);
      }
    } finally {
      await recording.remove();
      await rm(folder, { recursive: true, force: true });
      await server.remove();
    }
  });

  test('a server that is not there is said, and nothing is thrown', async () => {
    const recording = await recorded(await rigNamed('demo', known), known, { seconds: 1 });
    try {
      const { code, out } = await run(recording.folder, '--influx', 'http://127.0.0.1:9/lab', '--rebuild');
      expect(out).toMatch(/not all are there/);
      expect(code).toBe(EXIT.failed);
    } finally {
      await recording.remove();
    }
  }, 60_000);
});
