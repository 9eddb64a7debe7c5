/** PyMeasure (Debian's python3-pymeasure with python3-pyvisa-py) drives the simulators over TCP and a pseudo-terminal. */
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import meter from '../../simulators/keithley-2182a.ts';
import source from '../../simulators/keithley-6221.ts';
import { realClock } from '../../src/clock.ts';
import { type Served, servePty, serveTcp } from '../../src/serve.ts';
import { universe } from '../../src/simulate.ts';
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

async function tcp(): Promise<{ readonly sourceAt: string; readonly meterAt: string; readonly terminal: string | undefined }> {
  const clock = realClock();
  const all = universe(1, clock);
  const options = { terminator: '\n', line: '60' } as const;
  const behind = all.device('meter', meter, { ...options, terminator: '\r\n' });
  const front = all.device('source', source, { ...options, nanovoltmeter: 'there' }, { relay: behind });
  const served: Served[] = [];
  for (const device of [front, behind]) served.push(await serveTcp([device.ports.main], { host: '127.0.0.1', port: 0 }, clock));
  let terminal: string | undefined;
  if (socat) {
    const folder = mkdtempSync(join(tmpdir(), 'keithley-'));
    closing.push(() => rmSync(folder, { recursive: true }));
    const alone = all.device('alone', meter, { ...options, terminator: '\r' });
    terminal = join(folder, 'meter');
    served.push(await servePty([alone.ports.main], terminal, clock));
  }
  closing.push(...served.map((s) => () => s.close()));
  const [a = '', b = ''] = served.map((s) => s.address.replace(/^tcp:/, ''));
  return { sourceAt: a, meterAt: b, terminal };
}
const OPEN = `
import json, sys, time
from pymeasure.instruments.keithley import Keithley6221
from pymeasure.adapters import VISAAdapter
def resource(at):
    host, port = at.rsplit(':', 1)
    return 'TCPIP::%s::%s::SOCKET' % (host, port)
def source(at):
    return Keithley6221(VISAAdapter(resource(at), visa_library='@py', read_termination='\\n', write_termination='\\n', timeout=5000))
`;

