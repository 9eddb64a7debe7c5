import { filter, indexOf, natural, numbers, rising, srs } from '../protocols/srs.ts';
import { type Core, type Replies, Round, Watch } from '../protocols/srs-watch.ts';
import {
  type Asker,
  type Askers,
  bad,
  type Command,
  type Field,
  instrument,
  NoReply,
  options,
  type Poll,
  Refused,
  type Takes,
  type Talk,
  terminator,
  type Values,
  word,
} from '../src/instrument.ts';
import { quantity, show } from '../src/units.ts';

type L = { readonly main: ReturnType<typeof srs> };
interface Options {
  readonly terminator: string;
  readonly every: number;
  readonly auto_range: 'on' | 'off';
  /** V rms in a bandwidth of 1 Hz; undefined where it is not known. */
  readonly noise: number | undefined;
}
interface Id {
  readonly model: string;
  readonly serial: string;
  readonly firmware: string;
}

/** Full scales rise here; the index of SCAL falls from 27 (1 nV) to 0 (1 V). */
const SCALES = rising([1, 2, 5], -9, 28);
const LAST = SCALES.length - 1;
const TIMES = rising([1, 3], -6, 22);
/** V peak, by the index of IRNG. */
const RANGES = [1, 0.3, 0.1, 0.03, 0.01] as const;
const WORDS = {
  RSRC: ['internal', 'external', 'dual', 'chop'],
  RTRG: ['sine', 'rising', 'falling'],
  REFZ: ['50 Ohm', '1 MOhm'],
  IVMD: ['voltage', 'current'],
  ISRC: ['A', 'A-B'],
  ICPL: ['AC', 'DC'],
  IGND: ['float', 'ground'],
} as const;
type Worded = keyof typeof WORDS;
/** Bits of LIAS?: outputs of channels 1 and 2, reference, input range. */
const LIA = { output: 1 + 2, unlocked: 8, input: 16 } as const;
const ERRS: Readonly<Record<number, string>> = { 0: '10 MHz clock', 1: 'battery', 4: 'VXI-11', 5: 'GPIB', 6: 'USB device', 7: 'USB host' };

const AUX_OUT = ['AUXV? 0', 'AUXV? 1', 'AUXV? 2', 'AUXV? 3'] as const;
/** Sources, and what decides which values the readings are of. */
const OUTPUTS = ['SLVL?', 'SOFF?', ...AUX_OUT, 'RSRC?', 'IVMD?'] as const;
const AUX_IN = ['OAUX? 0', 'OAUX? 1', 'OAUX? 2', 'OAUX? 3'] as const;
/** Asked in turn, one group with each look at the outputs. */
const GROUPS: readonly (readonly string[])[] = [
  ['SCAL?', 'OFLT?', 'OFSL?', 'IRNG?', 'ENBW?', 'ILVL?'],
  ['RTRG?', 'REFZ?', 'PHAS?', 'HARM?', 'ERRS?'],
  ['ISRC?', 'IGND?', 'ICPL?', 'SYNC?', 'ADVFILT?'],
  AUX_IN,
];

const core = (r: Replies): Core => ({
  scale: LAST - natural(r['SCAL?'], LAST),
  tau: TIMES[natural(r['OFLT?'], TIMES.length - 1)],
  stages: natural(r['OFSL?'], 3) + 1,
  current: natural(r['IVMD?'], 1) === 1,
});

function* each(main: Asker<string, string>, questions: readonly string[]): Talk<Replies> {
  const replies: Record<string, string> = {};
  for (const q of questions) replies[q] = yield* main.ask(q);
  return replies;
}

/** Beside what settles: the reference's source and the input's range, as they were read or set last. */
class Seen extends Watch {
  source: number | undefined;
  inputRange: number | undefined;
  voltage: boolean | undefined;
}

interface Snapped {
  readonly current: boolean;
  readonly snap: string;
  readonly lias: string;
  /** Something was set by ranging after this reading. */
  readonly ranged: boolean;
}
const VALUES = { x: 'V', y: 'V', r: 'V', phase: 'rad', frequency: '1/s' } as const;
const FLAGS = { input_overload: 'flag', output_overload: 'flag', unlocked: 'flag' } as const;
const radians = (degrees: number): number => (degrees * Math.PI) / 180;

/** A value with its one sigma, or why it is bad. */
function measured(value: number, why: string | undefined, sigma: number | undefined) {
  if (why !== undefined) return bad(why);
  return sigma === undefined || !Number.isFinite(sigma) ? value : { quality: 'good' as const, value, sigma: { random: sigma } };
}

