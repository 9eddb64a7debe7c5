import { DELTA_ELEMENTS, errorQueue, keithleyFlag, keithleyNumber, METER_TAKEN, statusWord } from '../protocols/keithley.ts';
import { type DeltaCollector, type DeltaLook, deltaCollector, type HalfCycle, halfCollector } from '../protocols/keithley-delta.ts';
import { fromLatin1, latin1 } from '../protocols/protocol.ts';
import { errorEntry, scpi, splitReplies } from '../protocols/scpi.ts';
import {
  type Actor,
  type Actors,
  type Asker,
  type Askers,
  answered,
  bad,
  type Came,
  type Command,
  drained,
  type Field,
  Garbled,
  type Here,
  instrument,
  type Measured,
  NoReply,
  options,
  type Poll,
  poll,
  Refused,
  type Takes,
  type Talk,
  type Trace,
  terminator,
  word,
} from '../src/instrument.ts';
import type { Unit } from '../src/units.ts';

type L = { readonly main: ReturnType<typeof scpi> };
interface Options {
  readonly terminator: string;
  readonly meter: 'none' | 'relay';
  readonly relay_wait: number;
}
interface Id {
  readonly model: string;
  readonly serial: string;
  readonly firmware: string;
}

const MOST = 0.105; // A, manual section 3
const BUFFER = 65_536; // readings, manual section 6
const ENDLESS_COUNT = /^\+?(9\.90*E\+?37|INF.*)$/i;
const CHUNK = 24; // readings in one reply: at 19200 baud a safe order waits 0.8 s for none of them
const CHUNKS = 10; // replies in one poll
const ENTER = ':OUTP?;:SYST:COMM:SER:ENT?'; // never empty, whatever the meter has said

const relayWait: Field<number> = {
  about: 'seconds between a question to the meter at the relay and its answer (0.02 to 5, otherwise 0.15)',
  of(yaml) {
    const value = yaml ?? 0.15;
    return typeof value === 'number' && value >= 0.02 && value <= 5 ? value : new Refused('must be a number of seconds from 0.02 to 5');
  },
};

const said = <T>(value: T | string) => (typeof value === 'string' ? bad(value) : value);
const flag = (text: string) => said(keithleyFlag(text));
const number = (text: string) => said(keithleyNumber(text));
const bit = (text: string, n: number) => {
  const value = statusWord(text);
  return typeof value === 'string' ? bad(value) : (value & (1 << n)) !== 0;
};
/** Bit n of an event register and of its condition register. */
const either = (event: string, now: string, n: number) => {
  const [a, b] = [bit(event, n), bit(now, n)];
  return typeof a === 'boolean' && typeof b === 'boolean' ? a || b : typeof a === 'boolean' ? b : a;
};
const oneOf = (words: Readonly<Record<string, string>>, text: string) => words[text] ?? bad(`"${text}" is not known here`);
const SHIELD = { OLOW: 'output low', GUAR: 'guard' };
const WAVES = { SIN: 'sine', SQU: 'square', RAMP: 'ramp', ARB0: 'arb0', ARB1: 'arb1', ARB2: 'arb2', ARB3: 'arb3', ARB4: 'arb4' };
const named = (words: Readonly<Record<string, string>>, wanted: string): string =>
  Object.keys(words).find((key) => words[key] === wanted) ?? wanted;

/** Answers to questions joined by ";". */
const answers = (reply: string, n: number): readonly string[] => answered(splitReplies(reply), n);
/** A number that an order depends on. */
function sure(text: string, what: string): number {
  const value = keithleyNumber(text);
  if (typeof value === 'string') throw new NoReply(`${what}: ${value}`);
  return value;
}

const errors: Poll<L, { readonly error: 'state' }, readonly string[]> = {
  every: 2,
  gives: { error: 'state' },
  talk: (ask) =>
    drained(
      () => ask.main.ask(':STAT:QUE:NEXT?'),
      (entry) => errorEntry(entry)?.code === 0,
      11,
    ),
  read: (entries) => ({ error: errorQueue(entries) }),
  example: [['-222,"Parameter data out of range"'], { error: '-222 Parameter data out of range' }],
};

function* identify(ask: Askers<L>): Talk<Id | Refused> {
  const idn = (yield* ask.main.ask('*IDN?')).trim();
  const [maker = '', model = '', serial = '', firmware = ''] = idn.split(',').map((part) => part.trim());
  if (!/keithley/i.test(maker) || !/\b622[01]\b/.test(model)) return new Refused(`"${idn}" is no Keithley 6220 or 6221`);
  return { model: model.replace(/^MODEL\s*/i, ''), serial, firmware };
}

const command = <K extends Takes>(c: Command<L, K>): Command<L, K> => c;
const amount = (takes: Unit, limits: readonly [number, number], head: string, channel: string, about?: string): Command<L, Unit> => ({
  takes,
  limits,
  talk: (act, value) => act.main.send(`${head} ${value.toExponential(6)}`),
  readback: { channel, within: 5, by: 2e-6 * limits[1] },
  about,
});
const onOff = (head: string, channel: string, about?: string): Command<L, 'flag'> => ({
  takes: 'flag',
  talk: (act, on) => act.main.send(`${head} ${on ? 1 : 0}`),
  readback: { channel, within: 7, by: 0 },
  about,
});

