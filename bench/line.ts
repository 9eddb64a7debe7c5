/** Readings to InfluxDB: our client against node-influx, from Reading to the bytes on a socket, in CPU time of this process. */
import { spawn } from 'node:child_process';
import { createServer, type IncomingMessage } from 'node:http';
import { createInterface } from 'node:readline';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { FieldType, InfluxDB, type IPoint, type ISchemaOptions } from 'influx';
import type { Reading } from '../src/reading.ts';
import { influxSink } from '../src/recorder/influx.ts';
import { lineWriter, measurement } from '../src/recorder/line.ts';
import type { Unit } from '../src/units.ts';
import { type Point, parseLines } from './line-parse.ts';

const BATCH = 5000;
const BATCHES = 8;
const ROUNDS = 9;
const RESOLUTION = 1e-6;
const UNITS: readonly Unit[] = ['V', 'K', 'Pa', 'A'];

/** Twenty channels as a laboratory has them: numbers with all their digits, half with error bars, some with an index or a reason. */
function readings(count: number): readonly Reading[] {
  let state = 1;
  const random = () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
  for (let i = 0; i < 1000; i++) random();
  return Array.from({ length: count }, (_, i): Reading => {
    const c = i % 20;
    const sigma = c % 2 === 1 ? { random: random() * 1e-2, ...(c % 4 === 3 ? { shared: { lamp: random() * 1e-2 } } : {}) } : undefined;
    return {
      from: `nanovoltmeter${c}.voltage`,
      kind: UNITS[c % 4] ?? 'V',
      t: 1_700_000_000_000_000 + i * 1013,
      seq: Math.floor(i / 20),
      origin: 'hardware',
      value: 300 * random(),
      ...(c % 10 === 3 ? { index: c } : {}),
      ...(sigma ? { sigma } : {}),
      ...(i % 100 === 7 ? { quality: 'suspect', why: 'over range' } : { quality: 'good' }),
    };
  });
}

/** What a user of node-influx would write: tags made once per channel, the time as a string of nanoseconds. */
function pointsOf(tags: Map<string, Record<string, string>>, some: readonly Reading[]): IPoint[] {
  return some.map((reading) => {
    const { from, index, kind, origin, quality, t, seq } = reading;
    const key = index === undefined ? from : `${from} ${index}`;
    let known = tags.get(key);
    if (!known) {
      const [instrument = '', channel = ''] = from.split('.');
      known = { channel, ...(index === undefined ? {} : { index: String(index) }), instrument, origin, revision: '0', rig: 'demo' };
      tags.set(key, known);
    }
    const fields: Record<string, number | string | boolean> = { quality: quality === 'good' ? 0 : quality === 'suspect' ? 1 : 2 };
    if (reading.quality !== 'bad' && typeof reading.value !== 'object') {
      fields.value = reading.value;
      if (reading.sigma) {
        fields.sigma = reading.sigma.random;
        for (const [cause, size] of Object.entries(reading.sigma.shared ?? {})) fields[`shared_${cause}`] = size;
      }
    }
    if (reading.why !== undefined) fields.why = reading.why;
    return { measurement: measurement(kind), tags: known, fields, timestamp: `${t}${String(seq % 1000).padStart(3, '0')}` };
  });
}

const schema: ISchemaOptions[] = UNITS.map((unit) => ({
  measurement: measurement(unit),
  tags: ['channel', 'index', 'instrument', 'origin', 'revision', 'rig'],
  fields: {
    value: FieldType.FLOAT,
    sigma: FieldType.FLOAT,
    shared_lamp: FieldType.FLOAT,
    quality: FieldType.INTEGER,
    why: FieldType.STRING,
  },
}));

type Client = (some: readonly Reading[]) => Promise<void>;

function theirs(port: number, typed: boolean): Client {
  const client = new InfluxDB({ host: '127.0.0.1', port, database: 'lab', ...(typed ? { schema } : {}) });
  const tags = new Map<string, Record<string, string>>();
  return (some) => client.writePoints(pointsOf(tags, some));
}

function ours(port: number, resolution: number | undefined): Client {
  const sink = influxSink({ url: `http://127.0.0.1:${port}/lab`, aside: () => {} });
  const writer = lineWriter({ rig: 'demo', resolution: () => resolution });
  return async (some) => {
    for (const reading of some) writer.write(reading);
    const outcome = await sink.write(writer.take());
    if (outcome.kind !== 'ok') throw new Error(JSON.stringify(outcome));
  };
}

