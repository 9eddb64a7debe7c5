/**
 * The resistivity table at its full rates on the real clock, over sockets and pseudo-terminals: a 6221 with its 2182A at 24 deltas a second,
 * two SR860 at 100 Hz, two SR830 at 20 Hz on lines of 19200 baud, a Lake Shore 336 at 10 Hz. Every reading is looked for in the session, and
 * what is not there must have been counted as skipped; the host's CPU time stands beside that of a bare client with the same questions.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createInterface } from 'node:readline';
import { readingOf, traceOf } from '../src/recorder/session-json.ts';
import { readSession } from '../src/recorder/session-read.ts';
import { type Watched, watched } from './rates-run.ts';

interface Result {
  readonly name: string;
  readonly ratio: number;
  readonly goal: number;
  readonly detail: string;
}

export const SECONDS = 60; // unless another time is asked for
const YARDSTICK = 30; // seconds of the bare client, at most
const DELTAS = 24; // a second: the most that the pair gives, at 1 PLC of 60 Hz
const GOAL = 0.3;

/** What is polled: the channel whose readings are counted, its grid, and the questions of one poll for the bare client. */
/** Seconds by which the host asks late before it skips (src/acquire.ts). */
export const LATE = 0.25;

const POLLED = [
  { instrument: 'fast1', channel: 'fast1.x', every: 0.01, asks: ['SNAP? 0,1,15', 'LIAS?'] },
  { instrument: 'fast2', channel: 'fast2.x', every: 0.01, asks: ['SNAP? 0,1,15', 'LIAS?'] },
  { instrument: 'slow1', channel: 'slow1.x', every: 0.05, asks: ['SNAP?1,2,9', 'LIAS?'] },
  { instrument: 'slow2', channel: 'slow2.x', every: 0.05, asks: ['SNAP?1,2,9', 'LIAS?'] },
  { instrument: 'stage', channel: 'stage.temperature', every: 0.1, asks: ['RDGST? A;RDGST? B;KRDG? A;KRDG? B;SRDG? A;SRDG? B'] },
] as const;

export interface Polled {
  readonly instrument: string;
  /** Ticks of its grid while it was looked at, readings of them in the session, and ticks that the host says it has left out. */
  readonly due: number;
  readonly came: number;
  readonly skipped: number;
  /** Ticks of the same grid that a process without any work has left out meanwhile. */
  readonly still: number;
  /** All polls of the instrument that were skipped meanwhile, by their first channels. */
  readonly behind: Readonly<Record<string, number>>;
  /** Ticks that may be asked late: so many may have moved over an end of the time. */
  readonly late: number;
  /** Of those that came. */
  readonly bad: number;
  /** Seconds between two readings at most, and when that began, in seconds from the first look. */
  readonly pause: number;
  readonly paused: number;
}

export interface Rates {
  readonly seconds: number;
  readonly polled: readonly Polled[];
  /** Readings of the blocks in the session, how many numbers are missing or there twice among them, and their rate by our clock. */
  readonly delta: {
    readonly came: number;
    readonly missing: number;
    readonly doubled: number;
    readonly rate: number;
    readonly bad: number;
  };
  /** Readings whose number in their channel does not follow on the one before: lost between host and session. */
  readonly lost: number;
  /** All readings while it was looked at, questions asked, and the host's CPU time for them in seconds. */
  readonly readings: number;
  readonly asked: number;
  readonly cpu: number;
}

