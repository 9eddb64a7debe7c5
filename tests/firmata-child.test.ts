/** johnny-five's parts over a simulated optics board: in this process on real time, and in the process that the host starts. */
import { Subject } from 'rxjs';
import { describe, expect, onTestFinished, test } from 'vitest';
import board from '../drivers/firmata-board.ts';
import five from '../drivers/johnny-five.ts';
import { firmata } from '../protocols/firmata.ts';
import { firmataChild } from '../protocols/firmata-child.ts';
import { Fault } from '../protocols/protocol.ts';
import simulated from '../simulators/firmata-board.ts';
import { acquire } from '../src/acquire.ts';
import { realClock } from '../src/clock.ts';
import { type Exchanged, exchange, ORDER } from '../src/exchange.ts';
import type { Arrival, Link } from '../src/link.ts';
import { firmataChildLink } from '../src/links/firmata-child.ts';
import { simulatedLink } from '../src/links/simulated.ts';
import { tunnelLink } from '../src/links/tunnel.ts';
import type { Reading } from '../src/reading.ts';
import { boardChild } from '../src/readout/board-process.ts';
import { universe } from '../src/simulate.ts';
import { here, Refused } from '../src/talk.ts';
import { runTalk } from '../src/talk-run.ts';

const PARTS = { nd: { part: 'filter', pin: 7 }, air: { part: 'analog', pin: 'A1' } };

/** An instrument's options as its driver has read them. */
function read<T>(schema: { parse(yaml: unknown): T | Refused }, yaml: unknown): T {
  const options = schema.parse(yaml);
  if (options instanceof Refused) throw new Error(options.why);
  return options;
}

/** Optics board and johnny-five on one wire, with what went over it. */
function begun(parts: object, make: (clock: ReturnType<typeof realClock>) => Link) {
  const clock = realClock();
  const device = universe(1, clock).device('optics', simulated, { parts: PARTS, levels: { air: 0.15 } });
  const state = device.state as ReturnType<typeof simulated.state>; // the state of this simulator
  const wire = exchange(simulatedLink([device.ports.main], clock, { baud: 57600 }), firmata(), clock);
  const exchanged: Exchanged[] = [];
  wire.exchanged.subscribe((e) => exchanged.push(e));
  const readings = new Subject<Reading>();
  const on = { reading: (r: Reading) => readings.next(r), state: () => {} };
  const optics = acquire(
    { name: 'optics', model: board, options: read(board.options, { parts: PARTS }), roles: { main: wire }, origin: 'simulator' },
    clock,
    on,
  );
  const roles = { main: wire };
  const tunnel = tunnelLink({ name: 'optics', acquired: optics, roles, within: board.within }, 'parts', clock, 'simulator');
  const [through, child] = [exchange(tunnel, firmata(), clock), exchange(make(clock), firmataChild(), clock)];
  const room = acquire(
    { name: 'room', model: five, options: read(five.options, { parts }), roles: { board: through, child }, origin: 'simulator' },
    clock,
    on,
  );
  onTestFinished(() => {
    for (const one of [room, optics, through, child, wire]) one.close();
  });
  const first = (is: (r: Reading) => boolean): Promise<Reading> =>
    new Promise((done) => {
      const heard = readings.subscribe((r) => {
        if (!is(r)) return;
        heard.unsubscribe();
        done(r);
      });
    });
  const order = (value: string): Promise<string> =>
    new Promise((done) => {
      const run = { instrument: 'optics', by: 'order', urgency: ORDER, roles, within: board.within, clock } as const;
      runTalk(optics.commands.nd.talk(optics.actors, value, 0, here), run, (end) => done(end.ok ? 'done' : end.why));
    });
  return { clock, device, state, exchanged, room, optics, first, order };
}

/** The child's answers in this process, as a link. */
function inProcess(clock: ReturnType<typeof realClock>): Link {
  const { asks, tells } = firmataChild();
  const arrivals = new Subject<Arrival>();
  const up = new Subject<boolean>();
  const decode = asks.decoder();
  const answer = boardChild();
  clock.after(0, () => up.next(true));
  return {
    framing: 'stream',
    origin: 'simulator',
    arrivals,
    up,
    write(bytes) {
      for (const q of decode(bytes)) {
        if (q instanceof Fault) continue;
        const told = tells.encode(answer({ ...q, n: q.n ?? 0 }));
        clock.after(0, () => arrivals.next({ bytes: told, t: clock.now(), mono: clock.mono() }));
      }
      return true;
    },
    reopen() {},
    close() {},
  };
}

