/** What the host has for the recorder, at the end of a run. On virtual time, with real sockets. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { virtualClock } from '../src/clock.ts';
import type { Entry } from '../src/entry.ts';
import { batches, outflow } from '../src/pipe.ts';

const note = (text: string): Entry => ({ kind: 'note', note: { t: 0, by: 'test', text } });

/** A recorder: what it has taken, when its host has gone. */
async function recorder(): Promise<{ readonly host: () => Promise<Socket>; readonly taken: Promise<readonly string[]> }> {
  let ended = (_: readonly string[]): void => {};
  const taken = new Promise<readonly string[]>((done) => {
    ended = done;
  });
  const server = createServer((socket) => {
    const all: string[] = [];
    socket.on(
      'data',
      batches((entries) => all.push(...entries.map((e) => (e.kind === 'note' ? e.note.text : e.kind)))),
    );
    socket.on('end', () => ended(all));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo; // a TCP server
  return {
    async host() {
      const socket = connect(port, '127.0.0.1');
      await once(socket, 'connect');
      return socket;
    },
    taken,
  };
}

test('what waits at the end goes to a recorder that is there', async () => {
  const clock = virtualClock();
  const flow = outflow(clock, () => {});
  const there = await recorder();
  flow.attach(await there.host());
  flow.push(note('first'));
  flow.push(note('last'));
  await new Promise<void>((done) => flow.end(3, done));
  expect(await there.taken).toEqual(['first', 'last']);
});

test('and to one that comes within the time', async () => {
  const clock = virtualClock();
  const flow = outflow(clock, () => {});
  flow.push(note('kept'));
  let over = false;
  const ended = new Promise<void>((done) =>
    flow.end(3, () => {
      over = true;
      done();
    }),
  );
  clock.advance(2.9);
  expect(over).toBe(false);
  const there = await recorder();
  flow.attach(await there.host());
  await ended;
  expect(await there.taken).toEqual(['kept']);
});

test('nobody is waited for longer than that, nor where nothing is to be said', () => {
  const clock = virtualClock();
  const flow = outflow(clock, () => {});
  flow.push(note('lost'));
  let over = 0;
  flow.end(3, () => over++);
  clock.advance(2.9);
  expect(over).toBe(0);
  clock.advance(0.2);
  expect(over).toBe(1);
  const silent = outflow(clock, () => {});
  silent.end(3, () => over++);
  expect(over).toBe(2);
  clock.advance(10);
  expect(over).toBe(2);
});