/** Counts what a run of so many seconds has brought, in its session. */
export async function counted({ before, after, seconds, session }: Watched): Promise<Rates> {
  const [from, to] = [before.status.t, after.status.t];
  const came = new Map<string, { came: number; bad: number; at: number; pause: number; paused: number }>();
  const last = new Map<string, number>();
  const numbers: number[] = [];
  const blocks: { readonly end: number; readonly number: number }[] = [];
  let [readings, lost, badBlocks] = [0, 0, 0];
  for await (const message of readSession(session, { raw: ['raw-traces'] })) {
    if (message.topic === 'source.block') {
      const block = traceOf(message.bytes);
      if (block.quality === 'bad') continue;
      const list = [...(block.value.columns.number?.data ?? [])];
      numbers.push(...list);
      blocks.push({ end: block.value.end, number: list.at(-1) ?? Number.NaN });
    }
    if (message.topic !== 'readings') continue;
    const reading = readingOf(message.bytes);
    const key = reading.index === undefined ? reading.from : `${reading.from}[${reading.index}]`;
    if (reading.seq !== (last.get(key) ?? -1) + 1) lost++;
    last.set(key, reading.seq);
    if (reading.t <= from || reading.t > to) continue;
    readings++;
    if (reading.from === 'source.block' && reading.quality === 'bad') badBlocks++;
    if ((reading.index ?? 0) > 0) continue;
    const of = came.get(reading.from) ?? { came: 0, bad: 0, at: reading.t, pause: 0, paused: from };
    came.set(reading.from, of);
    of.came++;
    if (reading.quality === 'bad') of.bad++;
    if (reading.t - of.at > of.pause) [of.pause, of.paused] = [reading.t - of.at, of.at];
    of.at = reading.t;
  }
  const steps = numbers.slice(1).map((n, i) => n - (numbers[i] ?? 0));
  const [first, final] = [blocks[0], blocks.at(-1)];
  return {
    seconds,
    polled: POLLED.map(({ instrument, channel, every }) => {
      const [was, is] = [before.status.instruments[instrument]?.behind ?? {}, after.status.instruments[instrument]?.behind ?? {}];
      const behind = Object.fromEntries(
        Object.entries(is).flatMap(([poll, n]) => (n > (was[poll] ?? 0) ? [[poll, n - (was[poll] ?? 0)]] : [])),
      );
      const name = channel.slice(instrument.length + 1);
      const { came: n, bad, pause, paused } = came.get(channel) ?? { came: 0, bad: 0, pause: Number.NaN, paused: Number.NaN };
      const still = (after.still[String(every)] ?? 0) - (before.still[String(every)] ?? 0);
      return {
        instrument,
        due: Math.round(seconds / every),
        late: Math.max(1, Math.floor(LATE / every + 1e-9)),
        came: n,
        skipped: behind[name] ?? 0,
        still,
        behind,
        bad,
        pause: pause / 1e6,
        paused: (paused - from) / 1e6,
      };
    }),
    delta: {
      came: numbers.length,
      missing: steps.reduce((n, step) => n + Math.max(0, step - 1), 0),
      doubled: steps.filter((step) => step <= 0).length,
      rate: first && final ? (final.number - first.number) / ((final.end - first.end) / 1e6) : Number.NaN,
      bad: badBlocks,
    },
    lost,
    readings,
    asked: asked(after) - asked(before),
    cpu: after.cpu - before.cpu,
  };
}

const asked = ({ status }: Watched['before']): number => status.links.reduce((n, link) => n + link.asked, 0);

/** What cannot be, however busy the machine is: a reading that has gone and was not counted, or that came twice. */
export function wrongs({ polled, delta, lost }: Rates): readonly string[] {
  return [
    ...polled
      // At each end of the time one tick may be on this side or on the other, and those that are asked late.
      .filter(({ due, came, skipped, late }) => Math.abs(came + skipped - due) > 2 + late)
      .map(
        ({ instrument, due, came, skipped }) => `${instrument}: ${due} readings are due, ${came} came, ${skipped} were counted as skipped`,
      ),
    ...(delta.came === 0 ? ['no delta reading came'] : []),
    ...(delta.missing > 0 ? [`${delta.missing} delta readings are missing`] : []),
    ...(delta.doubled > 0 ? [`${delta.doubled} delta readings came twice or out of order`] : []),
    ...(lost > 0 ? [`${lost} readings were lost between host and session`] : []),
  ];
}

/** Asks on the grid, parses the numbers, keeps nothing: the least that any program does. Its CPU time when its stdin ends. */
const BARE = `
  const { connect } = require('node:net');
  const counts = { asked: 0, values: 0 };
  const begin = ({ link, every, asks }) => {
    let held = '', at = -1, n = 1;
    const serial = /^serial:(.*)\\?/.exec(link), tcp = /^tcp:(.*):(\\d+)/.exec(link);
    const port = serial
      ? new (require('serialport').SerialPort)({ path: serial[1], baudRate: 19200 })
      : connect({ host: tcp[1], port: Number(tcp[2]), noDelay: true });
    const next = () => { at++; if (at === asks.length) at = -1; else { counts.asked++; port.write(asks[at] + '\\n'); } };
    port.on('data', (bytes) => {
      const lines = (held + bytes.toString('latin1')).split('\\n');
      held = lines.pop();
      for (const line of lines) { counts.values += line.split(/[,;]/).map(Number).length; next(); }
    });
    const start = performance.now();
    const tick = () => { if (at < 0) next(); n = Math.max(n + 1, Math.ceil((performance.now() - start) / (1000 * every))); setTimeout(tick, start + n * 1000 * every - performance.now()); };
    port.on(serial ? 'open' : 'connect', tick);
  };
  for (const one of JSON.parse(process.argv[1])) begin(one);
  setTimeout(() => {
    const [cpu, was] = [process.cpuUsage(), { ...counts }];
    console.log('begun');
    process.stdin.resume().on('end', () => {
      const { user, system } = process.cpuUsage(cpu);
      console.log(JSON.stringify({ cpu: (user + system) / 1e6, asked: counts.asked - was.asked, values: counts.values - was.values }));
      process.exit();
    });
  }, 2000);`;

