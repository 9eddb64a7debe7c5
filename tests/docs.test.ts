/** The documents: every error code is explained, every file and option that they name is there, and their examples work as they stand. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { catalogue } from '../src/catalogue.ts';
import { EXIT } from '../src/cli/command.ts';
import type { Reading } from '../src/reading.ts';
import { sessionWriter } from '../src/recorder/parts.ts';
import { write } from '../src/recorder/session-json.ts';
import { loadRig, printed } from '../src/rig.ts';

const root = resolve(import.meta.dirname, '..');
const built = resolve(root, 'dist/src/main.js');
const scratch = mkdtempSync(join(tmpdir(), 'bridgman-docs-'));
afterAll(() => rmSync(scratch, { recursive: true }));

const read = (path: string): string => readFileSync(resolve(root, path), 'utf8');
const found = (folder: string, ending: string): string[] =>
  readdirSync(resolve(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(ending))
    .map((name) => join(folder, name));

const pages = ['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md', ...found('docs', '.md')];
const code = ['src', 'protocols', 'drivers', 'simulators'].flatMap((folder) => found(folder, '.ts')).map(read);

/** Code in backquotes at the beginning of a table's row. */
const rows = (text: string): string[] => [...text.matchAll(/^\| `([^`]+)` \|/gm)].map(([, first = '']) => first);
const section = (page: string, title: string): string =>
  read(page)
    .split(/^## /m)
    .find((part) => part.startsWith(title)) ?? '';

describe('docs/errors.md', () => {
  const CODE = /^(USAGE|BAD_FILE|(LINK|SESSION|INFLUX|LOCAL|MCAP|PROTO)_[A-Z_]+)$/;

  test('explains every code of the source, and no other', () => {
    const inSource = new Set(code.flatMap((text) => [...text.matchAll(/'([A-Z]+(?:_[A-Z]+)*)'/g)].map(([, word = '']) => word)));
    const wanted = [...inSource].filter((word) => CODE.test(word));
    expect(wanted).toContain('LINK_ADDRESS');
    expect(
      rows(read('docs/errors.md'))
        .filter((word) => CODE.test(word))
        .sort(),
    ).toEqual(wanted.sort());
  });

  test('explains every exit code', () => {
    const wanted = [...Object.values(EXIT), 130].map(String);
    expect(rows(section('docs/errors.md', 'Exit codes'))).toEqual(wanted.sort((a, b) => Number(a) - Number(b)));
  });

  test('explains every reason for which there is no temperature', () => {
    const [, union = ''] = /^export type RefusalCode = (.*);$/m.exec(read('src/derive/spectrum.ts')) ?? [];
    const wanted = new Set([...union.matchAll(/'([a-z-]+)'/g)].map(([, word = '']) => word));
    expect(wanted.size).toBeGreaterThan(4);
    expect(rows(section('docs/errors.md', 'No temperature')).sort()).toEqual([...wanted].sort());
  });
});

describe.each(pages)('%s', (page) => {
  const text = read(page);
  const prose = text.replaceAll(/^```.*?^```$/gms, '');

  test('leads to files that are there', () => {
    const targets = [...prose.matchAll(/\]\((?!https?:)([^)#\s]+)/g)].map(([, target = '']) => target);
    const missing = targets.filter((target) => !existsSync(resolve(root, dirname(page), target)));
    expect(missing).toEqual([]);
  });

  test('names files of the program that are there', () => {
    const named = [...text.matchAll(/`((?:src|protocols|drivers|simulators|tests|bench)\/[\w./-]+\.ts)`/g)].map(([, name = '']) => name);
    expect(named.filter((name) => !existsSync(resolve(root, name)) && !name.includes('acme'))).toEqual([]); // Acme is the example
  });

  test('names no place of one machine', () => {
    expect(text).not.toMatch(/\/(?:work|home|root|Users)\//);
  });
});

describe('commands in the documents', () => {
  const help = new Map<string, string>();
  for (const file of found('src/cli', '.ts')) {
    const text = read(file);
    for (const [, name = ''] of text.matchAll(/^ {2}name: '([a-z]+)',$/gm)) {
      const parts = found('src/cli', '.ts').filter((other) => basename(other).startsWith(`${name}-`));
      help.set(name, [text, ...parts.map(read)].join('\n'));
    }
  }
  const shown = pages.flatMap((page) =>
    [...read(page).matchAll(/(?:npx )?bridgman ([a-z]+)((?: [^\n`]*)?)/g)].flatMap(([, command = '', rest = '']) =>
      help.has(command) ? [{ page, command, options: [...rest.matchAll(/(?<= )--([a-z-]+)/g)].map(([, option = '']) => option) }] : [],
    ),
  );
  test('there are some, of every command', () => {
    expect(new Set(shown.map(({ command }) => command))).toEqual(new Set(help.keys()));
  });
  test('take the options that they are shown with', () => {
    const wrong = shown.flatMap(({ page, command, options }) =>
      options.filter((option) => !help.get(command)?.includes(`--${option}`)).map((option) => `${page}: bridgman ${command} --${option}`),
    );
    expect(wrong).toEqual([]);
  });
});

