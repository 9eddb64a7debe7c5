/** Every instrument over real sockets, pseudo-terminals and folders, found by itself. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { catalogue } from '../../src/catalogue.ts';
import { leastOptions } from '../../src/cli/instruments.ts';
import { wayOf } from '../../src/cli/simulate-rig.ts';
import { realClock } from '../../src/clock.ts';
import type { Entry } from '../../src/entry.ts';
import { host } from '../../src/host.ts';
import type { Instrument } from '../../src/instrument.ts';
import { openWire } from '../../src/rig-open.ts';
import { type Served, serveFolder, servePty, serveTcp, serveUdp } from '../../src/serve.ts';
import { universe } from '../../src/simulate.ts';
import { hasSocat, needs } from '../bench-top.ts';
import { keeperHere, rigOf } from '../laboratory.ts';

const known = await catalogue();
const models = [...known.instruments.keys()].filter((name) => known.simulators.has(name));
const socat = needs('socat', hasSocat);

/** Serves the model, runs it over real links, and waits until every channel that is read within 2 s is good. */
async function run(name: string, way: 'socket' | 'terminal'): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'bridgman-real-'));
  const clock = realClock();
  const served: Served[] = [];
  const entries: Entry[] = [];
  const model = known.instruments.get(name) as Instrument; // a key of the catalogue
  const simulator = known.simulators.get(name);
  if (!simulator) throw new Error(`no simulator ${name}`);
  // One that writes files writes the first of them soon.
  const soon = Object.hasOwn(simulator.options.fields, 'every') ? { every: 1 } : {};
  const device = universe(1, clock).device(name, simulator, simulator.options.parse({ ...leastOptions(model), ...soon }));
  try {
    // A stream that is too fast for the host is read over TCP, in a process of its own.
    const fast = (role: string): boolean => model.links(model.options.parse(leastOptions(model) ?? {}))[role]?.readout !== undefined;
    const links: Record<string, { address: string; wire: string }> = {};
    for (const [role, port] of Object.entries(device.ports)) {
      const kind = wayOf(simulator, role, port);
      const serving = {
        files: () => serveFolder([port], join(folder, role)),
        packets: () => serveUdp([port], { port: 0 }, clock),
        stream: () => (way === 'socket' || fast(role) ? serveTcp([port], { port: 0 }, clock) : servePty([port], join(folder, role), clock)),
      };
      const one = await serving[kind]();
      served.push(one);
      const address = one.address.startsWith('serial:') ? `${one.address}?baud=57600` : one.address;
      links[role] = { address, wire: role };
    }
    const rig = rigOf(name, known, { links });
    const lab = host({
      rig,
      catalogue: known,
      nodes: [],
      clock,
      open: (wire, told) => openWire(wire, clock, { base: folder, inProcess: true, told }),
      emit: (entry) => void entries.push(entry),
      keeper: keeperHere(),
    });
    // Fits of a stream want their time, and say so until then.
    const waits = Object.keys(links).some(fast);
    const good = (channel: string): boolean =>
      entries.some((e) => e.kind === 'reading' && e.reading.from === `${name}.${channel}` && (waits || e.reading.quality !== 'bad'));
    const channels = (): readonly string[] => Object.keys(lab.acquired.get(name)?.channels ?? {});
    await new Promise<void>((done, failed) => {
      const limit = clock.after(20, () =>
        failed(
          new Error(
            `not good: ${channels()
              .filter((c) => !good(c))
              .join(', ')}; ${JSON.stringify(lab.acquired.get(name)?.state)}`,
          ),
        ),
      );
      const look = (): void => {
        if (channels().length > 0 && channels().every(good)) {
          limit();
          done();
        } else clock.after(0.02, look);
      };
      look();
    });
    expect(entries.some((e) => e.kind === 'reading' && e.reading.origin === 'hardware' && e.reading.quality !== 'bad')).toBe(true);
    await new Promise<void>((done) => lab.close(1, () => done()));
  } finally {
    device.close();
    await Promise.all(served.map((s) => s.close()));
    rmSync(folder, { recursive: true, force: true });
  }
}

describe.each(models)('%s', (name) => {
  test('over real sockets', async () => run(name, 'socket'));
  test.skipIf(!socat)('over a real pseudo-terminal', async () => run(name, 'terminal'));
});
