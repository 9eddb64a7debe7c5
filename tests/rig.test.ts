import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { type Loaded, loadRig, printed, type Rig } from '../src/rig.ts';
import { methods, models } from './fixtures/rigs/models.ts';

const folder = resolve(import.meta.dirname, 'fixtures/rigs');
const wrong = join(folder, 'wrong');
const scratch = mkdtempSync(join(tmpdir(), 'rig-'));
afterAll(() => rmSync(scratch, { recursive: true }));

const load = (path: string): Promise<Loaded> => loadRig(path, models, methods);
const told = (loaded: Loaded, base: string): string[] =>
  (loaded.ok ? loaded.warnings : loaded.messages).map((m) => printed({ ...m, file: relative(base, m.file) }));

async function good(): Promise<Rig> {
  const loaded = await load(join(folder, 'good.yaml'));
  if (!loaded.ok) throw new Error(loaded.messages.map(printed).join('\n'));
  expect(loaded.warnings).toEqual([]);
  return loaded.rig;
}

describe('a wrong rig is told with file, line and column', () => {
  const expected = readFileSync(join(wrong, 'expected.txt'), 'utf8').trimEnd().split('\n');
  const files = readdirSync(wrong).filter((name) => name.endsWith('.yaml'));
  test('every message has its rig', () => {
    expect(new Set(expected.map((line) => line.split(':')[0]))).toEqual(new Set(files));
  });
  test.each(files)('%s', async (name) => {
    const loaded = await load(join(wrong, name));
    expect(loaded.ok).toBe(false);
    expect(told(loaded, wrong)).toEqual(expected.filter((line) => line.startsWith(`${name}:`)));
  });
});

describe('a good rig', () => {
  test('comes in SI, and is plain data that goes to another process', async () => {
    const rig = await good();
    expect(structuredClone(rig)).toEqual(rig);
    expect(rig).toMatchObject({ name: 'good', folder, sessions: resolve(folder, '../sessions'), influx: 'http://localhost:8086/lab' });
    expect(rig.text).toBe(readFileSync(join(folder, 'good.yaml'), 'utf8'));
    expect(rig.instruments.find((i) => i.name === 'laser')).toEqual({
      name: 'laser',
      model: 'lamp',
      links: { main: { address: 'tcp:192.168.0.5:10001', wire: 'tcp:192.168.0.5:10001' } },
      options: { family: 'two' },
      pace: 0.1,
      within: 2,
      every: { temperature: 10 },
      limits: { current: [0, 0.3], level: [0.1, 5] },
      leases: { emission: { longest: 1800, deadline: 0.5, then: 'keep' } },
      simulate: { colour: 3 },
    });
    expect(rig.record).toEqual({ rawOrder: ['camera', 'board'], reserve: 64 * 2 ** 20 });
  });

  test('has one wire for all that names the same port', async () => {
    const rig = await good();
    const wire = (name: string): string | undefined => rig.instruments.find((i) => i.name === name)?.links.main?.wire;
    expect([wire('cell'), wire('line')]).toEqual(['serial:/dev/ttyUSB0', 'serial:/dev/ttyUSB0']);
    expect(wire('meter')).toBe('gpib:adapter/12');
    expect(wire('camera')).toBe(`folder:${join(folder, 'spectra')}?pattern=*.spe`);
  });

  test('has its derivations in the order of the method, the first input triggering', async () => {
    const { derive } = await good();
    const k = derive.find((d) => d.name === 'k');
    expect(Object.entries(k?.inputs ?? {})).toEqual([
      ['a', { from: 'laser.power', pair: 'last', within: 0 }],
      ['b', { from: 'laser.power', pair: 'interpolate', within: 0.5 }],
    ]);
    expect(derive.find((d) => d.name === 'm')?.inputs.b).toEqual({ from: 'laser.power', pair: 'last', within: 3 });
  });

  test('holds the files that its parameters name', async () => {
    const { derive } = await good();
    const bytes = new Uint8Array(readFileSync(join(folder, 'lamp.txt')));
    expect(derive.find((d) => d.name === 'up')?.params).toEqual({
      window: ['600 nm', '900 nm'],
      calibration: {
        lamp: { path: 'lamp.txt', sha256: '9ac35bbff550137dedb13ded2c35348be6e6c20cbde9bac802ad6196b7947d6b', bytes },
        temperature: '2255 K',
      },
      emissivity: 0.35,
    });
  });

  test('has its start orders, a flag as true', async () => {
    const { start } = await good();
    expect(start).toEqual([
      { instrument: 'laser', command: 'current', value: '12 %', after: 0 },
      { instrument: 'laser', command: 'emission', value: true, after: 2 },
      { instrument: 'laser', command: 'bias', index: 3, value: '-5 V', after: 0 },
      { instrument: 'laser', command: 'mode', value: 'fast', after: 0 },
      { instrument: 'laser', command: 'clear', after: 0 },
    ]);
  });
});

