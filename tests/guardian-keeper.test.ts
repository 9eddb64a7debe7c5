/** Between a lease and the guardian: each who asks is told once, and never by what was meant for another. */
import { expect, test } from 'vitest';
import { virtualClock } from '../src/clock.ts';
import type { ToGuardian } from '../src/guardian/armed.ts';
import { guardianKeeper } from '../src/guardian-keeper.ts';
import type { LeaseSpec } from '../src/lease.ts';
import { laboratory } from './laboratory.ts';
import { toyRig, toys } from './toys.ts';

const lease: LeaseSpec = { instrument: 'toy', command: 'output', longest: 60, deadline: 1, then: 'safe', evidence: 'toy.output' };

function bench() {
  const lab = laboratory(toyRig(), toys);
  lab.clock.advance(1); // it is there
  const clock = virtualClock();
  const sent: ToGuardian[] = [];
  const told: string[] = [];
  let connected = true;
  const { keeper, heard } = guardianKeeper({
    clock,
    rig: toyRig(),
    isSimulated: () => false,
    lab: () => lab.host,
    send: (message) => sent.push(message),
    connected: () => connected,
  });
  return {
    clock,
    sent,
    told,
    keeper,
    heard,
    arm: (who: string) => keeper.arm(lease, (why) => told.push(`${who}: ${why ?? 'armed'}`)),
    answer: (why?: string) => heard({ is: 'armed', name: 'toy.output', ...(why === undefined ? {} : { why }) }),
    cut: () => {
      connected = false;
    },
  };
}

test('prepared before it is armed, with all that the guardian needs', () => {
  const b = bench();
  b.arm('order');
  expect(b.sent.map((m) => m.is)).toEqual(['prepare', 'arm']);
  expect(b.sent[0]).toMatchObject({ prepared: { name: 'toy.output', model: 'toy', deadline: 1, then: 'safe', outside: true } });
  b.answer();
  b.clock.advance(5);
  expect(b.told).toEqual(['order: armed']);
});

test('an instrument that is not there is not armed', () => {
  const b = bench();
  const told: (string | undefined)[] = [];
  b.keeper.arm({ ...lease, instrument: 'nobody' }, (why) => told.push(why));
  expect([told, b.sent]).toEqual([['the instrument has not identified itself'], []]);
});

test('the time of one that was refused is not the time of the next one', () => {
  const b = bench();
  b.arm('first');
  b.clock.advance(0.1);
  b.answer('the disk is slow');
  b.clock.advance(0.5);
  b.arm('second');
  b.clock.advance(0.6); // the first one's second is over
  expect(b.told).toEqual(['first: the disk is slow']);
  b.answer();
  expect(b.told).toEqual(['first: the disk is slow', 'second: armed']);
});

test('two who ask at the same time are both told', () => {
  const b = bench();
  b.arm('order');
  b.arm('found on');
  b.answer();
  b.answer();
  b.clock.advance(5);
  expect(b.told).toEqual(['order: armed', 'found on: armed']);
});

test('without an answer each is told so after a second', () => {
  const b = bench();
  b.arm('one');
  b.clock.advance(0.5);
  b.arm('two');
  b.clock.advance(0.6);
  expect(b.told).toEqual(['one: the guardian has not confirmed']);
  b.answer();
  b.clock.advance(5);
  expect(b.told).toEqual(['one: the guardian has not confirmed', 'two: armed']);
});

test('it lives while its words come and the pipe is whole', () => {
  const b = bench();
  b.clock.advance(0.9);
  expect(b.keeper.alive()).toBe(true);
  b.heard({ is: 'watch' });
  b.clock.advance(0.9);
  expect(b.keeper.alive()).toBe(true);
  b.clock.advance(0.2);
  expect(b.keeper.alive()).toBe(false);
  b.heard({ is: 'watch' });
  b.cut();
  expect(b.keeper.alive()).toBe(false);
});