function read(m: Snapped, t: number, seen: Seen, noise: number | undefined): Values<typeof VALUES & typeof FLAGS> {
  const [x, y, f] = numbers(m.snap, 3);
  const lias = natural(m.lias, 0xffff);
  const unsettled = seen.at(t);
  const faults = [
    ...((lias & LIA.input) === 0 ? [] : ['input overload']),
    ...((lias & LIA.output) === 0 ? [] : ['output overload']),
    ...((lias & LIA.unlocked) === 0 ? [] : ['reference unlocked']),
    ...(m.current ? ['the input measures a current, not a voltage'] : []),
  ];
  const why = faults.length > 0 ? faults.join(', ') : unsettled;
  // What the filter has taken in during these must leave it, too.
  if ((lias & (LIA.input + LIA.unlocked)) !== 0) seen.settle('an overload or unlock');
  if (m.ranged) seen.settle('a change of sensitivity');
  const r = Math.hypot(x, y);
  const size = seen.core && noise !== undefined ? noise * Math.sqrt(filter(seen.core.tau, seen.core.stages).enbw) : undefined;
  const value = (v: number, over = 1) => measured(v, why, size === undefined ? undefined : size / over);
  return {
    x: value(x),
    y: value(y),
    r: value(r),
    phase: value(Math.atan2(y, x), r),
    frequency: (lias & LIA.unlocked) === 0 ? f : bad('reference unlocked'),
    input_overload: (lias & LIA.input) !== 0,
    output_overload: (lias & LIA.output) !== 0,
    unlocked: (lias & LIA.unlocked) !== 0,
  };
}

/** The orders that ranging gives itself; each is read back in the same breath. The input's range is only ever widened. */
function* range(main: Asker<string, string>, seen: Seen, r: number, lias: number): Talk<boolean> {
  const { core: now, inputRange } = seen;
  if (!now || now.current || inputRange === undefined) return false;
  if ((lias & LIA.input) !== 0 && inputRange > 0) {
    seen.inputRange = natural(yield* main.ask(`IRNG ${inputRange - 1};IRNG?`), RANGES.length - 1);
    return true;
  }
  const next = seen.range(SCALES, r, (lias & LIA.output) !== 0, true);
  if (next === now.scale) return false;
  seen.core = { ...now, scale: LAST - natural(yield* main.ask(`SCAL ${LAST - next};SCAL?`), LAST) };
  return true;
}

const values = (seen: Seen, every: number, auto: boolean, noise: number | undefined): Poll<L, typeof VALUES & typeof FLAGS, Snapped> => ({
  every,
  gives: { ...VALUES, ...FLAGS },
  *talk({ main }) {
    seen.source ??= natural(yield* main.ask('RSRC?'), 3);
    seen.voltage ??= natural(yield* main.ask('IVMD?'), 1) === 0;
    // X, Y and the frequency of the internal or the external reference, of one instant.
    const snap = yield* main.ask(seen.source === 1 || seen.source === 3 ? 'SNAP? 0,1,16' : 'SNAP? 0,1,15');
    const lias = yield* main.ask('LIAS?');
    const [x, y] = numbers(snap, 3);
    const ranged = auto ? yield* range(main, seen, Math.hypot(x, y), natural(lias, 0xffff)) : false;
    return { current: !seen.voltage, snap, lias, ranged };
  },
  read: (m, came) => read(m, came.t, seen, noise),
  example: [
    { current: false, snap: '3.000000000e-05,4.000000000e-05,1.370000000e+02', lias: '0', ranged: false },
    {
      x: 3e-5,
      y: 4e-5,
      r: 5e-5,
      phase: Math.atan2(4, 3),
      frequency: 137,
      input_overload: false,
      output_overload: false,
      unlocked: false,
    },
  ],
  span: { x: [-1.5, 1.5], y: [-1.5, 1.5], r: [0, 2.2], frequency: [0, 5e6] },
});

const SETTINGS = {
  amplitude: 'V',
  dc_level: 'V',
  aux_out: 'V',
  aux_in: 'V',
  sensitivity: 'V',
  input_range: 'V',
  signal_strength: '1',
  time_constant: 's',
  slope: '1',
  noise_bandwidth: '1/s',
  sync: 'flag',
  advanced_filter: 'flag',
  reference: 'state',
  trigger: 'state',
  reference_impedance: 'state',
  reference_phase: 'rad',
  harmonic: '1',
  input_mode: 'state',
  input: 'state',
  grounding: 'state',
  coupling: 'state',
  error: 'state',
} as const;