/** Everything that could let a current flow is ended; none of it waits for an answer. */
function* off(act: Actors<L>): Talk<void> {
  yield* act.main.send(':OUTP 0');
  yield* act.main.send(':SOUR:SWE:ABOR');
  yield* act.main.send(':OUTP 0');
}

/** What is armed or on, as a reason not to begin something else. */
function* idle(act: Actors<L>, waves: boolean): Talk<void> {
  const questions = [':OUTP?', ':SOUR:DELT:ARM?', ...(waves ? [':SOUR:WAVE:ARM?'] : [])];
  const [on, delta, wave] = answers(yield* act.main.ask(questions.join(';')), questions.length);
  if (on !== '0') throw new NoReply('the output is on: order output off first, so that no current jumps');
  if (delta !== '0') throw new NoReply('a delta measurement is armed: order delta off first');
  if (wave === '1') throw new NoReply('a wave is armed: order wave off first');
}
const NO_METER =
  'no 2182A at the relay: it must be on, its RS-232 chosen at 19200 baud with flow control off, and its null-modem and trigger-link cables in place';
function* present(act: Actors<L>): Talk<void> {
  const there = yield* act.main.ask(':SOUR:DELT:NVPR?', 5);
  if (there !== '1') throw new NoReply(NO_METER);
}

/** A line to the meter at the relay; its answer, where one is wanted. Blank characters and flow control around it are the line's, not its own. */
function relayed(act: { readonly main: Actor<string, string> }, line: string, wait: number | undefined, here: Here): Talk<string> {
  return here.atomic(
    (function* () {
      yield* act.main.send(`:SYST:COMM:SER:SEND "${line.replaceAll('"', '""')}"`);
      if (wait === undefined) return '';
      yield* here.wait(wait);
      return entered(yield* act.main.ask(ENTER));
    })(),
  );
}
function entered(reply: string): string {
  const at = reply.indexOf(';');
  const text = reply
    .slice(at + 1)
    .replace(/[\x11\x13]/g, '')
    .trim();
  if (at < 0 || text === '') throw new NoReply('the meter at the relay does not answer');
  return text;
}
const query = (line: string): string => `:SYST:COMM:SER:SEND "${line}";${ENTER}`;

// --- delta

const COMPLIANCE =
  'the source is in compliance: the voltage that this current needs is above its limit: a current contact or lead is open, or compliance_limit is too low';
const HOT = 'the source is too hot inside';
const FULL = 'the buffer is full: what the source measures now is kept nowhere; order delta off and on';
const WRONG_UNIT = 'its readings are not in volts (UNIT)';

/** FORM:ELEM? and UNIT?, asked in every tenth look. */
interface Format {
  elements: string;
  unit: string;
  looks: number;
}

function* deltaLook(ask: { readonly main: Asker<string, string> }, d: DeltaCollector, format: Format): Talk<DeltaLook> {
  const run = d.run;
  const from = d.next;
  const known = d.known;
  const none = { run, events: 0, now: 0, measurement: 0, elements: '', unit: '', from, texts: [], actual: 0 };
  if ((yield* ask.main.ask(':SOUR:DELT:ARM?')) !== '1') {
    format.looks = 0;
    return { ...none, armed: false };
  }
  if (format.looks++ % 10 === 0) [format.elements = '', format.unit = ''] = answers(yield* ask.main.ask(':FORM:ELEM?;:UNIT?'), 2);
  const questions = [':STAT:OPER:EVEN?', ':STAT:OPER:COND?', ':STAT:MEAS:COND?'];
  const parts = answers(yield* ask.main.ask(questions.join(';')), questions.length);
  const [events = 0, now = 0, measurement = 0] = parts.map((text) => {
    const value = statusWord(text);
    if (typeof value === 'string') throw new Garbled(value);
    return value;
  });
  const texts: string[] = [];
  for (let at = from; at < known && texts.length < CHUNKS; at += CHUNK)
    texts.push(yield* ask.main.ask(`:TRAC:DATA:SEL? ${at},${Math.min(CHUNK, known - at)}`, 2));
  // The last question: when its answer came is what the clocks are compared by.
  const actual = Number(yield* ask.main.ask(':TRAC:POIN:ACT?'));
  if (!Number.isInteger(actual)) throw new Garbled('the number of readings in the buffer is no number');
  const { elements, unit } = format;
  return { run, armed: true, events, now, measurement, elements, unit, from, texts, actual };
}

const DELTA = {
  delta: 'flag',
  delta_state: 'state',
  delta_voltage: 'V',
  delta_current: 'A',
  delta_readings: '1',
  delta_lost: '1',
  clock_zero: 's',
  clock_sigma: 's',
  block: 'trace',
} as const;
const STATES = ['off', 'armed', 'running', 'done', 'aborted', 'aborted on compliance'];

