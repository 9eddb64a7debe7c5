/** PyMeasure (Debian's python3-pymeasure with python3-pyvisa-py) drives source-meters, multimeter and temperature controllers. */
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import k2000 from '../../simulators/keithley-2000.ts';
import k2400 from '../../simulators/keithley-2400.ts';
import k2450 from '../../simulators/keithley-2450.ts';
import ls336 from '../../simulators/lake-shore-336.ts';
import { realClock } from '../../src/clock.ts';
import { servePty, serveTcp } from '../../src/serve.ts';
import { universe } from '../../src/simulate.ts';
import type { Simulator } from '../../src/simulator.ts';
import { hasModules, PYTHON } from '../python.ts';

const pymeasure = hasModules('pymeasure, pyvisa, pyvisa_py');
const socat = (process.env.PATH ?? '').split(':').some((folder) => existsSync(join(folder, 'socat')));

const closing: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** Runs a script and gives what it printed as JSON in its last line. */
const python = (script: string, ...args: readonly string[]): Promise<unknown> =>
  new Promise((resolve, reject) => {
    execFile(PYTHON, ['-W', 'ignore', '-c', script, ...args], { timeout: 60_000 }, (error, out, err) => {
      if (error) reject(new Error(`${error.message}\n${err}`));
      else resolve(JSON.parse(out.trim().split('\n').at(-1) ?? 'null'));
    });
  });

const device = (simulator: Simulator) => universe(1, realClock()).device('it', simulator, simulator.options.parse({})).ports.main;
async function tcp(simulator: Simulator): Promise<string> {
  const served = await serveTcp([device(simulator)], { port: 0 }, realClock());
  closing.push(() => served.close());
  return `TCPIP::127.0.0.1::${served.address.split(':').at(-1)}::SOCKET`;
}
async function pty(simulator: Simulator): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'foreign-'));
  closing.push(() => rmSync(folder, { recursive: true }));
  const served = await servePty([device(simulator)], join(folder, 'tty'), realClock());
  closing.push(() => served.close());
  return join(folder, 'tty');
}