function settings(r: Replies, seen: Seen): Values<typeof SETTINGS> {
  const state = (name: Worded): string => WORDS[name][natural(r[`${name}?`], WORDS[name].length - 1)];
  const one = (q: string): number => numbers(r[q], 1)[0];
  const flag = (q: string): boolean => natural(r[q], 1) === 1;
  const out: { -readonly [N in keyof typeof SETTINGS]?: Values<typeof SETTINGS>[N] } = {};
  if (r['SLVL?'] !== undefined) out.amplitude = one('SLVL?');
  if (r['RSRC?'] !== undefined) {
    seen.source = natural(r['RSRC?'], 3);
    seen.voltage = natural(r['IVMD?'], 1) === 0;
    out.reference = state('RSRC');
    out.input_mode = state('IVMD');
    out.dc_level = one('SOFF?');
    out.aux_out = AUX_OUT.map(one);
  }
  if (r['SCAL?'] !== undefined) {
    const now = core(r);
    const place = natural(r['IRNG?'], RANGES.length - 1);
    seen.read(now);
    if (seen.inputRange !== undefined && seen.inputRange !== place) seen.change = 'a change of its settings';
    seen.inputRange = place;
    out.sensitivity = now.current ? bad('the input measures a current, not a voltage') : SCALES[now.scale];
    out.time_constant = now.tau;
    out.slope = 6 * now.stages;
    out.noise_bandwidth = one('ENBW?');
    out.input_range = RANGES[place];
    out.signal_strength = natural(r['ILVL?'], 4) / 4;
  }
  if (r['RTRG?'] !== undefined) {
    out.trigger = state('RTRG');
    out.reference_impedance = state('REFZ');
    out.reference_phase = radians(one('PHAS?'));
    out.harmonic = one('HARM?');
    const errors = natural(r['ERRS?'], 255);
    out.error =
      Object.entries(ERRS)
        .flatMap(([bit, name]) => ((errors >> Number(bit)) & 1 ? [name] : []))
        .join(', ') || 'none';
  }
  if (r['ISRC?'] !== undefined) {
    out.input = state('ISRC');
    out.grounding = state('IGND');
    out.coupling = state('ICPL');
    out.sync = flag('SYNC?');
    out.advanced_filter = flag('ADVFILT?');
  }
  if (r[AUX_IN[0]] !== undefined) out.aux_in = AUX_IN.map(one);
  return out;
}

/** A whole round; the first time beside the first values there is time for one question. */
function jointly(seen: Seen): (ask: Askers<L>) => Talk<Replies> {
  const round = new Round(OUTPUTS, GROUPS);
  let first = true;
  return function* ({ main }) {
    const questions = first ? ['SLVL?'] : round.next(seen);
    first = false;
    return yield* each(main, questions);
  };
}
/** The sine output, and another question, in turn. */
function singly(seen: Seen): (ask: Askers<L>) => Talk<Replies> {
  const round = new Round(OUTPUTS.slice(1), GROUPS);
  let amplitude = false;
  return function* ({ main }) {
    amplitude = !amplitude;
    if (amplitude) return yield* each(main, ['SLVL?']);
    return round.took(yield* main.ask(round.one(seen)));
  };
}

/** All that changes seldom: for fast readings one question at a time, so that no more than that ever stands before one for the values. */
const outputs = (seen: Seen, fast: boolean): Poll<L, typeof SETTINGS, Replies> => ({
  every: fast ? 0.05 : 0.5,
  gives: SETTINGS,
  talk: fast ? singly(seen) : jointly(seen),
  read: (m) => settings(m, seen),
  example: [
    {
      'SLVL?': '4.000000000e-03',
      'SOFF?': '0.000000000e+00',
      'AUXV? 0': '0',
      'AUXV? 1': '1.5',
      'AUXV? 2': '-10.5',
      'AUXV? 3': '0',
      'RSRC?': '0',
      'IVMD?': '0',
      'RTRG?': '1',
      'REFZ?': '1',
      'PHAS?': '-90.0000000',
      'HARM?': '3',
      'ERRS?': '0',
    },
    {
      amplitude: 0.004,
      dc_level: 0,
      aux_out: [0, 1.5, -10.5, 0],
      reference: 'internal',
      input_mode: 'voltage',
      trigger: 'rising',
      reference_impedance: '1 MOhm',
      reference_phase: -Math.PI / 2,
      harmonic: 3,
      error: 'none',
    },
  ],
  words: {
    reference: WORDS.RSRC,
    trigger: WORDS.RTRG,
    reference_impedance: WORDS.REFZ,
    input_mode: WORDS.IVMD,
    input: WORDS.ISRC,
    grounding: WORDS.IGND,
    coupling: WORDS.ICPL,
  },
});