/** `trouble` is what the status has shown since the last look: reading its events clears them. */
function deltaPoll(d: DeltaCollector, trouble: { compliance: boolean; hot: boolean }): Poll<L, typeof DELTA, DeltaLook> {
  let was = false;
  let ended = 0;
  let clipped = false;
  const format: Format = { elements: '', unit: '', looks: 0 };
  return {
    every: 0.5,
    gives: DELTA,
    talk: (ask) => deltaLook(ask, d, format),
    read(look, came) {
      if (look.run !== d.run) return {};
      if (!look.armed) {
        // What has ended it stays the reason until another one runs.
        const cause = clipped || trouble.compliance ? COMPLIANCE : trouble.hot ? HOT : undefined;
        const over = was ? bad(cause === undefined ? 'no delta measurement runs' : `no delta measurement runs: ${cause}`) : undefined;
        was = clipped = trouble.compliance = trouble.hot = false;
        ended = 0;
        return { delta: false, delta_state: 'off', ...(over ? { delta_voltage: over, delta_current: over, block: over } : {}) };
      }
      if (!was) ended = 0;
      was = true;
      const news = d.take(look, came.asked, came.t);
      ended |= look.events;
      clipped ||= trouble.compliance || (look.measurement & 8) !== 0 || news.rows.some((r) => r.compliance);
      const running = (look.now & 8) !== 0;
      const aborted = clipped ? 'aborted on compliance' : 'aborted';
      const delta_state = running ? 'running' : (ended & 4) !== 0 ? aborted : (ended & 2) !== 0 ? 'done' : 'armed';
      const clock = d.clock;
      const values = { delta: true, delta_state, delta_readings: look.actual, delta_lost: news.lost };
      const clocks = clock ? { clock_zero: zeroOf(clock), clock_sigma: clock.sigma } : {};
      const whole = { ...values, ...clocks };
      const last = news.rows.at(-1);
      // What could not be read is asked for again.
      const { wrong } = news;
      if (wrong !== undefined) return { ...whole, delta_voltage: bad(wrong), delta_current: bad(wrong), block: bad(wrong) };
      if (!last) {
        if (running && look.actual >= BUFFER) return { ...whole, delta_voltage: bad(FULL), delta_current: bad(FULL), block: bad(FULL) };
        if (delta_state !== 'aborted on compliance') return whole;
        return { ...whole, delta_voltage: bad(COMPLIANCE), delta_current: bad(COMPLIANCE), block: bad(COMPLIANCE) };
      }
      const why =
        (look.measurement & 4) !== 0
          ? HOT
          : look.unit !== 'V'
            ? WRONG_UNIT
            : news.rows.some((r) => r.compliance)
              ? COMPLIANCE
              : news.rows.map((r) => r.volts).find((v) => typeof v === 'string');
      if (why !== undefined) return { ...whole, delta_voltage: bad(why), delta_current: bad(why), block: bad(why) };
      const at = (stamp: number): number => Math.round((clock?.zero ?? came.t - last.stamp * 1e6) + stamp * 1e6);
      const t = at(last.stamp);
      return {
        ...whole,
        delta_voltage: { quality: 'good', t, value: Number(last.volts) },
        delta_current: { quality: 'good', t, value: last.amps },
        block: traced(
          {
            columns: {
              voltage: { unit: 'V', data: Float64Array.from(news.rows, (r) => Number(r.volts)) },
              current: { unit: 'A', data: Float64Array.from(news.rows, (r) => r.amps) },
              time: { unit: 's', data: Float64Array.from(news.rows, (r) => r.stamp) },
              number: { unit: '1', data: Float64Array.from(news.rows, (r) => r.number) },
            },
            shape: [news.rows.length],
            begin: at(news.rows[0]?.stamp ?? 0),
            end: t,
            settings: clock ? { clock_zero: clock.zero, clock_sigma: clock.sigma } : {},
          },
          clock !== undefined,
        ),
      };
    },
    example: [
      {
        run: 0,
        armed: true,
        events: 0,
        now: 8,
        measurement: 0,
        elements: 'READ,TST,SOUR,COMP,RNUM',
        unit: 'V',
        from: 0,
        texts: ['+1.01194701E-05,+1.471E+00,+1.0000E-06,F,+22698'],
        actual: 1,
      },
      { delta: true, delta_state: 'running', delta_voltage: 1.01194701e-5, delta_current: 1e-6, delta_readings: 1, delta_lost: 0 },
    ],
    words: { delta_state: STATES },
    resolution: { delta_voltage: 1e-12, delta_current: 1e-15, clock_zero: 1e-6, clock_sigma: 1e-7 },
  };
}
const zeroOf = ({ zero, sigma }: { readonly zero: number; readonly sigma: number }): Measured<'s'> => ({
  quality: 'good',
  value: zero / 1e6,
  sigma: { random: sigma },
});
const UNTIMED = 'the clock of the instrument has not been measured yet: its times are those of the arrival';
const traced = (value: Trace, timed: boolean): Measured<'trace'> => {
  const t = Math.round((value.begin + value.end) / 2);
  return timed ? { quality: 'good', t, value } : { quality: 'suspect', why: UNTIMED, t, value };
};

/** Whether the meter belongs to a delta measurement (nothing else is sent to it then), and whether half-cycles are stepped from here. */
interface Claim {
  busy: boolean;
  /** Looks for which it is armed just now, whatever they find: the source takes its time. */
  arming: number;
  stepping: boolean;
  /** Half-cycles begun, and seconds that one may take: a talk that was given up takes no further step. */
  steps: number;
  patience: number;
}

const reversed = (high: number, low: number): string =>
  `the current is reversed: delta_high (${high} A) must be above zero and delta_low (${low} A) below it`;

