import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { afterEach, expect, test } from 'vitest';
import { realClock } from '../../src/clock.ts';
import type { Link } from '../../src/link.ts';
import { udpLink } from '../../src/links/udp.ts';
import { ascii, goes, next, text } from './wait.ts';

const sockets: Socket[] = [];
const links: Link[] = [];
afterEach(() => {
  for (const link of links.splice(0)) link.close();
  for (const socket of sockets.splice(0)) socket.close();
});

async function bound(port = 0): Promise<Socket> {
  const socket = createSocket('udp4');
  sockets.push(socket);
  socket.bind(port, '127.0.0.1');
  await once(socket, 'listening');
  socket.on('message', (bytes, from) => {
    for (const word of String(bytes).split(' ')) socket.send(word, from.port, from.address);
  });
  return socket;
}
const opened = (port: number, told?: (m: string) => void): Link => {
  const link = udpLink({ host: '127.0.0.1', port, told }, realClock());
  links.push(link);
  return link;
};

test('packets are neither joined nor split', async () => {
  const link = opened((await bound()).address().port);
  await goes(link, true);
  const heard: string[] = [];
  const both = new Promise<void>((done) => {
    link.arrivals.subscribe((a) => {
      heard.push(text(a.bytes));
      if (heard.length === 2) done();
    });
  });
  expect(link.framing).toBe('packets');
  expect(link.write(ascii('one two'))).toBe(true);
  await both;
  expect(heard.sort()).toEqual(['one', 'two']);
});

test('a device that is off does not take the link down', async () => {
  const device = await bound();
  const { port } = device.address();
  device.close();
  sockets.pop();
  const told: string[] = [];
  let heard = (): void => {};
  const silent = new Promise<void>((done) => {
    heard = done;
  });
  const link = opened(port, (m) => {
    told.push(m);
    if (told.length > 1) heard();
  });
  await goes(link, true);
  expect(link.write(ascii('hello'))).toBe(true);
  await silent;
  expect(told[1]).toBe(`udp:127.0.0.1:${port}: nobody listens there (connection refused)`);
  await bound(port);
  const answer = next(link.arrivals);
  expect(link.write(ascii('again'))).toBe(true);
  expect(text((await answer).bytes)).toBe('again');
  expect(told[2]).toBe(`udp:127.0.0.1:${port}: answers again`);
});

test('reopen makes a new socket', async () => {
  const device = await bound();
  const link = opened(device.address().port);
  await goes(link, true);
  const ports = new Set<number>();
  device.on('message', (_, from) => ports.add(from.port));
  for (let i = 0; i < 2; i++) {
    const answer = next(link.arrivals);
    link.write(ascii('x'));
    await answer;
    link.reopen();
    await goes(link, false);
    await goes(link, true);
  }
  expect(ports.size).toBe(2);
});

test('a name that nobody has is told', async () => {
  const message = await new Promise<string>((done) => {
    links.push(udpLink({ host: 'no-such-host.invalid', port: 1, told: done }, realClock()));
  });
  expect(message).toMatch(/no host of that name|cannot be looked up/);
});