interface Bare {
  /** Seconds. */
  readonly cpu: number;
  readonly asked: number;
  readonly values: number;
}

async function bare(links: Watched['links'], seconds: number): Promise<Bare> {
  const wanted = POLLED.map(({ instrument, every, asks }) => ({ link: links.get(instrument), every, asks }));
  const child = spawn(process.execPath, ['-e', BARE, JSON.stringify(wanted)], {
    cwd: import.meta.dirname, // where its require finds serialport
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  try {
    const lines: string[] = [];
    for await (const line of createInterface({ input: child.stdout })) {
      lines.push(line);
      if (lines.length === 1) setTimeout(() => child.stdin.end(), seconds * 1000);
    }
    const said = lines[1];
    if (said === undefined) throw new Error('the bare client has ended by itself');
    return JSON.parse(said) as Bare; // written by BARE
  } finally {
    child.kill();
  }
}

/** Ratios of what came to what was due, to the same of a process that only keeps the time, and of CPU time per question, the bare client's to the host's. Throws where a count is not right. */
export async function rates(seconds = SECONDS): Promise<readonly Result[]> {
  if (spawnSync('socat', ['-V'], { stdio: 'ignore' }).error !== undefined)
    return [{ name: 'rates', ratio: Number.NaN, goal: 1, detail: 'skipped: socat is not installed' }];
  const [got, yardstick] = await watched(
    seconds,
    async (w) => [await counted(w), await bare(w.links, Math.min(seconds, YARDSTICK))] as const,
  );
  const wrong = wrongs(got);
  if (wrong.length > 0) throw new Error(wrong.join('; '));
  const { delta, cpu, readings, asked: questions } = got;
  const perThousand = (s: number, n: number): string => `${((1e6 * s) / n).toFixed(1)} ms`;
  return [
    ...got.polled.map(({ instrument, came, skipped, still, behind, bad, pause, paused }) => {
      const others = Object.entries(behind).map(([poll, n]) => `${poll} ${n}`);
      const which = others.length > 0 ? `skipped: ${others.join(', ')}` : 'no poll skipped';
      const all = Object.values(behind).reduce((n, one) => n + one, 0);
      const rate = (came / got.seconds).toFixed(2);
      return {
        name: `rates, ${instrument} of ${Math.round(1 / (POLLED.find((p) => p.instrument === instrument)?.every ?? 1))} a second`,
        ratio: came / (came + skipped) / (1 - still / (came + skipped)),
        goal: 0.9995,
        detail: `${came} in ${got.seconds.toFixed(1)} s (${rate}/s), ${bad} bad; ${which}${all > skipped ? ' (all polls of the instrument)' : ''}; longest pause ${pause.toFixed(3)} s, ${paused.toFixed(0)} s after the beginning; a process that only waits left out ${still}`,
      };
    }),
    {
      name: `rates, deltas of ${DELTAS} a second`,
      ratio: delta.rate / DELTAS,
      goal: 0.999, // the simulated source's periods of 1/24 s are counted in its milliseconds
      detail: `${delta.came} in blocks, none missing, none twice; ${delta.rate.toFixed(3)}/s by the host's clock`,
    },
    {
      name: 'rates, CPU per question',
      ratio: yardstick.cpu / yardstick.asked / (cpu / questions),
      goal: GOAL,
      detail: `host: ${perThousand(cpu, readings)} per 1,000 readings (${(readings / got.seconds).toFixed(0)}/s), ${perThousand(cpu, questions)} per 1,000 questions, ${((100 * cpu) / got.seconds).toFixed(1)} % of a core; bare client ${perThousand(yardstick.cpu, yardstick.asked)} per 1,000 questions`,
    },
  ];
}
