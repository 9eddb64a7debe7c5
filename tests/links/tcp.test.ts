import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { realClock, virtualClock } from '../../src/clock.ts';
import type { Link } from '../../src/link.ts';
import { tcpLink } from '../../src/links/tcp.ts';
import { ascii, bytesFrom, goes, text } from './wait.ts';

const servers: Server[] = [];
const clients: Socket[] = [];
const links: Link[] = [];
afterEach(() => {
  for (const link of links.splice(0)) link.close();
  for (const client of clients.splice(0)) client.destroy();
  for (const server of servers.splice(0)) server.close();
});

async function listening(port = 0, host = '127.0.0.1'): Promise<Server> {
  const server = createServer((client) => {
    client.on('error', () => {});
    clients.push(client);
  });
  servers.push(server);
  server.listen(port, host);
  await once(server, 'listening');
  return server;
}
const portOf = (server: Server): number => (server.address() as AddressInfo).port;
const opened = (port: number, told?: (m: string) => void): Link => {
  const link = tcpLink({ host: '127.0.0.1', port, told }, realClock());
  links.push(link);
  return link;
};

test('bytes go both ways, stamped on arrival', async () => {
  const server = await listening();
  server.on('connection', (client) => client.on('data', (bytes) => client.write(Buffer.concat([Buffer.from('>'), bytes]))));
  const link = opened(portOf(server));
  expect(link.write(ascii('too early'))).toBe(false);
  await goes(link, true);
  const back = bytesFrom(link, 6);
  const stamp = new Promise<number>((done) => link.arrivals.subscribe((a) => done(a.t)));
  const before = realClock().now();
  expect(link.write(ascii('hello'))).toBe(true);
  expect(text(await back)).toBe('>hello');
  expect((await stamp) >= before).toBe(true);
  expect((await back).constructor).toBe(Uint8Array);
});

test('what came earlier stays as it came', async () => {
  const server = await listening();
  server.on('connection', (client) => client.on('data', (bytes) => client.write(bytes)));
  const link = opened(portOf(server));
  const came: Uint8Array[] = [];
  link.arrivals.subscribe((a) => came.push(a.bytes));
  await goes(link, true);
  for (const words of ['first', 'other']) {
    const back = bytesFrom(link, words.length);
    link.write(ascii(words));
    await back;
  }
  expect(came.map(text).join('')).toBe('firstother');
});

test('a server that goes and comes back is connected again; each change is told once', async () => {
  const told: string[] = [];
  const first = await listening();
  const port = portOf(first);
  const link = opened(port, (m) => told.push(m));
  await goes(link, true);
  first.close();
  await goes(link, true);
  for (const client of clients.splice(0)) client.destroy();
  await goes(link, false);
  await listening(port);
  await goes(link, true);
  expect(told).toEqual([
    `tcp:127.0.0.1:${port}: connected`,
    `tcp:127.0.0.1:${port}: the other end has closed the connection`,
    `tcp:127.0.0.1:${port}: connected`,
  ]);
});

test('nobody there is a state, not an error', async () => {
  const server = await listening();
  const port = portOf(server);
  server.close();
  await once(server, 'close');
  const message = new Promise<string>((done) => opened(port, done));
  expect(await message).toBe(`tcp:127.0.0.1:${port}: nobody listens there (connection refused)`);
});

test('bytes that the other end does not read are refused above 64 KiB, and the connection is given up after 2 s', async () => {
  const server = await listening();
  server.on('connection', (client) => client.pause());
  const clock = virtualClock();
  const told: string[] = [];
  const link = tcpLink({ host: '127.0.0.1', port: portOf(server), told: (m) => told.push(m) }, clock);
  links.push(link);
  clock.advance(0);
  await goes(link, true);
  const block = new Uint8Array(60_000);
  let taken = 0;
  while (link.write(block) && taken < 10_000) taken++; // the system's own buffers fill first
  expect(taken).toBeGreaterThan(1);
  expect(taken).toBeLessThan(10_000);
  clock.advance(1.9);
  expect(told).toHaveLength(1);
  clock.advance(0.2);
  expect(told[1]).toContain('bytes were not taken within 2 s');
  expect(link.write(block)).toBe(false);
});

test('close ends arrivals and state, and never opens again', async () => {
  const server = await listening();
  const link = opened(portOf(server));
  await goes(link, true);
  let ended = 0;
  link.arrivals.subscribe({ complete: () => ended++ });
  link.up.subscribe({ complete: () => ended++ });
  link.close();
  link.close();
  link.reopen();
  expect(ended).toBe(2);
  expect(link.write(Uint8Array.of(1))).toBe(false);
});

test('IPv6', async (context) => {
  const server = await listening(0, '::1').catch(() => undefined);
  if (!server) return context.skip('this machine has no IPv6 loopback');
  const link = tcpLink({ host: '::1', port: portOf(server) }, realClock());
  links.push(link);
  await goes(link, true);
});
