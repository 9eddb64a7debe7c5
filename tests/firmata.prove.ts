/** The driver of the optics board on StandardFirmata itself, run on simavr; and its simulator held to the same answers. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import driver from '../drivers/firmata-board.ts';
import { type FirmataTell, firmata } from '../protocols/firmata.ts';
import { Fault } from '../protocols/protocol.ts';
import { chip, hear, type Outside, speak } from '../simulators/worlds/firmata-chip.ts';
import { acquire } from '../src/acquire.ts';
import { exchange, ORDER } from '../src/exchange.ts';
import type { Reading } from '../src/reading.ts';
import { uniform } from '../src/simulator.ts';
import { here, Refused } from '../src/talk.ts';
import { runTalk } from '../src/talk-run.ts';
import { able, prepare, pulses, SKIPPED, uno } from './firmata-avr.ts';

const there = able();
const folder = mkdtempSync(join(tmpdir(), 'bridgman-firmata-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
beforeAll(() => {
  if (there) prepare(folder);
});

/** Every version of the firmware has what these need. */
const PARTS = {
  shutter: {
    part: 'shutter',
    pin: 9,
    angles: { open: 20, closed: 110 },
    ends: { open: { pin: 4, pull_up: false } },
    settle: '0.3 s',
    safe: 'closed',
  },
  mirror: { part: 'mirror', pin: 10, angles: { in: 30, out: 120 }, settle: '0.3 s' },
  pump: { part: 'relay', pin: 'A5' },
  lamp: { part: 'led', pin: 12 },
  door: { part: 'switch', pin: 2, pull_up: false },
  diode: { part: 'photodiode', pin: 'A0', full: '5 V' },
};

async function started() {
  const board = uno(folder);
  onTestFinished(() => board.close());
  await board.pin(2, false);
  await board.pin(4, true);
  await board.analog(0, 1.25);
  const wire = exchange(board.link, firmata(), board.clock);
  const readings: Reading[] = [];
  const options = driver.options.parse({ parts: PARTS });
  if (options instanceof Refused) throw new Error(options.why);
  const acquired = acquire({ name: 'optics', model: driver, options, roles: { main: wire }, origin: 'simulator' }, board.clock, {
    reading: (r) => readings.push(r),
    state: () => {},
  });
  onTestFinished(() => {
    acquired.close();
    wire.close();
  });
  await board.run(5);
  expect(acquired.state).toEqual({ is: 'running' });
  const latest = (channel: string): unknown => {
    const r = acquired.latest(channel);
    return r?.quality === 'bad' ? `bad: ${r.why}` : r?.value;
  };
  const order = async (command: string, value: string, seconds = 1): Promise<string> => {
    let outcome = 'unfinished';
    const run = {
      instrument: 'optics',
      by: 'order',
      urgency: ORDER,
      roles: { main: wire },
      within: driver.within,
      clock: board.clock,
    } as const;
    runTalk(acquired.commands[command].talk(acquired.actors, value, 0, here), { ...run, give: (v) => acquired.give(v) }, (end) => {
      outcome = end.ok ? 'done' : end.why;
    });
    await board.run(seconds);
    return outcome;
  };
  return { board, acquired, readings, latest, order };
}

const near = (widths: readonly number[], wanted: number): readonly number[] => widths.filter((w) => Math.abs(w - wanted) > 15);

