/** A session with one of everything that an export takes, and some of what is hard: made by the recorder's own writers. */
import { type Hits, hits } from '../src/derive/hits.ts';
import type { Entry } from '../src/entry.ts';
import type { Reading, Trace } from '../src/reading.ts';
import { hitBytes } from '../src/readout/hit-bytes.ts';
import { sessionWriter } from '../src/recorder/parts.ts';
import { write } from '../src/recorder/session-json.ts';

export const START = Date.UTC(2026, 10, 22, 23, 59, 59) * 1000 + 123_457;
export const at = (seconds: number): number => START + Math.round(seconds * 1e6);

export const RIG = `rig: a-cell
about: one of everything
instruments:
  laser: { model: ipg-ylr, link: serial:/dev/ttyUSB0 }
  camera: { model: princeton-spe, link: folder:/data }
  source: { model: keithley-6221, link: tcp:10.0.0.1:1394 }
  digitizer: { model: sitcp-digitizer, links: { control: udp:10.0.0.2:4660, data: tcp:10.0.0.2:24?x=1 } }
  room: { model: scpi-generic, link: tcp:10.0.0.3:1 }
derive:
  up: { method: planck-ml, spectrum: camera.spectrum, bias: { from: room.bias } }
  sample: { method: two-sides, a: up.temperature, b: { from: up.temperature } }
  rho: { method: van-der-pauw, voltage: source.block, bias: room.bias, temperature: sample.temperature }
feedback:
  heating: { holds: [up.temperature], by: laser.current }
`;

/** Doubles that a careless text or a float32 would lose. */
export const HARD = [0.1 + 0.2, 1e-300, 5e-324, Number.MAX_VALUE, 2 ** 53 - 1, 1 / 3, 1e-9, -273.15, 6.02214076e23, 299_792_458];

const about = { seq: 0, origin: 'simulator' } as const;
const made = { method: 'planck-ml', parameters: 'abc', calibration: 'cal-1', inputs: ['camera.spectrum#0'] };

export function trace(from: string, t: number, seq: number, value: Trace, why?: string): Reading<'trace'> {
  const quality = why === undefined ? ({ quality: 'good' } as const) : ({ quality: 'suspect', why } as const);
  return { ...about, ...quality, from, kind: 'trace', t, seq, value };
}

export const spectrum = (seq: number, first = 6e-7): Trace => ({
  columns: {
    wavelength: { unit: 'm', data: Float64Array.from({ length: 8 }, (_, i) => first + i * 1e-9) },
    counts: { unit: '1', data: Uint16Array.from({ length: 8 }, (_, i) => 65_535 - seq * 100 - i) },
  },
  shape: [8],
  begin: at(seq),
  end: at(seq + 0.5),
  settings: { exposure: 0.5, camera: 'PIXIS', file: `spectrum-${seq}.spe` },
});

const block = (seq: number): Trace => {
  const column = (of: (i: number) => number) => Float64Array.from({ length: seq + 2 }, (_, i) => of(i));
  return {
    columns: {
      voltage: { unit: 'V', data: column((i) => (i - seq) / 3e9) },
      time: { unit: 's', data: column((i) => seq + i / 10) },
    },
    shape: [seq + 2],
    begin: at(seq),
    end: at(seq + 1),
    settings: { current: 1e-3 },
  };
};

const image = (seq: number): Trace => ({
  columns: {
    rate: { unit: '1/s', data: Float32Array.of(1, 2, 3, 4, 5, 6.5 + seq) },
    sigma: { unit: '1/s', data: Float32Array.of(0.1, 0.2, 0.3, 0.4, 0.5, 0.6) },
  },
  shape: [2, 3],
  begin: at(seq),
  end: at(seq + 1),
  settings: {},
});

export function hitBlock(from: number, count: number): Hits {
  const made = hits(count);
  made.count = count;
  for (let i = 0; i < count; i++) {
    made.t[i] = from + i * 1000 + 1 / 3;
    made.channel[i] = i % 16;
    made.charge[i] = 100 + i / 7;
    made.tail[i] = 20 + i / 7;
    made.peak[i] = 50;
    made.baseline[i] = 1000.5;
    made.noise[i] = 1.25;
    made.frame[i] = 4_294_967_295 - i;
    made.flags[i] = i % 3;
  }
  return made;
}

export const SENTENCE = 'a "reason", with\r\nline breaks, Ω and , commas';

