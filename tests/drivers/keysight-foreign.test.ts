/** PyVISA (Debian's python3-pyvisa-py) speaks to the simulated 34420A over TCP, in the commands of QCoDeS and of Lab::Moose. */
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import meter from '../../simulators/keysight-34420a.ts';
import { realClock } from '../../src/clock.ts';
import { servePty, serveTcp } from '../../src/serve.ts';
import { universe } from '../../src/simulate.ts';
import { hasModules, PYTHON } from '../python.ts';

const pyvisa = hasModules('pyvisa, pyvisa_py');
const socat = (process.env.PATH ?? '').split(':').some((folder) => existsSync(join(folder, 'socat')));

const closing: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const python = (script: string, ...args: readonly string[]): Promise<unknown> =>
  new Promise((resolve, reject) => {
    execFile(PYTHON, ['-W', 'ignore', '-c', script, ...args], { timeout: 60_000 }, (error, out, err) => {
      if (error) reject(new Error(`${error.message}\n${err}`));
      else resolve(JSON.parse(out.trim().split('\n').at(-1) ?? 'null'));
    });
  });
const port = () => universe(1, realClock()).device('nvm', meter, {}).ports.main;

const SCRIPT = `
import json, sys, pyvisa
k = pyvisa.ResourceManager('@py').open_resource(sys.argv[1], read_termination='\\n', write_termination='\\n', timeout=5000)
model = k.query('*IDN?').split(',')[1]
wrong = []
for cycles, part in zip([0.02, 0.2, 1, 2, 10, 20, 100, 200], [1e-4, 1e-5, 3e-6, 2.2e-6, 1e-6, 8e-7, 3e-7, 2.2e-7]):
    k.write('SENS:VOLT:DC:RANG %f' % 0.1)
    k.write('VOLT:NPLC %f' % cycles)
    if abs(float(k.query('VOLT:DC:RES?')) / (part * 0.1) - 1) > 1e-6 or float(k.query('VOLT:NPLC?')) != cycles: wrong.append(cycles)
    k.write('VOLT:NPLC 10'); k.write('VOLT:DC:RES %.1e' % (part * 0.1))
    if float(k.query('VOLT:NPLC?')) != cycles: wrong.append(-cycles)
for wanted in (0.1, 1.0, 10.0, 100.0):
    k.write('SENS:VOLT:DC:RANG %f' % wanted)
    if float(k.query('SENS:VOLT:DC:RANG?')) != wanted: wrong.append(wanted)
k.write('VOLT:RANG:AUTO 1'); auto = k.query('VOLT:RANG:AUTO?')
k.write('VOLT:NPLC 1'); volt = float(k.query('READ?'))
k.write('INIT'); fetched = float(k.query('FETCH?'))
k.write('ROUT:TERM FRON2'); terminals = k.query('ROUT:TERM?'); k.write('ROUT:TERM FRON1')
k.write('INP:FILT:STAT 1'); state = k.query('INP:FILT:STAT?')
before = k.query('SYST:ERR?')
k.write('SENS:VOLT:DC:RANG 1000.000000'); k.write('NONSENSE')
errors = [k.query('SYST:ERR?') for _ in range(3)]
k.write('*RST')
print(json.dumps(dict(model=model, wrong=wrong, auto=auto, near=abs(volt - fetched) < 1e-6 and abs(volt) < 1e-4, terminals=terminals, state=state,
  before=before, errors=errors, after=k.query('VOLT:NPLC?'))))
`;

const found = {
  model: '34420A',
  wrong: [],
  auto: '1',
  near: true,
  terminals: 'FRON2',
  state: '1',
  before: '+0,"No error"',
  errors: ['-222,"Data out of range"', '-113,"Undefined header"', '+0,"No error"'],
  after: '+1.00000000E+01',
};

describe.skipIf(!pyvisa)('PyVISA, skipped where python3-pyvisa-py is not installed', () => {
  test('sets and reads back what QCoDeS does, over TCP', async () => {
    const served = await serveTcp([port()], { port: 0 }, realClock());
    closing.push(() => served.close());
    const [, number = ''] = served.address.replace(/^tcp:/, '').split(':');
    expect(await python(SCRIPT, `TCPIP::127.0.0.1::${number}::SOCKET`)).toEqual(found);
  }, 60_000);

  test.skipIf(!socat)(
    'the same on a pseudo-terminal',
    async () => {
      const folder = mkdtempSync(join(tmpdir(), 'nanovolt-'));
      closing.push(() => rmSync(folder, { recursive: true }));
      const served = await servePty([port()], join(folder, 'tty'), realClock());
      closing.push(() => served.close());
      expect(await python(SCRIPT, `ASRL${join(folder, 'tty')}::INSTR`)).toEqual(found);
    },
    60_000,
  );
});
