/** Other people's software against a served recording: PyMeasure (Debian's python3-pymeasure with python3-pyvisa-py). */
import { execFile } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { catalogue } from '../src/catalogue.ts';
import { EXIT } from '../src/cli/command.ts';
import { ready } from '../src/cli/replay-ready.ts';
import { serveRecording } from '../src/cli/replay-serve.ts';
import { methods } from '../src/methods.ts';
import { loadRig, printed } from '../src/rig.ts';
import { hasModules, PYTHON } from './python.ts';
import { recorded } from './replay-session.ts';
import { scratchFolder } from './session-made.ts';

const pymeasure = hasModules('pymeasure, pyvisa, pyvisa_py');

const SCRIPT = `
import json, sys
from pymeasure.instruments.srs import SR830
k = SR830('TCPIP::127.0.0.1::%s::SOCKET' % sys.argv[1], visa_library='@py', read_termination='\\n', write_termination='\\n', timeout=3000)
names = ('sine_voltage', 'phase', 'sensitivity', 'time_constant', 'harmonic', 'filter_slope', 'input_coupling')
read = [{name: getattr(k, name) for name in names} for round in range(2)]
k.write('*CLS')
print(json.dumps(dict(id=k.ask('*IDN?').strip(), read=read)))
`;

test.skipIf(!pymeasure)('PyMeasure reads the settings of a recorded SR830 (skipped where python3-pymeasure is not installed)', async () => {
  const place = scratchFolder('foreign');
  mkdirSync(join(place, 'rig'));
  writeFileSync(
    join(place, 'rig', 'rig.yaml'),
    `rig: lockin
instruments:
  lockin: { model: srs-sr830, link: tcp:192.168.1.50:23, leases: { amplitude: unused, aux_out: unused } }
`,
  );
  const known = await catalogue();
  const loaded = await loadRig(join(place, 'rig'), known, methods);
  if (!loaded.ok) throw new Error(loaded.messages.map(printed).join('\n'));
  const session = await recorded(loaded.rig, known, { seconds: 15 });
  const set = await ready(session.folder, {}, known);
  if ('code' in set) throw new Error(set.words);
  let [out, err] = ['', ''];
  const io = { out: (t: string) => void (out += t), err: (t: string) => void (err += t) };
  const wanted = { strict: false, speed: 1, repeat: false, asWritten: false, json: false };
  const code = await serveRecording(session.folder, set, wanted, io, async () => {
    const port = /127\.0\.0\.1:(\d+)/.exec(out)?.[1] ?? '';
    const said = await new Promise<string>((done, failed) => {
      execFile(PYTHON, ['-W', 'ignore', '-c', SCRIPT, port], { timeout: 30_000 }, (error, text, why) =>
        error ? failed(new Error(`${error.message}\n${why}`)) : done(text),
      );
    });
    const settings = {
      sine_voltage: 0.004,
      phase: 0,
      sensitivity: 0.001,
      time_constant: 0.1,
      harmonic: 1,
      filter_slope: 12,
      input_coupling: 'AC',
    };
    expect(JSON.parse(said)).toEqual({ id: expect.stringContaining('SR830'), read: [settings, settings] });
  });
  expect({ code, err }).toEqual({ code: EXIT.ok, err: '' });
  expect(out).toMatch(/lockin: "\*CLS.*was never asked in the recording/);
  await session.remove();
  rmSync(place, { recursive: true });
});
