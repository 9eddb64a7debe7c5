/** Export of real sessions, checked by h5py and silx reading by reading; and of large ones, in little memory. */
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Reading, Trace } from '../src/reading.ts';
import { hitBytes } from '../src/readout/hit-bytes.ts';
import { sessionWriter } from '../src/recorder/parts.ts';
import { readingOf, traceOf, write } from '../src/recorder/session-json.ts';
import { readSession } from '../src/recorder/session-read.ts';
import { at, hitBlock, RIG, START } from './export-session.ts';
import { hasModules, PYTHON } from './python.ts';

const root = resolve(import.meta.dirname, '..');
const main = join(root, 'dist/src/main.js');
const scratch = mkdtempSync(join(tmpdir(), 'bridgman-export-prove-'));
afterAll(() => rmSync(scratch, { recursive: true }));

const h5py = hasModules('h5py, silx.io.nxdata');

/** Reads every channel of a file and compares it with what is wanted, doubles as their bits. */
const SCRIPT = `
import json, math, struct, sys
import h5py, numpy, silx.io, silx.io.nxdata as nx
f = h5py.File(sys.argv[1], 'r')
logs, stacks, bad, plots = {}, {}, [], []
def see(name, o):
    if not isinstance(o, h5py.Group): return
    kind, local = o.attrs.get('NX_class'), o.attrs.get('local_name')
    if kind == 'NXlog' and not name.endswith('_bad'): logs[local] = o
    if kind == 'NXdata' and local: stacks.setdefault(local, []).append(o)
f.visititems(see)
start = f[f.attrs['default']]['start_time'][()].decode()
checked = 0
def fail(*why):
    bad.append(' '.join(map(str, why)))
for line in open(sys.argv[2]):
    w = json.loads(line)
    if w['kind'] == 'trace':
        found = [(g, int(numpy.nonzero(g['seq'][()] == w['seq'])[0][0])) for g in stacks.get(w['name'], []) if 'seq' in g and w['seq'] in g['seq'][()]]
        if len(found) == 1:
            g, i = found[0]
            for column, bits in w['columns'].items():
                d = g[column]
                got = d[()] if d.ndim == 1 else d[i]
                if got.tobytes().hex() != bits: fail(w['name'], w['seq'], column)
        else:
            blocks = [g for g in stacks.get(w['name'], []) if 'blocks' in g and w['seq'] in g['blocks/seq'][()]]
            if len(blocks) != 1: fail(w['name'], w['seq'], 'is not there'); continue
            g = blocks[0]
            i = int(numpy.nonzero(g['blocks/seq'][()] == w['seq'])[0][0])
            first = list(g['blocks/index'][()]) + [len(g[list(w['columns'])[0]])]
            for column, bits in w['columns'].items():
                if g[column][first[i]:first[i + 1]].tobytes().hex() != bits: fail(w['name'], w['seq'], column)
        checked += 1
        continue
    g = logs.get(w['name'])
    if g is None or len(g['time']) != len(w['t']): fail(w['name'], 'has another number of readings'); continue
    began = w['began']
    if [round(s * 1e6) + began for s in g['time'][()].tolist()] != w['t']: fail(w['name'], 'time')
    if g['quality'][()].tolist() != w['quality']: fail(w['name'], 'quality')
    if w['kind'] == 'state':
        text = [t.decode() for t in g['value_text'][()]] if 'value_text' in g else []
        if [None if i < 0 else text[i] for i in (g['value'][()] if 'value' in g else [-1] * len(w['t']))] != w['value']: fail(w['name'], 'states')
    elif w['kind'] == 'flag':
        if g['value'][()].tolist() != [-1 if v is None else int(v) for v in w['value']]: fail(w['name'], 'flags')
    else:
        if [None if math.isnan(v) else struct.pack('<d', v).hex() for v in g['value'][()].tolist()] != w['value']: fail(w['name'], 'value')
        errors = [None if math.isnan(v) else struct.pack('<d', v).hex() for v in g['value_errors_random'][()].tolist()] if 'value_errors_random' in g else [None] * len(w['t'])
        if errors != w['sigma']: fail(w['name'], 'sigma')
    checked += len(w['t'])
s = silx.io.open(sys.argv[1])
d = nx.get_default(s)
def check(name, o):
    if isinstance(o, h5py.Group) and o.attrs.get('NX_class') == 'NXdata' and not nx.NXdata(s[name]).is_valid: fail(name, nx.NXdata(s[name]).issues)
f.visititems(check)
print(json.dumps({'checked': checked, 'bad': bad[:20], 'drawn': d is not None and d.is_valid and bool(numpy.isfinite(numpy.asarray(d.signal, float)).any())}))
`;

