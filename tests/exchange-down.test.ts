/** A link that goes down while a question is written to it: the question has ended, and does not go out when the link is back. */
import { BehaviorSubject, Subject } from 'rxjs';
import { expect, test } from 'vitest';
import { latin1 } from '../protocols/protocol.ts';
import { text } from '../protocols/text.ts';
import { virtualClock } from '../src/clock.ts';
import { type Ended, exchange, ORDER } from '../src/exchange.ts';
import type { Arrival, Link } from '../src/link.ts';

test.each([true, false])('reply wanted: %s', (reply) => {
  const clock = virtualClock();
  const arrivals = new Subject<Arrival>();
  const up = new BehaviorSubject(true);
  const written: string[] = [];
  let breaks = true;
  const link: Link = {
    framing: 'stream',
    origin: 'simulator',
    arrivals,
    up,
    reopen() {},
    close() {},
    write(bytes) {
      if (breaks) {
        up.next(false);
        return false;
      }
      written.push(latin1(bytes));
      return true;
    },
  };
  const e = exchange(link, text('\n'), clock);
  e.join({ instrument: 'laser', role: 'main', pace: 0, within: 1, trusted() {} });
  const ends: Ended[] = [];
  const job = { instrument: 'laser', role: 'main', by: 'order:emission', reply, within: 1, urgency: ORDER } as const;
  e.submit({ ...job, q: 'EMON', done: (end) => void ends.push(end) });
  clock.advance(0.5);
  expect(ends).toMatchObject([{ ok: false, why: 'link down' }]);
  breaks = false;
  up.next(true);
  clock.advance(5);
  expect(written).toEqual([]);
  expect(ends.length).toBe(1);
  e.close();
});
