/** PyMeasure (Debian's python3-pymeasure with python3-pyvisa-py) drives the simulated lock-ins over TCP and a pseudo-terminal. */
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import sr830 from '../../simulators/srs-sr830.ts';
import sr860 from '../../simulators/srs-sr860.ts';
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

const device = (simulator: Simulator, options = {}) => universe(1, realClock()).device('lia', simulator, options).ports.main;
async function tcp(simulator: Simulator): Promise<string> {
  const served = await serveTcp([device(simulator)], { port: 0 }, realClock());
  closing.push(() => served.close());
  const [, port = ''] = served.address.replace(/^tcp:/, '').split(':');
  return `TCPIP::127.0.0.1::${port}::SOCKET`;
}
async function pty(simulator: Simulator, options: object): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'lock-in-'));
  closing.push(() => rmSync(folder, { recursive: true }));
  const served = await servePty([device(simulator, options)], join(folder, 'tty'), realClock());
  closing.push(() => served.close());
  return `ASRL${join(folder, 'tty')}::INSTR`;
}

/** Sets and reads back each value of each property; what differs is told. */
const PROPERTIES = `
import json, sys, math
from pymeasure.instruments.srs import SR830, SR860
def opened(kind, at, end):
    return kind(at, visa_library='@py', read_termination=end, write_termination=end, timeout=5000)
def tried(k, values):
    wrong = {}
    for name, wanted in values.items():
        for value in wanted:
            setattr(k, name, value)
            got = getattr(k, name)
            same = got == value if isinstance(value, str) else abs(float(got) - value) <= 1e-6 * abs(value) + 1e-12
            if not same: wrong.setdefault(name, []).append([value, got])
    return wrong
`;
const SR830 = `${PROPERTIES}
k = opened(SR830, sys.argv[1], sys.argv[2].encode().decode('unicode_escape'))
wrong = tried(k, dict(sine_voltage=[0.004, 5.0, 0.25], frequency=[0.001, 102000.0, 137.0], phase=[-90.0, 12.34], sensitivity=SR830.SENSITIVITIES,
  time_constant=SR830.TIME_CONSTANTS, filter_slope=SR830.FILTER_SLOPES, harmonic=[2, 99, 1], input_config=SR830.INPUT_CONFIGS[::-1],
  input_grounding=SR830.INPUT_GROUNDINGS, input_coupling=SR830.INPUT_COUPLINGS, input_notch_config=SR830.INPUT_NOTCH_CONFIGS,
  reference_source=SR830.REFERENCE_SOURCES, aux_out_1=[-10.5, 1.25], aux_out_2=[10.5], aux_out_3=[0.001], aux_out_4=[-3.0],
  sample_frequency=SR830.SAMPLE_FREQUENCIES, reserve=SR830.RESERVE_VALUES))
shown = []
for one, two in (('R', 'Aux In 4'), ('X Noise', 'Theta'), ('X', 'Y')):
    k.channel1 = one; k.channel2 = two; shown.append([k.channel1, k.channel2])
k.time_constant = 0.01
read = {name: getattr(k, name) for name in ('x', 'y', 'magnitude', 'theta', 'aux_in_1', 'aux_in_2', 'aux_in_3', 'aux_in_4')}
k.set_scaling('Y', 12.5, 1)  # the index of an expand by 10
scaling = k.get_scaling('Y')
k.sensitivity = 1; k.harmonic = 1; k.sine_voltage = 1; k.auto_phase(); k.auto_reserve(); k.auto_gain(); k.auto_offset('X')
k.write('*RST'); k.write('*CLS')
k.sine_voltage = 5; k.sensitivity = 1e-6
import time; time.sleep(0.3)
over = k.is_out_of_range()
k.quick_range()
after = k.is_out_of_range(); magnitude = k.magnitude
k.sample_frequency = 64
k.reset_buffer(); k.start_buffer(); time.sleep(1.2); k.pause_buffer()
count = k.buffer_count
stored = [float(v) for v in k.ask('TRCA?1,0,%d' % count).split(',')]
k.ask('*ESR?'); k.write('SENS 99'); k.write('NONE 1')
print(json.dumps(dict(id=k.ask('*IDN?').strip(), wrong=wrong, shown=shown, finite=all(math.isfinite(v) for v in read.values()), scaling=scaling, over=over,
  after=after, magnitude=magnitude, sensitivity=k.sensitivity, count=len(stored) == count and 30 <= count <= 200, esr=int(k.ask('*ESR?')))))
`;

