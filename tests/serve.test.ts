import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Subject } from 'rxjs';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { text } from '../protocols/text.ts';
import { realClock } from '../src/clock.ts';
import type { Link } from '../src/link.ts';
import { serialLink } from '../src/links/serial.ts';
import { tcpLink } from '../src/links/tcp.ts';
import { type Served, serveFolder, servePty, serveTcp, serveUdp } from '../src/serve.ts';
import { type Port, type Said, universe } from '../src/simulate.ts';
import { simulator, world } from '../src/simulator.ts';
import { program } from './links/require.ts';
import { ascii, bytesFrom, goes, text as shown } from './links/wait.ts';

const socat = program('socat', '-V');
const folder = mkdtempSync(join(tmpdir(), 'bridgman-serve-'));
const clock = realClock();
const served: Served[] = [];
const links: Link[] = [];
afterEach(async () => {
  for (const link of links.splice(0)) link.close();
  for (const one of served.splice(0)) await one.close();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const meter = simulator({
  links: { main: text('\n') },
  state: () => ({ asked: 0 }),
  world: world({ name: 'nothing', tick: 1, make: () => ({ step() {} }) }),
  answer: { main: (q, s) => (q === '*IDN?' ? ['METER'] : q === 'N?' ? [String(++s.asked)] : []) },
});
const ports = (): readonly Port[] => [universe(1, clock).device('meter', meter, {}).ports.main];
const keep = async (one: Promise<Served>): Promise<Served> => {
  const ready = await one;
  served.push(ready);
  return ready;
};
const portOf = (one: Served): number => Number(one.address.split(':').at(-1));

async function client(port: number): Promise<{ socket: Socket; ask: (q: string) => Promise<string> }> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  return {
    socket,
    async ask(q) {
      const answer = once(socket, 'data');
      socket.write(q);
      return String((await answer)[0]);
    },
  };
}

describe('TCP', () => {
  test('an answer goes to who asked, what nobody asked for to all', async () => {
    const all = ports();
    const one = await keep(serveTcp(all, { port: 0 }, clock));
    const [a, b] = [await client(portOf(one)), await client(portOf(one))];
    const heard = { a: '', b: '' };
    a.socket.on('data', (bytes) => void (heard.a += bytes));
    b.socket.on('data', (bytes) => void (heard.b += bytes));
    expect(await a.ask('*IDN?\n')).toBe('METER\n');
    expect(await b.ask('N?\n')).toBe('1\n');
    const both = [once(a.socket, 'data'), once(b.socket, 'data')];
    all[0].says.next({ bytes: ascii('alarm\n') });
    await Promise.all(both);
    expect(heard).toEqual({ a: 'METER\nalarm\n', b: '1\nalarm\n' });
    a.socket.destroy();
    expect(await b.ask('N?\n')).toBe('2\n');
    b.socket.destroy();
  });

  test('where the link went down, every client loses its connection, and comes again', async () => {
    const [port] = ports();
    const breaks = new Subject<void>();
    const one = await keep(serveTcp([{ ...port, breaks }], { port: 0 }, clock));
    const before = await client(portOf(one));
    expect(await before.ask('*IDN?\n')).toBe('METER\n');
    before.socket.on('error', () => {});
    const closed = new Promise((gone) => before.socket.once('close', gone));
    breaks.next();
    await closed;
    const after = await client(portOf(one));
    expect(await after.ask('*IDN?\n')).toBe('METER\n');
    after.socket.destroy();
  });

  test('half a question of one client is not the beginning of another one’s', async () => {
    const one = await keep(serveTcp(ports(), { port: 0 }, clock));
    const [a, b] = [await client(portOf(one)), await client(portOf(one))];
    expect(await a.ask('*IDN?\n*ID')).toBe('METER\n');
    expect(await b.ask('N?\n')).toBe('1\n');
    expect(await a.ask('N?\n')).toBe('METER\n');
    a.socket.write('*ID');
    a.socket.destroy();
    const c = await client(portOf(one));
    expect(await c.ask('N?\n')).toBe('2\n');
    for (const { socket } of [b, c]) socket.destroy();
  });

  test('with oneClient a second one is refused, and taken when the first has gone', async () => {
    const one = await keep(serveTcp(ports(), { port: 0, oneClient: true }, clock));
    const first = await client(portOf(one));
    expect(await first.ask('*IDN?\n')).toBe('METER\n');
    const second = connect(portOf(one), '127.0.0.1');
    second.on('error', () => {});
    await new Promise((done) => second.on('close', done));
    expect(await first.ask('N?\n')).toBe('1\n');
    const gone = once(first.socket, 'close');
    first.socket.end();
    await gone;
    const third = await client(portOf(one));
    expect(await third.ask('N?\n')).toBe('2\n');
    third.socket.destroy();
  });

  test('a port in use is a LinkError with a code', async () => {
    const one = await keep(serveTcp(ports(), { port: 0 }, clock));
    await expect(serveTcp(ports(), { port: portOf(one) }, clock)).rejects.toMatchObject({
      code: 'LINK_LISTEN',
      message: expect.stringContaining('already in use'),
    });
  });

  test('our own link talks to it', async () => {
    const one = await keep(serveTcp(ports(), { port: 0 }, clock));
    const link = tcpLink({ host: '127.0.0.1', port: portOf(one) }, clock);
    links.push(link);
    await goes(link, true);
    const answer = bytesFrom(link, 6);
    link.write(ascii('*IDN?\n'));
    expect(shown(await answer)).toBe('METER\n');
  });
});

describe('UDP', () => {
  test('answers go to who asked, what nobody asked for to all', async () => {
    const says = new Subject<Said>();
    // Answers in the order of the questions, some time after them, as a device does.
    const port: Port = {
      protocol: text('\n'),
      says,
      receive: (bytes) => void clock.after(0.002, () => says.next({ bytes: Uint8Array.of(...bytes, 0x21) })),
    };
    const one = await keep(serveUdp([port], { port: 0 }, clock));
    const senders = [createSocket('udp4'), createSocket('udp4')];
    const heard: string[][] = [[], []];
    const answers = senders.map(
      (socket, i) =>
        new Promise<void>((done) => {
          socket.on('message', (m) => heard[i].push(String(m)) === 20 && done());
        }),
    );
    for (let n = 0; n < 20; n++) for (const i of [0, 1]) senders[i].send(`${i}-${n}`, portOf(one), '127.0.0.1');
    await Promise.all(answers);
    for (const i of [0, 1]) expect(heard[i].sort()).toEqual(Array.from({ length: 20 }, (_, n) => `${i}-${n}!`).sort());
    const both = senders.map((socket) => once(socket, 'message'));
    says.next({ bytes: ascii('alarm') });
    for (const message of both) expect(String((await message)[0])).toBe('alarm');
    for (const socket of senders) socket.close();
  });
});

describe('a pseudo-terminal', () => {
  test('without socat: a word about it, and no crash', async () => {
    await expect(servePty(ports(), join(folder, 'none'), clock, { socat: 'no-such-program-socat' })).rejects.toMatchObject({
      code: 'LINK_NO_SOCAT',
      message: expect.stringContaining('socat is not installed'),
    });
  });

  test.skipIf(!socat)('in a folder that does not exist: a LinkError (needs socat)', async () => {
    await expect(servePty(ports(), join(folder, 'no', 'such', 'folder'), clock)).rejects.toMatchObject({ code: 'LINK_PTY' });
  });

  test.skipIf(!socat)('answers, and stays while clients come and go (needs socat)', async () => {
    const path = join(folder, 'meter');
    const one = await keep(servePty(ports(), path, clock));
    expect(one.address).toBe(`serial:${path}`);
    for (const n of [1, 2, 3]) {
      const link = serialLink({ path, baud: 9600 }, clock);
      await goes(link, true);
      const answer = bytesFrom(link, 2);
      link.write(ascii('N?\n'));
      expect(shown(await answer)).toBe(`${n}\n`);
      link.close();
    }
    await one.close();
    expect(readdirSync(folder)).not.toContain('meter');
  });

  test.skipIf(!socat)('is no faster than the line whose rate it is given (needs socat)', async () => {
    const path = join(folder, 'slow');
    const bits = 1200;
    await keep(servePty(ports(), path, clock, { baud: bits }));
    const link = serialLink({ path, baud: bits }, clock);
    links.push(link);
    await goes(link, true);
    const answers = bytesFrom(link, 18);
    const began = clock.mono();
    link.write(ascii('N?\n'.repeat(9)));
    expect(shown(await answers)).toBe('1\n2\n3\n4\n5\n6\n7\n8\n9\n');
    // 27 bytes there, and the last answer back; timers count whole milliseconds.
    expect(clock.mono() - began).toBeGreaterThan(((27 + 2) * 10) / bits - 0.003);
  });
});

test('a folder: whole files under their names', async () => {
  const says = new Subject<Said>();
  const path = join(folder, 'files');
  const one = await serveFolder([{ protocol: text('\n'), says, receive: () => {} }], path);
  says.next({ bytes: ascii('first'), name: 'a-1.spe' });
  says.next({ bytes: ascii('second'), name: '../../a-2.spe' });
  says.next({ bytes: ascii('third') });
  await one.close();
  expect(readdirSync(path).sort()).toEqual(['a-1.spe', 'a-2.spe', 'file-000001']);
  expect(String(readFileSync(join(path, 'a-1.spe')))).toBe('first');
});
