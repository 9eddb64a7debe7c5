import {
  DIGITIZER_CLOCK,
  DIGITIZER_REGISTERS,
  DIGITIZER_STATUS,
  DIGITIZER_VERSION,
  type DigitizerRegister,
} from '../protocols/digitizer-registers.ts';
import { type RbcpAsk, rbcp } from '../protocols/rbcp.ts';
import {
  READOUT_CHANCE,
  READOUT_COUNTS,
  READOUT_EXAMPLE,
  READOUT_GIVES,
  type ReadoutPlan,
  type ReadoutTell,
  readout,
  readoutValues,
} from '../protocols/readout.ts';
import { DIGITIZER_64 } from '../protocols/waveform-layout.ts';
import { type PhysicsPart, physicsField } from '../src/derive/detector-fields.ts';
import { PHYSICS_CHANCE, PHYSICS_COUNTS, PHYSICS_GIVES, SOURCE_CHANCE, SOURCE_GIVES } from '../src/derive/detector-values.ts';
import { WATCH_GIVES } from '../src/derive/detector-watch.ts';
import { LIGHT_GIVES } from '../src/derive/light-yield.ts';
import { type EdgePart, edgeField, type GainPart, photoelectronsField, scaleGives } from '../src/derive/scale-fields.ts';
import {
  type Actors,
  type Askers,
  type Command,
  type Field,
  instrument,
  type Kinds,
  NoReply,
  options,
  type Poll,
  patiently,
  Refused,
  type Stream,
  type Takes,
  type Talk,
  type Values,
  whole,
  word,
} from '../src/instrument.ts';

type L = { readonly control: ReturnType<typeof rbcp>; readonly data: ReturnType<typeof readout> };
type Register = keyof typeof DIGITIZER_REGISTERS;
interface Axis {
  readonly low: number;
  readonly high: number;
  readonly bins: number;
}
interface Options {
  readonly polarity: 'negative' | 'positive';
  readonly least: number;
  readonly divider: number;
  readonly charge: Axis;
  readonly scale: readonly number[] | undefined;
  readonly energy: Axis;
  readonly photoelectrons: GainPart | undefined;
  readonly edge: EdgePart | undefined;
  readonly physics: PhysicsPart | undefined;
  readonly record: 'raw' | 'hits' | 'both' | 'nothing';
  readonly first_channel: number;
}

const { channels: CHANNELS, samples: SAMPLES } = DIGITIZER_64;
const TRIES = 3; // times that a lost question is repeated: all registers can be written twice

const axis = (about: string, otherwise: Axis): Field<Axis> => ({
  about: `{ low, high, bins } of ${about} (otherwise ${otherwise.low} to ${otherwise.high}, ${otherwise.bins} bins)`,
  of(yaml) {
    if (yaml === undefined) return otherwise;
    const { low, high, bins } = (yaml !== null && typeof yaml === 'object' ? yaml : {}) as Partial<Axis>; // each is looked at below
    return typeof low === 'number' && typeof high === 'number' && low < high && Number.isInteger(bins) && Number(bins) >= 1
      ? { low, high, bins: Number(bins) }
      : new Refused(`is written as { low: ${otherwise.low}, high: ${otherwise.high}, bins: ${otherwise.bins} }`);
  },
});
const scale: Field<readonly number[] | undefined> = {
  about: `MeVee for one count of charge: a number for all channels, or a list of ${CHANNELS}; without it there is no energy`,
  of(yaml) {
    if (yaml === undefined) return undefined;
    const list: readonly unknown[] = typeof yaml === 'number' ? new Array(CHANNELS).fill(yaml) : Array.isArray(yaml) ? yaml : [];
    const good = list.filter((n): n is number => typeof n === 'number' && n > 0 && Number.isFinite(n));
    return good.length === CHANNELS && list.length === CHANNELS
      ? good
      : new Refused(`must be a number above 0, or a list of ${CHANNELS} of them`);
  },
};

/** What the readout process makes of the frames. */
function planOf(p: Options): ReadoutPlan {
  const both = p.record === 'both';
  const byNumber = p.scale && { slope: [...new Array<number>(p.first_channel).fill(0), ...p.scale] };
  const mine = { channels: CHANNELS, firstChannel: p.first_channel };
  return {
    source: {
      format: 'waveforms',
      layout: { ...DIGITIZER_64, interval: p.divider / DIGITIZER_CLOCK },
      polarity: p.polarity,
      threshold: p.least,
      firstChannel: p.first_channel,
    },
    channels: p.first_channel + CHANNELS,
    spectra: {
      charge: { ...p.charge },
      shape: { low: 0, high: 1, bins: 50 },
      ...(byNumber ? { scale: byNumber, energy: { ...p.energy } } : {}),
    },
    scale: { ...(p.photoelectrons ? { photoelectrons: p.photoelectrons } : {}), ...(p.edge ? { energy: p.edge } : {}) },
    watch: mine,
    ...(p.physics ? { physics: { ...mine, ...p.physics, ...(byNumber ? { scale: byNumber } : {}) } } : {}),
    perFrame: (SAMPLES * p.divider) / DIGITIZER_CLOCK,
    record: { raw: both || p.record === 'raw', hits: both || p.record === 'hits' },
  };
}