/** The readings of the session in its order. */
const ALL: readonly Reading[] = [
  ...HARD.map((value, i): Reading => {
    const sigma = { random: 1.5 + i / 3, ...(i < 2 ? {} : { shared: { lamp: -0.25 * i, 'window edge': 1 } }) };
    return { ...about, from: 'up.temperature', kind: 'K', t: at(i), seq: i, quality: 'good', value, sigma, made };
  }),
  { ...about, from: 'up.temperature', kind: 'K', t: at(10), seq: 10, quality: 'bad', why: SENTENCE, made },
  { ...about, from: 'up.temperature', kind: 'K', t: at(11), seq: 11, quality: 'suspect', why: 'hot', value: 3000.125, made },
  ...[0, 1].map(
    (seq): Reading => ({ ...about, from: 'sample.temperature', kind: 'K', t: at(seq), seq, quality: 'good', value: 2000 + seq, made }),
  ),
  ...[0, 1, 2].map(
    (seq): Reading => ({
      ...about,
      from: 'rho.resistivity',
      kind: 'Ω m',
      t: at(seq),
      seq,
      quality: 'good',
      value: 1e-8 + seq,
      made,
    }),
  ),
  { ...about, from: 'laser.output_power', kind: 'W', t: at(1), quality: 'good', value: 12.5 },
  { ...about, from: 'laser.emission', kind: 'flag', t: at(1), quality: 'good', value: true },
  { ...about, from: 'laser.emission', kind: 'flag', t: at(2), seq: 1, quality: 'good', value: false },
  { ...about, from: 'laser.emission', kind: 'flag', t: at(3), seq: 2, quality: 'bad', why: 'no answer' },
  { ...about, from: 'laser.state', kind: 'state', t: at(1), quality: 'good', value: '=on, "Ω"' },
  { ...about, from: 'laser.state', kind: 'state', t: at(2), seq: 1, quality: 'good', value: 'x'.repeat(2000) },
  { ...about, from: 'laser.state', kind: 'state', t: at(3), seq: 2, quality: 'good', value: '=on, "Ω"' },
  ...[3, 4].map((index): Reading => ({ ...about, from: 'room.bias', index, kind: 'V', t: at(2), quality: 'good', value: index })),
  ...[0, 1, 2].map((seq) => trace('camera.spectrum', at(seq + 0.5), seq, spectrum(seq), seq === 1 ? 'saturated' : undefined)),
  trace('camera.spectrum', at(4), 3, spectrum(3, 7e-7)),
  { ...about, from: 'camera.spectrum', kind: 'trace', t: at(5), seq: 4, quality: 'bad', why: 'no frame' },
  ...[0, 1, 2].map((seq) => trace('source.block', at(seq + 5), seq, block(seq))),
  ...[0, 1].map((seq) => trace('room.map', at(seq + 6), seq, image(seq))),
];

export const READINGS: readonly Reading[] = ALL.toSorted((a, b) => a.t - b.t);

export const ENTRIES: readonly Entry[] = [
  { kind: 'note', note: { t: at(3), by: 'eva', text: 'the cell is Ω aligned' } },
  {
    kind: 'order',
    order: { id: 1, t: at(1), by: 'rig', instrument: 'laser', command: 'emission', value: true, outcome: 'done', ended: at(1.5) },
  },
  { kind: 'alarm', alarm: { t: at(2), from: 'laser', text: 'is there' } },
];

/** Writes it; `readings` take the place of its own. */
export async function record(folder: string, readings: Iterable<Reading> = READINGS, rig = RIG): Promise<string> {
  let ms = 0;
  const writer = sessionWriter({ folder, now: () => ms, limits: { rawFree: 0, reserve: 0 } });
  const json = (topic: string, t: number, value: unknown) =>
    writer.write(topic, 'slow', t, new TextEncoder().encode(JSON.stringify(value)));
  json('rig', START, { version: '1.2.3', name: 'a-cell', yaml: rig, session: 'the-session' });
  writer.write('file calibrations/lamp.spe', 'raw-calibrations', START, Uint8Array.of(1, 2, 0, 255));
  for (const [i, from] of [0, 5000, 1e12, 0].entries()) {
    const bytes = hitBytes(hitBlock(from, 5));
    writer.write('tcp:10.0.0.2:24 hits', 'raw-tcp-10-0-0-2-24-hits', at(i + 1), bytes, 'application/x-bridgman-hits');
  }
  let n = 0;
  for (const reading of readings) {
    write({ kind: 'reading', reading }, (topic, klass, t, bytes) => void writer.write(topic, klass, t, bytes));
    if (++n % 5 === 0) {
      ms += 1000;
      writer.tick();
      if (n % 2000 === 0) await new Promise((done) => setImmediate(done)); // the disk has its turn
    }
  }
  for (const entry of ENTRIES) write(entry, (topic, klass, t, bytes) => void writer.write(topic, klass, t, bytes));
  json('end', at(20), {});
  ms += 1000;
  writer.tick();
  await writer.close();
  return folder;
}