const ARMING = 20; // looks, twice a second

function* deltaOn(act: Actors<L>, d: DeltaCollector, meter: Claim, waves: boolean, here: Here): Talk<void> {
  yield* idle(act, waves);
  yield* present(act);
  const [high, low] = answers(yield* act.main.ask(':SOUR:DELT:HIGH?;:SOUR:DELT:LOW?'), 2);
  const currents = [sure(high, 'delta_high'), sure(low, 'delta_low')] as const;
  if (!(currents[0] > currents[1])) throw new NoReply(reversed(...currents));
  meter.busy = true;
  meter.arming = ARMING;
  // Without an end it would go on when the buffer is full.
  if (ENDLESS_COUNT.test(yield* act.main.ask(':SOUR:DELT:COUN?'))) yield* act.main.send(`:SOUR:DELT:COUN ${BUFFER}`);
  // Compliance ends it; readings in volts, with all that tells them apart.
  for (const line of [':UNIT V', `:FORM:ELEM ${DELTA_ELEMENTS}`, ':SOUR:DELT:CAB 1', ':TRAC:CLE', ':SOUR:DELT:ARM'])
    yield* act.main.send(line);
  for (let n = 0; ; n++) {
    if ((yield* act.main.ask(':SOUR:DELT:ARM?', 5)) === '1') break;
    if (n > 10) throw new NoReply('the source does not arm: see its channel "error"');
    yield* here.wait(0.5);
  }
  d.begin();
  meter.arming = 0;
  yield* act.main.send(':INIT:IMM');
}

// --- half-cycles, stepped from here

function* halfCycles(
  act: Actors<L>,
  n: number,
  half: ReturnType<typeof halfCollector>,
  claim: Claim,
  waves: boolean,
  here: Here,
): Talk<void> {
  yield* idle(act, waves);
  yield* present(act);
  const [high, low, delay] = answers(yield* act.main.ask(':SOUR:DELT:HIGH?;:SOUR:DELT:LOW?;:SOUR:DELT:DEL?'), 3);
  const currents = [sure(high, 'delta_high'), sure(low, 'delta_low')] as const;
  if (!(currents[0] > 0 && currents[1] < 0)) throw new NoReply(reversed(...currents));
  const set = yield* relayed(act, ':SENS:VOLT:NPLC?;:SYST:LFR?;:FORM:ELEM?', 0.3, here);
  const [cycles = '', line = '', elements = ''] = answers(set, 3);
  const nplc = sure(cycles, 'nplc of the meter');
  // Twice for front autozero, and some for the conversion and the way here.
  const takes = (2 * nplc) / sure(line, 'mains') + 0.1;
  const run = half.begin(nplc, takes + 0.5);
  claim.stepping = true;
  claim.patience = sure(delay, 'delta_delay') + takes + 5;
  try {
    yield* relayed(act, ':FORM:ELEM READ,TST', undefined, here);
    yield* act.main.send(':SOUR:CURR 0');
    yield* act.main.send(':OUTP 1');
    for (let i = 0; i < Math.round(n); i++) {
      claim.steps++;
      const row = yield* halfCycle(act, i % 2 === 0 ? currents[0] : currents[1], sure(delay, 'delta_delay'), takes, here);
      run.rows.push(row);
      if (row.compliance) throw new NoReply(COMPLIANCE);
    }
    yield* act.main.send(':SOUR:CURR 0');
    yield* act.main.send(':OUTP 0');
  } catch (error) {
    run.ended = true;
    claim.stepping = false;
    yield* act.main.send(':OUTP 0');
    throw error;
  }
  run.ended = true;
  claim.stepping = false;
  yield* relayed(act, `:FORM:ELEM ${elements}`, undefined, here);
}

function* halfCycle(act: Actors<L>, amps: number, delay: number, takes: number, here: Here): Talk<HalfCycle> {
  yield* act.main.send(`:SOUR:CURR ${amps.toExponential(6)}`);
  yield* here.wait(delay);
  const text = yield* relayed(act, ':READ?', takes, here);
  const [flows, status] = answers(yield* act.main.ask(':SOUR:CURR?;:STAT:MEAS:COND?'), 2);
  const now = sure(flows, 'current');
  if (Math.abs(now - amps) > 1e-6 * Math.abs(amps))
    throw new NoReply(`the source gives ${now} A, not ${amps} A: its range does not hold it`);
  const measurement = statusWord(status);
  if (typeof measurement === 'string') throw new NoReply(measurement);
  if ((measurement & 4) !== 0) throw new NoReply(HOT);
  const [volts = '', stamp = ''] = text.split(',');
  return { volts: keithleyNumber(volts), amps, stamp: sure(stamp, 'time of the meter'), compliance: (measurement & 8) !== 0 };
}