describe.skipIf(!there)(`StandardFirmata on simavr (${SKIPPED})`, () => {
  test('is identified and read, and connecting moves nothing', async () => {
    const { board, acquired, latest, readings } = await started();
    expect(acquired.id).toMatchObject({ firmware: expect.stringMatching(/^StandardFirmata\.ino 2\.\d/) });
    // Its own LED blinks the version.
    expect(board.changes.filter((c) => c.pin !== 13)).toEqual([]);
    expect(['mirror', 'pump', 'lamp', 'door', 'reset'].map(latest)).toEqual(['unknown', 'unknown', 'off', true, false]);
    expect(Number(latest('diode'))).toBeCloseTo(1.25, 1);
    expect(readings.filter((r) => r.quality === 'bad')).toEqual([]);
  });

  test('a servo is never driven to its middle: not the first, and not one beside another', async () => {
    const { board, order, latest } = await started();
    expect(await order('shutter', 'open')).toBe('done');
    const first = pulses(board.changes, 9);
    expect(first.length).toBeGreaterThan(20);
    expect(near(first, 800)).toEqual([]);
    expect(await order('mirror', 'in')).toBe('done');
    expect(near(pulses(board.changes, 10), 900)).toEqual([]);
    const at = board.clock.mono();
    expect(await order('shutter', 'closed')).toBe('done');
    expect(near(pulses(board.changes, 9, at + 0.05), 1700)).toEqual([]);
    // The other one goes on as it was.
    expect(near(pulses(board.changes, 10), 900)).toEqual([]);
    expect(latest('mirror')).toBe('in');
  });

  test('attached without a pulse it would be: that is why mode and pulse are one write', async () => {
    const { board } = await started();
    board.inject(0xf4, 9, 4);
    await board.run(0.3);
    expect(near(pulses(board.changes, 9), 1500)).toEqual([]);
    expect(pulses(board.changes, 9).length).toBeGreaterThan(5);
  });

  test('a pulse that is sent before the mode is lost', async () => {
    const { board } = await started();
    board.inject(0xe9, 0x20, 6);
    await board.run(0.05);
    board.inject(0xf4, 9, 4);
    await board.run(0.3);
    expect(near(pulses(board.changes, 9), 1500)).toEqual([]);
  });

  test('outputs follow their orders, end switches and contacts are reported', async () => {
    const { board, order, latest, readings } = await started();
    expect(await order('lamp', 'on')).toBe('done');
    expect(await order('pump', 'on')).toBe('done');
    expect(board.changes.filter((c) => [12, 19].includes(c.pin)).map(({ pin, on }) => [pin, on])).toEqual([
      [12, true],
      [19, true],
    ]);
    expect([latest('lamp'), latest('pump')]).toEqual(['on', 'on']);
    expect(await order('shutter', 'open')).toBe('done');
    expect(latest('shutter')).toBe('stuck');
    await board.pin(4, false);
    await board.run(0.3);
    expect([latest('shutter'), latest('shutter_at_open')]).toEqual(['open', true]);
    const from = readings.length;
    await board.pin(2, true);
    await board.run(0.02);
    expect(
      readings
        .slice(from)
        .filter((r) => r.from === 'optics.door' && r.quality === 'good')
        .at(-1),
    ).toMatchObject({ value: false });
    await board.analog(0, 2.5);
    await board.run(0.1);
    expect(Number(latest('diode'))).toBeCloseTo(2.5, 1);
  });

  test('a reset in mid-session is seen, and the next orders are carried out', async () => {
    const { board, order, latest, readings } = await started();
    await order('shutter', 'open');
    await order('lamp', 'on');
    const from = readings.length;
    await board.press();
    await board.run(6);
    expect(latest('shutter')).toMatch(/^bad: the board has been reset/);
    expect([latest('lamp'), latest('door')]).toEqual(['unknown', true]);
    expect(readings.slice(from).some((r) => r.from === 'optics.reset' && r.quality === 'good' && r.value === true)).toBe(true);
    expect(await order('lamp', 'on')).toBe('done');
    expect(latest('lamp')).toBe('on');
    expect(board.changes.at(-1)).toMatchObject({ pin: 12, on: true });
  });

  test('deaf in an unfinished sysex it hears the first question after the port has been opened', async () => {
    const { board, acquired } = await started();
    board.inject(0xf0, 0x6d, 9);
    await board.run(0.01);
    board.link.plug(false);
    await board.run(0.01);
    board.link.plug(true);
    await board.run(0.4);
    expect(acquired.state).toEqual({ is: 'running' });
  });

  test('the simulator gives the same answers', async () => {
    const board = uno(folder);
    onTestFinished(() => board.close());
    // What is open at a pin is low there, as on the simulator.
    for (let pin = 2; pin < 20; pin++) await board.pin(pin, pin === 5);
    await board.run(3);
    const bare: Outside = { level: (pin) => pin === 5, analog: () => 0, i2c: () => undefined, written: () => {} };
    const { asks, tells } = firmata();
    const twin = chip();
    const state = (...pins: readonly number[]) => pins.flatMap((pin) => [0xf0, 0x6d, pin, 0xf7]);
    const script: readonly (readonly number[])[] = [
      state(0, 2, 9, 13, 14, 19, 20, 100),
      [0xf0, 0x69, 0xf7],
      [0xf4, 5, 0, 0xd0, 1],
      [0xd0, 0, 0xd0, 1],
      state(5),
      [0xf4, 9, 1, 0x91, 2, 0, ...state(9)],
      [0x91, 0, 0, ...state(9, 8)],
      [0xf4, 9, 4, ...state(9)],
      [0xe9, 0x20, 6, ...state(9)],
      [0xe9, 0x5a, 0, ...state(9)],
      [0xf4, 9, 1, ...state(9)],
      [0xf0, 0x70, 10, 0x68, 7, 0x50, 0x0f, 0xf7, 0xea, 0x5c, 0x0b, ...state(10)],
      [0xf4, 3, 3, 0xe3, 0x7f, 1, ...state(3)],
      [0xf4, 2, 3, ...state(2)],
      [0xf4, 2, 0x60, ...state(2)],
      [0xf4, 0, 1, ...state(0)],
      [0xf0, 0x6f, 3, 0x10, 0, 0xf7, ...state(3)],
      [0xf4, 14, 1, ...state(14)],
      [0xf4, 14, 0, ...state(14)],
      [0xd2, 1],
      [0xd9, 1],
      [0xf4, 7],
      [1, ...state(7)],
      [0x05, 0x06, 0xf8, 0xf7, ...state(7)],
      [0xf0, 0x6d],
      [0xf4, 9, 1],
      [0xf7, ...state(9)],
      [0xff, ...state(3, 5, 9, 10, 14)],
      [0xd0, 0],
    ];
    // And things by chance, each followed by the state of its pin.
    const modes = [0, 1, 1, 2, 3, 4, 4];
    const chance = Array.from({ length: 120 }, (_, n): readonly number[] => {
      const pick = (name: string, among: number): number => Math.floor(among * uniform(5, name, n));
      const pin = 2 + pick('pin', 18);
      const [what, value] = [pick('what', 6), pick('value', 0x80)];
      if (what === 0) return [0x90 | pick('port', 3), value, pick('high', 2), ...state(pin)];
      if (what === 1 && pin < 16) return [0xe0 | pin, value, pick('high', 20), ...state(pin)];
      if (what === 2) return [0xf0, 0x6f, pin, value, pick('high', 4), 0xf7, ...state(pin)];
      if (what === 3) return [0xd0 | pick('port', 3), pick('on', 2)];
      return [0xf4, pin, modes[pick('mode', modes.length)] ?? 0, ...state(pin)];
    });
    const decode = asks.decoder();
    for (const bytes of [...script, [0xff], ...chance]) {
      const from = board.said.length;
      board.inject(...bytes);
      await board.run(0.04);
      const got = tells.decoder()(Uint8Array.from(board.said.slice(from)));
      const want = decode(Uint8Array.from(bytes)).flatMap((q) =>
        q instanceof Fault ? [] : q.flatMap((c) => [...hear(twin, c, 1, bare), ...speak(twin, 1, bare)]),
      );
      const told = (all: readonly (FirmataTell | Fault)[]): unknown[] => all.filter((m) => !(m instanceof Fault) && m.say !== 'analog');
      expect(told(got), bytes.map((b) => b.toString(16)).join(' ')).toEqual(told(want));
    }
  });
});
