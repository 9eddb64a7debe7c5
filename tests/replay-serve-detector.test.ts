/** A recorded detector stream, served on its port: our readout process makes the same hits of it again. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Fault } from '../protocols/protocol.ts';
import { type ReadoutTell, readout } from '../protocols/readout.ts';
import { catalogue } from '../src/catalogue.ts';
import { EXIT } from '../src/cli/command.ts';
import { ready } from '../src/cli/replay-ready.ts';
import { serveRecording } from '../src/cli/replay-serve.ts';
import { realClock } from '../src/clock.ts';
import { methods } from '../src/methods.ts';
import { hitsOf } from '../src/readout/hit-bytes.ts';
import type { ReaderPlan } from '../src/readout/reader.ts';
import { streamLink, streamsEnded } from '../src/readout/stream-link.ts';
import { readSession } from '../src/recorder/session-read.ts';
import { loadRig, printed } from '../src/rig.ts';
import { wires } from '../src/rig-wires.ts';
import { until } from './bench-top.ts';
import { recorded } from './replay-session.ts';
import { scratchFolder } from './session-made.ts';

/** Every hit, as a line. */
async function hits(folder: string, series: string): Promise<readonly string[]> {
  const all: string[] = [];
  for await (const { topic, bytes } of readSession(folder, { raw: [series], slow: false })) {
    if (!topic.endsWith(' hits')) continue;
    const block = hitsOf(bytes);
    if (typeof block === 'string') throw new Error(block);
    for (let i = 0; i < block.count; i++)
      all.push([block.frame, block.channel, block.charge, block.tail, block.peak, block.baseline, block.flags].map((c) => c[i]).join());
  }
  return all;
}

test('the stream of a digitizer gives the same hits again', async () => {
  const place = scratchFolder('stream');
  mkdirSync(join(place, 'rig'));
  writeFileSync(
    join(place, 'rig', 'rig.yaml'),
    `rig: board
instruments:
  board:
    model: sitcp-digitizer
    links: { control: 'udp:192.168.10.16:4660', data: 'tcp:192.168.10.16:24' }
    options: { record: both }
`,
  );
  const known = await catalogue();
  const loaded = await loadRig(join(place, 'rig'), known, methods);
  if (!loaded.ok) throw new Error(loaded.messages.map(printed).join('\n'));
  const session = await recorded(loaded.rig, known, { seconds: 3 });
  const then = await hits(session.folder, 'raw-tcp-192-168-10-16-24-hits');
  expect(then.length).toBeGreaterThan(100);
  const set = await ready(session.folder, {}, known);
  if ('code' in set) throw new Error(set.words);
  let [out, err] = ['', ''];
  const io = { out: (t: string) => void (out += t), err: (t: string) => void (err += t) };
  const wanted = { strict: true, speed: 10, repeat: false, asWritten: false, json: true };
  const today = join(place, 'today');
  mkdirSync(today);
  const clock = realClock();
  const code = await serveRecording(session.folder, set, wanted, io, async () => {
    const said = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { readonly name: string; readonly address: string }); // as it is written
    const port = Number(
      said
        .find(({ name }) => name === 'board data')
        ?.address.split(':')
        .at(-1),
    );
    const wire = wires(set.rig, known).wires.find(({ key }) => key === 'tcp:192.168.10.16:24');
    const plan = wire?.users[0].protocol.readout as ReaderPlan | undefined; // made by the driver for this process
    if (!plan) throw new Error('it is a fast stream');
    const link = streamLink({ name: 'tcp:again:24', host: '127.0.0.1', port, plan, session: { folder: today, rawOrder: [] } }, clock);
    let seen = 0;
    const { tells } = readout({});
    link.arrivals.subscribe(({ bytes }) => {
      const [m] = tells.decoder()(bytes) as readonly (ReadoutTell | Fault)[]; // its language
      if (!(m instanceof Fault) && m?.say === 'values') seen = Number(m.values.hits);
    });
    expect(await until(clock, 25, () => seen >= then.length), `${seen} of ${then.length} hits`).toBe(true);
    link.close();
    await streamsEnded(clock, 20);
  });
  expect({ code, err }).toEqual({ code: EXIT.ok, err: '' });
  expect(await hits(today, 'raw-tcp-again-24-hits')).toEqual(then);
  await session.remove();
  rmSync(place, { recursive: true });
});