function halfPoll(half: ReturnType<typeof halfCollector>): Poll<L, { half_cycles: 'trace' }, null> {
  return {
    every: 0.1,
    gives: { half_cycles: 'trace' },
    // biome-ignore lint/correctness/useYield: what it looks at is here
    *talk() {
      return null;
    },
    read(_, came: Came) {
      const block = half.look(came.t);
      if (!block) return {};
      const { rows, nplc, clock } = block;
      const why = rows.some((r) => r.compliance) ? COMPLIANCE : rows.map((r) => r.volts).find((v) => typeof v === 'string');
      if (why !== undefined) return { half_cycles: bad(why) };
      const zero = clock?.zero ?? came.t - (rows.at(-1)?.stamp ?? 0) * 1e6;
      const at = (stamp: number): number => Math.round(zero + stamp * 1e6);
      const trace: Trace = {
        columns: {
          voltage: { unit: 'V', data: Float64Array.from(rows, (r) => Number(r.volts)) },
          current: { unit: 'A', data: Float64Array.from(rows, (r) => r.amps) },
          time: { unit: 's', data: Float64Array.from(rows, (r) => r.stamp - (rows[0]?.stamp ?? 0)) },
        },
        shape: [rows.length],
        begin: at(rows[0]?.stamp ?? 0),
        end: at(rows.at(-1)?.stamp ?? 0),
        settings: { nplc, ...(clock ? { clock_zero: zero, clock_sigma: clock.sigma } : {}) },
      };
      return { half_cycles: traced(trace, clock !== undefined) };
    },
    example: [null, {}],
  };
}

// --- the declaration

/**
 * Keithley 6221 and 6220 current sources, by RS-232, TCP port 1394 or GPIB; with the option `meter: relay` the delta pair with a 2182A on its
 * RS-232 relay and trigger link. Connecting sets nothing; what is on stays on until it is ordered off.
 */
export default instrument<L, Options, Id>({
  model: 'Keithley 6221 / 6220',
  source:
    'pymeasure keithley6221.py; CINF/PyExpLabSys keithley_6220.py; tektronix/keithley Model_622x_2182A; Model 6220/6221 Reference Manual 622X-901-01',
  proven: 'third-party driver',
  options: options<Options>({
    terminator: terminator('LF'),
    meter: word('a 2182A at its relay and trigger link, for delta and half_cycles', ['none', 'relay'] as const, 'none'),
    relay_wait: relayWait,
  }),
  links: ({ terminator: end }) => ({
    main: scpi({ ask: end, tell: end === '\r\n' ? end : [end, '\r\n'], eightBit: true, max: 65_536 }),
  }),
  proof: { main: { ask: () => '*IDN?', is: (m) => /MODEL\s*622[01]/i.test(m) } },
  identify,
  body({ meter, relay_wait }, { model }) {
    const waves = /6221/.test(model);
    const paired = meter === 'relay';
    const delta = deltaCollector();
    const half = halfCollector();
    const claim: Claim = { busy: false, arming: 0, stepping: false, steps: 0, patience: 0 };
    const trouble = { compliance: false, hot: false };
    const watched = deltaPoll(delta, trouble);
    const deltaWatch: typeof watched = {
      ...watched,
      *talk(ask) {
        const look = yield* watched.talk(ask);
        claim.arming = Math.max(0, claim.arming - 1);
        // One that was asked before the last run began says nothing of it.
        if (look.run === delta.run) claim.busy = look.armed || claim.arming > 0;
        return look;
      },
    };
    return {
      polls: [
        outputPoll(claim, waves),
        poll<L, { compliance: 'flag'; over_temperature: 'flag'; interlock: 'flag' }>({
          ask: ':STAT:MEAS:EVEN?;:STAT:MEAS:COND?;:OUTP:INT:TRIP?',
          every: 0.5,
          gives: { compliance: 'flag', over_temperature: 'flag', interlock: 'flag' },
          read(m) {
            const [event = '', now = '', closed = ''] = answers(m, 3);
            const compliance = either(event, now, 3);
            const hot = either(event, now, 2);
            trouble.compliance ||= compliance === true;
            trouble.hot ||= hot === true;
            return { compliance, over_temperature: hot, interlock: flag(closed) };
          },
          example: ['8;0;1', { compliance: true, over_temperature: false, interlock: true }],
        }),
        poll<L, { inner_shield: 'state'; low_to_earth: 'flag'; response: 'state'; filter: 'flag'; source_delay: 's' }>({
          ask: ':OUTP:ISH?;:OUTP:LTE?;:OUTP:RESP?;:SOUR:CURR:FILT?;:SOUR:DEL?',
          every: 5,
          gives: { inner_shield: 'state', low_to_earth: 'flag', response: 'state', filter: 'flag', source_delay: 's' },
          read(m) {
            const [shield = '', earth = '', response = '', filter = '', delay = ''] = answers(m, 5);
            return {
              inner_shield: oneOf(SHIELD, shield),
              low_to_earth: flag(earth),
              response: oneOf({ FAST: 'fast', SLOW: 'slow' }, response),
              filter: flag(filter),
              source_delay: number(delay),
            };
          },
          example: [
            'GUAR;1;FAST;0;+1.000000E-03',
            { inner_shield: 'guard', low_to_earth: true, response: 'fast', filter: false, source_delay: 1e-3 },
          ],
          words: { inner_shield: Object.values(SHIELD), response: ['fast', 'slow'] },
        }),
        errors,
        ...(waves ? [wavePoll] : []),
        ...(paired ? [settingsPoll, deltaWatch, meterPoll(claim), halfPoll(half)] : []),
      ],
      commands: {
        output: command({
          takes: 'flag',
          safe: false,
          talk: (act, on) => (on ? act.main.send(':OUTP 1') : off(act)),
          readback: { channel: 'output', within: 3, by: 0 },
          about: 'direct current at its set point; off ends a delta measurement too',
        }),
        current: command({
          takes: 'A',
          limits: [-MOST, MOST],
          safe: 0,
          talk: (act, amps) => act.main.send(`:SOUR:CURR ${amps.toExponential(6)}`),
          readback: { channel: 'current', within: 3, by: 1e-7 },
          about: 'set point; it flows while "output" is on',
        }),
        compliance_limit: amount('V', [0.1, 105], ':SOUR:CURR:COMP', 'compliance_limit', 'the highest voltage across the output'),
        range: command({
          takes: 'A',
          limits: [0, MOST],
          talk: (act, amps) => act.main.send(`:SOUR:CURR:RANG ${amps.toExponential(6)}`),
          readback: { channel: 'range', within: 3, by: 1e-12, shows: (amps) => rangeFor(Number(amps)) },
          about: 'the smallest range that holds this current; it ends auto_range',
        }),
        auto_range: onOff(':SOUR:CURR:RANG:AUTO', 'auto_range'),
        filter: onOff(':SOUR:CURR:FILT', 'filter', 'analog filter of the output'),
        source_delay: amount('s', [1e-3, 999_999.999], ':SOUR:DEL', 'source_delay'),
        response: command({
          takes: 'state',
          words: ['fast', 'slow'],
          talk: (act, how) => act.main.send(`:OUTP:RESP ${how.toUpperCase()}`),
          readback: { channel: 'response', within: 7, by: 0 },
        }),
        inner_shield: command({
          takes: 'state',
          words: Object.values(SHIELD),
          talk: (act, where) => grounded(act, `:OUTP:ISH ${named(SHIELD, where)}`),
          readback: { channel: 'inner_shield', within: 7, by: 0 },
          about: 'what the inner shield of the triaxial cable is on; only with the output off',
        }),
        low_to_earth: command({
          takes: 'flag',
          talk: (act, on) => grounded(act, `:OUTP:LTE ${on ? 1 : 0}`),
          readback: { channel: 'low_to_earth', within: 7, by: 0 },
          about: 'the low side of the output is on earth; only with the output off',
        }),
        ...(waves ? waveCommands : {}),
        ...(paired ? pairCommands(delta, half, claim, waves) : {}),
      },
      *tunnel(act, address, bytes, reply, here) {
        if (address !== 'relay')
          throw new NoReply(`"${address}" is not there: what the serial port of the source leads to is gpib:NAME/relay`);
        const asked = latin1(bytes);
        const line = asked.replace(/[\r\n]+$/, '');
        if (line === '') return undefined;
        // Whoever asks reads lines that end as the own ones do.
        const end = asked.slice(line.length) || '\n';
        if (claim.busy) return reply ? fromLatin1(`${METER_TAKEN}${end}`) : undefined;
        const text = yield* relayed(act, line, reply ? relay_wait : undefined, here);
        return reply ? fromLatin1(`${text}${end}`) : undefined;
      },
    };
  },
});

