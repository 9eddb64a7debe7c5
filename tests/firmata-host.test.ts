/** The optics board in a whole laboratory: orders and their outcomes, leases, a reset in mid-session, the guardian. */
import { describe, expect, test } from 'vitest';
import firmataSimulator from '../simulators/firmata-board.ts';
import { catalogue } from '../src/catalogue.ts';
import { virtualClock } from '../src/clock.ts';
import type { OrderEntry } from '../src/entry.ts';
import { safeMaker } from '../src/guardian/make-safe.ts';
import { simulatedLink } from '../src/links/simulated.ts';
import { universe } from '../src/simulate.ts';
import { laboratory, rigOf } from './laboratory.ts';
import { prepared } from './prepared.ts';

const known = await catalogue();
const parts = {
  shutter: { part: 'shutter', pin: 9, angles: { open: 20, closed: 110 }, ends: { open: 4, closed: 5 }, settle: '1 s', safe: 'closed' },
  pump: { part: 'relay', pin: 6, safe: 'off' },
  valve: { part: 'relay', pin: 7 },
};
type Device = ReturnType<typeof firmataSimulator.state>;

function lab() {
  const lease = { longest: 600, deadline: 2, then: 'safe', bare: true } as const;
  const rig = rigOf('firmata-board', known, { options: { parts }, leases: { shutter: lease, pump: lease } });
  const one = laboratory(rig, known);
  one.clock.advance(2);
  const device = one.simulated.device('firmata-board')?.state as Device; // the state of this simulator
  const order = (command: string, written: string, seconds = 4): OrderEntry | undefined => {
    let end: OrderEntry | undefined;
    one.host.order({ by: 'test', instrument: 'firmata-board', command, written }, (o) => {
      end = o;
    });
    one.clock.advance(seconds);
    return end;
  };
  return { ...one, device, order };
}

describe('an order', () => {
  test('is done when the end switch shows it', () => {
    const { order, device } = lab();
    expect(order('shutter', 'open')).toMatchObject({ outcome: 'done' });
    expect(device.parts[0]?.at).toBeCloseTo(800, 6);
    expect(order('shutter', 'closed')).toMatchObject({ outcome: 'done' });
    expect(order('valve', 'on', 1)).toMatchObject({ outcome: 'done' });
    expect(order('valve', 'half', 1)).toMatchObject({ outcome: 'refused', why: 'the value must be one of on, off' });
  });

  test('whose end switch contradicts it has failed, and the shutter is made safe', () => {
    const { order, device, readings, clock } = lab();
    if (device.parts[0]) device.parts[0].trouble = 'switch';
    expect(order('shutter', 'open')).toMatchObject({
      outcome: 'failed',
      why: expect.stringContaining('shutter shows stuck instead of open'),
    });
    clock.advance(2);
    expect(readings('firmata-board.shutter').at(-1)).toMatchObject({ value: 'closed' });
    expect(device.parts[0]?.at).toBeCloseTo(1700, 6);
  });
});

test('a board that is reset while a shutter is open: no evidence, so it is closed when the board is back', () => {
  const { order, device, clock, entries } = lab();
  expect(order('shutter', 'open')).toMatchObject({ outcome: 'done' });
  expect(order('pump', 'on')).toMatchObject({ outcome: 'done' });
  device.resetAt = clock.mono();
  clock.advance(12);
  const ends = entries.flatMap((e) => (e.kind === 'order' && e.order.outcome ? [e.order] : []));
  expect(ends.filter((o) => o.value === 'closed' && o.outcome === 'done').length).toBeGreaterThan(0);
  expect(device.parts[0]?.at).toBeCloseTo(1700, 6);
  expect(device.chip.levels[6]).toBe(false);
});

test('the guardian closes the shutter and leaves what else is on the port as it is', () => {
  const clock = virtualClock();
  const device = universe(1, clock).device('board', firmataSimulator, { parts });
  const state = device.state as Device; // as above
  const port = device.ports.main;
  port.receive(Uint8Array.of(0xf4, 7, 1, 0xf5, 7, 1, 0xf4, 6, 1, 0xf5, 6, 1, 0xf4, 9, 4, 0xe9, 0x20, 6));
  clock.advance(1);
  expect(state.parts[0]?.at).toBeCloseTo(800, 6);
  // A host that has died in the middle of a sysex.
  port.receive(Uint8Array.of(0xf0, 0x6f));
  const id = { firmware: 'StandardFirmata.ino 2.5', pins: { 9: 9, 4: 4, 5: 5, 6: 6, 7: 7 }, channels: {}, bits: {} };
  const output = (command: string) =>
    prepared(`board.${command}`, { instrument: 'board', model: 'firmata-board', command, options: { parts }, id, links: { main: 'wire' } });
  const safe: string[] = [];
  const maker = safeMaker({ catalogue: known, clock, open: () => simulatedLink([port], clock, { baud: 57600 }) });
  const round = maker.begin([output('shutter'), output('pump')], (name) => safe.push(name));
  clock.advance(4);
  expect(safe.sort()).toEqual(['board.pump', 'board.shutter']);
  round.end();
  expect(state.parts[0]?.at).toBeCloseTo(1700, 6);
  expect([state.chip.levels[6], state.chip.levels[7]]).toEqual([false, true]);
});