function* read(ask: Askers<L>, name: Register): Talk<readonly number[]> {
  const { address, bytes, count = 1 }: DigitizerRegister = DIGITIZER_REGISTERS[name];
  const m = yield* patiently(TRIES, () => ask.control.ask({ command: 'read', address, length: bytes * count }));
  if (m.busError) throw new NoReply(`bus error: the board has nothing at 0x${address.toString(16)} (${name})`);
  return Array.from({ length: count }, (_, i) => m.data.slice(i * bytes, (i + 1) * bytes).reduce((n, byte) => n * 256 + byte, 0));
}

function* write(act: Actors<L>, name: Register, value: number, index = 0): Talk<void> {
  const { address, bytes }: DigitizerRegister = DIGITIZER_REGISTERS[name];
  const data = Uint8Array.from({ length: bytes }, (_, i) => Math.floor(value / 256 ** (bytes - 1 - i)) % 256);
  const q: RbcpAsk = { command: 'write', address: address + index * bytes, data };
  const m = yield* patiently(TRIES, () => act.control.exchange(q));
  if (m.busError) throw new NoReply(`bus error: the board refuses a write to 0x${address.toString(16)} (${name})`);
}

const one = ([value = 0]: readonly number[]): number => value;
const reads =
  (name: Register) =>
  (ask: Askers<L>): Talk<readonly number[]> =>
    read(ask, name);

const POLLS: readonly Poll<L, Kinds, readonly number[]>[] = [
  {
    gives: { running: 'flag', clock_locked: 'flag', overflow: 'flag' },
    every: 1,
    talk: reads('status'),
    read: (m) => ({
      running: (one(m) & DIGITIZER_STATUS.running) !== 0,
      clock_locked: (one(m) & DIGITIZER_STATUS.locked) !== 0,
      overflow: (one(m) & DIGITIZER_STATUS.overflow) !== 0,
    }),
    example: [[3], { running: true, clock_locked: true, overflow: false }],
  },
  {
    gives: { triggers_lost: '1' },
    every: 1,
    talk: reads('lost'),
    read: (m) => ({ triggers_lost: one(m) }),
    example: [[12], { triggers_lost: 12 }],
  },
  { gives: { run: 'flag' }, every: 1, talk: reads('run'), read: (m) => ({ run: one(m) === 1 }), example: [[1], { run: true }] },
  {
    gives: { threshold: '1' },
    every: 5,
    talk: reads('threshold'),
    read: (m) => ({ threshold: [...m] }),
    example: [new Array<number>(CHANNELS).fill(20), { threshold: new Array<number>(CHANNELS).fill(20) }],
  },
  {
    gives: { pre_trigger: '1' },
    every: 5,
    talk: reads('preTrigger'),
    read: (m) => ({ pre_trigger: one(m) }),
    example: [[25], { pre_trigger: 25 }],
  },
  {
    gives: { test_pulse: 'flag' },
    every: 5,
    talk: reads('testPulse'),
    read: (m) => ({ test_pulse: one(m) === 1 }),
    example: [[0], { test_pulse: false }],
  },
  {
    gives: { test_rate: '1/s' },
    every: 5,
    talk: reads('testRate'),
    read: (m) => ({ test_rate: one(m) }),
    example: [[10], { test_rate: 10 }],
  },
  {
    gives: { test_height: '1' },
    every: 5,
    talk: reads('testHeight'),
    read: (m) => ({ test_height: one(m) }),
    example: [[400], { test_height: 400 }],
  },
];

const command = <K extends Takes>(c: Command<L, K>): Command<L, K> => c;
const flag = (name: Register, channel: string, about: string): Command<L, 'flag'> => ({
  takes: 'flag',
  about,
  talk: (act, on) => write(act, name, on ? 1 : 0),
  readback: { channel, within: 3, by: 0 },
});
const number = (name: Register, channel: string, about: string, takes: '1' | '1/s' = '1'): Command<L, Takes> => ({
  takes,
  limits: [0, DIGITIZER_REGISTERS[name].most],
  about,
  talk: (act, value) => write(act, name, Math.round(Number(value))),
  readback: { channel, within: 12, by: 0.5 },
});

