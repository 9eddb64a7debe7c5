import { BehaviorSubject, Subject } from 'rxjs';
import { expect, test } from 'vitest';
import { latin1, type Protocol } from '../protocols/protocol.ts';
import { text } from '../protocols/text.ts';
import { virtualClock } from '../src/clock.ts';
import { type Ended, exchange, POLL, SAFE } from '../src/exchange.ts';
import type { Actors, Links } from '../src/instrument.ts';
import type { Arrival, Link } from '../src/link.ts';
import { tunnelLink } from '../src/links/tunnel.ts';
import { actor, type Talk } from '../src/talk.ts';

test('a safe order behind a tunnel does not wait for the question that its carrier has open', () => {
  const clock = virtualClock();
  const sent: string[] = [];
  const wire: Link = {
    framing: 'stream',
    origin: 'simulator',
    arrivals: new Subject<Arrival>(),
    up: new BehaviorSubject(true),
    reopen() {},
    close() {},
    write(bytes) {
      sent.push(`${clock.mono().toFixed(1)} ${latin1(bytes).trim()}`);
      return true;
    },
  };
  const language = text('\n') as Protocol<unknown, unknown>;
  const carrier = exchange(wire, language, clock);
  const actors = { main: actor('main') } as Actors<Links>; // the carrier's one role
  function* tunnel(act: Actors<Links>, address: string, bytes: Uint8Array, reply: boolean): Talk<Uint8Array | undefined> {
    const line = `${address}:${latin1(bytes).trim()}`;
    if (!reply) yield* act.main.send(line);
    else yield* act.main.exchange(line, 5);
    return undefined;
  }
  const link = tunnelLink(
    { name: 'adapter', acquired: { state: { is: 'running' }, tunnel, actors }, roles: { main: carrier }, within: 5 },
    '12',
    clock,
    'simulator',
  );
  const behind = exchange(link, language, clock);
  clock.advance(0.2);
  const job = { instrument: 'heater', role: 'main', by: 'test', within: 5, done: (_: Ended) => {} };
  behind.submit({ ...job, q: 'TEMP?', reply: true, urgency: POLL });
  clock.advance(0.2);
  behind.submit({ ...job, q: 'OFF', reply: false, urgency: SAFE });
  expect(sent).toEqual(['0.2 12:TEMP?', '0.4 12:OFF']);
});
