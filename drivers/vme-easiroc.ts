import {
  andBytes,
  CLOCK_OUTPUTS,
  DIRECT,
  type EasirocVersion,
  MONITOR,
  muxOf,
  PATTERNS,
  PEDESTAL_BYTES,
  REGISTER,
  STATUS,
  triggerWidthCode,
  VERSION_BYTES,
  versionOf,
} from '../protocols/easiroc-registers.ts';
import {
  CHIP_CHANNELS,
  SLOW_CONTROL_FIELDS,
  SLOW_CONTROL_WORDS,
  type SlowControl,
  slowControlBytes,
  slowControlOf,
} from '../protocols/easiroc-slow-control.ts';
import { rbcp, rbcpPieces } from '../protocols/rbcp.ts';
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
import { type GainPart, photoelectronsField, scaleGives } from '../src/derive/scale-fields.ts';
import {
  type Actors,
  type Askers,
  type Command,
  type Field,
  type Here,
  instrument,
  type Kinds,
  type Measured,
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
interface Bias {
  readonly per_volt: number;
  readonly offset: number;
}
interface Monitor {
  readonly bias: number;
  readonly bias_offset: number;
  readonly current: number;
  readonly input_dac: number;
}
interface Options {
  readonly bias: Bias | undefined;
  readonly bias_limit: number;
  readonly monitor: Monitor;
  readonly settle: number;
  readonly watch_input_dacs: boolean;
  readonly chip1: SlowControl;
  readonly chip2: SlowControl | undefined;
  readonly send: readonly (keyof typeof STATUS)[];
  readonly words: 'packed' | 'plain' | 'either';
  readonly gain: 'high' | 'low';
  readonly pedestal: readonly number[];
  readonly least: number;
  readonly photoelectrons: GainPart | undefined;
  readonly record: 'raw' | 'hits' | 'both' | 'nothing';
  readonly first_channel: number;
}

const CHANNELS = 2 * CHIP_CHANNELS;
const TRIES = 3; // RBCP.rb asks three times in all, sitcpy and basil up to three times again
const SHIFT = 0.1; // seconds that VME-EASIROC.rb gives the shift registers
const EVEN = 254; // bytes of a packet that cuts no 16-bit register in two
const FULL = 0xffff; // counts of the monitor ADC
const MOST_BIAS = 90; // V, VME-EASIROC.rb

const isTable = (yaml: unknown): yaml is Readonly<Record<string, unknown>> =>
  yaml !== null && typeof yaml === 'object' && !Array.isArray(yaml);
const isNumber = (yaml: unknown): yaml is number => typeof yaml === 'number' && Number.isFinite(yaml);
const hex = (n: number): string => `0x${n.toString(16).padStart(8, '0')}`;

/** Numbers by name; what is not said is as in `otherwise`. */
function numbers<T extends { readonly [name: string]: number }>(yaml: unknown, otherwise: T, names: readonly string[]): T | Refused {
  if (yaml === undefined) return otherwise;
  const shape = `is written as { ${names.map((n) => `${n}: ${otherwise[n]}`).join(', ')} }`;
  if (!isTable(yaml)) return new Refused(shape);
  for (const [name, value] of Object.entries(yaml)) if (!names.includes(name) || !isNumber(value)) return new Refused(shape);
  return { ...otherwise, ...yaml } as T; // every name is one of T's, and its value a number
}

const number = (about: string, lo: number, hi: number, otherwise: number): Field<number> => ({
  about: `${about} (${lo} to ${hi}, otherwise ${otherwise})`,
  of: (yaml = otherwise) =>
    isNumber(yaml) && yaml >= lo && yaml <= hi ? yaml : new Refused(`must be a number from ${lo} to ${hi}, not ${JSON.stringify(yaml)}`),
});

const PUBLISHED = { per_volt: 483.183, offset: 780 }; // Calibration.yml of one board; another's has 413.9 and 747.8
const bias: Field<Bias | undefined> = {
  about:
    '{ per_volt, offset } of the bias DAC in counts, as measured on this very board (its Calibration.yml); without it there is no bias',
  of(yaml) {
    if (yaml === undefined) return undefined;
    const given = isTable(yaml) && 'per_volt' in yaml && 'offset' in yaml ? numbers(yaml, PUBLISHED, Object.keys(PUBLISHED)) : undefined;
    if (!given || given instanceof Refused)
      return new Refused('is written as { per_volt: 483.183, offset: 780 }, with the numbers of this board');
    const highest = given.per_volt * MOST_BIAS + given.offset;
    return given.per_volt > 0 && given.offset >= 0 && highest <= 0xffff
      ? given
      : new Refused(`per_volt must be above 0, offset not below it, and ${MOST_BIAS} V fit into 16 bits (it is ${highest})`);
  },
};

const MONITORED: Monitor = { bias: 0.00208, bias_offset: 0, current: 3.4e-8, input_dac: 6.85e-5 };
const monitor: Field<Monitor> = {
  about: '{ bias: V, bias_offset: V, current: A, input_dac: V } for a count of the monitor ADC (otherwise Calibration.yml)',
  of: (yaml) => {
    const given = numbers({ ...(isTable(yaml) ? yaml : {}) }, { ...MONITORED }, Object.keys(MONITORED));
    return yaml !== undefined && !isTable(yaml) ? new Refused('is written as { bias: 0.00208, bias_offset: 0 }') : given;
  },
};

/** Settings of a chip over those that the public controller begins with. */
function chip(yaml: unknown = {}): SlowControl | Refused {
  if (!isTable(yaml)) return new Refused('is written as { threshold: 600, input_dac: 350 }');
  const settings = slowControlOf(yaml);
  return typeof settings === 'string' ? new Refused(settings) : settings;
}
const chip1: Field<SlowControl> = { about: 'settings of both chips, or of the first: { threshold: 600, input_dac: 350 }', of: chip };
const chip2: Field<SlowControl | undefined> = {
  about: 'settings of the second chip, where they are others (channels 32 to 63)',
  of: (yaml) => (yaml === undefined ? undefined : chip(yaml)),
};

const PARTS = ['adc', 'tdc', 'scaler'] as const;
const send: Field<Options['send']> = {
  about: 'what an event holds: a list of adc, tdc, scaler (otherwise all)',
  of(yaml = PARTS) {
    const list: readonly unknown[] = Array.isArray(yaml) ? yaml : [];
    const good = PARTS.filter((part) => list.includes(part));
    return good.length > 0 && good.length === list.length ? good : new Refused('must be a list of adc, tdc, scaler');
  },
};
const watch: Field<boolean> = {
  about:
    'whether the voltages of the 64 input DACs are looked at, one after the other (true | false, otherwise false: it takes half a minute)',
  of: (yaml = false) => (typeof yaml === 'boolean' ? yaml : new Refused('must be true or false')),
};

const pedestal: Field<readonly number[]> = {
  about: `ADC counts of a channel without light: a number for all, or a list of ${CHANNELS} (otherwise 0: charges have the pedestal in them)`,
  of(yaml = 0) {
    const list: readonly unknown[] = Array.isArray(yaml) ? yaml : new Array<unknown>(CHANNELS).fill(yaml);
    const good = list.filter((n): n is number => isNumber(n) && n >= 0 && n <= 4095);
    return good.length === CHANNELS && list.length === CHANNELS
      ? good
      : new Refused(`must be a number from 0 to 4095, or a list of ${CHANNELS} of them`);
  },
};

function* read(ask: Askers<L>, what: string, address: number, length: number): Talk<Uint8Array> {
  const m = yield* patiently(TRIES, () => ask.control.ask({ command: 'read', address, length }));
  if (m.busError) throw new NoReply(`bus error: the board has nothing at ${hex(address)} (${what})`);
  return m.data;
}

/** Any length. A lost reply leaves it open whether the write was carried out: it is repeated where that does no harm. */
function* write(act: Actors<L>, what: string, address: number, data: Uint8Array, idempotent = true): Talk<void> {
  for (const q of rbcpPieces({ command: 'write', address, data }, EVEN)) {
    const { busError } = yield* patiently(idempotent ? TRIES : 0, () => act.control.exchange(q));
    if (busError) throw new NoReply(`bus error: the board refuses a write to ${hex(q.address)} (${what})`);
  }
}

const byte = (n: number): Uint8Array => Uint8Array.of(n);
const short = (n: number): Uint8Array => Uint8Array.of(n >> 8, n & 0xff);
function wholeOf(value: unknown): number {
  if (typeof value === 'number' && Number.isInteger(value)) return value;
  throw new NoReply(`the register takes whole numbers, not ${String(value)}`);
}

/** The settings of both chips: they cannot be read, and are known from the first time that all of them were written. */
function slowControl(p: Options) {
  const rig = (): SlowControl[] => [{ ...p.chip1 }, { ...(p.chip2 ?? p.chip1) }];
  let wanted: SlowControl[] | undefined;
  function* load(act: Actors<L>, here: Here, next: SlowControl[]): Talk<void> {
    const images = next.map(slowControlBytes);
    wanted = undefined; // until all of it has gone well
    yield* write(act, 'direct control', REGISTER.direct, DIRECT.rest);
    for (const [i, image] of images.entries()) yield* write(act, `slow control ${i + 1}`, REGISTER.slowControl[i], image);
    yield* write(act, 'direct control: start', REGISTER.direct, DIRECT.start, false);
    yield* here.wait(SHIFT);
    yield* write(act, 'direct control: load', REGISTER.direct, DIRECT.load, false);
    yield* write(act, 'direct control', REGISTER.direct, DIRECT.rest);
    wanted = next;
  }
  return {
    all: (act: Actors<L>, here: Here) => load(act, here, rig()),
    *set(act: Actors<L>, here: Here, name: string, index: number, value: number): Talk<void> {
      if (!wanted)
        throw new NoReply('what the chips hold is not known, and they take only all settings at once: give the order configure first');
      const per = SLOW_CONTROL_FIELDS.find((f) => f.name === name)?.count ?? 1;
      const next = wanted.map((one, i) =>
        i === Math.floor(index / per) ? { ...one, [name]: one[name].map((old, ch) => (ch === index % per ? value : old)) } : one,
      );
      yield* load(act, here, next);
    },
  };
}

function commands(p: Options): Readonly<Record<string, Command<L, Takes>>> {
  const chips = slowControl(p);
  const setting = (
    name: string,
    count: number,
    takes: '1' | 'flag' | 'state',
    more: Partial<Command<L, Takes>>,
    code: (v: unknown) => number,
  ) => ({
    takes,
    count,
    ...more,
    *talk(act: Actors<L>, value: unknown, index: number, here: Here): Talk<void> {
      yield* chips.set(act, here, name, index, code(value));
    },
  });
  const words = (name: string, about: string) =>
    setting(name, 2, 'state', { words: Object.keys(SLOW_CONTROL_WORDS[name]), about }, (v) => SLOW_CONTROL_WORDS[name][String(v)]);
  const register = (
    takes: '1' | 's',
    limits: readonly [number, number],
    about: string,
    what: string,
    at: (i: number) => number,
    code: (v: number) => Uint8Array,
    count?: number,
  ) => ({
    takes,
    limits,
    about,
    ...(count === undefined ? {} : { count }),
    *talk(act: Actors<L>, value: unknown, index: number): Talk<void> {
      if (typeof value === 'number') yield* write(act, what, at(index), code(value));
    },
  });
  const nanoseconds = (s: number): number => Math.round(s * 1e12) / 1000;
  const status = p.send.reduce((bits, part) => bits | STATUS[part], 0);
  return {
    bias_voltage: {
      takes: 'V',
      limits: [0, p.bias_limit],
      safe: 0,
      readback: { channel: 'bias_voltage', within: 20, by: 0.5 },
      renews: { bias_voltage: 1 }, // the conversion that was begun before
      about: 'sets the bias of all SiPMs; 0 sets the DAC to nothing and shuts the supply down',
      *talk(act, value) {
        const volts = typeof value === 'number' ? value : 0;
        if (volts > 0 && !p.bias)
          throw new NoReply('the bias DAC is not calibrated: write bias: { per_volt: ..., offset: ... } of this very board into the rig');
        const code = p.bias ? Math.floor(volts * p.bias.per_volt + p.bias.offset) : 0;
        const off = volts === 0;
        // Any write to the first three switches the supply on (HVControl.vhd): the DAC is at nothing before it is shut down.
        try {
          yield* write(act, 'bias, high byte', REGISTER.bias, byte(code >> 8), !off);
          yield* write(act, 'bias, low byte', REGISTER.bias + 1, byte(code & 0xff), !off);
          yield* write(act, 'bias, start', REGISTER.bias + 2, byte(1), !off);
        } catch (error) {
          // The shutdown does not wait for an answer about the DAC.
          if (off) yield* write(act, 'bias, shutdown', REGISTER.bias + 3, byte(0));
          throw error;
        }
        if (off) yield* write(act, 'bias, shutdown', REGISTER.bias + 3, byte(0));
      },
    },
    configure: {
      takes: 'nothing',
      about: 'writes all settings of both chips as the rig has them: the board’s own cannot be read',
      talk: (act, _value, _index, here) => chips.all(act, here),
    },
    input_dac: setting(
      'input_dac',
      CHANNELS,
      '1',
      { limits: [0, 511], about: 'the input DAC of a channel: 256 is on, and the code 0 to 255' },
      wholeOf,
    ),
    threshold: setting(
      'threshold',
      2,
      '1',
      { limits: [0, 1023], about: 'the discriminator threshold of a chip, in counts of its DAC' },
      wholeOf,
    ),
    discriminator: setting('mask', CHANNELS, 'flag', { about: 'whether a channel’s discriminator is heard' }, (v) => Number(v !== true)),
    high_gain_capacitor: words('high_gain_capacitor', 'feedback of the high-gain preamplifiers of a chip'),
    low_gain_capacitor: words('low_gain_capacitor', 'feedback of the low-gain preamplifiers of a chip'),
    high_gain_shaping: words('high_gain_shaping', 'time constant of the high-gain shapers of a chip'),
    low_gain_shaping: words('low_gain_shaping', 'time constant of the low-gain shapers of a chip'),
    acquisition: {
      takes: 'flag',
      about: 'events are sent; off: they are not',
      *talk(act, value) {
        yield* write(act, 'status', REGISTER.status, byte(status | (value === true ? STATUS.acquire : 0)));
      },
    },
    trigger_pattern: {
      takes: 'state',
      words: PATTERNS,
      about: 'which channels’ discriminators make a trigger; u is the first chip, d the second',
      *talk(act, value) {
        yield* write(act, 'trigger logic', REGISTER.logic, byte(PATTERNS.indexOf(String(value))));
      },
    },
    trigger_channel: register(
      '1',
      [0, 63],
      'the channel of the pattern OneCh',
      'trigger channel',
      () => REGISTER.logic + 1,
      (v) => byte(wholeOf(v)),
    ),
    trigger_hits: register(
      '1',
      [0, 64],
      'how many channels an OR needs',
      'trigger hits',
      () => REGISTER.logic + 2,
      (v) => byte(wholeOf(v)),
    ),
    and_channels: {
      takes: 'state',
      about: 'the channels of the ANDs: "0 1 33", or "none"',
      *talk(act, value) {
        const list =
          value === 'none'
            ? []
            : String(value)
                .trim()
                .split(/[\s,]+/);
        const channels = list.map((one) => (/^\d{1,2}$/.test(one) ? Number(one) : 64));
        if (channels.some((ch) => ch > 63)) throw new NoReply(`"${String(value)}" is no list of channels from 0 to 63, such as "0 1 33"`);
        yield* write(act, 'channels of the AND', REGISTER.logic + 3, andBytes(channels));
      },
    },
    trigger_width: register(
      's',
      [0, 800e-9],
      'how long a trigger pulse is made: 46 to 800 ns, 0 as it comes',
      'trigger width',
      () => REGISTER.triggerWidth,
      (v) => {
        const ns = nanoseconds(v);
        if (ns !== 0 && ns < 42) throw new NoReply(`a trigger width is 46 to 800 ns, or 0 for the pulse as it comes, not ${ns} ns`);
        return byte(triggerWidthCode(ns));
      },
    ),
    time_window: register(
      's',
      [0, 4095e-9],
      'how far back the TDC looks',
      'time window',
      () => REGISTER.timeWindow,
      (v) => short(Math.round(nanoseconds(v))),
    ),
    pedestal_high: register(
      '1',
      [0, 4095],
      'values of high gain up to it are not sent',
      'pedestal suppression',
      (ch) => REGISTER.pedestal + 2 * ch,
      (v) => short(wholeOf(v)),
      CHANNELS,
    ),
    pedestal_low: register(
      '1',
      [0, 4095],
      'values of low gain up to it are not sent',
      'pedestal suppression',
      (ch) => REGISTER.pedestal + 2 * (CHANNELS + ch),
      (v) => short(wholeOf(v)),
      CHANNELS,
    ),
    pedestals_off: {
      takes: 'nothing',
      about: 'all values are sent',
      talk: (act) => write(act, 'pedestal suppression', REGISTER.pedestal, new Uint8Array(PEDESTAL_BYTES)),
    },
    analog_output: {
      takes: '1',
      limits: [-1, 63],
      about: 'the channel whose high gain is at the analog output, -1 for none',
      *talk(act, value) {
        const ch = wholeOf(value);
        yield* write(act, 'direct control: reset read', REGISTER.direct, DIRECT.resetRead, false);
        yield* write(act, 'direct control', REGISTER.direct, DIRECT.rest);
        if (ch >= 0) yield* write(act, 'read register', REGISTER.readout[Math.floor(ch / CHIP_CHANNELS)], byte(ch % CHIP_CHANNELS));
      },
    },
    clock_output: {
      takes: 'state',
      words: CLOCK_OUTPUTS,
      about: 'what is at the clock output',
      *talk(act, value) {
        yield* write(act, 'clock output', REGISTER.clockOutput, byte(CLOCK_OUTPUTS.indexOf(String(value))));
      },
    },
  };
}

interface Converted {
  /** What this tick has begun: a conversion, or taking it into the FPGA. */
  readonly begun?: 'converting' | 'latched';
  /** What was looked at before, and the input DAC's channel. */
  readonly of?: number;
  readonly channel?: number;
  readonly raw?: number;
}
interface Slot {
  readonly of: number;
  readonly channel?: number;
}

/** Bias and current every second time, the temperatures and one input DAC after the other between them. */
function slots(dacs: boolean): readonly Slot[] {
  const often = [{ of: MONITOR.bias }, { of: MONITOR.current }];
  const seldom = [{ of: MONITOR.temperature1 }, { of: MONITOR.temperature2 }];
  if (!dacs) return [...often, ...often, ...often, ...seldom];
  return Array.from({ length: CHIP_CHANNELS }, (_, i) => [
    ...often,
    ...MONITOR.inputDac.map((of, c) => ({ of, channel: c * CHIP_CHANNELS + i })),
    ...(i % 8 === 0 ? seldom : []),
  ]).flat();
}

/**
 * The monitor ADC has one converter: it is pointed at something, converts for a while, is read into the FPGA, and then from there. A tick
 * of the poll does the one or the other, so that `settle` lies between; where a late answer has made it less, the value is not taken. These writes change no output; after a failure it begins anew.
 */
function watched(p: Options): Poll<L, Readonly<Record<string, 'V' | 'A' | 'K'>>, Converted> {
  const all = slots(p.watch_input_dacs);
  let at = 0;
  let pointed: Slot | undefined; // converting
  let latched: Slot | undefined; // in the FPGA
  let moved = Number.NEGATIVE_INFINITY; // when the tick before was answered
  let dacs: (Measured<'V'> | undefined)[] = new Array(CHANNELS);
  const k = p.monitor;
  function* put(ask: Askers<L>, offset: number, value: number): Talk<void> {
    const address = REGISTER.monitor + offset;
    const m = yield* ask.control.ask({ command: 'write', address, data: byte(value) });
    if (m.busError) throw new NoReply(`bus error: the board has nothing at ${hex(address)} (monitor ADC)`);
  }
  return {
    gives: {
      bias_voltage: 'V',
      bias_current: 'A',
      temperature_1: 'K',
      temperature_2: 'K',
      ...(p.watch_input_dacs ? { input_dac_voltage: 'V' } : {}),
    },
    every: p.settle,
    *talk(ask) {
      const [converting, ready] = [pointed, latched];
      pointed = undefined;
      latched = undefined;
      if (converting) {
        yield* put(ask, 0, MONITOR.read);
        yield* put(ask, 1, 0);
        latched = converting;
        return { begun: 'latched' };
      }
      let said: Converted = { begun: 'converting' };
      if (ready) {
        const [high, low] = yield* read(ask, 'monitor ADC', REGISTER.monitorRead, 2);
        said = { ...said, ...ready, raw: high * 256 + low };
        at = (at + 1) % all.length;
      }
      const next = all[at];
      if (next.channel !== undefined) yield* put(ask, 2, muxOf(next.channel % CHIP_CHANNELS));
      yield* put(ask, 0, next.of);
      yield* put(ask, 1, 1);
      pointed = next;
      return said;
    },
    read({ begun, of, channel, raw }, came) {
      const rested = came.asked - moved >= 5e5 * p.settle; // half of it, in microseconds
      if (begun) moved = came.t;
      if (!rested && begun === 'latched') latched = undefined; // what is in the FPGA may be of another
      if (raw === undefined || !rested) return {};
      const said = (value: number) =>
        raw === FULL ? { quality: 'suspect' as const, why: 'the monitor ADC is at the end of its range', value } : value;
      if (of === MONITOR.bias) return { bias_voltage: said(raw * k.bias + k.bias_offset) };
      if (of === MONITOR.current) return { bias_current: said(raw * k.current) };
      // The sensor gives kelvin: 4.5 V for 65535 counts, amplified 2.4 times, 1 mV each (VME-EASIROC.rb takes 273 off for °C).
      const kelvin = (raw * 4500) / FULL / 2.4;
      if (of === MONITOR.temperature1) return { temperature_1: said(kelvin) };
      if (of === MONITOR.temperature2) return { temperature_2: said(kelvin) };
      if (channel === undefined) return {};
      const volts = said(raw * k.input_dac);
      dacs[channel] = { ...(typeof volts === 'number' ? { quality: 'good', value: volts } : volts), t: came.t };
      const list = dacs.filter((one) => one !== undefined);
      if (list.length < CHANNELS) return {};
      dacs = new Array(CHANNELS);
      return { input_dac_voltage: list };
    },
    example: [{ of: MONITOR.bias, raw: 27000 }, { bias_voltage: 27000 * MONITORED.bias }],
  };
}

/** What the readout process makes of the events; the scalers' rates where events hold them. */
function events(p: Options): Stream<Kinds, ReadoutTell> {
  const gives: Kinds = { ...READOUT_GIVES, scaler: '1/s', scaler_or: '1/s', ...scaleGives(p.photoelectrons, undefined) };
  const values = (m: ReadoutTell): Values<Kinds> => readoutValues(m, gives) as Values<Kinds>; // as the process gives them; acquire looks at each
  return {
    gives,
    takes: (m) => m.say === 'values',
    read: values,
    counts: READOUT_COUNTS,
    chance: READOUT_CHANCE,
    silence: 5,
    example: [READOUT_EXAMPLE, values(READOUT_EXAMPLE)],
  };
}

const planOf = (p: Options): ReadoutPlan => ({
  source: {
    format: 'easiroc',
    ...(p.words === 'either' ? {} : { form: p.words }),
    ...{ first: p.first_channel, gain: p.gain, pedestal: { [p.gain]: p.pedestal }, threshold: p.least },
  },
  channels: p.first_channel + CHANNELS,
  spectra: { charge: { low: 0, high: 4096, bins: 512 } },
  ...(p.photoelectrons ? { scale: { photoelectrons: p.photoelectrons } } : {}),
  record: { raw: p.record === 'both' || p.record === 'raw', hits: p.record === 'both' || p.record === 'hits' },
});

/**
 * A VME- or NIM-EASIROC board: 64 channels of SiPM readout behind SiTCP, registers over RBCP (UDP 4660), events over TCP 24. Its registers
 * are written and never read: an order on them is sent, not read back; the bias is, by the monitor ADC.
 */
export default instrument<L, Options, EasirocVersion>({
  model: 'VME-EASIROC',
  source: 'nchikuma/EASIROC: Controller (VME-EASIROC.rb, ConfigLoader.rb, hist.cc) and Firmware/rtl; shonagao-nex/NIM_EASIROC',
  proven: 'third-party driver',
  options: options<Options>({
    bias,
    bias_limit: number('the highest bias in V that an order may set', 0, MOST_BIAS, MOST_BIAS),
    monitor,
    settle: number('seconds that the monitor ADC is given for a conversion', 0.05, 5, 0.2),
    watch_input_dacs: watch,
    chip1,
    chip2,
    send,
    words: word('form of the data words: as the board sends them, or already unpacked', ['either', 'packed', 'plain'] as const, 'either'),
    gain: word('the ADC that charges are taken from', ['high', 'low'] as const, 'high'),
    pedestal,
    least: number('counts above the pedestal up to which a channel holds no pulse', 0, 4095, 0),
    photoelectrons: photoelectronsField({ low: -30, high: 400, bins: 430 }),
    record: word('what of the stream the session holds', ['raw', 'hits', 'both', 'nothing'] as const, 'both'),
    first_channel: whole('number of the first channel, where several boards are one detector', 0, 65_000, 0),
  }),
  links: (p) => ({ control: rbcp(), data: readout(planOf(p)) }),
  *identify(ask) {
    const m = yield* ask.control.ask({ command: 'read', address: REGISTER.version, length: VERSION_BYTES });
    if (m.busError) return new Refused(`the board has no version at ${hex(REGISTER.version)}: it is no EASIROC board`);
    const found = versionOf(m.data);
    const said = Array.from(m.data, (b) => b.toString(16).padStart(2, '0')).join(' ');
    return found ?? new Refused(`the version at ${hex(REGISTER.version)} is ${said}, and no date stands in it: it is no EASIROC board`);
  },
  body: (p) => ({
    polls: [
      {
        gives: { firmware: 'state' },
        every: 10,
        talk: (ask: Askers<L>) => read(ask, 'version', REGISTER.version, VERSION_BYTES),
        read(bytes: Uint8Array) {
          const found = versionOf(bytes);
          return {
            firmware: found ? `${found.version} of ${found.date}` : { quality: 'bad' as const, why: 'the board answers no version' },
          };
        },
        example: [Uint8Array.of(0x12, 0x34, 0x20, 0x15, 0x02, 0x20), { firmware: '1.2.3-4 of 2015-02-20' }],
      },
      watched(p),
    ],
    streams: { data: [events(p)] },
    commands: commands(p),
  }),
});