const command = <K extends Takes>(c: Command<L, K>): Command<L, K> => c;

/** Finds the place of a value, or says what is near. */
function place(table: readonly number[], value: number, unit: 'V' | 's'): number {
  const i = indexOf(table, value);
  if (i >= 0) return i;
  const sorted = [...table].sort((a, b) => a - b);
  const above = sorted.findIndex((one) => one > value);
  throw new NoReply(
    `${show(value, unit)} is not in its table; the nearest are ${show(sorted[above - 1], unit)} and ${show(sorted[above], unit)}`,
  );
}

function commands(seen: Seen, auto: boolean): Readonly<Record<string, Command<L, Takes>>> {
  /** One line; what it changes settles, and is read back by its question. */
  const line = (name: string, what: string, argument: string, part: Partial<Core> = {}) =>
    function* (act: { readonly main: { send(q: string): Talk<void> } }): Talk<void> {
      seen.set(`a change of ${what}`, `${name}?`, part);
      yield* act.main.send(`${name} ${argument}`);
    };
  const worded = (name: Worded, channel: string, what: string): Command<L, 'state'> => ({
    takes: 'state',
    words: WORDS[name],
    *talk(act, value) {
      const i = (WORDS[name] as readonly string[]).indexOf(value);
      if (name === 'RSRC') seen.source = i;
      if (name === 'IVMD') seen.voltage = i === 0;
      yield* line(name, what, String(i))(act);
    },
    readback: { channel, within: 5, by: 0 },
  });
  const flagged = (name: string, channel: string): Command<L, 'flag'> => ({
    takes: 'flag',
    talk: (act, on) => line(name, 'filter', on ? '1' : '0')(act),
    readback: { channel, within: 5, by: 0 },
  });
  const whole = (value: number, what: string): number => {
    if (Number.isInteger(value)) return value;
    throw new NoReply(`${what} is a whole number, not ${value}`);
  };
  return {
    amplitude: command({
      takes: 'V',
      limits: [1e-9, 2],
      safe: 1e-9,
      talk: (act, volts) => line('SLVL', 'amplitude', volts.toExponential(8))(act),
      readback: { channel: 'amplitude', within: 3, by: 2e-9 },
      about: 'sine output (V rms); 1 nV is its lowest',
    }),
    dc_level: command({
      takes: 'V',
      limits: [-5, 5],
      safe: 0,
      talk: (act, volts) => line('SOFF', 'amplitude', volts.toFixed(4))(act),
      readback: { channel: 'dc_level', within: 3, by: 6e-5 },
      about: 'direct voltage under the sine output',
    }),
    frequency: command({
      takes: '1/s',
      limits: [0.001, 500000],
      talk: (act, hertz) => line('FREQINT', 'frequency', hertz.toExponential(8))(act),
      readback: { channel: 'frequency', within: 5, by: 1e-3 },
      about: 'of the internal reference',
    }),
    reference_phase: command({
      takes: 'rad',
      limits: [-Math.PI, Math.PI],
      talk: (act, angle) => line('PHAS', 'phase', ((angle * 180) / Math.PI).toFixed(6))(act),
      readback: { channel: 'reference_phase', within: 5, by: 1e-7 },
    }),
    harmonic: command({
      takes: '1',
      limits: [1, 99],
      *talk(act, n) {
        yield* line('HARM', 'harmonic', String(whole(n, 'a harmonic')))(act);
      },
      readback: { channel: 'harmonic', within: 5, by: 0 },
    }),
    sensitivity: command({
      takes: 'V',
      limits: [1e-9, 1],
      *talk(act, volts) {
        if (auto) throw new NoReply('auto_range is on in the rig: it sets the sensitivity');
        const scale = place(SCALES, volts, 'V');
        yield* line('SCAL', 'sensitivity', String(LAST - scale), { scale })(act);
      },
      readback: { channel: 'sensitivity', within: 5, by: 1e-11 },
      about: 'full scale of the outputs: 1 nV, 2 nV, 5 nV and so on to 1 V',
    }),
    input_range: command({
      takes: 'V',
      limits: [0.01, 1],
      *talk(act, volts) {
        const i = place(RANGES, volts, 'V');
        seen.inputRange = i;
        yield* line('IRNG', 'input range', String(i))(act);
      },
      readback: { channel: 'input_range', within: 5, by: 1e-4 },
      about: 'V peak: 10 mV, 30 mV, 100 mV, 300 mV, 1 V',
    }),
    time_constant: command({
      takes: 's',
      limits: [1e-6, 30000],
      *talk(act, seconds) {
        const i = place(TIMES, seconds, 's');
        yield* line('OFLT', 'time constant', String(i), { tau: TIMES[i] })(act);
      },
      readback: { channel: 'time_constant', within: 5, by: 1e-8 },
      about: '1 us, 3 us, 10 us and so on to 30 ks',
    }),
    slope: command({
      takes: '1',
      limits: [6, 24],
      *talk(act, decibels) {
        if (decibels % 6 !== 0) throw new NoReply(`a slope is 6, 12, 18 or 24 dB per octave, not ${decibels}`);
        yield* line('OFSL', 'slope', String(decibels / 6 - 1), { stages: decibels / 6 })(act);
      },
      readback: { channel: 'slope', within: 5, by: 0 },
      about: 'dB per octave: 6, 12, 18, 24',
    }),
    sync: flagged('SYNC', 'sync'),
    advanced_filter: flagged('ADVFILT', 'advanced_filter'),
    reference: worded('RSRC', 'reference', 'reference'),
    trigger: worded('RTRG', 'trigger', 'reference'),
    reference_impedance: worded('REFZ', 'reference_impedance', 'reference'),
    input_mode: worded('IVMD', 'input_mode', 'input'),
    input: worded('ISRC', 'input', 'input'),
    grounding: worded('IGND', 'grounding', 'grounding'),
    coupling: worded('ICPL', 'coupling', 'coupling'),
    aux_out: command({
      takes: 'V',
      count: 4,
      limits: [-10.5, 10.5],
      safe: 0,
      talk: (act, volts, index) => act.main.send(`AUXV ${index},${volts.toFixed(3)}`),
      readback: { channel: 'aux_out', within: 3, by: 0.0006 },
      about: 'direct voltage at an auxiliary output; index 0 is output 1',
    }),
    auto_phase: command({
      takes: 'nothing',
      *talk(act) {
        seen.set('a change of phase', 'PHAS?');
        yield* act.main.send('APHS');
      },
      about: 'turns the reference so that y is zero',
    }),
  };
}