/** Sets and reads back each value of each property; what differs is told. */
const BEGIN = `
import json, sys, math
def opened(kind, at, end='\\n', **more):
    return kind(at, visa_library='@py', read_termination=end, write_termination='\\n', timeout=5000, **more)
def tried(k, values):
    wrong = {}
    for name, wanted in values.items():
        for value in wanted:
            setattr(k, name, value)
            got = getattr(k, name)
            try: same = got == value or abs(float(got) - float(value)) <= 1e-6 * abs(float(value)) + 1e-12
            except (TypeError, ValueError): same = got == value
            if not same: wrong.setdefault(name, []).append([str(value), str(got)])
    return wrong
def errors(k):
    all = []
    while True:
        code, text = k.error
        if code == 0: return all
        all.append(int(code))
`;
const K2400 = `${BEGIN}
from pymeasure.instruments.keithley import Keithley2400
k = opened(Keithley2400, sys.argv[1])
k.reset(); k.check_errors()
wrong = tried(k, dict(source_mode=['current', 'voltage', 'current'], source_enabled=[True, False], auto_output_off=[True, False], source_delay=[0.25, 0],
  source_delay_auto=[True, False], auto_zero=[True, False, True], measure_concurent_functions=[True, False, True], current_range=[1e-3, 1.05, -0.1],
  current_nplc=[0.01, 10, 1], compliance_current=[1e-3, 1.05], source_current=[1e-3, -1.05, 0], source_current_range=[1e-2, 1.05], voltage_range=[20, 210],
  compliance_voltage=[0.5, 210], source_voltage=[1.5, -210, 0], source_voltage_range=[2, 210], resistance_range=[2e3, 2.1e8], resistance_nplc=[2, 1],
  wires=[4, 2], buffer_points=[1, 2500], trigger_count=[5, 2500, 1], trigger_delay=[0.5, 0], filter_type=['REP', 'MOV'], filter_count=[1, 100],
  output_off_state=['HIMP', 'NORM', 'ZERO', 'GUAR'], display_enabled=[True, False]))
k.filter_state = 'ON'; on = k.ask(':SENS:AVER?').strip(); k.filter_state = 'OFF'
before = errors(k)
k.write(':SENS:CURRVOLT:NPLC?'); k.write(':SOUR:CURR 9'); k.write(':SOUR:FUNC WATT'); k.write(':READ?')
slips = errors(k)
k.reset(); k.apply_current(compliance_voltage=2); k.wires = 4; k.source_current = 1e-3; k.enable_source()
k.measure_voltage(); volts = k.voltage
k.measure_resistance(); ohms = k.resistance
k.measure_current(); amps = k.current
k.measure_voltage()
k.config_buffer(points=10); k.start_buffer(); k.wait_for_buffer(timeout=5)
data = list(k.buffer_data); mean = k.mean_voltage; top = k.max_voltage; low = k.min_voltage; spread = k.std_voltage
k.trigger_count = 1; k.reset_buffer(); k.sample_continuously(); k.set_timed_arm(0.5); k.trigger_on_bus(); k.set_trigger_counts(2, 3); k.trigger_immediately()
k.set_trigger_counts(1, 1); k.trigger_on_external(2); k.output_trigger_on_external(1); k.disable_output_trigger(); k.trigger_immediately()
k.use_rear_terminals(); k.use_front_terminals(); k.beep(440, 0.1); k.auto_range_source(); k.ramp_to_current(2e-3, steps=3, pause=0)
set = k.source_current
k.write(':SOUR:CURR:MODE FIX'); k.shutdown()
print(json.dumps(dict(wrong=wrong, on=on, before=before, slips=slips, volts=volts, ohms=ohms, amps=amps, n=len(data), mean=bool(abs(mean - sum(data) / 10) < 1e-9),
  order=bool(low <= mean <= top and spread >= 0), set=set, off=k.source_enabled, after=errors(k), id=k.ask('*IDN?').strip())))
`;
const K2450 = `${BEGIN}
from pymeasure.instruments.keithley import Keithley2450
k = opened(Keithley2450, sys.argv[1])
k.reset()
wrong = tried(k, dict(source_mode=['current', 'voltage', 'current'], current_range=[1e-3, 1.05], current_nplc=[0.01, 10], compliance_current=[1e-3, 1.05],
  source_current=[1e-3, -1.05, 0], source_current_range=[1e-2, 1.05], source_current_delay=[0.5, 0], source_current_delay_auto=[True, False],
  voltage_range=[20, 210], voltage_nplc=[2, 1], compliance_voltage=[0.5, 210], source_voltage=[1.5, -210, 0], source_voltage_range=[2, 210],
  source_voltage_delay=[0.5, 0], source_voltage_delay_auto=[True, False], resistance_range=[2e3, 2.1e8], resistance_nplc=[2, 1], wires=[4, 2],
  buffer_points=[1, 6875000, 100], current_filter_type=['REP', 'MOV'], current_filter_count=[1, 100], voltage_filter_type=['REP', 'MOV'],
  voltage_filter_count=[1, 100], current_output_off_state=['HIMP', 'NORM', 'ZERO', 'GUAR'], voltage_output_off_state=['HIMP', 'NORM', 'ZERO', 'GUAR']))
before = errors(k)
k.write(':TRIG:COUN 5'); k.write(':SOUR:CURR 9'); k.write(':TRAC:FEED SENSE')
slips = errors(k)
k.reset(); k.apply_current(compliance_voltage=2); k.source_current = 1e-3; k.enable_source(); on = k.source_enabled
k.measure_voltage(); k.write(':SENS:VOLT:RSEN ON'); volts = [k.voltage for _ in range(5)]
stats = dict(mean=k.means, most=k.maximums, least=k.minimums, spread=k.standard_devs)
k.measure_resistance(); k.wires = 4; ohms = k.resistance
k.use_rear_terminals(); k.use_front_terminals(); k.beep(440, 0.1); k.ramp_to_current(2e-3, steps=3, pause=0); set = k.source_current; k.trigger(); k.shutdown()
print(json.dumps(dict(wrong=wrong, before=before, slips=slips, on=on, volts=volts, ohms=ohms, order=bool(stats['least'] <= stats['mean'] <= stats['most']), set=set,
  off=k.source_enabled, after=errors(k), language=k.ask('*LANG?').strip())))
`;
const K2000 = `${BEGIN}
from pymeasure.instruments.keithley import Keithley2000
from pymeasure.adapters import VISAAdapter
VISAAdapter.config = lambda self, **more: None  # this version asks for it and does not have it
k = opened(Keithley2000, sys.argv[1])
k.reset()
modes = [m for m in Keithley2000.MODES]
wrong = tried(k, dict(mode=modes, beep_state=['disabled', 'enabled'], current_range=[1e-2, 3.1], current_reference=[-3.1, 1], current_nplc=[0.01, 10],
  current_digits=[4, 7], current_ac_range=[0, 3.1], current_ac_reference=[1], current_ac_nplc=[2], current_ac_digits=[5], current_ac_bandwidth=[3, 300],
  voltage_range=[0.1, 1010], voltage_reference=[-1010, 2], voltage_digits=[6], voltage_ac_range=[757.5], voltage_ac_reference=[-1], voltage_ac_nplc=[1],
  voltage_ac_digits=[4], voltage_ac_bandwidth=[30], resistance_range=[1e3, 120e6], resistance_reference=[5], resistance_nplc=[5], resistance_digits=[6],
  resistance_4W_range=[1e3], resistance_4W_reference=[7], resistance_4W_nplc=[3], resistance_4W_digits=[7], frequency_reference=[15e6],
  frequency_digits=[4], frequency_threshold=[10], frequency_aperature=[0.01, 1], period_reference=[0.5], period_digits=[6], period_aperature=[0.1],
  temperature_reference=[-200, 1372], temperature_nplc=[1], temperature_digits=[5], trigger_count=[1, 9999, 1], trigger_delay=[0.5, 0]))
k.write(':SENS:CURRVOLT:NPLC?'); k.period_threshold = 5
slips = []
while True:
    code, text = k.values(':SYST:ERR?')
    if code == 0: break
    slips.append(int(code))
k.write(':ROUT:MULT:CLOS (@1,4)'); closed = k.ask(':ROUT:MULT:CLOS:STAT?').strip()
k.measure_resistance(wires=4); k.auto_range(); ohms = k.resistance
k.measure_voltage(); k.auto_range(); volts = k.voltage
k.acquire_reference(); k.enable_reference(); k.disable_reference(); k.disable_filter(); k.local(); k.remote(); k.beep(440, 0.1)
after = k.values(':SYST:ERR?')[0]
print(json.dumps(dict(wrong=wrong, slips=slips, closed=closed, ohms=ohms, volts=volts, after=after)))
`;
const LAKESHORE = `${BEGIN}
from pymeasure.instruments.lakeshore import LakeShore331
from pymeasure.instruments.lakeshore.adapters import LakeShoreUSBAdapter
import time
k = LakeShore331(LakeShoreUSBAdapter(sys.argv[2])) if sys.argv[1] == 'pty' else opened(LakeShore331, sys.argv[2], '\\r\\n')
wrong = tried(k, dict(setpoint_1=[300, 77.35], setpoint_2=[4.2]))
k.heater_range = 'low'  # a 331 has one heater, this one four: the output is missing
events = int(k.ask('*ESR?').strip())
print(json.dumps(dict(wrong=wrong, a=k.temperature_A, b=k.temperature_B, events=events, id=k.ask('*IDN?').strip())))
`;