const OUTPUT = {
  live: 'flag',
  output: 'flag',
  stepping: 'flag',
  current: 'A',
  compliance_limit: 'V',
  range: 'A',
  auto_range: 'flag',
} as const;
/**
 * `live` is the output itself; who has switched it on is told apart, because each has a lease of its own: `output` is a direct current,
 * `stepping` the half-cycles from here, and `delta` and `wave` are channels of their own.
 */
function outputPoll(claim: Claim, waves: boolean): Poll<L, typeof OUTPUT, string> {
  const questions = [':OUTP?', ':SOUR:CURR?', ':SOUR:CURR:COMP?', ':SOUR:CURR:RANG?', ':SOUR:CURR:RANG:AUTO?', ':SOUR:DELT:ARM?'];
  if (waves) questions.push(':SOUR:WAVE:ARM?');
  const last = { steps: 0, t: 0 };
  return poll<L, typeof OUTPUT>({
    ask: questions.join(';'),
    every: 0.5,
    gives: OUTPUT,
    read(m, came) {
      const [on = '', amps = '', volts = '', range = '', auto = '', delta = '', wave = '0'] = answers(m, questions.length);
      const [live, armed, waving] = [on, delta, wave].map(flag);
      const known = typeof live === 'boolean' && typeof armed === 'boolean' && typeof waving === 'boolean';
      const direct = known ? live && !armed && !waving : [live, armed, waving].find((f) => typeof f === 'object');
      if (claim.steps !== last.steps) Object.assign(last, { steps: claim.steps, t: came.t });
      const stepping = claim.stepping && came.t - last.t < claim.patience * 1e6;
      return {
        live,
        output: direct === true ? !stepping : direct,
        stepping: direct === true ? stepping : direct,
        ...(stepping ? {} : { current: number(amps) }),
        compliance_limit: number(volts),
        range: number(range),
        auto_range: flag(auto),
      };
    },
    example: [
      `1;+1.000000E-03;+1.000000E+01;+2.000000E-03;0;0${waves ? ';0' : ''}`,
      { live: true, output: true, stepping: false, current: 1e-3, compliance_limit: 10, range: 2e-3, auto_range: false },
    ],
    span: { current: [-MOST, MOST], compliance_limit: [0, MOST * 1000] },
    resolution: { current: 1e-15 },
  });
}