const hex = (value: unknown): string | null => {
  if (typeof value !== 'number') return null;
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return bytes.toString('hex');
};

/** What the session holds, as lines of JSON; the number of readings. */
async function wanted(session: string, path: string): Promise<number> {
  const logs = new Map<
    string,
    { name: string; kind: string; began: number; t: number[]; quality: number[]; value: unknown[]; sigma: unknown[] }
  >();
  const lines: string[] = [];
  let [began, n] = [0, 0];
  for await (const m of readSession(session, { raw: ['raw-traces'] })) {
    if (m.topic === 'rig') began ||= m.t;
    if (m.series === 'raw-traces') {
      const { from, seq, value } = traceOf(m.bytes) as Reading<'trace'> & { readonly value: Trace }; // the recorder writes no bad ones here
      const columns = Object.entries(value.columns).map(([name, { data }]) => [
        name === 'time' ? 'trace_time' : name,
        Buffer.from(data.buffer).toString('hex'),
      ]);
      lines.push(JSON.stringify({ kind: 'trace', name: from, seq, columns: Object.fromEntries(columns) }));
      n++;
    } else if (m.topic === 'readings') {
      const r = readingOf(m.bytes);
      if (r.kind === 'trace') continue;
      const name = r.index === undefined ? r.from : `${r.from}[${r.index}]`;
      const log = logs.get(name) ?? { name, kind: r.kind, began, t: [], quality: [], value: [], sigma: [] };
      logs.set(name, log);
      log.t.push(r.t);
      log.quality.push({ good: 0, suspect: 1, bad: 2 }[r.quality]);
      const value = r.quality === 'bad' ? null : r.value;
      log.value.push(typeof value === 'number' ? hex(value) : value);
      log.sigma.push(r.quality === 'bad' ? null : hex(r.sigma?.random));
      n++;
    }
  }
  writeFileSync(path, [...lines, ...[...logs.values()].map((log) => JSON.stringify(log))].join('\n'));
  return n;
}

