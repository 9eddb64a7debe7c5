/** Settings and orders of a 6221 with a 2182A at its relay. */
import { METER_TAKEN } from '../../../protocols/keithley.ts';
import type { DeltaCollector, halfCollector } from '../../../protocols/keithley-delta.ts';
import { type Actors, type Here, NoReply, type Poll, poll, type Talk } from '../../../src/instrument.ts';
import { type Claim, deltaOn } from './delta.ts';
import { halfCycles } from './half-cycles.ts';
import {
  amount,
  answers,
  BUFFER,
  command,
  ENDLESS_COUNT,
  entered,
  flag,
  type L,
  MOST,
  NO_METER,
  number,
  off,
  onOff,
  present,
  query,
  relayed,
} from './talk.ts';

export const settingsPoll = poll<
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
export const meterPoll = (meter: Claim): Poll<L, { nplc: '1'; meter_range: 'V'; meter_auto_range: 'flag' }, MeterLook> => ({
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

export const pairCommands = (d: DeltaCollector, half: ReturnType<typeof halfCollector>, meter: Claim, waves: boolean) => ({
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