const COMMANDS = {
  run: flag('run', 'run', 'takes data: the counts of frames and of lost triggers begin anew'),
  threshold: command<'1'>({
    takes: '1',
    count: CHANNELS,
    limits: [0, DIGITIZER_REGISTERS.threshold.most],
    about: 'ADC counts from the baseline at which a channel triggers; 0: never',
    talk: (act, value, index) => write(act, 'threshold', Math.round(value ?? 0), index),
    readback: { channel: 'threshold', within: 12, by: 0.5 },
  }),
  pre_trigger: number('preTrigger', 'pre_trigger', 'samples before the trigger'),
  test_pulse: flag('testPulse', 'test_pulse', 'a pulse on all channels at once, again and again'),
  test_rate: number('testRate', 'test_rate', 'of the test pulse', '1/s'),
  test_height: number('testHeight', 'test_height', 'of the test pulse, in ADC counts'),
  clear: command<'nothing'>({
    takes: 'nothing',
    about: 'spectra, pairs and direction begin anew, and channels are held to be as they should',
    *talk(act) {
      yield* act.data.exchange({ do: 'clear' });
    },
  }),
};

/** What the readout process says, by the names that it says it under. */
function stream(p: Options): Stream<Kinds, ReadoutTell> {
  const gives: Kinds = {
    ...READOUT_GIVES,
    ...WATCH_GIVES,
    ...(p.physics ? { ...PHYSICS_GIVES, ...LIGHT_GIVES } : {}),
    ...(p.physics?.source ? SOURCE_GIVES : {}),
    shape: 'trace',
    ...(p.scale ? { energy: 'trace' as const } : {}),
    ...scaleGives(p.photoelectrons, p.edge),
  };
  const values = (m: ReadoutTell): Values<Kinds> => readoutValues(m, gives) as Values<Kinds>; // as the process gives them; acquire looks at each
  return {
    gives,
    takes: (m) => m.say === 'values',
    read: values,
    counts: [...READOUT_COUNTS, ...(p.physics ? PHYSICS_COUNTS : [])],
    chance: [...READOUT_CHANCE, ...(p.physics ? PHYSICS_CHANCE : []), ...(p.physics?.source ? SOURCE_CHANCE : [])],
    silence: 5,
    example: [READOUT_EXAMPLE, values(READOUT_EXAMPLE)],
  };
}

/** A digitizer of 64 channels behind SiTCP: registers over RBCP (UDP 4660), and its waveforms over TCP 24, read in a process of their own. */
export default instrument<L, Options, { readonly version: string }>({
  model: 'SiTCP waveform digitizer',
  source: 'RBCP and the TCP stream as in sitcpy; registers and frames are ours, as no board of this kind has published its own',
  proven: 'third-party driver',
  options: options<Options>({
    polarity: word('of the pulses', ['negative', 'positive'] as const, 'negative'),
    least: whole('ADC counts below which a channel holds no pulse', 1, 4095, 10),
    divider: whole('of the sampling clock of 250 MHz, as it is set on the board', 1, 256, 1),
    charge: axis('the spectra of charge, in ADC counts times samples', { low: 0, high: 40_000, bins: 400 }),
    photoelectrons: photoelectronsField({ low: -50, high: 500, bins: 275 }),
    edge: edgeField({ low: 200, high: 900, bins: 200 }),
    scale,
    physics: physicsField(CHANNELS),
    energy: axis('the spectrum of energy, in MeVee', { low: 0, high: 10, bins: 500 }),
    record: word('what of the stream the session holds', ['raw', 'hits', 'both', 'nothing'] as const, 'both'),
    first_channel: whole('number of the first channel, where several boards are one detector', 0, 65_000, 0),
  }),
  links: (p) => ({ control: rbcp(), data: readout(planOf(p)) }),
  *identify(ask, p) {
    const version = one(yield* read(ask, 'version'));
    const shown = `0x${version.toString(16).padStart(8, '0')}`;
    if (version >>> 16 !== DIGITIZER_VERSION >>> 16) return new Refused(`its version is ${shown}: this is another board`);
    const divider = one(yield* read(ask, 'divider'));
    if (divider !== p.divider)
      return new Refused(
        `the board divides its clock by ${divider}, the rig says ${p.divider}: times would be wrong; write options: { divider: ${divider} }`,
      );
    return { version: shown };
  },
  body: (p) => ({ polls: POLLS, streams: { data: [stream(p)] }, commands: COMMANDS }),
});