describe.skipIf(!h5py)('sessions of rigs, skipped where python3-h5py and python3-silx are not installed', () => {
  test.each([
    ['demo', '10s'],
    ['laser-heating', '15s'],
    ['resistivity', '10s'],
  ])('%s', async (rig, time) => {
    const folder = join(scratch, rig);
    cpSync(join(root, 'rigs', rig), folder, { recursive: true, filter: (from) => !from.endsWith('sessions') });
    const ran = spawnSync(process.execPath, [main, 'run', folder, '--simulate', '--for', time], { encoding: 'utf8' });
    const [name = ran.stderr] = readdirSync(join(folder, 'sessions')).filter((one) => /Z$/.test(one));
    const session = join(folder, 'sessions', name);
    const target = join(scratch, `${rig}.nxs`);
    const { status, stderr } = spawnSync(process.execPath, [main, 'export', session, '--to', 'nexus', target], { encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const n = await wanted(session, `${target}.json`);
    expect(n).toBeGreaterThan(500);
    const seen = JSON.parse(execFileSync(PYTHON, ['-W', 'ignore', '-c', SCRIPT, target, `${target}.json`], { encoding: 'utf8' }));
    expect(seen).toEqual({ checked: n, bad: [], drawn: true });
  });
});

test('a disk that is full: the system says so, and nothing is left', async () => {
  const session = await large(join(scratch, 'some'), 5e6);
  for (const form of ['nexus', 'csv', 'line']) {
    // Files of more than 500 blocks are refused.
    const script = `ulimit -f 500; exec "$0" "$@"`;
    const { status, stderr } = spawnSync(
      'bash',
      ['-c', script, process.execPath, main, 'export', session, '--to', form, join(scratch, 'full')],
      {
        encoding: 'utf8',
      },
    );
    expect({ form, status, stderr }).toEqual({
      form,
      status: 1,
      stderr: expect.stringMatching(/^bridgman export: .*(file write failed|EFBIG).*\n$/),
    });
  }
  expect(readdirSync(scratch).filter((name) => name.includes('full'))).toEqual([]);
});

const MB = 1e6;

/** Slow readings of 200 channels, frames of a camera and hits, about a third each. */
async function large(folder: string, bytes: number): Promise<string> {
  let ms = 0;
  const writer = sessionWriter({ folder, now: () => ms, limits: { rawFree: 0, reserve: 0 } });
  const put = (topic: string, klass: 'slow' | `raw-${string}`, t: number, data: Uint8Array) => writer.write(topic, klass, t, data);
  put('rig', 'slow', START, new TextEncoder().encode(JSON.stringify({ version: '1', name: 'large', yaml: RIG, session: 'large' })));
  const counts = Uint16Array.from({ length: 65_536 }, (_, i) => i);
  const block = hitBytes(hitBlock(0, 2048));
  const written = { slow: 0, traces: 0, hits: 0 };
  for (let n = 0; written.slow + written.traces + written.hits < bytes; n++) {
    const about = { seq: n, origin: 'simulator', quality: 'good' } as const;
    const t = at(n / 100);
    for (let c = 0; c < 200; c++) {
      // Reasons that are never the same, as those with numbers in them are.
      const more =
        c % 40 === 0 ? { quality: 'suspect' as const, why: `it is ${n} K and not ${c} K`, sigma: { random: 1, shared: { lamp: c } } } : {};
      const reading: Reading = { ...about, from: `room.channel_${c}`, kind: 'K', t: t + c, value: n + c / 7, ...more };
      write({ kind: 'reading', reading }, put);
      written.slow += 140;
    }
    if (written.traces < written.slow) {
      const columns = {
        wavelength: { unit: 'm', data: new Float64Array(256).map((_, i) => 6e-7 + i * 1e-9) },
        counts: { unit: '1', data: counts },
      } as const;
      const value: Trace = { columns, shape: [256, 256], begin: t, end: t, settings: { file: `frame-${n}` } };
      write({ kind: 'reading', reading: { ...about, from: 'camera.spectrum', kind: 'trace', t, value } }, put);
      written.traces += counts.byteLength;
    }
    if (written.hits < written.slow) {
      put('tcp:10.0.0.2:24 hits', 'raw-tcp-10-0-0-2-24-hits', t, block);
      written.hits += block.length;
    }
    ms += 10;
    writer.tick();
    if (n % 100 === 0) await writer.settled();
  }
  ms += 1000;
  writer.tick();
  await writer.close();
  const { dropped } = writer.stats();
  expect(dropped).toEqual([]);
  return folder;
}

/** The most memory (MB) of a process that exports, and of what it wrote, bytes. */
function exporting(
  session: string,
  form: string,
  channels: readonly string[],
): { readonly memory: number; readonly bytes: number; readonly readings: number } {
  const target = join(scratch, `large-${form}`);
  const script = `
    import { written } from ${JSON.stringify(pathToFileURL(join(root, 'dist/src/export/export.js')).href)};
    const { channels, trouble, lost } = await written(${JSON.stringify({ session, form, target, channels })}, ${JSON.stringify(target)});
    const readings = Object.values(channels).reduce((n, one) => n + one, 0);
    console.log(JSON.stringify({ memory: process.resourceUsage().maxRSS * 1024, readings, trouble, lost }));`;
  const out = execFileSync(process.execPath, ['--input-type=module', '--eval', script], { encoding: 'utf8' });
  const { memory, readings, trouble, lost } = JSON.parse(out);
  expect([trouble, lost]).toEqual([[], {}]);
  const files = statSync(target).isDirectory() ? readdirSync(target).map((name) => join(target, name)) : [target];
  const bytes = files.reduce((n, file) => n + statSync(file).size, 0);
  rmSync(target, { recursive: true });
  return { memory, bytes, readings };
}

describe('a large session', () => {
  const [small, big] = [join(scratch, 'small'), join(scratch, 'big')];
  beforeAll(async () => {
    await large(small, 50 * MB);
    await large(big, 250 * MB);
  }, 300_000);

  // As text the frames would be thirteen times as large: this is of memory, not of the disk.
  test.each([
    ['nexus', []],
    ['csv', ['room', 'digitizer']],
    ['line', []],
  ])('as %s takes no more memory than one of a fifth of it', (form, channels) => {
    const [less, more] = [exporting(small, form, channels), exporting(big, form, channels)];
    expect(more.bytes).toBeGreaterThan(4 * less.bytes);
    expect(more.readings).toBeGreaterThan(4 * less.readings);
    expect(more.memory).toBeLessThan(350 * MB);
    expect(more.memory - less.memory).toBeLessThan(100 * MB);
  });
});