describe('docs/sessions.md', () => {
  test('has a program that reads a session', async () => {
    const folder = join(scratch, 'session');
    let ms = 0;
    const writer = sessionWriter({ folder, now: () => ms, limits: { rawFree: 0, reserve: 0 } });
    const t = Date.UTC(2026, 0, 2, 3, 4, 5, 678) * 1000;
    const about = { t, seq: 0, origin: 'simulator', quality: 'good' } as const;
    const trace: Reading<'trace'> = {
      ...about,
      from: 'camera.spectrum',
      kind: 'trace',
      value: {
        columns: {
          wavelength: { unit: 'm', data: Float64Array.of(6e-7, 7e-7) },
          counts: { unit: '1', data: Uint16Array.of(7, 300, 65535, 8) },
        },
        shape: [2, 2],
        begin: t - 1e6,
        end: t,
        settings: { exposure: 1 },
      },
    };
    const temperature: Reading<'K'> = { ...about, from: 'up.temperature', kind: 'K', value: 1834.5, sigma: { random: 1.5 } };
    for (const reading of [temperature, trace])
      write({ kind: 'reading', reading }, (topic, klass, t, bytes) => writer.write(topic, klass, t, bytes));
    ms += 1000;
    writer.tick();
    await writer.close();
    const [, program = ''] = /^`read-session\.mjs`\n\n```js\n(.*?)^```$/ms.exec(read('docs/sessions.md')) ?? [];
    // Without a file of its own the program's arguments begin one earlier.
    const { stdout, stderr } = spawnSync(
      process.execPath,
      ['--input-type=module', '--eval', program.replace('argv[2]', 'argv[1]'), folder],
      { cwd: root, encoding: 'utf8' },
    );
    expect(stderr).toBe('');
    expect(stdout.split('\n')).toEqual([
      '2026-01-02T03:04:05.678Z 1834.5 1.5',
      'camera.spectrum wavelength 2 7e-7',
      'camera.spectrum counts 4 65535',
      '',
    ]);
  });
});

/** The files of a page: "`my-rig/NAME`", an empty line, and a block of code. */
const filesOf = (page: string): readonly (readonly [string, string])[] =>
  [...read(page).matchAll(/^`(my-rig\/[\w./-]+)`\n\n```\w+\n(.*?)^```$/gms)].map(([, name = '', content = '']) => [name, content]);

