/**
 * From a frame that enters the derivations to its temperature that leaves them: whole time of each frame, at 1,024 columns, against the 5 ms in
 * which a temperature is wanted, and against one bare fit of the same pixels. Right before fast: each temperature is compared first.
 */
import { fitPlanck } from '../src/derive/planck.ts';
import { spectralRadiance } from '../src/derive/radiance.ts';
import { planckMl } from '../src/derive/temperature.ts';
import { graph } from '../src/graph.ts';
import type { Reading, Trace } from '../src/reading.ts';
import { Refused } from '../src/talk.ts';

interface Result {
  readonly name: string;
  readonly ratio: number;
  readonly goal: number;
  readonly detail: string;
}

const COLUMNS = 1024;
const FRAMES = 1500;
const WARM = 150;
/** Seconds: p99 of frame to temperature. */
const WANTED = 5e-3;
/** Three fits for the window term, two diagnostics, masks and the noise of 1,024 pixels may cost ten bare fits. */
const PARTS = 0.1;
const LAMP = 2255;

const wavelength = Float64Array.from({ length: COLUMNS }, (_, i) => (600 + (300 * i) / (COLUMNS - 1)) / 1e9);
const throughput = wavelength.map((l) => 4e-8 * Math.exp(-(((l * 1e9 - 720) / 140) ** 2)));

function normals(seed: number): () => number {
  let state = seed;
  const random = (): number => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
  return () => Math.sqrt(-2 * Math.log(random())) * Math.cos(2 * Math.PI * random());
}

/** An image with a spectrum in the rows `lit`, with its noise and 4 counts rms of readout. */
function image(kelvin: number, rows: number, lit: readonly [number, number], normal: () => number): Trace {
  const counts = new Float32Array(rows * COLUMNS);
  for (let row = 0; row < rows; row++) {
    for (let i = 0; i < COLUMNS; i++) {
      const light = row >= lit[0] && row <= lit[1] ? (throughput[i] ?? 0) * spectralRadiance(wavelength[i] ?? 0, kelvin) : 0;
      counts[row * COLUMNS + i] = light + Math.hypot(Math.sqrt(light), 4) * normal();
    }
  }
  return {
    columns: { wavelength: { unit: 'm', data: wavelength }, counts: { unit: '1', data: counts } },
    shape: [rows, COLUMNS],
    begin: 0,
    end: 1e6,
    settings: { saturation: 1e9 },
  };
}

const TEMPERATURES = [1600, 2000, 2400, 3000, 4000];

function oneCase(name: string, rows: number, lit: readonly [number, number]): readonly Result[] {
  const normal = normals(rows);
  const frames = TEMPERATURES.map((t) => image(t, rows, lit, normal));
  const params = planckMl.params.parse({
    calibration: { lamp: image(LAMP, rows, lit, normal), temperature: `${LAMP} K` },
    rows: [...lit],
    gain: 1,
    read_noise: 4,
  });
  if (params instanceof Refused) throw new Error(params.why);
  const input = { from: 'camera.spectrum', pair: 'last' as const, within: 0 };
  const take = graph([{ name: 'up', derivation: planckMl, inputs: { spectrum: input }, params, parametersId: '' }]);
  const times: number[] = [];
  const bare: number[] = [];
  const now = (): number => Number(process.hrtime.bigint()) / 1e9;
  for (let i = 0; i < FRAMES + WARM; i++) {
    const value = frames[i % frames.length];
    if (!value) throw new Error('no frame');
    const reading: Reading = { from: 'camera.spectrum', kind: 'trace', t: i * 1e6, seq: i, origin: 'simulator', quality: 'good', value };
    const began = now();
    const made = take(reading);
    const seconds = now() - began;
    checked(made, TEMPERATURES[i % TEMPERATURES.length] ?? 0);
    const alone = bareFit(value, lit);
    if (i < WARM) continue;
    times.push(seconds);
    bare.push(alone);
  }
  const [p50, p99, fit] = [at(times, 0.5), at(times, 0.99), at(bare, 0.5)];
  const ms = (s: number): string => (s * 1e3).toFixed(2);
  return [
    { name: `frame to temperature, ${name}, of 5 ms`, ratio: WANTED / p99, goal: 1, detail: `p50 ${ms(p50)} ms, p99 ${ms(p99)} ms` },
    {
      name: `frame to temperature, ${name}, of one bare fit`,
      ratio: fit / p50,
      goal: PARTS,
      detail: `p50 ${ms(p50)} ms against ${ms(fit)} ms; ${FRAMES} of each in turn`,
    },
  ];
}

function checked(made: readonly Reading[], truth: number): void {
  const reading = made.find((r) => r.from === 'up.temperature');
  if (!reading || reading.quality === 'bad' || typeof reading.value !== 'number') throw new Error(`no temperature at ${truth} K`);
  const bar = Math.hypot(reading.sigma?.random ?? 0, ...Object.values(reading.sigma?.shared ?? {}));
  // The lamp's own noise is in every frame alike: five sigma of one frame leave room for it.
  if (!(Math.abs(reading.value - truth) < 5 * bar + 1)) throw new Error(`${reading.value} +- ${bar} K where ${truth} K is right`);
}

/** Seconds of the fit alone, its counts summed before. */
function bareFit({ columns }: Trace, [top, bottom]: readonly [number, number]): number {
  const counts = new Float64Array(COLUMNS);
  const data = columns.counts?.data ?? [];
  for (let row = top; row <= bottom; row++) {
    for (let i = 0; i < COLUMNS; i++) counts[i] = (counts[i] ?? 0) + (data[row * COLUMNS + i] ?? 0);
  }
  const readVariance = new Float64Array(COLUMNS).fill(16 * (bottom - top + 1));
  const began = process.hrtime.bigint();
  const fit = fitPlanck({ wavelength, response: throughput, counts, readVariance });
  const seconds = Number(process.hrtime.bigint() - began) / 1e9;
  if ('refused' in fit) throw new Error(fit.refused);
  return seconds;
}

const at = (values: readonly number[], part: number): number =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(part * values.length))] ?? Number.NaN;

export async function frame(): Promise<readonly Result[]> {
  return [...oneCase('1,024 px', 1, [0, 0]), ...oneCase('1,024 x 255 px', 255, [99, 110])];
}