const RANGES = [2e-9, 20e-9, 200e-9, 2e-6, 20e-6, 200e-6, 2e-3, 20e-3, 0.1];
/** The range that the source takes for a current (manual, section 3: 105 % of a range). */
const rangeFor = (amps: number): number => RANGES.find((r) => amps <= 1.05 * r) ?? 0.1;

function* grounded(act: Actors<L>, line: string): Talk<void> {
  if ((yield* act.main.ask(':OUTP?')) !== '0') throw new NoReply('the output is on: its grounding is changed with the output off only');
  yield* act.main.send(line);
}

type Wave = { wave: 'flag'; wave_function: 'state'; wave_amplitude: 'A'; wave_frequency: '1/s'; wave_offset: 'A'; phase_marker: 'flag' };
const wavePoll = poll<L, Wave>({
  ask: ':SOUR:WAVE:ARM?;:SOUR:WAVE:FUNC?;:SOUR:WAVE:AMPL?;:SOUR:WAVE:FREQ?;:SOUR:WAVE:OFFS?;:SOUR:WAVE:PMAR:STAT?',
  every: 2,
  gives: { wave: 'flag', wave_function: 'state', wave_amplitude: 'A', wave_frequency: '1/s', wave_offset: 'A', phase_marker: 'flag' },
  read(m) {
    const [armed = '', form = '', peak = '', hertz = '', offset = '', marker = ''] = answers(m, 6);
    return {
      wave: flag(armed),
      wave_function: oneOf(WAVES, form),
      wave_amplitude: number(peak),
      wave_frequency: number(hertz),
      wave_offset: number(offset),
      phase_marker: flag(marker),
    };
  },
  example: [
    '1;SIN;+1.000000E-03;+1.370000E+02;+0.000000E+00;1',
    { wave: true, wave_function: 'sine', wave_amplitude: 1e-3, wave_frequency: 137, wave_offset: 0, phase_marker: true },
  ],
  words: { wave_function: Object.values(WAVES) },
  resolution: { wave_amplitude: 1e-15, wave_offset: 1e-15 },
});
function* waveOn(act: Actors<L>): Talk<void> {
  yield* idle(act, true);
  yield* act.main.send(':SOUR:WAVE:ARM');
  if ((yield* act.main.ask(':SOUR:WAVE:ARM?', 5)) !== '1') throw new NoReply('the source does not arm: see its channel "error"');
  yield* act.main.send(':SOUR:WAVE:INIT');
}
function* waveOff(act: Actors<L>): Talk<void> {
  yield* act.main.send(':SOUR:WAVE:ABOR');
  yield* act.main.send(':OUTP 0');
}
const waveCommands = {
  wave: command({
    takes: 'flag',
    safe: false,
    talk: (act, on) => (on ? waveOn(act) : waveOff(act)),
    readback: { channel: 'wave', within: 5, by: 0 },
    about: 'an alternating current from now on',
  }),
  wave_function: command({
    takes: 'state',
    words: Object.values(WAVES),
    talk: (act, form) => act.main.send(`:SOUR:WAVE:FUNC ${named(WAVES, form)}`),
    readback: { channel: 'wave_function', within: 5, by: 0 },
  }),
  wave_amplitude: amount('A', [2e-12, MOST], ':SOUR:WAVE:AMPL', 'wave_amplitude', 'peak, not rms'),
  wave_frequency: amount('1/s', [1e-3, 1e5], ':SOUR:WAVE:FREQ', 'wave_frequency'),
  wave_offset: amount('A', [-MOST, MOST], ':SOUR:WAVE:OFFS', 'wave_offset'),
  phase_marker: onOff(':SOUR:WAVE:PMAR:STAT', 'phase_marker', 'a pulse on the trigger link at each period, for a lock-in'),
};

const settingsPoll = poll<
  L,
  { delta_high: 'A'; delta_low: 'A'; delta_delay: 's'; delta_count: '1'; delta_compliance_abort: 'flag'; delta_cold: 'flag' }
>({
  ask: ':SOUR:DELT:HIGH?;:SOUR:DELT:LOW?;:SOUR:DELT:DEL?;:SOUR:DELT:COUN?;:SOUR:DELT:CAB?;:SOUR:DELT:CSW?',
  every: 2,
  gives: { delta_high: 'A', delta_low: 'A', delta_delay: 's', delta_count: '1', delta_compliance_abort: 'flag', delta_cold: 'flag' },
  read(m) {
    const [high = '', low = '', delay = '', count = '', abort = '', cold = ''] = answers(m, 6);
    return {
      delta_high: number(high),
      delta_low: number(low),
      delta_delay: number(delay),
      delta_count: ENDLESS_COUNT.test(count) ? ENDLESS : number(count),
      delta_compliance_abort: flag(abort),
      delta_cold: flag(cold),
    };
  },
  example: [
    '+1.000000E-03;-1.000000E-03;+2.000000E-03;1000;1;0',
    { delta_high: 1e-3, delta_low: -1e-3, delta_delay: 2e-3, delta_count: 1000, delta_compliance_abort: true, delta_cold: false },
  ],
  resolution: { delta_high: 1e-15, delta_low: 1e-15 },
});
/** Without an end: the buffer holds so many. */
const ENDLESS = { quality: 'suspect', value: BUFFER, why: 'without end: the buffer holds 65,536 readings' } as const;

