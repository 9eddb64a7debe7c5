import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { open as openFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { type Clock, realClock } from '../../src/clock.ts';
import type { Link } from '../../src/link.ts';
import { serialLink } from '../../src/links/serial.ts';
import { program } from './require.ts';
import { ascii, bytesFrom, goes, text } from './wait.ts';

const socat = program('socat', '-V');
const folder = mkdtempSync(join(tmpdir(), 'bridgman-serial-'));
const children: ChildProcess[] = [];
const links: Link[] = [];
afterEach(() => {
  for (const link of links.splice(0)) link.close();
  for (const child of children.splice(0)) child.kill('SIGKILL');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A pseudo-terminal whose other end echoes (`cat`), or another one. */
async function terminal(path: string, other = 'EXEC:cat'): Promise<ChildProcess> {
  const child = spawn('socat', ['-d', '-d', `pty,raw,echo=0,link=${path}`, other], { stdio: ['pipe', 'ignore', 'pipe'] });
  children.push(child);
  let said = '';
  for await (const line of child.stderr) {
    said += String(line);
    if (said.includes('starting data transfer loop')) break;
  }
  return child;
}
const opened = (path: string, told?: (m: string) => void, clock: Clock = realClock()): Link => {
  const link = serialLink({ path, baud: 115200, told }, clock);
  links.push(link);
  return link;
};

describe.skipIf(!socat)('on a pseudo-terminal (needs socat)', () => {
  test('bytes go both ways', async () => {
    const path = join(folder, 'echo');
    await terminal(path);
    const link = opened(path);
    await goes(link, true);
    const back = bytesFrom(link, 5);
    expect(link.write(ascii('*IDN?'))).toBe(true);
    expect(text(await back)).toBe('*IDN?');
  });

  test('a write waits for none of the file threads, which a hung disk may hold', async () => {
    const path = join(folder, 'threads');
    const file = join(folder, 'threads.bytes');
    await terminal(path, `OPEN:${file},creat,append`);
    const link = opened(path);
    await goes(link, true);
    // A pipe that nobody else opens holds whoever opens it: more of them than there are threads.
    const pipes = Array.from({ length: 6 }, (_, i) => join(folder, `pipe-${i}`));
    for (const pipe of pipes) execFileSync('mkfifo', [pipe]);
    const held = pipes.map((pipe) => openFile(pipe, 'r'));
    try {
      expect(link.write(ascii('EMOFF'))).toBe(true);
      await expect.poll(() => readFileSync(file, 'latin1'), { timeout: 5000 }).toBe('EMOFF');
    } finally {
      // Held open until all have come: those that waited for a thread open theirs only now.
      const ends = pipes.map((pipe) => openSync(pipe, constants.O_RDWR | constants.O_NONBLOCK));
      for (const one of held) await (await one).close();
      for (const end of ends) closeSync(end);
    }
  });

  test('one write is outstanding and none is queued', async () => {
    const path = join(folder, 'one');
    await terminal(path);
    const link = opened(path);
    await goes(link, true);
    const back = bytesFrom(link, 1);
    expect([link.write(ascii('a')), link.write(ascii('b'))]).toEqual([true, false]);
    expect(text(await back)).toBe('a');
  });

  test('an unplugged port goes down, and up again when it is back', async () => {
    const path = join(folder, 'unplugged');
    const told: string[] = [];
    const child = await terminal(path);
    const link = opened(path, (m) => told.push(m));
    await goes(link, true);
    const gone = goes(link, false);
    child.kill();
    await gone;
    await terminal(path);
    await goes(link, true);
    expect(told).toHaveLength(3);
    expect(told[0]).toBe(`serial:${path}: connected`);
    expect(told[2]).toBe(`serial:${path}: connected`);
  });

  test('a port that takes no bytes is closed and opened again', async () => {
    const path = join(folder, 'stuck');
    // Nobody reads the other end of this one: its buffer fills.
    const child = await terminal(path, 'EXEC:sleep 1000');
    child.kill('SIGSTOP');
    const told: string[] = [];
    const link = serialLink({ path, baud: 4_000_000, told: (m) => told.push(m) }, realClock());
    links.push(link);
    await goes(link, true);
    const down = goes(link, false);
    expect(link.write(new Uint8Array(200_000).fill(0x55))).toBe(true);
    await down;
    expect(told[1]).toMatch(/bytes were not taken within/);
    expect(link.write(ascii('x'))).toBe(false);
    child.kill('SIGCONT');
  });

  test('a locked port is told, and lock=false opens it', async () => {
    const path = join(folder, 'locked');
    await terminal(path);
    const first = opened(path);
    await goes(first, true);
    const message = await new Promise<string>((done) => opened(path, done));
    expect(message).toMatch(/lock/i);
    const second = serialLink({ path, baud: 115200, lock: false }, realClock());
    links.push(second);
    // The system's exclusive mode does not bind root, and only the advisory lock is left.
    if (process.getuid?.() === 0) await goes(second, true);
  });

  test('the file is looked at, because an unplugged port may say nothing', async () => {
    const path = join(folder, 'looked');
    await terminal(path);
    const told: string[] = [];
    const link = opened(path, (m) => told.push(m));
    await goes(link, true);
    rmSync(path); // only the name goes; the terminal itself stays
    await goes(link, false);
    expect(told[1]).toContain('the port has gone (unplugged?)');
  });
});

test('a port that does not exist is told', async () => {
  const message = await new Promise<string>((done) => opened(join(folder, 'no-such-port'), done));
  expect(message).toMatch(/no-such-port: .*(no such file|cannot open)/i);
});

test('a program with an open port ends when the link is closed', async (context) => {
  if (!socat) return context.skip('socat is not installed');
  const path = join(folder, 'ends');
  const server = await terminal(path);
  const link = opened(path);
  await goes(link, true);
  server.kill('SIGSTOP');
  link.write(new Uint8Array(100_000));
  let ended = false;
  link.up.subscribe({ complete: () => (ended = true) });
  link.close();
  expect(ended).toBe(true);
  server.kill('SIGCONT');
  const over = once(server, 'exit');
  server.kill('SIGKILL');
  await over;
});
