import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { check } from '../src/cli/check.ts';
import { type Command, EXIT } from '../src/cli/command.ts';
import { instruments } from '../src/cli/instruments.ts';

const rigs = resolve(import.meta.dirname, 'fixtures/rigs');

async function said(command: Command, ...args: string[]): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
  let [out, err] = ['', ''];
  const code = await command.run(args, {
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
  });
  return { code, out, err };
}

describe('check', () => {
  test('shows what a right rig has', async () => {
    const { code, out, err } = await said(check, join(rigs, 'lab'));
    expect({ code, err }).toEqual({ code: EXIT.ok, err: '' });
    const lines = out.split('\n').map((line) => line.trim().replace(/ {2,}/g, ' | '));
    expect(lines[0]).toBe('rig lab: 1 instrument, 0 derivations');
    expect(lines).toContain('laser: ipg-ylr, tcp:192.168.0.5:10001');
    expect(lines).toContain('temperature | K | every 20 s');
    expect(lines).toContain('emission | flag | every 200 ms');
    expect(lines).toContain('> current | 0 to 0.3 | hazardous | set point of the diode current, as a part of the full one');
    expect(lines).toContain('lease current: 30 min at most, kept 500 ms after the host is gone');
  });

  test('gives it as data', async () => {
    const { code, out } = await said(check, join(rigs, 'lab/rig.yaml'), '--json');
    expect(code).toBe(EXIT.ok);
    expect(JSON.parse(out)).toMatchObject({
      ok: true,
      warnings: [],
      rig: {
        name: 'lab',
        instruments: [
          {
            name: 'laser',
            channels: { output_power: { kind: 'W', every: 0.5 } },
            commands: { emission: { hazardous: true, safe: false } },
          },
        ],
        start: [{ instrument: 'laser', command: 'current', value: '12 %', after: 0 }],
      },
    });
  });

  test('says what is wrong, and where', async () => {
    const path = join(rigs, 'wrong/tab.yaml');
    const text = 'there is a tab at the beginning of the line; indent with spaces';
    expect(await said(check, path)).toEqual({ code: EXIT.rig, out: '', err: `${path}:3:1: ${text}\n1 error\n` });
    const { code, out } = await said(check, path, '--json');
    expect(code).toBe(EXIT.rig);
    expect(JSON.parse(out)).toEqual({ ok: false, messages: [{ file: path, line: 3, column: 1, text }] });
  });

  test.each([
    [[], 'a rig is wanted'],
    [['a', 'b'], 'one rig at a time, not also b'],
    [['a', '--jsn'], 'did you mean --json?'],
  ])('wrong arguments %j', async (args, text) => {
    const { code, out, err } = await said(check, ...args);
    expect({ code, out }).toEqual({ code: EXIT.usage, out: '' });
    expect(err).toContain(text);
  });

  // What is started from here is the build: a driver of a user's is loaded by Node itself.
  const built = resolve(import.meta.dirname, '../dist/src/cli/check.js');
  test.skipIf(!existsSync(built))('a driver anywhere on the disk imports bridgman by its name (skipped without a build)', () => {
    const folder = mkdtempSync(join(tmpdir(), 'rig-own-'));
    try {
      for (const name of ['drivers', 'simulators']) mkdirSync(join(folder, name));
      writeFileSync(join(folder, 'rig.yaml'), 'rig: far\ninstruments:\n  bell: { model: bell, link: simulated, options: { loud: 12 } }\n');
      writeFileSync(
        join(folder, 'drivers/bell.js'),
        `import { instrument, options, whole } from 'bridgman/instrument';
         import { text } from 'bridgman/protocols/text';
         export default instrument({ model: 'Bell', source: 'its builder', options: options({ loud: whole('how loud', 1, 10) }),
           links: { main: text('\\n') }, body: () => ({}) });`,
      );
      const run = `import(${JSON.stringify(pathToFileURL(built).href)}).then(async ({ check }) =>
        process.exitCode = await check.run([${JSON.stringify(folder)}, '--json'], { out: (t) => process.stdout.write(t), err() {} }))`;
      let out = '';
      try {
        execFileSync(process.execPath, ['-e', run], { cwd: tmpdir(), encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
      } catch (error) {
        if (error instanceof Error && 'stdout' in error) out = String(error.stdout); // ends with EXIT.rig
      }
      expect(JSON.parse(out)).toMatchObject({
        messages: [{ line: 3, column: 58, text: 'bell: loud: must be a whole number from 1 to 10, not 12' }],
      });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('instruments', () => {
  test('lists every model with its source', async () => {
    const { code, out } = await said(instruments);
    expect(code).toBe(EXIT.ok);
    expect(out.split('\n')[0]).toMatch(/^NAME +MODEL +PROVEN BY +SIMULATOR +LINKS +SOURCE$/);
    expect(out).toMatch(/^ipg-ylr +IPG Photonics YLR \/ YLM +third-party driver +yes +main +davidgrier/m);
    const { out: json } = await said(instruments, '--json');
    const names = (JSON.parse(json) as { readonly name: string }[]).map((e) => e.name); // what the command has just written
    expect(names).toEqual([...names].sort());
    expect(out.trimEnd().split('\n')).toHaveLength(names.length + 1);
  });

  test('shows options, channels and commands of one', async () => {
    const { code, out } = await said(instruments, 'ipg-ylr');
    expect(code).toBe(EXIT.ok);
    expect(out).toContain('\noptions\n  terminator  end of a line (CR | LF | CRLF, otherwise CR)\n');
    expect(out).toMatch(/\nchannels\n(?: {2}.*\n)* {2}output_power +W +every 500 ms\n/);
    expect(out).toMatch(/\ncommands\n {2}emission +on \| off +hazardous +laser emission on or off\n/);
  });

  test('did you mean', async () => {
    expect(await said(instruments, 'ipg-yrl')).toEqual({
      code: EXIT.usage,
      out: '',
      err: 'there is no model "ipg-yrl"; did you mean "ipg-ylr"?\n',
    });
  });

  test.each([[check], [instruments]])('help shows examples first: $name', async (command) => {
    const { code, out } = await said(command, '--help');
    expect(code).toBe(EXIT.ok);
    expect(out).toBe(command.help);
    expect(out).toMatch(/^Examples:\n {2}bridgman /);
  });
});
