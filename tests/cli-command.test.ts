/** What all commands share: reading arguments, and words that are no command. */
import { spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { parse, Usage } from '../src/cli/command.ts';
import { entry } from './bench-top.ts';

const kinds = { index: 'string', json: 'boolean' } as const;

describe('arguments', () => {
  test('a number with a minus sign is a value, wherever it stands', () => {
    expect(parse(['gas', 'pressure', '-1bar'], kinds).rest).toEqual(['gas', 'pressure', '-1bar']);
    expect(parse(['--json', 'a', '-.5e-3', 'V', '--index', '-2'], kinds)).toMatchObject({
      rest: ['a', '-.5e-3', 'V'],
      options: { index: '-2' },
    });
    expect(parse(['a', '-12 um +- 1 um', '--index=3'], kinds)).toMatchObject({ rest: ['a', '-12 um +- 1 um'], options: { index: '3' } });
  });
  test('what follows "--" is no option', () => {
    expect(parse(['--json', '--', '--index', '-x'], kinds).rest).toEqual(['--index', '-x']);
  });
  test.each([
    [['-x'], 'no option -x'],
    [['--jsn'], 'did you mean --json'],
    [['--index'], 'needs a value'],
    [['--index', '--json'], '--json follows it'],
    [['--json', '--json'], 'given twice'],
    [['--json=1'], 'takes no value'],
    [['--constructor'], 'no option --constructor'],
  ])('%j is answered with a sentence', (args, sentence) => {
    expect(() => parse(args, kinds)).toThrow(Usage);
    expect(() => parse(args, kinds)).toThrow(sentence);
  });
});

test.each(['constructor', '__proto__', 'toString', '', 'runn'])('the word %j is no command', (word) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [entry, word], { encoding: 'utf8' });
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
  expect(stderr).toContain(`there is no command "${word}"`);
});