describe.skipIf(!pymeasure)('PyMeasure (skipped where python3-pymeasure and python3-pyvisa-py are absent)', () => {
  test('Keithley 2400: every property, readings, buffer, errors', async () => {
    const got = await python(K2400, await tcp(k2400));
    expect(got).toMatchObject({
      wrong: {},
      on: '1',
      before: [],
      slips: [-113, -222, -224, 803],
      n: 10,
      mean: true,
      order: true,
      off: false,
      after: [],
    });
    const { volts, ohms, amps, set, id } = got as { volts: number; ohms: number; amps: number; set: number; id: string };
    expect(amps).toBeCloseTo(1e-3, 7);
    expect(volts / amps).toBeCloseTo(ohms, 2);
    expect(set).toBeCloseTo(2e-3, 9);
    expect(id).toMatch(/^KEITHLEY INSTRUMENTS INC\.,MODEL 2400,/);
  }, 60_000);
  test('Keithley 2450: every property, readings, statistics, errors of what it has not', async () => {
    const got = await python(K2450, await tcp(k2450));
    expect(got).toMatchObject({
      wrong: {},
      before: [],
      slips: [-113, -222, -113],
      on: true,
      order: true,
      off: false,
      after: [],
      language: 'SCPI',
    });
    const { volts, ohms } = got as { volts: readonly number[]; ohms: number };
    expect(volts[0] / 1e-3).toBeCloseTo(ohms, 2);
  }, 60_000);
  test('Keithley 2000: every property, and the scanner card', async () => {
    const got = await python(K2000, await tcp(k2000));
    expect(got).toMatchObject({ wrong: {}, slips: [-113, -113], closed: '(@1,4)', after: 0 });
    const { ohms } = got as { ohms: number };
    expect(ohms).toBeGreaterThan(0);
    expect(ohms).toBeLessThan(1);
  }, 60_000);
  test('Lake Shore over TCP', async () => {
    expect(await python(LAKESHORE, 'tcp', await tcp(ls336))).toMatchObject({
      wrong: {},
      a: expect.closeTo(295.15, 1),
      b: expect.closeTo(295.15, 1),
      events: 16,
      id: expect.stringMatching(/^LSCI,MODEL336,/),
    });
  }, 60_000);
  test.skipIf(!socat)(
    'Lake Shore over a pseudo-terminal',
    async () => {
      expect(await python(LAKESHORE, 'pty', await pty(ls336))).toMatchObject({ wrong: {}, a: expect.closeTo(295.15, 1) });
    },
    60_000,
  );
});
