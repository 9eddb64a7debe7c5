import { filter, indexOf, natural, numbers, rising, srs } from '../protocols/srs.ts';
import { type Core, type Replies, Round, Watch } from '../protocols/srs-watch.ts';
import {
  type Actors,
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

// Tables of SENS, OFLT and OFSL (manual, chapter 5).
const SCALES = rising([2, 5, 10], -9, 27);
const TIMES = rising([1, 3], -5, 20);
const WORDS = {
  FMOD: ['external', 'internal'],
  RSLP: ['sine', 'rising', 'falling'],
  ISRC: ['A', 'A-B', 'I 1M', 'I 100M'],
  IGND: ['float', 'ground'],
  ICPL: ['AC', 'DC'],
  ILIN: ['none', 'line', '2 x line', 'both'],
  RMOD: ['high', 'normal', 'low noise'],
} as const;
const LIA = { input_overload: 1, filter_overload: 2, output_overload: 4, unlocked: 8 } as const;
/** The detection changed range, the time constant was changed by something else. */
const INDIRECT = 16 + 32;
const ERRS: Readonly<Record<number, string>> = { 1: 'battery', 2: 'RAM', 4: 'ROM', 5: 'GPIB', 6: 'DSP', 7: 'math' };

const AUX_OUT = ['AUXV?1', 'AUXV?2', 'AUXV?3', 'AUXV?4'] as const;
/** Sources, and whether the readings are volts. */
const OUTPUTS = ['SLVL?', ...AUX_OUT, 'ISRC?'] as const;
/** Asked in turn, one group with each look at the outputs. */
const GROUPS: readonly (readonly string[])[] = [
  ['SENS?', 'OFLT?', 'OFSL?', 'RMOD?', 'SYNC?'],
  ['FMOD?', 'RSLP?', 'PHAS?', 'HARM?'],
  ['IGND?', 'ICPL?', 'ILIN?', 'OEXP?1', 'OEXP?2', 'OEXP?3'],
  ['OAUX?1', 'OAUX?2', 'OAUX?3', 'OAUX?4'],
];

const core = (r: Replies): Core => ({
  scale: natural(r['SENS?'], SCALES.length - 1),
  tau: TIMES[natural(r['OFLT?'], TIMES.length - 1)],
  stages: natural(r['OFSL?'], 3) + 1,
  current: natural(r['ISRC?'], 3) >= 2,
});

function* each(main: Asker<string, string>, questions: readonly string[]): Talk<Replies> {
  const replies: Record<string, string> = {};
  for (const q of questions) replies[q] = yield* main.ask(q);
  return replies;
}

interface Snapped {
  readonly input: string;
  readonly snap: string;
  readonly lias: string;
  readonly errs: string;
  /** The place of the full scale that was set after this reading. */
  readonly ranged?: number;
}
const VALUES = { x: 'V', y: 'V', r: 'V', phase: 'rad', frequency: '1/s' } as const;
const FLAGS = { input_overload: 'flag', filter_overload: 'flag', output_overload: 'flag', unlocked: 'flag' } as const;
const radians = (degrees: number): number => (degrees * Math.PI) / 180;

/** A value with its one sigma, or why it is bad. */
function measured(value: number, why: string | undefined, sigma: number | undefined) {
  if (why !== undefined) return bad(why);
  return sigma === undefined || !Number.isFinite(sigma) ? value : { quality: 'good' as const, value, sigma: { random: sigma } };
}

/** Of X, Y and the frequency alone, where there is no time for more. */
function vector(snap: string, fast: boolean): readonly number[] {
  if (!fast) return numbers(snap, 5);
  const [x, y, f] = numbers(snap, 3);
  return [x, y, Math.hypot(x, y), (Math.atan2(y, x) * 180) / Math.PI, f];
}

function read(
  m: Snapped,
  t: number,
  watch: Watch,
  fast: boolean,
  noise: number | undefined,
): Values<typeof VALUES & typeof FLAGS & { error: 'state' }> {
  const [x, y, r, theta, f] = vector(m.snap, fast);
  const lias = natural(m.lias, 255);
  const errors = natural(m.errs, 255);
  const unsettled = watch.at(t);
  const faults = [
    ...Object.entries(LIA).flatMap(([name, bit]) => ((lias & bit) === 0 ? [] : [name === 'unlocked' ? 'reference unlocked' : name])),
    ...((errors & 0xc0) === 0 ? [] : ['an error of its processor (ERRS?)']),
    ...((watch.core?.current ?? natural(m.input, 3) >= 2) ? ['the input measures a current, not a voltage'] : []),
  ].map((fault) => fault.replace('_', ' '));
  const why = faults.length > 0 ? faults.join(', ') : unsettled;
  // What the filter has taken in during these must leave it, too.
  if ((lias & (1 + 2 + 8)) !== 0) watch.settle('an overload or unlock');
  if ((lias & INDIRECT) !== 0) watch.settle('a change of its time constant or range');
  if (m.ranged !== undefined) watch.settle('a change of sensitivity');
  const size = watch.core && noise !== undefined ? noise * Math.sqrt(filter(watch.core.tau, watch.core.stages).enbw) : undefined;
  const value = (v: number, over = 1) => measured(v, why, size === undefined ? undefined : size / over);
  return {
    x: value(x),
    y: value(y),
    r: value(r),
    phase: value(radians(theta), r),
    frequency: (lias & 8) === 0 ? f : bad('reference unlocked'),
    input_overload: (lias & 1) !== 0,
    filter_overload: (lias & 2) !== 0,
    output_overload: (lias & 4) !== 0,
    unlocked: (lias & 8) !== 0,
    error:
      Object.entries(ERRS)
        .flatMap(([bit, name]) => ((errors >> Number(bit)) & 1 ? [name] : []))
        .join(', ') || 'none',
  };
}

/** The order that ranging gives itself, and its answer: SENS is read back in the same breath. */
function* range(main: Asker<string, string>, watch: Watch, r: number, lias: number): Talk<number | undefined> {
  const { core: now } = watch;
  if (!now || now.current) return undefined;
  const next = watch.range(SCALES, r, (lias & 7) !== 0, (lias & 4) !== 0);
  if (next === now.scale) return undefined;
  const scale = natural(yield* main.ask(`SENS ${next};SENS?`), SCALES.length - 1);
  watch.core = { ...now, scale };
  return scale;
}

/** Below this a serial line at 19200 baud has no time for five numbers and the error byte. */
const FAST = 0.1;

const values = (
  watch: Watch,
  every: number,
  auto: boolean,
  noise: number | undefined,
): Poll<L, typeof VALUES & typeof FLAGS & { error: 'state' }, Snapped> => {
  const fast = every < FAST;
  /** As it was at first: before the settings have been read. */
  let input: string | undefined;
  return {
    every,
    gives: { ...VALUES, ...FLAGS, error: 'state' },
    *talk({ main }) {
      if (input === undefined) input = yield* main.ask('ISRC?');
      const snap = yield* main.ask(fast ? 'SNAP?1,2,9' : 'SNAP?1,2,3,4,9');
      const lias = yield* main.ask('LIAS?');
      const errs = fast ? '0' : yield* main.ask('ERRS?');
      if (!auto) return { input, snap, lias, errs };
      const to = yield* range(main, watch, vector(snap, fast)[2], natural(lias, 255));
      return { input, snap, lias, errs, ...(to === undefined ? {} : { ranged: to }) };
    },
    read: (m, came) => read(m, came.t, watch, fast, noise),
    example: [
      { input: '0', snap: fast ? '3e-05,4e-05,137' : '3e-05,4e-05,5e-05,53.1301,137', lias: '0', errs: '0' },
      {
        x: 3e-5,
        y: 4e-5,
        r: 5e-5,
        phase: fast ? Math.atan2(4e-5, 3e-5) : radians(53.1301),
        frequency: 137,
        input_overload: false,
        filter_overload: false,
        output_overload: false,
        unlocked: false,
        error: 'none',
      },
    ],
    span: { x: [-1.5, 1.5], y: [-1.5, 1.5], r: [0, 2.2], phase: [-3.2, 3.2], frequency: [0, 1.1e5] },
  };
};

const SETTINGS = {
  amplitude: 'V',
  aux_out: 'V',
  aux_in: 'V',
  sensitivity: 'V',
  time_constant: 's',
  slope: '1',
  noise_bandwidth: '1/s',
  sync: 'flag',
  reserve: 'state',
  reference: 'state',
  trigger: 'state',
  reference_phase: 'rad',
  harmonic: '1',
  input: 'state',
  grounding: 'state',
  coupling: 'state',
  notch: 'state',
  offset: '1',
  expand: '1',
} as const;

function settings(r: Replies, watch: Watch): Values<typeof SETTINGS> {
  const has = (q: string): boolean => r[q] !== undefined;
  const state = (name: keyof typeof WORDS): string => WORDS[name][natural(r[`${name}?`], WORDS[name].length - 1)];
  const one = (q: string): number => numbers(r[q], 1)[0];
  if (has('SENS?')) watch.read(core(r));
  else if (has('ISRC?') && watch.core) watch.read({ ...watch.core, current: natural(r['ISRC?'], 3) >= 2 });
  const now = watch.core;
  const offsets = ['OEXP?1', 'OEXP?2', 'OEXP?3'].flatMap((q) => (has(q) ? [numbers(r[q], 2)] : []));
  return {
    ...(has('SLVL?') ? { amplitude: one('SLVL?') } : {}),
    ...(has('ISRC?') ? { input: state('ISRC') } : {}),
    ...(has('AUXV?1') ? { aux_out: AUX_OUT.map(one) } : {}),
    ...(has('SENS?') && now
      ? {
          sensitivity: now.current ? bad('the input measures a current, not a voltage') : SCALES[now.scale],
          time_constant: now.tau,
          slope: 6 * now.stages,
          noise_bandwidth: filter(now.tau, now.stages).enbw,
          reserve: state('RMOD'),
          sync: natural(r['SYNC?'], 1) === 1,
        }
      : {}),
    ...(has('FMOD?')
      ? { reference: state('FMOD'), trigger: state('RSLP'), reference_phase: radians(one('PHAS?')), harmonic: one('HARM?') }
      : {}),
    ...(has('IGND?') ? { grounding: state('IGND'), coupling: state('ICPL'), notch: state('ILIN') } : {}),
    ...(offsets.length > 0 ? { offset: offsets.map(([part]) => part / 100), expand: offsets.map(([, j]) => 10 ** j) } : {}),
    ...(has('OAUX?1') ? { aux_in: ['OAUX?1', 'OAUX?2', 'OAUX?3', 'OAUX?4'].map(one) } : {}),
  };
}

/** A whole round; the first time beside the first values there is time for one question. */
function jointly(watch: Watch): (ask: Askers<L>) => Talk<Replies> {
  const round = new Round(OUTPUTS, GROUPS);
  let first = true;
  return function* ({ main }) {
    const questions = first ? ['SLVL?'] : round.next(watch);
    first = false;
    return yield* each(main, questions);
  };
}
/** The sine output, and another question, in turn. */
function singly(watch: Watch): (ask: Askers<L>) => Talk<Replies> {
  const round = new Round(OUTPUTS.slice(1), GROUPS);
  let amplitude = false;
  return function* ({ main }) {
    amplitude = !amplitude;
    if (amplitude) return yield* each(main, ['SLVL?']);
    return round.took(yield* main.ask(round.one(watch)));
  };
}

/** All that changes seldom: for fast readings one question at a time, so that no more than that ever stands before one for the values. */
const outputs = (watch: Watch, fast: boolean): Poll<L, typeof SETTINGS, Replies> => ({
  every: fast ? 0.05 : 0.5,
  gives: SETTINGS,
  talk: fast ? singly(watch) : jointly(watch),
  read: (m) => settings(m, watch),
  example: [
    {
      'SLVL?': '0.004',
      'AUXV?1': '0.000',
      'AUXV?2': '1.500',
      'AUXV?3': '-10.500',
      'AUXV?4': '0.000',
      'ISRC?': '1',
      'FMOD?': '1',
      'RSLP?': '0',
      'PHAS?': '-90.00',
      'HARM?': '3',
    },
    {
      amplitude: 0.004,
      aux_out: [0, 1.5, -10.5, 0],
      input: 'A-B',
      reference: 'internal',
      trigger: 'sine',
      reference_phase: -Math.PI / 2,
      harmonic: 3,
    },
  ],
  words: {
    reserve: WORDS.RMOD,
    reference: WORDS.FMOD,
    trigger: WORDS.RSLP,
    input: WORDS.ISRC,
    grounding: WORDS.IGND,
    coupling: WORDS.ICPL,
    notch: WORDS.ILIN,
  },
});

const command = <K extends Takes>(c: Command<L, K>): Command<L, K> => c;
/** A setting by the place of its word. */
const worded = (watch: Watch, name: keyof typeof WORDS, channel: string, what: string): Command<L, 'state'> => ({
  takes: 'state',
  words: WORDS[name],
  *talk(act, value) {
    watch.set(`a change of ${what}`, `${name}?`);
    yield* act.main.send(`${name} ${(WORDS[name] as readonly string[]).indexOf(value)}`);
  },
  readback: { channel, within: 5, by: 0 },
});

function place(table: readonly number[], value: number, unit: 'V' | 's'): number {
  const i = indexOf(table, value);
  if (i >= 0) return i;
  const above = table.findIndex((one) => one > value);
  throw new NoReply(
    `${show(value, unit)} is not in its table; the nearest are ${show(table[above - 1], unit)} and ${show(table[above], unit)}`,
  );
}

function* sensitivity(act: Actors<L>, watch: Watch, volts: number, auto: boolean): Talk<void> {
  if (auto) throw new NoReply('auto_range is on in the rig: it sets the sensitivity');
  const scale = place(SCALES, volts, 'V');
  watch.set('a change of sensitivity', 'SENS?', { scale });
  yield* act.main.send(`SENS ${scale}`);
}

const commands = (watch: Watch, auto: boolean): Readonly<Record<string, Command<L, Takes>>> => ({
  amplitude: command({
    takes: 'V',
    limits: [0.004, 5],
    safe: 0.004,
    *talk(act, volts) {
      watch.set('a change of amplitude', 'SLVL?');
      yield* act.main.send(`SLVL ${volts.toFixed(3)}`);
    },
    readback: { channel: 'amplitude', within: 3, by: 0.0005, shows: (v) => Math.round(500 * Number(v)) / 500 },
    about: 'sine output (V rms), in steps of 2 mV; it cannot be switched off: 4 mV is its lowest',
  }),
  frequency: command({
    takes: '1/s',
    limits: [0.001, 102000],
    *talk(act, hertz) {
      watch.set('a change of frequency', 'FMOD?');
      yield* act.main.send(`FREQ ${hertz.toPrecision(7)}`);
    },
    // Five digits, or 0.1 mHz where that is coarser.
    readback: {
      channel: 'frequency',
      within: 5,
      by: 1.1e-4,
      shows: (v) => (Number(v) >= 10 ? Number(Number(v).toPrecision(5)) : Number(v)),
    },
    about: 'of the internal reference; refused by the instrument while the reference is external',
  }),
  reference_phase: command({
    takes: 'rad',
    limits: [-Math.PI, Math.PI],
    *talk(act, angle) {
      watch.set('a change of phase', 'PHAS?');
      yield* act.main.send(`PHAS ${((angle * 180) / Math.PI).toFixed(2)}`);
    },
    readback: { channel: 'reference_phase', within: 5, by: 1e-4 },
  }),
  harmonic: command({
    takes: '1',
    limits: [1, 19999],
    *talk(act, n) {
      if (!Number.isInteger(n)) throw new NoReply(`a harmonic is a whole number, not ${n}`);
      watch.set('a change of harmonic', 'HARM?');
      yield* act.main.send(`HARM ${n}`);
    },
    readback: { channel: 'harmonic', within: 5, by: 0 },
  }),
  sensitivity: command({
    takes: 'V',
    limits: [2e-9, 1],
    talk: (act, volts) => sensitivity(act, watch, volts, auto),
    readback: { channel: 'sensitivity', within: 5, by: 1e-11 },
    about: 'full scale: 2 nV, 5 nV, 10 nV and so on to 1 V',
  }),
  time_constant: command({
    takes: 's',
    limits: [1e-5, 30000],
    *talk(act, seconds) {
      const i = place(TIMES, seconds, 's');
      watch.set('a change of time constant', 'OFLT?', { tau: TIMES[i] });
      yield* act.main.send(`OFLT ${i}`);
    },
    readback: { channel: 'time_constant', within: 5, by: 1e-7 },
    about: '10 us, 30 us, 100 us and so on to 30 ks; above 30 s only for frequencies below 200 Hz',
  }),
  slope: command({
    takes: '1',
    limits: [6, 24],
    *talk(act, decibels) {
      if (decibels % 6 !== 0) throw new NoReply(`a slope is 6, 12, 18 or 24 dB per octave, not ${decibels}`);
      watch.set('a change of slope', 'OFSL?', { stages: decibels / 6 });
      yield* act.main.send(`OFSL ${decibels / 6 - 1}`);
    },
    readback: { channel: 'slope', within: 5, by: 0 },
    about: 'dB per octave: 6, 12, 18, 24',
  }),
  sync: command({
    takes: 'flag',
    *talk(act, on) {
      watch.set('a change of filter', 'SYNC?');
      yield* act.main.send(`SYNC ${on ? 1 : 0}`);
    },
    readback: { channel: 'sync', within: 5, by: 0 },
    about: 'synchronous filter, below 200 Hz',
  }),
  reference: worded(watch, 'FMOD', 'reference', 'reference'),
  trigger: worded(watch, 'RSLP', 'trigger', 'reference'),
  reserve: worded(watch, 'RMOD', 'reserve', 'reserve'),
  input: worded(watch, 'ISRC', 'input', 'input'),
  grounding: worded(watch, 'IGND', 'grounding', 'grounding'),
  coupling: worded(watch, 'ICPL', 'coupling', 'coupling'),
  notch: worded(watch, 'ILIN', 'notch', 'notch'),
  aux_out: command({
    takes: 'V',
    count: 4,
    limits: [-10.5, 10.5],
    safe: 0,
    *talk(act, volts, index) {
      yield* act.main.send(`AUXV ${index + 1},${volts.toFixed(3)}`);
    },
    readback: { channel: 'aux_out', within: 3, by: 0.0006 },
    about: 'direct voltage at an auxiliary output; index 0 is output 1',
  }),
  auto_phase: command({
    takes: 'nothing',
    *talk(act) {
      watch.set('a change of phase', 'PHAS?');
      yield* act.main.send('APHS');
    },
    about: 'turns the reference so that y is zero',
  }),
});

/** Seconds between two readings. */
const every: Field<number> = {
  about: 'time between two readings, 0.02 s to 60 s (otherwise "0.2 s"); below 0.1 s r and phase are made of x and y here',
  of(yaml) {
    const given =
      typeof yaml === 'string' || typeof yaml === 'number' ? quantity(typeof yaml === 'number' ? `${yaml} s` : yaml) : undefined;
    if (yaml === undefined) return 0.2;
    if (typeof given === 'object' && given.unit === 's' && given.value >= 0.02 && given.value <= 60) return given.value;
    return new Refused('must be a time from 0.02 s to 60 s, such as "50 ms"');
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

/** Stanford Research SR830 lock-in amplifier, by RS-232, GPIB or a TCP gateway. x, y, r and phase are bad in overload, unlocked and unsettled. */
export default instrument<L, Options, Id>({
  model: 'Stanford Research SR830',
  source: 'pymeasure srs/sr830.py; InstrumentKit srs830.py; QCoDeS SR830.py; SR830 manual chapter 5 (status bytes, as quoted by resellers)',
  options: options<Options>({
    terminator: terminator('LF'),
    every,
    auto_range: word('sets the sensitivity by itself, with hysteresis', ['on', 'off'] as const, 'off'),
    noise,
  }),
  links: ({ terminator: end }) => ({ main: srs(end) }),
  proof: { main: { ask: () => '*IDN?', is: (m) => /SR830/i.test(m) } },
  *identify({ main }: Askers<L>) {
    const idn = yield* main.ask('*IDN?');
    const [maker = '', model = '', serial = '', firmware = ''] = idn.split(',').map((part) => part.trim());
    if (!/stanford/i.test(maker) || !/^SR830$/i.test(model)) return new Refused(`"${idn}" is not a Stanford Research SR830`);
    return { model, serial, firmware };
  },
  body({ every: seconds, auto_range, noise: density }) {
    const watch = new Watch();
    const auto = auto_range === 'on';
    return { polls: [values(watch, seconds, auto, density), outputs(watch, seconds < FAST)], commands: commands(watch, auto) };
  },
});