/** TMP102: register 0 holds the temperature, 1/16 degree in the upper twelve bits. */
const TMP102 = { 0: 0x19, 1: 0x80 }; // 25.5 degrees

describe.each([
  ['in this process', inProcess],
  ['in the process that the host starts', (clock: ReturnType<typeof realClock>) => firmataChildLink(clock)],
] as const)('%s', (_, make) => {
  test('thermometers on the I2C bus and on an analog pin are read through the board, and its own parts go on', async () => {
    const { first, state, order, optics, exchanged } = begun(
      { cell: { part: 'thermometer', controller: 'TMP102' }, wall: { part: 'thermometer', controller: 'LM35', pin: 'A1' } },
      make,
    );
    state.i2c[0x48] = { ...TMP102 };
    const [cell, wall] = await Promise.all([
      first((r) => r.from === 'room.cell' && r.quality === 'good'),
      first((r) => r.from === 'room.wall' && r.quality === 'good'),
    ]);
    // LM35: 10 mV per degree of 5 V full scale; 15 % are 75 degrees.
    expect(cell).toMatchObject({ kind: 'K', value: expect.closeTo(298.65, 1) });
    expect(wall).toMatchObject({ kind: 'K', value: expect.closeTo(348.15, 0) });
    expect(await order('in')).toBe('done');
    expect(optics.state).toEqual({ is: 'running' });
    expect(state.chip.levels[7]).toBe(true);
    // What johnny-five asks is an exchange of the board's wire like all others.
    expect(exchanged.some((e) => e.by === 'tunnel:parts' && e.sent[1] === 0x76)).toBe(true);
    Object.assign(state.i2c[0x48], { 0: 0x1e, 1: 0 });
    const later = await first((r) => r.from === 'room.cell' && r.quality === 'good' && Math.abs(Number(r.value) - 303.15) < 0.1);
    expect(later.quality).toBe('good');
  }, 20_000);

  test('a device that is not there has no value, and says why', async () => {
    const { first } = begun(
      { cell: { part: 'thermometer', controller: 'TMP102' }, odd: { part: 'thermometer', controller: 'XYZ9' } },
      make,
    );
    const [cell, odd] = await Promise.all([
      first((r) => r.from === 'room.cell' && r.quality === 'bad' && /I2C/.test(r.why)),
      first((r) => r.from === 'room.odd' && r.quality === 'bad' && !/waits|identif|no parts/.test(r.why)),
    ]);
    expect(cell).toMatchObject({ why: 'no device answers on the I2C bus' });
    expect(odd.quality === 'bad' && odd.why.length).toBeGreaterThan(5);
  }, 20_000);
});

test('a process that dies is started again; until then its channels are bad, and the board goes on', async () => {
  let link: ReturnType<typeof firmataChildLink> | undefined;
  const told: string[] = [];
  const { first, state, order } = begun(
    { cell: { part: 'thermometer', controller: 'TMP102' } },
    (clock) => (link = firmataChildLink(clock, { told: (m) => told.push(m) })),
  );
  state.i2c[0x48] = { ...TMP102 };
  await first((r) => r.from === 'room.cell' && r.quality === 'good');
  const before = link?.pid;
  const bad = first((r) => r.from === 'room.cell' && r.quality === 'bad');
  process.kill(before ?? -1, 'SIGKILL');
  await bad;
  expect(await order('in')).toBe('done');
  await first((r) => r.from === 'room.cell' && r.quality === 'good');
  expect(link?.pid).not.toBe(before);
  expect(told).toContain('johnny-five: the process has ended (SIGKILL)');
}, 20_000);

describe('what the process writes', () => {
  test.each([
    ['a pin set to output', [0xf4, 9, 1]],
    ['a servo', [0xf0, 0x70, 9, 0, 5, 0, 15, 0xf7]],
    ['a level', [0x91, 2, 0]],
    ['a reset', [0xff]],
    ['half a sysex', [0xf0, 0x76, 1]],
    ['an unknown sysex', [0xf0, 0x62, 1, 0xf7]],
  ])('%s does not reach the board', (_, bytes) => {
    const body = board.body({ parts: {} }, { firmware: '', pins: {}, channels: {}, bits: {} });
    const actor = () => {
      throw new Error('it has reached the board');
    };
    const act = { main: { ask: actor, send: actor, exchange: actor } };
    expect(() => body.tunnel?.(act as never, 'parts', Uint8Array.from(bytes), true, here).next()).toThrow(/not passed on/);
  });
});
