/** A session as NeXus: values bit for bit, in groups that h5py reads and silx draws. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type Dataset, File, Group, ready } from 'h5wasm/node';
import { afterAll, describe, expect, test } from 'vitest';
import { exportSession, type Report, written } from '../src/export/export.ts';
import { type Trace, total } from '../src/reading.ts';
import { at, hitBlock, READINGS, RIG, record, SENTENCE, START, spectrum } from './export-session.ts';
import { hasModules, PYTHON } from './python.ts';

const scratch = mkdtempSync(join(tmpdir(), 'bridgman-nexus-'));
afterAll(() => rmSync(scratch, { recursive: true }));
const session = await record(join(scratch, 'session'));
await ready;

const h5py = hasModules('h5py, silx.io.nxdata');
const built = existsSync(resolve(import.meta.dirname, '../dist/src/export/nexus-process.js'));

async function exported(name: string, options: object = {}, from = session): Promise<{ path: string; report: Report }> {
  const path = join(scratch, name);
  // In this process: what the built one does with the same options.
  const report = await written({ session: from, form: 'nexus', target: path, ...options }, path);
  return { path, report };
}
const of = (from: string) => READINGS.filter((r) => r.from === from);

const { path } = await exported('all.nxs');
const file = new File(path, 'r');
afterAll(() => void file.close());
// Everything that is asked for is a dataset of numbers or texts, or a group.
const values = (name: string) => [...((file.get(name) as Dataset).value as unknown as Iterable<number>)];
const text = (name: string) => (file.get(name) as Dataset).value;
const attribute = (name: string, key: string) => (name === '/' ? file : (file.get(name) as Group)).attrs[key]?.value;
const UP = '/laser_heating/up/temperature';
const CAMERA = '/laser_heating/instrument/camera/spectrum';

describe('a number channel is an NXlog', () => {
  const readings = of('up.temperature');
  test('of the very doubles, NaN where it is bad', () => {
    expect(values(`${UP}/value`)).toEqual(readings.map((r) => (r.quality === 'bad' ? Number.NaN : r.value)));
    expect(values(`${UP}/quality`)).toEqual([...Array(10).fill(0), 2, 1]);
    expect(attribute(`${UP}/value`, 'units')).toBe('K');
  });
  test('of times that come back to the microsecond', () => {
    expect(values(`${UP}/time`).map((s) => Math.round(s * 1e6) + START)).toEqual(readings.map(({ t }) => t));
    expect(attribute(`${UP}/time`, 'start')).toBe('2026-11-22T23:59:59.123457Z');
  });
  test('with error bars, also those that came late', () => {
    const sigmas = readings.map((r) => (r.quality === 'bad' ? undefined : r.sigma));
    expect(values(`${UP}/value_errors`)).toEqual(sigmas.map((s) => (s ? total(s) : Number.NaN)));
    expect(values(`${UP}/value_errors_shared_lamp`)).toEqual(sigmas.map((s) => s?.shared?.lamp ?? Number.NaN));
    expect(values(`${UP}/value_errors_shared_window_edge`).slice(0, 3)).toEqual([Number.NaN, Number.NaN, 1]);
  });
  test('with reasons and calibrations as rows of texts', () => {
    expect(values(`${UP}/why`)).toEqual([...Array(10).fill(-1), 0, 1]);
    expect(text(`${UP}/why_text`)).toEqual([SENTENCE, 'hot']);
    expect(text(`${UP}/calibration_text`)).toEqual(['cal-1']);
    expect(attribute(UP, 'inputs')).toBe('camera.spectrum');
  });
});

test('flags and states', () => {
  expect(values('/laser_heating/instrument/laser/emission/value')).toEqual([1, 0, -1]);
  expect(values('/laser_heating/instrument/laser/state/value')).toEqual([0, 1, 0]);
  const [short, long = ''] = text('/laser_heating/instrument/laser/state/value_text') as string[];
  expect([short, long.slice(-3), Buffer.byteLength(long)]).toEqual(['=on, "Ω"', 'xx…', 512]);
  expect(attribute('/', 'cut_texts')).toBe(1);
});

describe('traces are NXdata', () => {
  test('spectra stand above one another along their wavelengths', () => {
    const frames = of('camera.spectrum').slice(0, 3);
    const columns = frames.map((r) => (r as { value: Trace }).value.columns); // they are good
    expect((file.get(`${CAMERA}/counts`) as Dataset).shape).toEqual([3, 8]);
    expect((file.get(`${CAMERA}/counts`) as Dataset).dtype).toBe('<H');
    expect(values(`${CAMERA}/counts`)).toEqual(columns.flatMap((c) => [...(c.counts?.data ?? [])]));
    expect(values(`${CAMERA}/wavelength`)).toEqual([...(spectrum(0).columns.wavelength?.data ?? [])]);
    expect(attribute(CAMERA, 'axes')).toEqual(['time', 'wavelength']);
    expect(values(`${CAMERA}/quality`)).toEqual([0, 1, 0]);
    expect(text(`${CAMERA}/settings/file_text`)).toEqual([0, 1, 2].map((n) => `spectrum-${n}.spe`));
  });
  test('another axis begins another stack, and bad readings have a log', () => {
    expect(values(`${CAMERA}_2/wavelength`)[0]).toBe(7e-7);
    expect(text(`${CAMERA}_bad/why_text`)).toEqual(['no frame']);
  });
  test('images have their error bars', () => {
    const map = '/laboratory/instrument/room/map';
    expect((file.get(`${map}/rate`) as Dataset).shape).toEqual([2, 2, 3]);
    expect(values(`${map}/rate_errors`)).toEqual(values(`${map}/sigma`));
  });
  test('blocks of any length stand one after the other', () => {
    const block = '/resistivity/instrument/source/block';
    expect(values(`${block}/blocks/index`)).toEqual([0, 2, 5]);
    expect(values(`${block}/voltage`)).toEqual([0, 1 / 3e9, -1 / 3e9, 0, 1 / 3e9, -2 / 3e9, -1 / 3e9, 0, 1 / 3e9]);
    expect(attribute(block, 'axes')).toEqual(['trace_time']);
  });
});

test('hits are NXevent_data; a stream that begins anew is another pulse', () => {
  const hits = '/detector/instrument/digitizer/hits';
  const blocks = [0, 5000, 1e12, 0].map((from) => hitBlock(from, 5));
  expect(values(`${hits}/event_time_offset`)).toEqual(blocks.flatMap(({ t }) => [...t]));
  expect(values(`${hits}/event_id`)).toEqual(blocks.flatMap(({ channel }) => [...channel]));
  expect(values(`${hits}/frame`)).toEqual(blocks.flatMap(({ frame }) => [...frame]));
  expect(values(`${hits}/cue_index`)).toEqual([0, 5, 10, 15]);
  expect(values(`${hits}/event_index`)).toEqual([0, 15]);
});

describe('the entries', () => {
  test('are the lines of the rig, and what is of none or of several', () =>
    expect(file.keys().sort()).toEqual(['detector', 'laboratory', 'laser_heating', 'resistivity']));
  test('lead to a plot', () => {
    const entry = String(attribute('/', 'default'));
    const data = `/${entry}/${attribute(`/${entry}`, 'default')}`;
    expect([entry, attribute(data, 'signal'), attribute(data, 'axes')]).toEqual(['laser_heating', 'temperature', ['time']]);
    expect(values(`${data}/temperature`)).toEqual([2000, 2001]);
  });
  test('have fit, source, beam, sample and calibrations', () => {
    expect(attribute('/laser_heating/up', 'NX_class')).toBe('NXfit');
    expect(values('/laser_heating/up/global_fit_function/fit_parameters/temperature/quality')).toHaveLength(12);
    expect(text('/laser_heating/instrument/laser/type')).toBe('Laser');
    expect(values('/laser_heating/instrument/beam/power/value')).toEqual([12.5]);
    expect(values('/laser_heating/sample/temperature_env/sensor/value_log/value')).toEqual([2000, 2001]);
    expect(values('/laboratory/calibrations/lamp_spe/data')).toEqual([1, 2, 0, 255]);
    expect(Buffer.from(values('/laser_heating/instrument/rig/data')).toString()).toBe(RIG);
    expect(text('/laser_heating/end_time')).toBe('2026-11-23T00:00:19.123457Z');
    expect(text('/laboratory/journal/note_1/description')).toBe('the cell is Ω aligned');
    const orders = Buffer.from(values('/laboratory/journal/orders/data')).toString();
    expect(orders.split('\n').map((line) => line && JSON.parse(line).command)).toEqual(['emission', '']);
  });
  test('link to shared instruments that they use', () => {
    for (const line of ['laser_heating', 'resistivity']) expect(values(`/${line}/instrument/room/bias_3/value`)).toEqual([3]);
    expect((file.get('/detector/instrument') as Group).keys()).not.toContain('room');
  });
  test('claim no definition and have no deprecated field', () => {
    const names: string[] = [];
    const walk = (group: Group, below: string): void => {
      for (const name of group.keys()) {
        names.push(name);
        const one = group.get(name);
        if (one instanceof Group && !below.includes(`/${name}/`)) walk(one, `${below}${name}/`);
      }
    };
    walk(file, '/');
    expect(names.length).toBeGreaterThan(200);
    for (const name of ['definition', 'temperature_log', 'magnetic_field_log', 'experiment_documentation'])
      expect(names).not.toContain(name);
  });
});

test('without a rig there is one entry', async () => {
  const { path } = await exported('bare.nxs', {}, await record(join(scratch, 'bare'), READINGS, 'no rig: ['));
  const bare = new File(path, 'r');
  expect(bare.keys()).toEqual(['entry']);
  expect((bare.get('/entry/up/temperature') as Group).attrs.NX_class?.value).toBe('NXlog');
  expect((bare.get('/entry/sample_derived/temperature') as Group).attrs.NX_class?.value).toBe('NXlog');
  bare.close();
});

describe.skipIf(!built)('in a process of its own (skipped without a build)', () => {
  test('the target is whole, and what cannot be is said', async () => {
    const target = join(scratch, 'own.nxs');
    const report = await exportSession({ session, form: 'nexus', target, channels: ['up.*'] });
    expect(report.channels).toEqual({ 'up.temperature': 12 });
    await expect(exportSession({ session, form: 'nexus', target })).rejects.toThrow('is there already');
    await expect(exportSession({ session, form: 'nexus', target: join(scratch, 'x.nxs'), channels: ['upp.*'] })).rejects.toThrow('upp.*');
    expect(existsSync(join(scratch, 'x.nxs'))).toBe(false);
  });
});

const SCRIPT = `
import json, sys, math
import h5py, silx.io, silx.io.nxdata as nx
path, wanted = sys.argv[1], json.load(open(sys.argv[2]))
f = h5py.File(path, 'r')
def channels(name, o):
    if isinstance(o, h5py.Group) and o.attrs.get('NX_class') == 'NXlog' and o.attrs['local_name'] in wanted and not name.endswith('_bad'):
        got[o.attrs['local_name']] = [None if math.isnan(v) else v.hex() for v in map(float, o['value'][()])]
got = {}
f.visititems(channels)
s = silx.io.open(path)
d = nx.get_default(s)
bad = []
def check(name, o):
    if isinstance(o, h5py.Group) and o.attrs.get('NX_class') == 'NXdata' and not nx.NXdata(s[name]).is_valid:
        bad.append([name, nx.NXdata(s[name]).issues])
f.visititems(check)
utf8 = []
def text(name, o):
    for key in o.attrs:
        t = h5py.check_string_dtype(o.attrs.get_id(key).dtype)
        if t and t.encoding != 'utf-8': utf8.append(name + '@' + key)
    if isinstance(o, h5py.Dataset):
        t = h5py.check_string_dtype(o.dtype)
        if t and t.encoding != 'utf-8': utf8.append(name)
f.visititems(text)
print(json.dumps({'same': got == {k: [None if v is None else float(v).hex() for v in w] for k, w in wanted.items()}, 'channels': sorted(got),
  'plot': [d.is_valid, d.signal_name, list(d.signal.shape), d.axes_dataset_names, d.errors is not None], 'bad': bad, 'ascii': utf8}))
`;

describe.skipIf(!h5py)('h5py and silx, skipped where python3-h5py and python3-silx are not installed', () => {
  const look = (path: string): Record<string, unknown> => {
    const wanted: Record<string, (number | null)[]> = {};
    for (const r of READINGS)
      if (!['flag', 'state', 'trace'].includes(r.kind)) {
        const name = r.index === undefined ? r.from : `${r.from}[${r.index}]`;
        (wanted[name] ??= []).push(r.quality === 'bad' ? null : (r.value as number)); // its kind says so
      }
    writeFileSync(`${path}.json`, JSON.stringify(wanted));
    return JSON.parse(execFileSync(PYTHON, ['-W', 'ignore', '-c', SCRIPT, path, `${path}.json`], { encoding: 'utf8' }));
  };
  test('read the very doubles and follow default to a plot', () => {
    expect(look(path)).toEqual({
      same: true,
      channels: ['laser.output_power', 'rho.resistivity', 'room.bias[3]', 'room.bias[4]', 'sample.temperature', 'up.temperature'],
      plot: [true, 'sample.temperature', [2], ['time'], false],
      bad: [],
      ascii: [],
    });
  });
  test('draw a single spectrum', async () => {
    const { path } = await exported('one.nxs', { channels: ['camera.spectrum'], from: at(0), until: at(1) });
    expect(look(path)).toMatchObject({ plot: [true, 'counts', [1, 8], [null, 'wavelength'], false], bad: [] });
  });
});
