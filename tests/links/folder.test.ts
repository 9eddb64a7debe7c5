import { appendFileSync, chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, afterEach, expect, test } from 'vitest';
import { realClock } from '../../src/clock.ts';
import type { Link } from '../../src/link.ts';
import { wholeFile } from '../../src/links/complete.ts';
import { type FolderOptions, folderLink, matcher } from '../../src/links/folder.ts';
import { remoteFolder } from '../../src/readout/folder-process.ts';
import { goes, text } from './wait.ts';

const root = mkdtempSync(join(tmpdir(), 'bridgman-folder-'));
const links: Link[] = [];
let n = 0;
const folder = (): string => {
  const path = join(root, String(n++));
  mkdirSync(path);
  return path;
};
afterEach(() => {
  for (const link of links.splice(0)) link.close();
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const opened = (options: FolderOptions): Link => {
  const link = folderLink({ still: 0.03, ...options }, realClock());
  links.push(link);
  return link;
};
/** Resolves with the names and contents of so many files. */
const files = (link: Link, count: number): Promise<string[]> =>
  new Promise((done) => {
    const got: string[] = [];
    link.arrivals.subscribe((a) => {
      got.push(`${a.name}:${text(a.bytes)}`);
      if (got.length === count) done(got);
    });
  });

test('new files come once each, by time and then by name; what was there before is left', async () => {
  const path = folder();
  writeFileSync(join(path, 'old.spe'), 'old');
  const link = opened({ path, pattern: '*.spe' });
  await goes(link, true);
  const got = files(link, 4);
  for (const [name, time] of [
    ['c.spe', 100],
    ['b.SPE', 200],
    ['a.spe', 200],
    ['note.txt', 50],
  ] as const) {
    writeFileSync(join(path, name), name[0]);
    utimesSync(join(path, name), time, time); // at once: no look comes between
  }
  await new Promise<void>((done) => {
    link.arrivals.subscribe((a) => a.name === 'b.SPE' && done());
  });
  writeFileSync(join(path, 'd.spe'), 'd');
  expect(await got).toEqual(['c.spe:c', 'a.spe:a', 'b.SPE:b', 'd.spe:d']);
});

test('existing files are taken on request', async () => {
  const path = folder();
  writeFileSync(join(path, '1'), 'one');
  expect(await files(opened({ path, existing: 'take' }), 1)).toEqual(['1:one']);
});

test('a file is taken when it is whole, and not before', async () => {
  const path = folder();
  const asked: string[] = [];
  const link = opened({
    path,
    complete: (bytes) => {
      asked.push(text(bytes));
      return text(bytes).endsWith('end');
    },
  });
  await goes(link, true);
  const got = files(link, 1);
  writeFileSync(join(path, 'grows'), 'half ');
  await new Promise<void>((done) => {
    const look = (): void => (asked.length > 0 ? done() : void setImmediate(look));
    look();
  });
  appendFileSync(join(path, 'grows'), 'end');
  expect(await got).toEqual(['grows:half end']);
  expect(asked[0]).toBe('half ');
});

test('a damaged file, and one that never becomes whole, come when they have not changed for long enough', async () => {
  const path = folder();
  const link = opened({ path, settle: 0.05, patience: 0.1, complete: (_, name) => (name === 'damaged' ? 'damaged' : false) });
  await goes(link, true);
  const got = files(link, 2);
  writeFileSync(join(path, 'damaged'), 'x');
  writeFileSync(join(path, 'cut'), 'y');
  expect((await got).sort()).toEqual(['cut:y', 'damaged:x']);
});

test('a file that says nothing of its end is given when it has been quiet, and again when it has grown', async () => {
  const path = folder();
  const said: string[] = [];
  const link = opened({ path, settle: 0.3, complete: wholeFile, told: (text) => said.push(text) });
  await goes(link, true);
  const [first, both, three] = [files(link, 1), files(link, 2), files(link, 3)];
  writeFileSync(join(path, 'run.ade'), 'one');
  expect(await first).toEqual(['run.ade:one']);
  appendFileSync(join(path, 'run.ade'), 'two');
  expect(await both).toEqual(['run.ade:one', 'run.ade:onetwo']);
  expect(said.filter((s) => s.includes('grown'))).toEqual([
    `folder:${path}: run.ade has grown from 3 to 6 bytes since it was read: it is read again`,
  ]);
  writeFileSync(join(path, 'run.ade'), '3'); // shorter: nothing new
  writeFileSync(join(path, 'next.ade'), 'n');
  expect((await three)[2]).toBe('next.ade:n');
});

test('huge and vanishing files are told, and the others come', async () => {
  const path = folder();
  const told: string[] = [];
  const link = opened({ path, most: 10, told: (m) => told.push(m) });
  await goes(link, true);
  const got = files(link, 1);
  writeFileSync(join(path, 'huge'), '01234567890');
  writeFileSync(join(path, 'vanishes'), 'x');
  rmSync(join(path, 'vanishes'));
  mkdirSync(join(path, 'folder-inside'));
  writeFileSync(join(path, 'small'), 'ok');
  expect(await got).toEqual(['small:ok']);
  expect(told).toContain(`folder:${path}: huge has 11 bytes, more than 10: it is not read`);
});

test.skipIf(process.getuid?.() === 0)('an unreadable file is told once (not for root, who reads all)', async () => {
  const path = folder();
  const told: string[] = [];
  const link = opened({ path, every: 0.05, told: (m) => told.push(m) });
  await goes(link, true);
  const got = files(link, 1);
  writeFileSync(join(path, 'secret'), 'x');
  chmodSync(join(path, 'secret'), 0);
  writeFileSync(join(path, 'small'), 'ok');
  await got;
  expect(told.filter((m) => m.includes('secret'))).toHaveLength(1);
});

test('a folder that is made later is found, and what is in it then is new', async () => {
  const path = join(folder(), 'later');
  const told: string[] = [];
  const link = opened({ path, every: 0.05, told: (m) => told.push(m) });
  const got = files(link, 1);
  await new Promise<void>((done) => {
    const look = (): void => (told.length > 0 ? done() : void setImmediate(look));
    look();
  });
  mkdirSync(path);
  writeFileSync(join(path, 'first'), '1');
  expect(await got).toEqual(['first:1']);
  expect(told).toEqual([`folder:${path}: it does not exist`, `folder:${path}: watched`]);
});

test('patterns', () => {
  expect(matcher('*.spe')('a.SPE')).toBe(true);
  expect(matcher('*.spe')('a.spe.part')).toBe(false);
  expect(matcher('run-??.[x]*')('run-01.[x]y')).toBe(true);
  expect(matcher('run-??.spe')('run-1.spe')).toBe(false);
});

const built = resolve(import.meta.dirname, '../../dist/src/readout/folder-process.js');
test.skipIf(!existsSync(built))(
  'from a process of its own (needs the build); a killed one is started again and nothing comes twice',
  async () => {
    const path = folder();
    writeFileSync(join(path, 'old'), 'old');
    const told: string[] = [];
    const link = remoteFolder({ path, told: (m) => told.push(m) }, realClock());
    links.push(link);
    await goes(link, true);
    const all = files(link, 2);
    const first = files(link, 1);
    writeFileSync(join(path, '1'), 'one');
    expect(await first).toEqual(['1:one']);
    const down = goes(link, false);
    if (link.pid === undefined) throw new Error('there is no child process');
    process.kill(link.pid, 'SIGKILL');
    await down;
    writeFileSync(join(path, '2'), 'two');
    await goes(link, true);
    expect(await all).toEqual(['1:one', '2:two']);
    expect(told.some((m) => m.includes('SIGKILL'))).toBe(true);
  },
);