describe.each(['README.md', 'docs/rigs.md'])('the rig of %s', (page) => {
  test('is right', async () => {
    const [[name, content] = ['', '']] = filesOf(page).filter(([one]) => one.endsWith('rig.yaml'));
    const folder = join(scratch, relative('.', page).replaceAll(/\W/g, '-'));
    mkdirSync(join(folder, 'calibrations'), { recursive: true });
    for (const file of ['lamp.spe', 'dark.spe'])
      writeFileSync(join(folder, 'calibrations', file), readFileSync(resolve(root, 'rigs/demo/calibrations', file)));
    writeFileSync(join(folder, 'rig.yaml'), content);
    const { methods } = await import('../src/methods.ts');
    const loaded = await loadRig(folder, await catalogue(), methods);
    expect(name).toBe('my-rig/rig.yaml');
    expect((loaded.ok ? loaded.warnings : loaded.messages).map(printed)).toEqual([]);
  });
});

describe.skipIf(!existsSync(built))('docs/adding-an-instrument.md (skipped without a build)', () => {
  const page = 'docs/adding-an-instrument.md';
  const folder = join(scratch, 'my-rig');
  for (const [name, content] of filesOf(page)) {
    mkdirSync(dirname(join(scratch, name)), { recursive: true });
    writeFileSync(join(scratch, name), content);
  }
  const node = (...args: string[]) => spawnSync(process.execPath, args, { cwd: scratch, encoding: 'utf8' });

  test('has a driver, a simulator and a rig that "check" takes, with the words that the page shows', () => {
    const { status, stdout, stderr } = node(built, 'check', 'my-rig');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(read(page)).toContain(`$ npx bridgman check my-rig\n${stdout}`);
  });

  test('runs: ten minutes of virtual time heat the block to where the physics says', () => {
    const from = (file: string): string => JSON.stringify(pathToFileURL(resolve(root, 'dist/src', file)).href);
    const { status, stdout, stderr } = node(
      '--input-type=module',
      '--eval',
      `import { catalogue } from ${from('catalogue.js')};
       import { virtualClock } from ${from('clock.js')};
       import { host } from ${from('host.js')};
       import { methods, nodesOf } from ${from('methods.js')};
       import { loadRig } from ${from('rig.js')};
       import { withUserDrivers } from ${from('rig-drivers.js')};
       import { simulatedRig } from ${from('rig-open.js')};
       const loaded = await loadRig(${JSON.stringify(folder)}, await catalogue(), methods);
       if (!loaded.ok) throw new Error(JSON.stringify(loaded.messages));
       const { rig } = loaded;
       const { catalogue: known } = await withUserDrivers(await catalogue(), rig.folder);
       const clock = virtualClock();
       const world = simulatedRig(rig, known, clock, 1);
       const entries = [];
       const keeper = { name: 'test', alive: () => true, arm: (_, armed) => armed(), beat() {}, release() {} };
       host({ rig, catalogue: known, nodes: nodesOf(rig), clock, open: (wire) => world.open(wire), emit: (e) => entries.push(e), keeper });
       clock.advance(600);
       const readings = entries.filter((e) => e.kind === 'reading').map((e) => e.reading);
       const last = (from) => readings.filter((r) => r.from === from).at(-1);
       console.log(JSON.stringify({
         bad: readings.filter((r) => r.quality === 'bad'),
         count: readings.length,
         temperature: last('heater.temperature'),
         power: last('heater.power'),
         orders: entries.flatMap((e) => (e.kind === 'order' && e.order.outcome ? [e.order.outcome] : [])),
       }));`,
    );
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const { bad, count, temperature, power, orders } = JSON.parse(stdout) as Record<string, never>; // printed above
    expect({ bad, orders }).toEqual({ bad: [], orders: ['done'] });
    expect(count).toBeGreaterThan(2000);
    // 10 W over 0.5 W/K above the room; thermometer 0.02 K of noise and two decimals.
    expect(temperature).toMatchObject({ kind: 'K', quality: 'good', origin: 'simulator', value: expect.closeTo(315.15, 0) });
    expect(power).toMatchObject({ kind: 'W', quality: 'good', value: 10 });
  });
});