const SR860 = `${PROPERTIES}
k = opened(SR860, sys.argv[1], '\\n')
wrong = tried(k, dict(frequency=[1e-3, 5e5, 137.0], internalfrequency=[1234.5], phase=[-90.0, 12.3456789], harmonic=[98, 1], harmonicdual=[2, 1],
  sine_voltage=[1e-9, 2.0, 0.123456789], timebase=[1, 0], dcmode=['DIF', 'COM'], reference_source=SR860.INPUT_REFERENCESOURCE[::-1],
  reference_triggermode=['SIN', 'POS', 'NEG'], input_signal=['CURR', 'VOLT'], input_voltage_mode=SR860.INPUT_VOLTAGE_MODE,
  input_coupling=SR860.INPUT_COUPLING, input_shields=SR860.INPUT_SHIELDS, input_range=SR860.INPUT_RANGE, input_current_gain=SR860.INPUT_GAIN,
  sensitvity=SR860.SENSITIVITIES, time_constant=SR860.TIME_CONSTANTS, filter_slope=[0, 1, 2], filer_synchronous=SR860.INPUT_FILTER,
  frequencypreset1=[1e-3, 10], frequencypreset2=[20.5], frequencypreset3=[3e4], frequencypreset4=[5e5], sine_amplitudepreset1=[1e-9, 0.5],
  sine_amplitudepreset2=[0.1], sine_amplitudepreset3=[1.5], sine_amplitudepreset4=[2], sine_dclevelpreset1=[-5], sine_dclevelpreset2=[0.125],
  sine_dclevelpreset3=[1], sine_dclevelpreset4=[5], front_panel=['1', '0'], screen_layout=SR860.SCREEN_LAYOUT_VALUES, parameter_DAT1=[15, 0],
  parameter_DAT2=[1], parameter_DAT3=[2], parameter_DAT4=[3], strip_chart_dat1=['0', '1'], strip_chart_dat2=['0'], strip_chart_dat3=['1'],
  strip_chart_dat4=['0']))
before = int(k.ask('*ESR?'))
# Words that the instrument does not know, and a place that it does not have: its own driver's slips.
slips = []
for name, value in (('filter_advanced', 'Off'), ('horizontal_time_div', 5), ('aux_out_4', 1.0), ('reference_triggermode', 'NEGTTL')):
    setattr(k, name, value); slips.append(int(k.ask('*ESR?')))
k.aux_out_1 = 2.5
k.time_constant = 0.01; k.reference_source = 'INT'; k.sine_voltage = 1
read = [getattr(k, name) for name in ('x', 'y', 'magnitude', 'theta', 'aux_in_1', 'aux_in_2', 'aux_in_3', 'aux_in_4', 'gettimebase', 'extfreqency',
  'detectedfrequency', 'get_signal_strength_indicator', 'get_noise_bandwidth')]
k.screenshot()
snaps = [k.snap(), k.snap('R', 'THeta', 'FInt'), k.snap(0, 1, 2)]
print(json.dumps(dict(wrong=wrong, before=before, slips=slips, aux=k.aux_out_2, finite=all(math.isfinite(v) for v in read), lengths=[len(s) for s in snaps],
  agree=abs(math.hypot(*snaps[2][:2]) - snaps[2][2]) < 1e-9, id=k.ask('*IDN?').strip(), esr=int(k.ask('*ESR?')))))
`;

describe.skipIf(!pymeasure)('PyMeasure, skipped where python3-pymeasure and python3-pyvisa-py are not installed', () => {
  const found = {
    id: expect.stringMatching(/^Stanford_Research_Systems,SR830,/),
    finite: true,
    scaling: [12.5, 10],
    over: true,
    // Each with what it is divided by: nothing.
    shown: [
      [
        [1, 0],
        [4, 0],
      ],
      [
        [2, 0],
        [1, 0],
      ],
      [
        [0, 0],
        [0, 0],
      ],
    ],
    after: false,
    count: true,
    esr: 48,
  };

  test('every property of its SR830 is set and read back over TCP, and it finds its range', async () => {
    const said = (await python(SR830, await tcp(sr830), '\\n')) as { sensitivity: number; wrong: unknown };
    expect(said).toMatchObject(found);
    expect(said.wrong).toEqual({});
    expect(said.sensitivity).toBeGreaterThan(1e-4);
    expect(said.sensitivity).toBeLessThan(2e-3);
  }, 60_000);

  test.skipIf(!socat)(
    'the same on a pseudo-terminal with CR, as on RS-232',
    async () => {
      const said = (await python(SR830, await pty(sr830, { terminator: '\r' }), '\\r')) as { wrong: unknown };
      expect(said).toMatchObject(found);
      expect(said.wrong).toEqual({});
    },
    60_000,
  );

  test('every property of its SR860 is set and read back, and its slips set the bits that the instrument has for them', async () => {
    expect(await python(SR860, await tcp(sr860))).toEqual({
      id: expect.stringMatching(/^Stanford_Research_Systems,SR860,/),
      wrong: {},
      before: 0,
      slips: [32, 32, 16, 16],
      aux: 2.5, // its "aux_out_1" sets output 2
      finite: true,
      lengths: [2, 3, 3],
      agree: true,
      esr: 0,
    });
  }, 60_000);
});
