/** What the tests of session tools share: a session of a few seconds, written by the recorder. */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from '../src/cli/command.ts';
import type { Entry } from '../src/entry.ts';
import type { Measured, Reading } from '../src/reading.ts';
import { type Recorder, recorder } from '../src/recorder/recorder.ts';
import { readSession } from '../src/recorder/session-read.ts';
import type { Limits } from '../src/recorder/session-writer.ts';

export const START = Date.UTC(2026, 10, 22, 12, 0, 0) * 1000;
export const s = (seconds: number): number => START + Math.round(seconds * 1e6);

export const scratchFolder = (name: string): string => mkdtempSync(join(tmpdir(), `bridgman-${name}-`));

/** Runs a command; nobody is ever shown a stack, or a value that is none. */
export async function called(command: Command, ...args: string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ['', ''];
  const code = await command.run(args, { out: (t) => void (out += t), err: (t) => void (err += t) });
  const all = out + err;
  if (/\bat .*\(?.*:\d+:\d+\)|node:internal|undefined|[^"]NaN/.test(all)) throw new Error(`not for people: ${all}`);
  return { code, out, err };
}

export const reading = (from: string, seq: number, seconds: number, m: Measured<'Pa'>, index?: number): Entry => {
  const made = { ...m, from, kind: 'Pa', t: s(seconds), seq, origin: 'simulator', ...(index === undefined ? {} : { index }) };
  return { kind: 'reading', reading: made as Reading }; // a Measured with all that makes it a Reading
};
export const wire = (link: string, direction: 'in' | 'out', seconds: number, text: string, name?: string): Entry => ({
  kind: 'bytes',
  wire: { link, direction, t: s(seconds), bytes: Buffer.from(text, 'latin1'), ...(name === undefined ? {} : { name }) },
});
const trace = (seq: number, seconds: number): Entry => ({
  kind: 'reading',
  reading: {
    from: 'camera.spectrum',
    kind: 'trace',
    t: s(seconds),
    seq,
    origin: 'simulator',
    quality: 'good',
    value: {
      columns: { wavelength: { unit: 'm', data: Float64Array.of(6e-7, 7e-7) }, counts: { unit: '1', data: Uint16Array.of(seq, 300) } },
      shape: [2],
      begin: s(seconds - 1),
      end: s(seconds),
      settings: { exposure: 1 },
    },
  },
});

export const TCP = 'tcp:10.0.0.1:5025';
export const UDP = 'udp:10.0.0.2:4660';

/** One second: a pressure every 0.5 s (in 1e6 Pa plus its number), its exchange, its bytes, a trace, an order. */
export function second(k: number): readonly Entry[] {
  const order = { id: k + 1, t: s(k + 0.2), by: 'eva', instrument: 'gas', command: 'pressure', value: 2e6 + k, unit: 'Pa' };
  const half = (i: number): readonly Entry[] => [
    wire(TCP, 'out', k + 0.5 * i, 'PRES?\r\n'),
    wire(TCP, 'in', k + 0.5 * i + 0.01, `${1000 + 2 * k + i}`),
    wire(TCP, 'in', k + 0.5 * i + 0.02, ' kPa\r\n'),
    {
      kind: 'exchange',
      exchanged: {
        id: 2 * k + i,
        instrument: 'gas',
        role: 'main',
        by: 'poll:pressure',
        asked: s(k + 0.5 * i),
        sent: Buffer.from('PRES?\r\n'),
        came: s(k + 0.5 * i + 0.02),
        reply: Buffer.from(`${1000 + 2 * k + i} kPa\r\n`),
      },
    },
    reading('gas.pressure', 2 * k + i, k + 0.5 * i + 0.02, { quality: 'good', value: 1e6 + 2 * k + i, sigma: { random: 10 } }),
  ];
  return [
    ...half(0),
    ...half(1),
    wire(UDP, 'in', k + 0.3, `\x02AB${k}`),
    wire(UDP, 'in', k + 0.4, `CD\x03${k}`),
    reading('hv.bias', k, k + 0.6, { quality: 'good', value: 5 + k }, 0),
    reading('hv.bias', k, k + 0.6, { quality: 'bad', why: 'no answer' }, 1),
    trace(k, k + 0.7),
    { kind: 'order', order },
    { kind: 'order', order: { ...order, outcome: 'done', ended: s(k + 0.3) } },
  ];
}

export interface Making {
  readonly limits?: Partial<Limits>;
  readonly rig?: string;
  readonly seconds?: number;
  /** Entries of second k in place of those above. */
  readonly second?: (k: number) => readonly Entry[];
  /** Leaves the session without an end. */
  readonly open?: boolean;
}

/** Writes a session: each second's entries in chunks of their own. */
export async function made(
  folder: string,
  { limits = {}, rig = 'rig: demo\n', seconds = 4, second: of = second, open }: Making = {},
): Promise<Recorder> {
  const clock = { now: s(0) };
  const keeper = await recorder({
    folder,
    rig: { name: 'demo', text: rig, files: { 'calibrations/lamp.csv': Buffer.from('1,2\n') } },
    limits: { rawFree: 0, reserve: 0, ...limits },
    now: () => clock.now,
    mono: () => clock.now / 1000,
    told: () => {},
    full: () => {},
    version: '0.1.0',
  });
  for (let k = 0; k < seconds; k++) {
    keeper.take(of(k));
    clock.now = s(k + 1);
    keeper.tick();
    await new Promise((resolve) => setImmediate(resolve)); // the disk takes this chunk before the next begins
  }
  if (!open) await keeper.close(0);
  return keeper;
}

/** Parts small enough that there are several, and chunks of a second. */
export const SMALL: Partial<Limits> = { partBytes: 6000, chunkMs: 200 };

export function copied(from: string, to: string): string {
  mkdirSync(to, { recursive: true });
  cpSync(from, to, { recursive: true });
  return to;
}

export const partsIn = (folder: string): readonly string[] =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.mcap'))
    .sort();
export const bytesOf = (folder: string): Readonly<Record<string, string>> =>
  Object.fromEntries(partsIn(folder).map((name) => [name, readFileSync(join(folder, name)).toString('base64')]));

/** All messages of a session, one line each. */
export async function content(folder: string): Promise<readonly string[]> {
  const all: string[] = [];
  for await (const m of readSession(folder, { raw: true }))
    all.push([m.series, m.topic, m.encoding, m.schema, m.sequence, m.t, Buffer.from(m.bytes).toString('hex')].join(' '));
  return all.sort();
}
