/** `bridgman grep`: bytes on links, whole or in pieces, with their times. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EXIT } from '../src/cli/command.ts';
import { grep } from '../src/cli/session-grep.ts';
import { patternOf, Search } from '../src/recorder/wire-search.ts';
import { called, copied, made, s, scratchFolder, second, TCP, UDP, wire } from './session-made.ts';

const scratch = scratchFolder('grep');
afterAll(() => rmSync(scratch, { recursive: true }));
const folder = join(scratch, 'one');
const RIG = `rig: demo
links:
  line: ${TCP}?baud=9600
instruments:
  gas: { model: x, link: line }
  board: { model: y, links: { control: "${UDP}" } }
`;
beforeAll(async () => {
  await made(folder, { rig: RIG, second: (k) => [...second(k), wire('folder:/data', 'in', k + 0.9, 'a kPa b', `f${k}.spe`)] });
});

interface Found {
  readonly t: number;
  readonly until: number;
  readonly link: string;
  readonly direction: string;
  readonly name: string | null;
  readonly at: number;
  readonly found: string;
}
const json = async (...args: string[]): Promise<readonly Found[]> =>
  (await called(grep, folder, ...args, '--json')).out
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Found);

describe('patterns', () => {
  const hex = (text: string, plain = false): string => {
    const bytes = patternOf(text, plain);
    return typeof bytes === 'string' ? bytes : Buffer.from(bytes).toString('hex');
  };
  test.each([
    ['PRES?', '505245533f'],
    ['a\\r\\n\\t\\0\\\\b', '610d0a09005c62'],
    ['\\x06\\xFFµ', '06ffc2b5'],
    ['0x060d0A', '060d0a'],
    ['0x06 0d 0x0a', '060d0a'],
  ])('%s', (text, bytes) => expect(hex(text)).toBe(bytes));
  test('what is no pattern is said', () => {
    expect(hex('0x06', true)).toBe('30783036');
    expect(hex('0x060')).toContain('two hexadecimal digits');
    expect(hex('a\\q')).toBe('"\\q" is no escape: \\r \\n \\t \\0 \\e \\\\ or \\x and two hexadecimal digits');
    expect(hex('a\\')).toContain('is no escape');
    expect(hex('')).toBe('there is nothing to look for');
  });
});

test('a search finds in any pieces what it finds in one', () => {
  const letters = fc.array(fc.constantFrom('a', 'b'), { maxLength: 60 }).map((all) => all.join(''));
  fc.assert(
    fc.property(letters, fc.constantFrom('ab', 'aa', 'aba', 'b', 'abab'), fc.array(fc.nat(60), { maxLength: 8 }), (text, needle, cuts) => {
      const wanted: number[] = [];
      for (let k = text.indexOf(needle); k >= 0; k = text.indexOf(needle, k + needle.length)) wanted.push(k);
      const borders = [0, ...cuts.filter((c) => c < text.length).sort((a, b) => a - b), text.length];
      const search = new Search(Buffer.from(needle));
      const got = borders.slice(1).flatMap((end, i) => search.take(Buffer.from(text.slice(borders[i] ?? 0, end)), borders[i] ?? 0));
      expect(got.map(({ at }) => at)).toEqual(wanted);
      for (const one of got) {
        expect(Buffer.from(one.found).toString()).toBe(needle);
        // Its times are those of the pieces that hold its first and last byte.
        expect(one.t).toBe(Math.max(...borders.filter((b) => b <= one.at && b < text.length)));
        expect(one.until).toBe(Math.max(...borders.filter((b) => b <= one.at + needle.length - 1 && b < text.length)));
      }
    }),
  );
});

describe('grep', () => {
  test('over the borders of the messages of a stream, with the times of both ends', async () => {
    expect(await json('1003 kPa\\r\\n')).toEqual([
      expect.objectContaining({
        t: s(1.51),
        until: s(1.52),
        link: TCP,
        direction: 'in',
        name: null,
        at: 30,
        found: '31303033206b50610d0a',
      }),
    ]);
    const { out, code } = await called(grep, folder, '1003 kPa\\r\\n');
    expect(out).toBe(
      `2026-11-22 12:00:01.510000  ${TCP} in   30 32 20 6b 50 61 0d 0a [31 30 30 33 20 6b 50 61 0d 0a]  02 kPa\\r\\n[1003 kPa\\r\\n]\n1 match\n`,
    );
    expect(code).toBe(EXIT.ok);
  });

  test('not over the borders of packets and files', async () => {
    expect(await json('AB0CD')).toEqual([]);
    expect((await json('0x02 41 42')).map(({ link, t }) => [link, t])).toEqual([0, 1, 2, 3].map((k) => [UDP, s(k + 0.3)]));
    expect((await json('a kPa')).map(({ name, at }) => [name, at])).toEqual([0, 1, 2, 3].map((k) => [`f${k}.spe`, 7 * k]));
    expect(await json('ba kPa')).toEqual([]);
  });

  test('by direction, time, link and instrument', async () => {
    expect(await json('PRES?', '--in')).toEqual([]);
    expect(await json('PRES?', '--out')).toHaveLength(8);
    expect((await json('PRES?', '--from', '+1s', '--until', '12:00:02')).map(({ t }) => t)).toEqual([s(1), s(1.5)]);
    expect(await json('kPa', '--link', 'gas')).toHaveLength(8);
    expect(await json('kPa', '--link', 'folder')).toHaveLength(4);
    expect(await json('kPa', '--link', 'board')).toEqual([]);
    expect(await called(grep, folder, 'kPa', '--link', 'laser')).toMatchObject({
      code: EXIT.usage,
      err: expect.stringContaining(`it has folder:/data, ${TCP} (gas), ${UDP} (board)`),
    });
  });

  test('nothing found is another exit code, and arguments in the other order are understood', async () => {
    expect(await called(grep, folder, 'nowhere')).toEqual({ code: EXIT.failed, out: 'not found\n', err: '' });
    expect((await called(grep, 'PRES?', folder)).code).toBe(EXIT.ok);
    for (const args of [[folder], [folder, 'a', 'b'], [folder, 'a', '--in', '--out'], [folder, 'a\\q'], [folder, 'a', '--from', 'noon']])
      expect((await called(grep, ...args)).code).toBe(EXIT.usage);
    // No such day, and nothing between the two.
    for (const times of [
      ['--from', '2026-02-30'],
      ['--until', '2026-11-31T12:00:00Z'],
      ['--from', '+2s', '--until', '+1s'],
    ])
      expect(await called(grep, folder, 'PRES?', ...times)).toMatchObject({ code: EXIT.usage, out: '' });
  });

  test('where a chunk is lost, what stands before and behind it is not taken for one piece, and the damage is named', async () => {
    const damaged = copied(folder, join(scratch, 'damaged'));
    const part = join(damaged, 'raw-tcp-10-0-0-1-5025-0001.mcap');
    const bytes = readFileSync(part);
    const at = bytes.indexOf('1003');
    bytes[at] = 0x39;
    writeFileSync(part, bytes);
    // 1001 kPa ends the chunk before the damaged one, 1004 kPa begins the one behind it.
    const { out, err } = await called(grep, damaged, 'kPa\\r\\n1004');
    expect(out).toBe('not found\n');
    expect(err).toContain('raw-tcp-10-0-0-1-5025-0001: damage');
    expect((await called(grep, folder, 'kPa\\r\\n1004')).out).toContain('1 match\n');
    expect((await called(grep, damaged, 'kPa\\r\\n1005')).out).toContain('1 match\n');
  });
});
