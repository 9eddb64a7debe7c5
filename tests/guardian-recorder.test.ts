/** The recorder as a child that ends by itself: begun again, later and later, and nothing that was to be said is lost. On virtual time. */
import { EventEmitter } from 'node:events';
import { expect, test } from 'vitest';
import { virtualClock } from '../src/clock.ts';
import { type Child, recorderChild } from '../src/guardian/recorder-child.ts';
import type { FromRecorder, RecorderInit, ToRecorder } from '../src/recorder/process.ts';
import type { Summary } from '../src/recorder/recorder.ts';
import { waits } from '../src/waits.ts';

class Fake extends EventEmitter implements Child {
  connected = true;
  readonly sent: ToRecorder[] = [];
  killed = 0;
  readonly at: number;
  constructor(at: number) {
    super();
    this.at = at;
  }
  send(message: ToRecorder): void {
    this.sent.push(message);
  }
  kill(signal: 'SIGKILL'): void {
    this.killed++;
    this.ends(signal);
  }
  says(message: FromRecorder): void {
    this.emit('message', message);
  }
  ends(signal = 'SIGKILL'): void {
    this.connected = false;
    this.emit('exit', null, signal);
  }
}

const init = {} as RecorderInit; // only handed on
const summary = { rig: 'cell7' } as Summary; // only handed on

function bench() {
  const clock = virtualClock();
  const children: Fake[] = [];
  const err: string[] = [];
  let back = 0;
  let full = 0;
  const recorder = recorderChild({
    clock,
    init,
    fork() {
      const child = new Fake(clock.mono());
      children.push(child);
      return child;
    },
    full: () => full++,
    trouble: () => {},
    back: () => back++,
    err: (text) => err.push(text),
  });
  const last = (): Fake => children.at(-1) ?? new Fake(0);
  return { clock, children, err, recorder, last, counts: () => ({ back, full }) };
}

async function begun() {
  const b = bench();
  const beginning = b.recorder.begin();
  b.last().says({ is: 'listening' });
  await beginning;
  return b;
}

test('a session that cannot be begun is said with its reason, and nothing is tried again', async () => {
  const b = bench();
  const beginning = b.recorder.begin();
  b.last().says({ is: 'failed', why: 'ENOSPC' });
  b.last().ends();
  await expect(beginning).rejects.toThrow('ENOSPC');
  b.clock.advance(100);
  expect(b.children.length).toBe(1);
});

test('ended by itself: the next one after 0.1 s, 0.2 s ... 30 s, with the words of meanwhile', async () => {
  const b = await begun();
  b.last().ends();
  b.recorder.say('something', true);
  expect(b.err[0]).toBe('the recorder has ended by itself (SIGKILL): another one goes on in 0.1 s\n');
  b.clock.advance(0.1);
  expect(b.children.length).toBe(2);
  b.last().says({ is: 'listening' });
  expect(b.last().sent).toEqual([
    { is: 'init', init },
    { is: 'say', text: 'the recorder has ended by itself (SIGKILL): another one goes on in 0.1 s', alarm: true },
    { is: 'say', text: 'something', alarm: true },
  ]);
  expect(b.counts().back).toBe(1);
  const starts: number[] = [];
  for (let i = 0; i < 12; i++) {
    const from = b.clock.mono();
    const n = b.children.length;
    b.last().ends();
    b.clock.advance(30);
    expect(b.children.length).toBe(n + 1);
    starts.push(Math.round((b.last().at - from) * 10) / 10);
  }
  expect(starts).toEqual([0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30, 30, 30, 30]);
  b.clock.advance(600);
  b.last().ends();
  b.clock.advance(0.1);
  expect(b.clock.mono() - b.last().at).toBeLessThan(0.05);
});

test('the waits by themselves', () => {
  const clock = virtualClock();
  const w = waits(clock);
  w.started();
  expect([w.ended(), w.ended(), w.ended()]).toEqual([0.1, 0.2, 0.4]);
  for (let i = 0; i < 100; i++) w.ended();
  expect(w.ended()).toBe(30);
  w.started();
  clock.advance(599);
  expect(w.ended()).toBe(30);
  w.started();
  clock.advance(600);
  expect(w.ended()).toBe(0.1);
});

test('the record: answered by its number; refused at once where there is nobody, and when he ends', async () => {
  const b = await begun();
  const said: string[] = [];
  b.recorder.record('one', (why) => said.push(`one ${why}`));
  b.recorder.record('two', (why) => said.push(`two ${why}`));
  expect(b.last().sent.slice(1)).toEqual([
    { is: 'record', id: 1, text: 'one' },
    { is: 'record', id: 2, text: 'two' },
  ]);
  b.last().says({ is: 'recorded', id: 1 });
  expect(said).toEqual(['one undefined']);
  b.last().ends();
  expect(said).toEqual(['one undefined', 'two the recorder has ended']);
  b.recorder.record('three', (why) => said.push(`three ${why}`));
  expect(said.at(-1)).toBe('three the recorder is not there');
});

test('a stop is shown by the next one, too', async () => {
  const b = await begun();
  const stop = { by: 'ann', unsafe: [], over: true };
  b.recorder.stop(stop);
  expect(b.last().sent.at(-1)).toEqual({ is: 'stop', stop });
  b.last().ends();
  b.clock.advance(0.1);
  b.last().says({ is: 'listening' });
  expect(b.last().sent.at(-1)).toEqual({ is: 'stop', stop });
});

test('a full disk is told', async () => {
  const b = await begun();
  b.last().says({ is: 'full' });
  expect(b.counts().full).toBe(1);
});

test('finished in order; killed when it takes too long; nobody waited for where there is none', async () => {
  const b = await begun();
  const finished = b.recorder.finish(60);
  expect(b.last().sent.at(-1)).toEqual({ is: 'finish' });
  b.last().says({ is: 'finished', summary });
  b.last().ends();
  expect(await finished).toBe(summary);
  b.clock.advance(100);
  expect(b.children.length).toBe(1);

  const slow = await begun();
  const cut = slow.recorder.finish(60);
  slow.clock.advance(60);
  expect(slow.last().killed).toBe(1);
  expect(await cut).toBe(undefined);

  const none = await begun();
  none.last().ends();
  expect(await none.recorder.finish(60)).toBe(undefined);
  none.clock.advance(100);
  expect(none.children.length).toBe(1);

  // One that has only just been begun again ends the session when it listens: what the host has kept for it is in it then.
  const young = await begun();
  young.last().ends();
  young.clock.advance(0.1);
  const later = young.recorder.finish(60);
  expect(young.last().sent.map(({ is }) => is)).toEqual(['init']);
  young.last().says({ is: 'listening' });
  expect(young.last().sent.at(-1)).toEqual({ is: 'finish' });
  young.last().says({ is: 'finished', summary });
  young.last().ends();
  expect(await later).toBe(summary);
  expect(young.last().killed).toBe(0);
});