describe.skipIf(!pymeasure)('PyMeasure, skipped where python3-pymeasure and python3-pyvisa-py are not installed', () => {
  test('every property of its 6221 is set and read back', async () => {
    const { sourceAt } = await tcp();
    const script = `${OPEN}
k = source(sys.argv[1])
values = dict(source_enabled=[True, False], source_delay=[0.5, 2.0], output_low_grounded=[True, False], source_current=[1e-3, -2.5e-6],
  source_compliance=[0.1, 105], source_range=[2e-3, 2e-6], source_auto_range=[True, False],
  waveform_function=['sine', 'ramp', 'square', 'arbitrary1', 'arbitrary4'], waveform_frequency=[1e-3, 1e5, 137.0], waveform_amplitude=[2e-12, 0.105],
  waveform_offset=[-0.105, 0.01], waveform_dutycycle=[0, 37.5, 100], waveform_duration_time=[1e-7, 999999.0],
  waveform_duration_cycles=[1e-3, 100.0], waveform_ranging=['best', 'fixed'], waveform_use_phasemarker=[True, False],
  waveform_phasemarker_phase=[0, 180], waveform_phasemarker_line=[1, 6], display_enabled=[False, True],
  measurement_event_enabled=[512, 0], operation_event_enabled=[128, 0], questionable_event_enabled=[16, 0], srq_event_enabled=[1, 0],
  buffer_points=[2, 1024])
wrong = {}
for name, wanted in values.items():
    for value in wanted:
        setattr(k, name, value)
        got = getattr(k, name)
        same = got == value if isinstance(value, (bool, str)) else abs(float(got) - value) <= 1e-6 * abs(value)
        if not same: wrong[name] = [value, got]
k.define_arbitary_waveform([0, 0.5, 1, -1], 2)
k.waveform_function = 'sine'; k.waveform_amplitude = 1e-3; k.waveform_duration_set_infinity()
k.waveform_arm(); k.waveform_start(); on = k.source_enabled; k.waveform_abort()
k.beep(440, 0.1); k.trigger_immediately(); k.set_timed_arm(1.5); k.trigger(); k.disable_output_trigger()
for name in ('measurement_events', 'operation_events', 'questionable_events', 'standard_events', 'status', 'complete'): getattr(k, name)
before = k.ask('STAT:QUE?').strip()
k.write(':SOUR:CURR 5'); k.write('NONSENSE 3'); k.write(':SOUR:WAVE:FUNC TRIANGLE'); k.trigger_on_bus()
errors = [k.ask('SYST:ERR?').strip() for _ in range(5)]
k.reset(); k.shutdown()
print(json.dumps(dict(id=k.id, wrong=wrong, on=on, off=k.source_enabled, before=before, errors=errors, after=k.ask('SYST:ERR?').strip())))
`;
    expect(await python(script, sourceAt)).toEqual({
      id: expect.stringMatching(/^KEITHLEY INSTRUMENTS INC\.,MODEL 6221,/),
      wrong: {},
      on: true,
      off: false,
      before: '0,"No error"',
      // Its trigger layer knows no bus.
      errors: [
        '-222,"Parameter data out of range"',
        '-113,"Undefined header"',
        '-224,"Illegal parameter value"',
        '-224,"Illegal parameter value"',
        '0,"No error"',
      ],
      after: '0,"No error"',
    });
  });

  test('delta with the 2182A at the relay, as scripts of others run it', async () => {
    const { sourceAt } = await tcp();
    const script = `${OPEN}
k = source(sys.argv[1])
ask = lambda q: k.ask(q).strip()
there = ask('SOUR:DELT:NVPR?')
k.write('SYST:COMM:SER:SEND "VOLT:NPLC 1"')
k.write('SYST:COMM:SER:SEND "VOLT:RANG 0.01"')
k.write('SYST:COMM:SER:SEND "VOLT:NPLC?"')
nplc = float(ask('SYST:COMM:SER:ENT?'))
for line in ('UNIT V', 'FORM:ELEM READ,TST,RNUM,SOUR', 'SOUR:DELT:HIGH 1e-3', 'SOUR:DELT:DELay 0.002', 'SOUR:DELT:COUN 20', 'SOUR:DELT:CAB ON',
  'TRAC:POIN 20', 'SOUR:DELT:ARM', 'INIT:IMM'): k.write(line)
armed = ask('SOUR:DELT:ARM?')
until = time.time() + 20
while not int(ask('STAT:OPER:EVEN?')) & 2 and time.time() < until: time.sleep(0.1)
n = int(ask('TRAC:POIN:ACT?'))
rows = ask('TRAC:DATA:SEL? 0,%d' % n).split(',')
last = ask('SENS:DATA?').split(',')
fresh = ask('SENS:DATA:FRES?'); k.write('SENS:DATA:FRES?'); stale = ask('SYST:ERR?')
kind, free = ask('TRAC:DATA:TYPE?'), ask('TRAC:FREE?')
k.write('SOUR:SWE:ABOR')
print(json.dumps(dict(there=there, nplc=nplc, armed=armed, n=n, values=len(rows), current=float(rows[2]), last=last == rows[-4:], stale=stale, kind=kind, off=ask('OUTP?'))))
`;
    expect(await python(script, sourceAt)).toEqual({
      there: '1',
      nplc: 1,
      armed: '1',
      n: 20,
      values: 80,
      current: 1e-3,
      last: true,
      stale: '-230,"Data corrupt or stale"',
      kind: 'DELT',
      off: '0',
    });
  });

  // This PyMeasure has no class for the 2182A: the properties of newer ones, by its own way to declare them.
  const METER = `
import json, sys, time
from pymeasure.instruments import Instrument
from pymeasure.adapters import VISAAdapter
from pymeasure.instruments.keithley.buffer import KeithleyBuffer
class Meter(KeithleyBuffer, Instrument):
    def __init__(self, adapter): super().__init__(adapter, 'meter', includeSCPI=True)
for n, head, fmt in (('auto_zero', ':SYST:AZER:STAT', '%d'), ('display', ':DISP:ENAB', '%d'), ('channel', ':SENS:CHAN', '%d'),
    ('nplc', ':SENS:VOLT:NPLC', '%g'), ('temp_nplc', ':SENS:TEMP:NPLC', '%g'), ('count', ':TRIG:COUN', '%d'), ('delay', ':TRIG:DEL', '%g'),
    ('range1', ':SENS:VOLT:CHAN1:RANG', '%g'), ('range2', ':SENS:VOLT:CHAN2:RANG', '%g'), ('auto1', ':SENS:VOLT:CHAN1:RANG:AUTO', '%d'),
    ('ref', ':SENS:VOLT:CHAN1:REF', '%g'), ('ref_on', ':SENS:VOLT:CHAN1:REF:STAT', '%d'), ('tref', ':SENS:TEMP:CHAN2:REF', '%g'),
    ('sim', ':SENS:TEMP:RJUN:SIM', '%g')):
    setattr(Meter, n, Instrument.control(head + '?', head + ' ' + fmt, n))
m = Meter(VISAAdapter(sys.argv[1], visa_library='@py', read_termination=sys.argv[2].encode().decode('unicode_escape'), write_termination=sys.argv[2].encode().decode('unicode_escape'), timeout=5000))
wrong = {}
for n, wanted in dict(auto_zero=[0, 1], display=[0, 1], channel=[2, 0, 1], nplc=[0.01, 60, 1], temp_nplc=[5, 1], count=[1, 9999, 5], delay=[0.5, 0],
    range1=[0.01, 100, 0.1], range2=[0.1, 10], auto1=[0, 1], ref=[-120, 0], ref_on=[1, 0], tref=[-273, 1800], sim=[0, 60]).items():
    for value in wanted:
        setattr(m, n, value)
        got = getattr(m, n)
        if abs(float(got) - value) > 1e-6 * abs(value): wrong[n] = [value, got]
m.write('SENS:FUNC "TEMP"'); temp = m.ask(':SENS:FUNC?').strip(); celsius = float(m.ask(':READ?').split(',')[0]); inside = float(m.ask(':SENS:TEMP:RTEM?'))
m.write(":SENS:FUNC 'VOLT';:SENS:TEMP:TC S;:SENS:TEMP:RJUN:RSEL SIM"); tc = m.ask(':SENS:TEMP:TC?').strip() + m.ask(':SENS:TEMP:RJUN:RSEL?').strip()
m.write('*RST;:TRIG:COUN 1'); volts = float(m.ask(':READ?'))
m.write('STAT:MEAS:ENAB 512;*SRE 1'); m.write(':TRAC:CLE;:TRAC:POIN 10;:TRAC:FEED SENSE;:TRAC:FEED:CONT NEXT'); m.write(':INIT:CONT ON;:SENS:VOLT:NPLC 0.1')
m.wait_for_buffer(timeout=20); data = m.buffer_data
mean = float(m.ask(':CALC2:FORM MEAN;:CALC2:STAT ON;:CALC2:IMM?;'))
m.write('status:queue:clear;*RST;:stat:pres;:*CLS;'); m.write(':SENS:VOLT:NPLC 61'); m.write(':SENS:CHAN')
errors = [m.ask(':SYST:ERR?').strip() for _ in range(3)]
print(json.dumps(dict(id=m.id, wrong=wrong, temp=temp, tc=tc, room=abs(celsius - 22) < 1, warm=inside > 23, small=0 < volts < 1e-4, n=len(data), mean=bool(abs(mean - sum(data) / len(data)) < 1e-12), errors=errors)))
`;
  const METER_SAYS = {
    id: expect.stringMatching(/^KEITHLEY INSTRUMENTS INC\.,MODEL 2182A,/),
    wrong: {},
    temp: '"TEMP"',
    tc: 'SSIM',
    room: true,
    warm: true,
    small: true,
    n: 10,
    mean: true,
    errors: ['-222,"Parameter data out of range"', '-109,"Missing parameter"', '0,"No error"'],
  };
  test('the 2182A over TCP', async () => {
    const { meterAt } = await tcp();
    const [host, port] = meterAt.split(':');
    // It ends its replies with CRLF, and newer classes read up to CR.
    expect(await python(METER, `TCPIP::${host}::${port}::SOCKET`, '\\r')).toEqual(METER_SAYS);
  });
  test.skipIf(!socat)('the 2182A on a terminal with CR', async () => {
    const { terminal } = await tcp();
    expect(await python(METER, `ASRL${terminal}::INSTR`, '\\r')).toEqual(METER_SAYS);
  });
});