const DATABASES = JSON.stringify({ results: [{ series: [{ name: 'databases', columns: ['name'], values: [['lab']] }] }] });

/** What a client sends, as points. */
async function sent(client: (port: number) => Client, some: readonly Reading[]): Promise<Point[]> {
  const bodies: Buffer[] = [];
  const server = createServer((req, res) => {
    if (!req.url?.startsWith('/write')) res.end(DATABASES);
    else whole(req).then((body) => res.writeHead(204).end(bodies.push(body) ? undefined : ''));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await client(typeof address === 'object' ? (address?.port ?? 0) : 0)(some);
  server.closeAllConnections();
  server.close();
  return parseLines(Buffer.concat(bodies).toString('utf8'));
}

async function whole(req: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of req) parts.push(part);
  return Buffer.concat(parts);
}

/** Throws unless both say the same: tags, times and text alike, numbers within `within`. */
function compare(a: readonly Point[], b: readonly Point[], within: number): void {
  if (a.length !== b.length) throw new Error(`${a.length} points against ${b.length}`);
  const flat = ({ measurement, tags, fields, time }: Point) =>
    JSON.stringify([measurement, Object.entries(tags).sort(), Object.keys(fields).sort(), String(time)]);
  a.forEach((left, i) => {
    const right = b[i];
    if (!right || flat(left) !== flat(right)) throw new Error(`point ${i} differs: ${flat(left)}, ${right && flat(right)}`);
    for (const [name, x] of Object.entries(left.fields)) {
      const y = right.fields[name];
      const same = typeof x === 'string' ? x === y : Math.abs(Number(x) - Number(y)) <= within;
      if (!same) throw new Error(`point ${i}, ${name}: ${x} against ${y}`);
    }
  });
}

const SERVER = `
  const answer = ${JSON.stringify(DATABASES)};
  const server = require('node:http').createServer((req, res) => {
    req.resume().on('end', () => (req.url.startsWith('/write') ? res.writeHead(204).end() : res.end(answer)));
  });
  server.listen(0, '127.0.0.1', () => console.log(server.address().port));
  process.stdin.resume().on('end', () => process.exit());`;

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

/** Ratios of CPU time, theirs over ours, after both have been shown to send the same points. */
export async function line(): Promise<readonly { name: string; ratio: number; goal: number; detail: string }[]> {
  const all = readings(BATCH * BATCHES);
  const some = all.slice(0, BATCH);
  const reference = await sent((port) => theirs(port, true), some);
  compare(reference, await sent((port) => theirs(port, false), some), 0);
  compare(reference, await sent((port) => ours(port, undefined), some), 0);
  compare(reference, await sent((port) => ours(port, RESOLUTION), some), RESOLUTION * 0.5000001);

  setFlagsFromString('--expose_gc');
  const collect = runInNewContext('gc') as () => void; // what the flag just exposed
  const child = spawn(process.execPath, ['-e', SERVER], { stdio: ['pipe', 'pipe', 'inherit'] });
  const port = await new Promise<number>((resolve, reject) => {
    createInterface({ input: child.stdout }).once('line', (text) => resolve(Number(text)));
    child.once('error', reject);
  });
  const clients = [theirs(port, true), theirs(port, false), ours(port, undefined), ours(port, RESOLUTION)];
  const times: number[][] = clients.map(() => []);
  for (let round = -2; round < ROUNDS; round++) {
    for (const [i, client] of clients.entries()) {
      collect();
      const before = process.cpuUsage();
      for (let b = 0; b < BATCHES; b++) await client(all.slice(b * BATCH, (b + 1) * BATCH));
      const { user, system } = process.cpuUsage(before);
      if (round >= 0) times[i]?.push((user + system) / all.length);
    }
  }
  child.stdin.end();
  const [typed = [], plain = [], full = [], fixed = []] = times;
  const result = (name: string, mine: readonly number[], goal: number) => {
    const ratio = median(mine.map((cost, i) => Math.min(typed[i] ?? 0, plain[i] ?? 0) / cost)); // the faster of their two ways
    const detail = `${median(mine).toFixed(2)} against ${Math.min(median(typed), median(plain)).toFixed(2)} CPU-seconds per million points`;
    return { name, ratio, goal, detail };
  };
  return [result('InfluxDB, fixed decimals', fixed, 8), result('InfluxDB, full doubles', full, 2.5)];
}
