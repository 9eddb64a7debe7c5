/**
 * Records numbered messages into a folder until it is told to stop: a process of its own, so that hung file threads are its own.
 * Says on standard output, one JSON a line: each change of state, each confirmed place, and its account ten times a second.
 */
import process from 'node:process';
import { createInterface } from 'node:readline';
import { sessionWriter } from '../../dist/src/recorder/parts.js';

const { folder, limits, rawOrder, slowBytes, rawBytes } = JSON.parse(process.argv[2]);
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const now = () => performance.now();
const writer = sessionWriter({
  folder,
  now,
  limits,
  rawOrder,
  onState: (state) => say({ state }),
  onConfirmed: (place, klass) => say({ place, klass }),
});

let n = 0;
const put = (topic, klass, size) => {
  const bytes = new Uint8Array(size).fill(n & 0xff);
  new DataView(bytes.buffer).setUint32(0, n);
  writer.write(topic, klass, 1_770_000_000_000_000 + n, bytes);
};
const beat = setInterval(() => {
  put('readings', 'slow', slowBytes);
  for (const raw of rawOrder) put('bytes', raw, rawBytes);
  n++;
  writer.tick();
  if (n % 10 === 0) say({ stats: writer.stats() });
}, 10);

createInterface({ input: process.stdin }).on('line', async () => {
  clearInterval(beat);
  const ticks = setInterval(() => writer.tick(), 50);
  await writer.close();
  clearInterval(ticks);
  say({ closed: writer.stats() });
  process.exit(0);
});
