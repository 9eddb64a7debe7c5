/** Where the command line's output goes nowhere: a full disk, a reader that has gone. */
import { spawnSync } from 'node:child_process';
import { existsSync, openSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';

const built = resolve(import.meta.dirname, '../dist/src/main.js');

test.skipIf(!existsSync('/dev/full'))(
  'output that cannot be written is said, once, and is no fault of the program (needs /dev/full)',
  () => {
    const full = openSync('/dev/full', 'w');
    for (const args of [['--version'], ['instruments'], ['no-such-command']]) {
      const { status, stderr } = spawnSync(process.execPath, [built, ...args], { stdio: ['ignore', full, 'pipe'], encoding: 'utf8' });
      if (args[0] === 'no-such-command') expect([status, stderr]).toEqual([2, expect.stringContaining('there is no command')]);
      else
        expect([status, stderr]).toEqual([1, expect.stringMatching(/^bridgman: the output could not be written: .*no space left.*\n$/i)]);
    }
    expect(spawnSync(process.execPath, [built, 'instruments'], { stdio: ['ignore', full, full] }).status).toBe(1);
  },
);