describe('files', () => {
  test('a folder is read as its rig.yaml', async () => {
    const loaded = await load(join(folder, 'own'));
    expect(loaded).toMatchObject({ ok: true, rig: { name: 'own', folder: join(folder, 'own') } });
  });

  test('a rig that is not there', async () => {
    const loaded = await load(join(scratch, 'none'));
    expect(told(loaded, scratch)).toEqual(['none:1:1: there is no such file; a rig is a folder with a rig.yaml in it']);
    expect(told(await load(scratch), scratch)).toEqual(['rig.yaml:1:1: there is no such file; a rig is a folder with a rig.yaml in it']);
  });

  test.each([
    ['latin-1', Uint8Array.of(0x72, 0xb5), 'the file is not UTF-8 text; save it as UTF-8'],
    ['large', new Uint8Array(2 ** 20 + 1), 'the file has 1048577 bytes; a rig has 1048576 at most'],
    ['deep', new TextEncoder().encode('['.repeat(50_000)), 'brackets or lists are nested deeper than 64'],
    ['deep-list', new TextEncoder().encode('- '.repeat(50_000)), 'brackets or lists are nested deeper than 64'],
  ])('%s', async (name, bytes, text) => {
    writeFileSync(join(scratch, name), bytes);
    expect(told(await load(join(scratch, name)), scratch)).toEqual([`${name}:1:1: ${text}`]);
  });

  test('aliases that multiply themselves are refused, not expanded', async () => {
    const rows = Array.from(
      { length: 12 },
      (_, i) =>
        `  a${i}: &a${i} [${
          i === 0
            ? 'x'
            : Array(9)
                .fill(`*a${i - 1}`)
                .join(', ')
        }]`,
    );
    writeFileSync(join(scratch, 'laughs'), `rig: r\nlinks:\n${rows.join('\n')}\n`);
    expect(told(await load(join(scratch, 'laughs')), scratch)).toEqual([
      'laughs:1:1: the aliases (*NAME) cannot be filled in: Excessive alias count indicates a resource exhaustion attack',
    ]);
  });
});

test('what could not be checked is a warning', async () => {
  const loaded = await load(join(folder, 'warned.yaml'));
  expect(loaded.ok).toBe(true);
  expect(told(loaded, folder)).toEqual([
    'warned.yaml:3:3: a: the model bare has no simulator: its channels and commands could not be checked',
    'warned.yaml:4:3: b: its simulator was not taken ("LAMP two" is another family): its channels and commands could not be checked',
    'warned.yaml:5:66: "current" is not hazardous: it needs no lease',
    'warned.yaml:7:23: the first input triggers: "pair" and "within" mean nothing here',
  ]);
});

describe('drivers of the rig', () => {
  test('are found by file name', async () => {
    const loaded = await load(join(folder, 'own'));
    expect(loaded.ok && Object.keys(loaded.shapes.get('probe')?.commands ?? {})).toEqual(['blink']);
  });

  test('are told with their file when they cannot be loaded', async () => {
    const base = join(folder, 'own-wrong');
    expect(told(await load(base), base)).toEqual([
      'drivers/half.js:1:1: the default export must be what instrument({ ... }) gives',
      "drivers/lamp.js:1:1: lamp is among the program's own drivers; give the file another name",
      'drivers/throws.js:2:7: not today',
      'drivers/typed.ts:1:1: TypeScript is not run here: compile it to typed.js beside it (npx tsc --module nodenext typed.ts)',
      'rig.yaml:3:19: there is no model "typed"; "bridgman instruments" lists all',
    ]);
  });
});