interface MeterLook {
  readonly busy: boolean;
  readonly text: string;
}
/** The meter's settings by the relay; while a delta measurement has it, nothing is asked. */
const meterPoll = (meter: Claim): Poll<L, { nplc: '1'; meter_range: 'V'; meter_auto_range: 'flag' }, MeterLook> => ({
  every: 5,
  gives: { nplc: '1', meter_range: 'V', meter_auto_range: 'flag' },
  *talk(ask) {
    if (meter.busy) return { busy: true, text: '' };
    const there = yield* ask.main.ask(':SOUR:DELT:NVPR?', 5);
    // It may have been armed while this was on its way.
    if (meter.busy) return { busy: true, text: '' };
    if (there !== '1') throw new NoReply(NO_METER);
    const reply = yield* ask.main.ask(query(METER), 2);
    return meter.busy ? { busy: true, text: '' } : { busy: false, text: entered(reply) };
  },
  read(m) {
    if (m.busy) return {};
    const [nplc = '', range = '', auto = ''] = answers(m.text, 3);
    return { nplc: number(nplc), meter_range: number(range), meter_auto_range: flag(auto) };
  },
  example: [
    { busy: false, text: '5.000000E+00;0.010000000;0' },
    { nplc: 5, meter_range: 0.01, meter_auto_range: false },
  ],
});
const METER = ':SENS:VOLT:NPLC?;:SENS:VOLT:CHAN1:RANG?;:SENS:VOLT:CHAN1:RANG:AUTO?';
const METER_RANGES = [0.01, 0.1, 1, 10, 100];

const pairCommands = (d: DeltaCollector, half: ReturnType<typeof halfCollector>, meter: Claim, waves: boolean) => ({
  delta: command({
    takes: 'flag',
    safe: false,
    *talk(act, on, _index, here) {
      if (on) yield* deltaOn(act, d, meter, waves, here);
      else {
        yield* act.main.send(':SOUR:SWE:ABOR');
        yield* act.main.send(':OUTP 0');
      }
    },
    readback: { channel: 'delta', within: 5, by: 0 },
    about: 'arms source and meter and runs; at its end the current stays on until it is ordered off',
  }),
  half_cycles: command({
    takes: '1',
    limits: [0, 200],
    safe: 0,
    *talk(act, n, _index, here) {
      if (n < 1) yield* off(act);
      else yield* halfCycles(act, n, half, meter, waves, here);
    },
    readback: { channel: 'stepping', within: 5, by: 0, shows: () => false },
    about:
      'so many half-cycles of delta_high and delta_low one by one, each reading kept; give it a deadline if they take longer than 30 s',
  }),
  delta_high: amount('A', [0, MOST], ':SOUR:DELT:HIGH', 'delta_high', 'the positive current; it sets delta_low to its negative'),
  delta_low: command({
    takes: 'A',
    limits: [-MOST, 0],
    talk: (act, amps) => act.main.send(`:SOUR:DELT:LOW ${amps.toExponential(6)}`),
    readback: { channel: 'delta_low', within: 5, by: 1e-7 },
  }),
  delta_delay: amount('s', [1e-3, 9999.999], ':SOUR:DELT:DEL', 'delta_delay', 'from the reversal of the current to the conversion'),
  delta_count: command({
    takes: '1',
    limits: [1, BUFFER],
    talk: (act, n) => act.main.send(`:SOUR:DELT:COUN ${Math.round(n)}`),
    readback: { channel: 'delta_count', within: 5, by: 0.5 },
    about: 'readings of one run: no more than the buffer holds',
  }),
  delta_cold: onOff(':SOUR:DELT:CSW', 'delta_cold', 'the current goes to zero before it is reversed'),
  nplc: command({
    takes: '1',
    limits: [0.01, 60],
    talk: (act, cycles, _index, here) => toMeter(act, `:SENS:VOLT:NPLC ${cycles}`, here),
    readback: { channel: 'nplc', within: 12, by: 0.005 },
    about: 'integration time of the meter in periods of the mains',
  }),
  meter_range: command({
    takes: 'V',
    limits: [0, 120],
    talk: (act, volts, _index, here) => toMeter(act, `:SENS:VOLT:CHAN1:RANG ${volts}`, here),
    readback: {
      channel: 'meter_range',
      within: 12,
      by: 1e-6,
      shows: (volts) => METER_RANGES.find((r) => Number(volts) <= 1.2 * r) ?? 100,
    },
    about: 'the smallest range of the meter that holds this voltage; it ends its autorange',
  }),
  meter_auto_range: command({
    takes: 'flag',
    talk: (act, on, _index, here) => toMeter(act, `:SENS:VOLT:CHAN1:RANG:AUTO ${on ? 1 : 0}`, here),
    readback: { channel: 'meter_auto_range', within: 12, by: 0 },
  }),
});
function* toMeter(act: Actors<L>, line: string, here: Here): Talk<void> {
  if ((yield* act.main.ask(':SOUR:DELT:ARM?')) !== '0') throw new NoReply(METER_TAKEN);
  yield* present(act);
  yield* relayed(act, line, undefined, here);
}
