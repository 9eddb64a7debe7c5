/** Delta measurements of a 6221 with a 2182A: armed, looked at, read block by block. */
import { DELTA_ELEMENTS, statusWord } from '../../../protocols/keithley.ts';
import type { DeltaCollector, DeltaLook } from '../../../protocols/keithley-delta.ts';
import {
  type Actors,
  type Asker,
  bad,
  Garbled,
  type Here,
  type Measured,
  NoReply,
  type Poll,
  type Talk,
  type Trace,
} from '../../../src/instrument.ts';
import { answers, BUFFER, CHUNK, CHUNKS, ENDLESS_COUNT, idle, type L, present, sure } from './talk.ts';

export const COMPLIANCE =
  'the source is in compliance: the voltage that this current needs is above its limit: a current contact or lead is open, or compliance_limit is too low';
export const HOT = 'the source is too hot inside';
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
export function deltaPoll(d: DeltaCollector, trouble: { compliance: boolean; hot: boolean }): Poll<L, typeof DELTA, DeltaLook> {
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
export const traced = (value: Trace, timed: boolean): Measured<'trace'> => {
  const t = Math.round((value.begin + value.end) / 2);
  return timed ? { quality: 'good', t, value } : { quality: 'suspect', why: UNTIMED, t, value };
};

/** Whether the meter belongs to a delta measurement (nothing else is sent to it then), and whether half-cycles are stepped from here. */
export interface Claim {
  busy: boolean;
  /** Looks for which it is armed just now, whatever they find: the source takes its time. */
  arming: number;
  stepping: boolean;
  /** Half-cycles begun, and seconds that one may take: a talk that was given up takes no further step. */
  steps: number;
  patience: number;
}

export const reversed = (high: number, low: number): string =>
  `the current is reversed: delta_high (${high} A) must be above zero and delta_low (${low} A) below it`;

const ARMING = 20; // looks, twice a second

export function* deltaOn(act: Actors<L>, d: DeltaCollector, meter: Claim, waves: boolean, here: Here): Talk<void> {
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
