/** Half-cycles of a 6221 with a 2182A, stepped from here, each reading kept. */
import { keithleyNumber, statusWord } from '../../../protocols/keithley.ts';
import type { HalfCycle, halfCollector } from '../../../protocols/keithley-delta.ts';
import { type Actors, bad, type Came, type Here, NoReply, type Poll, type Talk, type Trace } from '../../../src/instrument.ts';
import { type Claim, COMPLIANCE, HOT, reversed, traced } from './delta.ts';
import { answers, idle, type L, present, relayed, sure } from './talk.ts';

export function* halfCycles(
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

export function halfPoll(half: ReturnType<typeof halfCollector>): Poll<L, { half_cycles: 'trace' }, null> {
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