const every: Field<number> = {
  about: 'time between two readings, 5 ms to 60 s (otherwise "0.1 s")',
  of(yaml) {
    if (yaml === undefined) return 0.1;
    const given = typeof yaml === 'number' ? quantity(`${yaml} s`) : typeof yaml === 'string' ? quantity(yaml) : undefined;
    if (typeof given === 'object' && given.unit === 's' && given.value >= 0.005 && given.value <= 60) return given.value;
    return new Refused('must be a time from 5 ms to 60 s, such as "10 ms"');
  },
};

const noise: Field<number | undefined> = {
  about: 'rms noise in a bandwidth of 1 Hz, such as "6 nV": it gives x, y, r and phase a sigma (otherwise none)',
  of(yaml) {
    if (yaml === undefined) return undefined;
    const given = typeof yaml === 'string' ? quantity(yaml) : 'is written as "6 nV"';
    if (typeof given === 'string') return new Refused(given);
    return given.unit === 'V' && given.value > 0 ? given.value : new Refused('must be a voltage above zero, such as "6 nV"');
  },
};

/** Stanford Research SR860 and SR865 lock-in amplifiers. x, y, r and phase are bad in overload, unlocked and unsettled; r and phase are of x and y. */
export default instrument<L, Options, Id>({
  model: 'Stanford Research SR860 / SR865 / SR865A',
  source: 'thinkSRS/srsinst.sr860 components.py (the maker); pymeasure srs/sr860.py; QCoDeS SR86x.py',
  options: options<Options>({
    terminator: terminator('LF'),
    every,
    auto_range: word('sets sensitivity and input range by itself, with hysteresis', ['on', 'off'] as const, 'off'),
    noise,
  }),
  links: ({ terminator: end }) => ({ main: srs(end) }),
  proof: { main: { ask: () => '*IDN?', is: (m) => /SR86[05]A?/i.test(m) } },
  *identify({ main }: Askers<L>) {
    const idn = yield* main.ask('*IDN?');
    const [maker = '', model = '', serial = '', firmware = ''] = idn.split(',').map((part) => part.trim());
    if (!/stanford/i.test(maker) || !/^SR86(0|5A?)$/i.test(model)) return new Refused(`"${idn}" is not a Stanford Research SR860 or SR865`);
    return { model, serial, firmware };
  },
  body({ every: seconds, auto_range, noise: density }) {
    const seen = new Seen();
    const auto = auto_range === 'on';
    return { polls: [values(seen, seconds, auto, density), outputs(seen, seconds < 0.1)], commands: commands(seen, auto) };
  },
});
