/**
 * Polls through the whole path (link, exchange, acquire, reading, recorder into a session on the disk) against a bare client that only
 * writes a question, waits for the line and reads its number. Both ask the same process, which is not this one.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { SerialPort } from 'serialport';
import { text } from '../protocols/text.ts';
import { realClock } from '../src/clock.ts';
import type { Entry } from '../src/entry.ts';
import { type Host, host } from '../src/host.ts';
import { instrument, poll } from '../src/instrument.ts';
import type { Reading } from '../src/reading.ts';
import { recorder } from '../src/recorder/recorder.ts';
import { readingOf } from '../src/recorder/session-json.ts';
import { readSession } from '../src/recorder/session-read.ts';
import type { Rig } from '../src/rig.ts';
import { openReal } from '../src/rig-open.ts';

interface Result {
  readonly name: string;
  readonly ratio: number;
  readonly goal: number;
  readonly detail: string;
}

const GOAL = 0.7;
const POLLS = 4000; // a round
const ROUNDS = 9;
const FLUSH = 20; // ms: as often as the host hands entries to the recorder (src/pipe.ts)
const REFUSED = 'the link does not take bytes'; // src/exchange.ts
const TICK = 50; // ms: as often as the recorder's process ticks

/** Answers each READ? with the next of a hundred numbers, and ID? with its name: on a TCP port, and on the serial ports it is given. */
const ANSWERER = `
  const answer = (write) => {
    let held = '';
    let n = 0;
    return (bytes) => {
      const lines = (held + bytes.toString('latin1')).split('\\n');
      held = lines.pop();
      for (const line of lines) write(line === 'ID?' ? 'BENCH\\n' : ((n = (n + 1) % 100) / 100).toExponential(6) + '\\n');
    };
  };
  const server = require('node:net').createServer((s) => s.setNoDelay().on('data', answer((t) => s.write(t))).on('error', () => {}));
  for (const path of process.argv.slice(1)) {
    const { SerialPort } = require('serialport');
    const port = new SerialPort({ path, baudRate: 115200 });
    port.on('data', answer((t) => port.write(t)));
  }
  server.listen(0, '127.0.0.1', () => console.log(server.address().port));
  process.stdin.resume().on('end', () => process.exit());`;

const meter = instrument({
  model: 'Bench meter',
  source: 'bench',
  links: { main: text('\n') },
  proof: { main: { ask: () => 'ID?', is: (m: string) => m === 'BENCH' } },
  body: () => ({
    polls: [
      poll({
        ask: 'READ?',
        every: 3600, // asked again as soon as it is answered, see below
        gives: { voltage: 'V' },
        read: (m) => ({ voltage: Number(m) }),
        example: ['1.000000e-2', { voltage: 0.01 }],
        span: { voltage: [-10, 10] },
      }),
    ],
  }),
});

/** One poll after the other, as often as wanted; gives the values that came. */
interface Client {
  run(polls: number): Promise<readonly number[]>;
  /** Questions that the port did not take and that were asked again. */
  readonly refused?: number;
  close(): Promise<void>;
}

/** What a person writes first: the least that any client does. */
function bare(write: (question: string) => void, close: () => void) {
  let held = '';
  let values: number[] = [];
  let left = 0;
  let done = (_: readonly number[]): void => {};
  const client: Client = {
    run: (polls) =>
      new Promise((resolve) => {
        [values, left, done] = [[], polls, resolve];
        write('READ?\n');
      }),
    close: async () => close(),
  };
  const heard = (bytes: Uint8Array): void => {
    const lines = (held + bytes.toString()).split('\n');
    held = lines.pop() ?? '';
    for (const line of lines) {
      values.push(Number(line));
      if (--left > 0) write('READ?\n');
      else done(values);
    }
  };
  return { client, heard };
}

async function bareTcp(port: number): Promise<Client> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true });
  const { client, heard } = bare(
    (question) => socket.write(question),
    () => socket.destroy(),
  );
  socket.on('data', heard);
  await new Promise((resolve, reject) => socket.once('connect', () => resolve(undefined)).once('error', reject));
  return client;
}

async function bareSerial(path: string): Promise<Client> {
  const port = new SerialPort({ path, baudRate: 115200, autoOpen: false });
  const { client, heard } = bare(
    (question) => port.write(question),
    () => port.close(() => {}),
  );
  port.on('data', heard);
  await new Promise<void>((resolve, reject) => port.open((error) => (error ? reject(error) : resolve())));
  return client;
}

