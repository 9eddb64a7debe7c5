/**
 * A simulated day of a rig in one process on virtual time: what the host does, without wires and without a recorder. Prints one JSON
 * object per virtual hour with resident memory and the heap after a collection (with --expose-gc), and counts of what came.
 *
 *   node --expose-gc --max-semi-space-size=2 dist/bench/day.js RIG [HOURS] [SEED]
 */
import { pathToFileURL } from 'node:url';
import { catalogue } from '../src/catalogue.ts';
import { realClock, virtualClock } from '../src/clock.ts';
import type { Entry } from '../src/entry.ts';
import { host } from '../src/host.ts';
import { methods, nodesOf } from '../src/methods.ts';
import { loadRig, printed } from '../src/rig.ts';
import { simulatedRig } from '../src/rig-open.ts';

/** Exit code 0; 2 for wrong arguments, 4 where the rig is wrong. */
async function main(args: readonly string[]): Promise<number> {
  const [folder, hours = '24', seed = '1'] = args;
  if (folder === undefined || !(Number(hours) > 0) || !Number.isSafeInteger(Number(seed))) {
    process.stderr.write('day RIG [HOURS] [SEED]: a rig such as rigs/demo, hours such as 24, a whole number\n');
    return 2;
  }
  const known = await catalogue();
  const loaded = await loadRig(folder, known, methods);
  if (!loaded.ok) {
    for (const message of loaded.messages) process.stderr.write(`${printed(message)}\n`);
    return 4;
  }
  const { rig } = loaded;
  const clock = virtualClock();
  const clockOfHere = realClock();
  const simulated = simulatedRig(rig, known, clock, Number(seed));
  const derived = new Set(rig.derive.map((d) => d.name));
  const counts = { readings: 0, bad: 0, derivedBad: 0, exchanges: 0, faults: 0, alarms: 0 };
  const why: Record<string, number> = {};
  const see = (entry: Entry): void => {
    if (entry.kind === 'exchange') {
      counts.exchanges++;
      if (entry.exchanged.fault !== undefined) counts.faults++;
    } else if (entry.kind === 'alarm') counts.alarms++;
    if (entry.kind !== 'reading') return;
    counts.readings++;
    const { reading } = entry;
    if (reading.quality !== 'bad') return;
    // A derived reading is bad where there is nothing to derive it from: a cold sample has no temperature to be seen.
    if (derived.has(reading.from.slice(0, reading.from.lastIndexOf('.')))) counts.derivedBad++;
    else {
      counts.bad++;
      const what = `${reading.from}: ${reading.why}`;
      if (what in why || Object.keys(why).length < 100) why[what] = (why[what] ?? 0) + 1;
    }
  };
  const lab = host({
    rig,
    catalogue: known,
    nodes: nodesOf(rig),
    clock,
    open(wire) {
      const link = simulated.open(wire);
      if (!link) throw new Error(`${wire.key} has no simulator`);
      return link;
    },
    emit: see,
    keeper: { name: 'bench', alive: () => true, arm: (_, armed) => armed(), beat() {}, release() {} },
  });
  for (let hour = 1; hour <= Number(hours); hour++) {
    // In small steps, as a real clock gives the main loop its turns.
    for (let s = 0; s < 3600; s += 10) {
      clock.advance(10);
      if (s % 600 === 0) await new Promise((turn) => setImmediate(turn));
    }
    // Twice, with a pause: pages that the first collection empties are given back beside the main loop.
    globalThis.gc?.();
    await new Promise((turn) => clockOfHere.after(0.2, () => turn(undefined)));
    globalThis.gc?.();
    const { rss, heapTotal, heapUsed, external, arrayBuffers } = process.memoryUsage();
    process.stdout.write(`${JSON.stringify({ hour, rss, heapTotal, heapUsed, external, arrayBuffers, ...counts })}\n`);
  }
  process.stdout.write(`${JSON.stringify({ why })}\n`);
  lab.close(0, () => {});
  return 0;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) process.exitCode = await main(process.argv.slice(2));
