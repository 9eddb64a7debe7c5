import { expect, test } from 'vitest';
import { virtualClock } from '../../src/clock.ts';
import { reconnecting, type WireEvents } from '../../src/links/reconnecting.ts';

function bench() {
  const clock = virtualClock();
  const opened: number[] = [];
  const told: string[] = [];
  const states: boolean[] = [];
  const wires: { events: WireEvents; closed: boolean; written: Uint8Array[] }[] = [];
  const link = reconnecting(
    (events) => {
      const wire = { events, closed: false, written: [] as Uint8Array[] };
      wires.push(wire);
      opened.push(Math.round(clock.mono() * 1e3) / 1e3);
      return {
        write(bytes) {
          wire.written.push(bytes);
          return true;
        },
        close() {
          wire.closed = true;
        },
      };
    },
    clock,
    { name: 'test:1', framing: 'stream', told: (m) => told.push(m) },
  );
  link.up.subscribe((up) => states.push(up));
  const last = () => wires[wires.length - 1];
  return { clock, opened, told, states, wires, link, last };
}

test('a link that cannot be opened is tried after 0.2 s, 0.4 s ... 10 s, and told once', () => {
  const { clock, opened, told, last, link } = bench();
  clock.advance(0);
  const gaps: number[] = [];
  for (let i = 0; i < 9; i++) {
    const before = opened.length;
    last().events.lost('nobody there');
    const t = clock.mono();
    while (opened.length === before) clock.advance(0.05);
    gaps.push(Math.round((clock.mono() - t) * 100) / 100);
  }
  expect(gaps).toEqual([0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10, 10, 10]);
  expect(told).toEqual(['test:1: nobody there']);
  expect(link.write(Uint8Array.of(1))).toBe(false);
});

test('the delay begins anew only after a connection that has lasted', () => {
  const { clock, opened, told, states, last } = bench();
  clock.advance(0);
  for (let i = 0; i < 3; i++) {
    last().events.opened();
    last().events.lost('closed at once');
    clock.advance(10);
  }
  expect(opened).toEqual([0, 0.2, 10.4, 20.8]);
  last().events.opened();
  clock.advance(2);
  last().events.lost('cable');
  clock.advance(0.2);
  expect(opened).toHaveLength(5);
  expect(states).toEqual([false, true, false, true, false, true, false, true, false]);
  expect(told.filter((m) => m === 'test:1: connected')).toHaveLength(4);
});

test('what an old wire says after its loss is not heard', () => {
  const { clock, wires, link, last, states } = bench();
  const heard: number[] = [];
  link.arrivals.subscribe((a) => heard.push(a.bytes[0]));
  clock.advance(0);
  last().events.opened();
  link.reopen();
  clock.advance(0);
  expect(wires).toHaveLength(2);
  expect(wires[0].closed).toBe(true);
  wires[0].events.heard(Uint8Array.of(1));
  wires[0].events.lost('late');
  wires[1].events.opened();
  wires[1].events.heard(Uint8Array.of(2));
  expect(heard).toEqual([2]);
  expect(states).toEqual([false, true, false, true]);
  link.close();
  wires[1].events.heard(Uint8Array.of(3));
  clock.advance(100);
  expect(wires).toHaveLength(2);
  expect(heard).toEqual([2]);
});