/** The laboratory of one meter, its recorder in the same process, so that all its CPU time counts. */
async function whole(address: string, folder: string): Promise<Client> {
  const rig: Rig = {
    name: 'bench',
    folder,
    file: join(folder, 'rig.yaml'),
    text: 'rig: bench\n',
    sessions: folder,
    links: {},
    instruments: [
      {
        name: 'meter',
        model: 'meter',
        links: { main: { address, wire: address } },
        options: {},
        every: {},
        limits: {},
        leases: {},
        simulate: {},
      },
    ],
    derive: [],
    start: [],
    record: { rawOrder: [] },
  };
  const clock = realClock();
  const told: string[] = [];
  const session = await recorder({
    folder,
    rig: { name: rig.name, text: rig.text, files: {} },
    now: () => clock.now(),
    mono: () => clock.mono() * 1000,
    told: (words) => told.push(words),
    full: () => {},
  });
  let batch: Entry[] = [];
  let values: number[] = [];
  let left = 0;
  let refused = 0;
  let done = (_: readonly number[]): void => {};
  let wrong = (_: Error): void => {};
  let first = (): void => {};
  const there = new Promise<void>((resolve) => {
    first = resolve;
  });
  const seen = (reading: Reading): void => {
    if (reading.quality !== 'good') {
      if (reading.why === REFUSED) {
        refused++;
        setImmediate(() => laboratory.acquired.get('meter')?.refresh('voltage'));
      } else wrong(new Error(`a bad reading: ${reading.why}`));
      return;
    }
    first();
    if (left === 0) return;
    values.push(Number(reading.value));
    if (--left > 0) laboratory.acquired.get('meter')?.refresh('voltage');
    else done(values);
  };
  const laboratory: Host = host({
    rig,
    catalogue: { instruments: new Map([['meter', meter]]), simulators: new Map() },
    nodes: [],
    clock,
    open: (wire, say) => openReal(wire.address, clock, { base: folder, told: say }),
    emit(entry) {
      batch.push(entry);
      if (entry.kind === 'reading') seen(entry.reading);
    },
    keeper: { name: 'none', alive: () => true, arm: (_, armed) => armed(), beat() {}, release() {} },
  });
  const flush = (): void => {
    const some = batch;
    batch = [];
    session.take(some);
  };
  const timers = [setInterval(flush, FLUSH), setInterval(() => session.tick(), TICK)];
  await there;
  let asked = 1; // the poll's own first
  return {
    get refused() {
      return refused;
    },
    run(polls) {
      asked += polls;
      return new Promise((resolve, reject) => {
        [values, left, done, wrong] = [[], polls, resolve, reject];
        laboratory.acquired.get('meter')?.refresh('voltage');
      });
    },
    async close() {
      await new Promise<void>((resolve) => laboratory.close(0, () => resolve()));
      for (const timer of timers) clearInterval(timer);
      flush();
      await session.close(0);
      if (told.length > 0) throw new Error(told.join('; '));
      let kept = 0;
      for await (const m of readSession(folder)) if (m.topic === 'readings' && readingOf(m.bytes).quality === 'good') kept++;
      if (kept !== asked) throw new Error(`the session holds ${kept} of ${asked} readings`);
    },
  };
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

interface Cost {
  readonly rate: number;
  /** Microseconds of CPU time a poll, all threads. */
  readonly cpu: number;
}

async function cost(client: Client, polls: number): Promise<Cost> {
  const cpu = process.cpuUsage();
  const began = process.hrtime.bigint();
  const values = await client.run(polls);
  const seconds = Number(process.hrtime.bigint() - began) / 1e9;
  const { user, system } = process.cpuUsage(cpu);
  if (values.length !== polls) throw new Error(`${values.length} values of ${polls}`);
  for (const [i, v] of values.entries()) {
    if (!(v >= 0 && v < 1)) throw new Error(`${v} is no answer`);
    const before = values[i - 1];
    if (before !== undefined && Math.abs(((v - before + 1.5) % 1) - 0.51) > 1e-9) throw new Error(`${v} came after ${before}`);
  }
  return { rate: polls / seconds, cpu: (user + system) / polls };
}

/** Rounds one after the other in turn, so that whatever else the machine does falls on both. */
async function compare(name: string, mine: Client, theirs: Client): Promise<readonly Result[]> {
  const rates: number[] = [];
  const cpus: number[] = [];
  const all: [Cost, Cost][] = [];
  for (let round = -2; round < ROUNDS; round++) {
    const a = await cost(mine, POLLS);
    const b = await cost(theirs, POLLS);
    if (round < 0) continue;
    all.push([a, b]);
    rates.push(a.rate / b.rate);
    cpus.push(b.cpu / a.cpu);
  }
  const of = (take: (pair: [Cost, Cost]) => number, digits = 0): string => median(all.map(take)).toFixed(digits);
  return [
    {
      name: `polls a second, ${name}`,
      ratio: median(rates),
      goal: GOAL,
      detail: `${of(([a]) => a.rate)}/s against ${of(([, b]) => b.rate)}/s`,
    },
    {
      name: `CPU per poll, ${name}`,
      ratio: median(cpus),
      goal: GOAL,
      detail: `${of(([a]) => a.cpu, 1)} us against ${of(([, b]) => b.cpu, 1)} us, recording included`,
    },
  ];
}

/** Two pseudo-terminals that are each other's other end. */
async function pair(
  folder: string,
  name: string,
): Promise<{ readonly here: string; readonly there: string; readonly socat: ChildProcess }> {
  const [here, there] = [join(folder, `${name}-here`), join(folder, `${name}-there`)];
  const socat = spawn('socat', ['-d', '-d', `pty,raw,echo=0,link=${here}`, `pty,raw,echo=0,link=${there}`], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  await new Promise<void>((resolve, reject) => {
    socat.once('exit', (code) => reject(new Error(`socat has ended (${code})`)));
    createInterface({ input: socat.stderr }).on('line', (line) => {
      if (line.includes('starting data transfer loop')) resolve();
    });
  });
  return { here, there, socat };
}

/**
 * Ratio of polls per second (ours to theirs) and of CPU time per poll (theirs to ours), over TCP against node:net and over pseudo-terminals
 * against serialport. Throws where a value or a recorded reading is not right. A case that cannot be run has the ratio NaN.
 */
export async function polls(): Promise<readonly Result[]> {
  const folder = mkdtempSync(join(tmpdir(), 'bridgman-bench-'));
  const children: ChildProcess[] = [];
  const clients: Client[] = [];
  try {
    const terminals = spawnSync('socat', ['-V'], { stdio: 'ignore' }).error === undefined;
    const pairs = terminals ? [await pair(folder, 'a'), await pair(folder, 'b')] : [];
    children.push(...pairs.map((p) => p.socat));
    const answerer = spawn(process.execPath, ['-e', ANSWERER, ...pairs.map((p) => p.there)], {
      cwd: import.meta.dirname, // where its require finds serialport
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    children.push(answerer);
    const port = await new Promise<number>((resolve, reject) => {
      createInterface({ input: answerer.stdout }).once('line', (line) => resolve(Number(line)));
      answerer.once('exit', (code) => reject(new Error(`the answering process has ended (${code})`)));
    });
    const results: Result[] = [];
    const both = async (name: string, ours: Promise<Client>, bareOne: Promise<Client>): Promise<void> => {
      const [mine, theirs] = await Promise.all([ours, bareOne]);
      clients.push(theirs);
      const made = await compare(name, mine, theirs).catch((error: unknown) => error);
      const closed = await mine.close().catch((error: unknown) => error);
      if (!Array.isArray(made)) throw made;
      if (closed !== undefined) throw closed;
      results.push(...(made as readonly Result[])); // what compare gives
    };
    await both('TCP', whole(`tcp:127.0.0.1:${port}`, join(folder, 'tcp')), bareTcp(port));
    const [a, b] = pairs;
    if (a && b) await both('serial', whole(`serial:${a.here}?baud=115200`, join(folder, 'serial')), bareSerial(b.here));
    else results.push({ name: 'polls a second, serial', ratio: Number.NaN, goal: GOAL, detail: 'skipped: socat is not installed' });
    return results;
  } finally {
    for (const client of clients) await client.close();
    for (const child of children) child.kill();
    rmSync(folder, { recursive: true, force: true });
  }
}
