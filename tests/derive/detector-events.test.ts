/** Events from hits, by hand; maps from plain numbers; and what is said of a detector's channels. */
import { describe, expect, test } from 'vitest';
import { sensorsOf } from '../../simulators/worlds/detector-light.ts';
import { SETUP } from '../../simulators/worlds/detector-setup.ts';
import { type DetectorEvent, type EventOptions, eventBuilder } from '../../src/derive/detector-events.ts';
import { ARRANGEMENTS, arranged, mapOf } from '../../src/derive/detector-map.ts';
import { vertices } from '../../src/derive/detector-vertices.ts';
import { detectorWatch } from '../../src/derive/detector-watch.ts';
import { FLAG } from '../../src/derive/hits.ts';
import type { Point } from '../../src/derive/response-map.ts';
import { measured, sound, worldOf } from './detector-run.ts';
import { blockOf, type Row, uniform } from './hit-rows.ts';

const options: EventOptions = { channels: 2, scale: { slope: [0.5, 0.25], offset: [0, 0.125] } };

function events(rows: readonly (readonly Row[])[], change: Partial<EventOptions> = {}): DetectorEvent[] {
  const build = eventBuilder({ ...options, ...change });
  const got: DetectorEvent[] = [];
  const give = (e: DetectorEvent): number => got.push({ ...e, charge: e.charge.slice() });
  for (const block of rows) build.take(blockOf(block), give);
  build.end(give);
  return got;
}

describe('events', () => {
  const frame: readonly Row[] = [
    { t: 100, channel: 0, charge: 4, tail: 1, frame: 7 },
    { t: 108, channel: 1, charge: 16, tail: 8, frame: 7 },
  ];
  test('add up the channels by their scale; time is that of the largest', () => {
    expect(events([frame])).toEqual([{ t: 108, energy: 6.125, shape: 2.5 / 6, flags: 0, hits: 2, charge: Float64Array.of(4, 16) }]);
  });
  test('a frame in two blocks is one event, two frames in one block are two', () => {
    expect(events([frame.slice(0, 1), frame.slice(1)])).toEqual(events([frame]));
    const next = frame.map((row) => ({ ...row, frame: 8, t: (row.t ?? 0) + 1000 }));
    expect(events([[...frame, ...next]]).map((e) => e.t)).toEqual([108, 1108]);
  });
  test('one frame number at another time is another event', () => {
    expect(events([frame, frame.map((row) => ({ ...row, t: (row.t ?? 0) + 5e6 }))])).toHaveLength(2);
  });
  test('of several boards, what lies within the time of the first is one event, whatever its frame; what is out of order belongs to none', () => {
    const rows: readonly Row[] = [
      { t: 100, channel: 0, charge: 4, tail: 1, frame: 7 },
      { t: 120, channel: 1, charge: 16, tail: 8, frame: 900 },
      { t: 60, channel: 0, charge: 50, frame: 6, flags: FLAG.late },
      { t: 121, channel: 0, charge: 8, tail: 1, frame: 8 },
      { t: 5000, channel: 0, charge: 8, tail: 1, frame: 8 },
    ];
    const joined = { within: 20 };
    const whole = events([rows], joined);
    expect(whole.map(({ t, energy }) => [t, energy])).toEqual([
      [120, 6.125],
      [121, 4],
      [5000, 4],
    ]);
    expect(
      events(
        rows.map((row) => [row]),
        joined,
      ),
    ).toEqual(whole);
    expect(() => eventBuilder({ ...options, within: -1 })).toThrow(/within/);
  });
  test('pulses without a shape have no say in it, and half of them leave none', () => {
    const [a = {}, b = {}] = frame;
    const [little] = events([[{ ...a, flags: FLAG.saturated }, b]]);
    expect(little).toMatchObject({ energy: 6.125, shape: 0.5, flags: FLAG.saturated });
    const [most] = events([[a, { ...b, flags: FLAG.cut }]]);
    expect(most).toMatchObject({ energy: 6.125, shape: Number.NaN, flags: FLAG.cut });
  });
  test('strangers and channels without a pulse are left out', () => {
    const build = eventBuilder({ ...options, channels: 1, firstChannel: 1 });
    let last: number | undefined;
    build.take(
      blockOf([...frame, { charge: Number.NaN, channel: 1, frame: 7 }, { channel: 1, frame: 7, flags: FLAG.empty, charge: 9 }]),
      () => {},
    );
    build.end((e) => {
      last = e.energy;
    });
    expect([last, build.strangers]).toEqual([4.125, 2]);
  });
  test('what cannot be is refused', () => {
    expect(() => eventBuilder({ ...options, channels: 3 })).toThrow(/too short/);
    expect(() => eventBuilder({ ...options, channels: 0 })).toThrow(RangeError);
  });
});

describe('maps', () => {
  test.each(ARRANGEMENTS)('channels on %s stand where those of the simulated detector do', (map) => {
    const box = [30, 32, 34] as const;
    const { positions, facing } = arranged(box, map);
    const sensors = sensorsOf({ box, map });
    for (const [c, { place, normal }] of sensors.entries()) {
      for (const a of [0, 1, 2] as const) {
        expect(positions[c]?.[a], `${c}`).toBeCloseTo(place[a], 12);
        expect(facing[c]?.[a]).toBeCloseTo(normal[a], 12);
      }
    }
  });
  const world = worldOf(1, [], { unlike: 0 });
  const geometry = { box: SETUP.box, channels: 'walls', attenuation: SETUP.attenuation, scattered: SETUP.scattered, radius: 3.2 } as const;
  test('computed ones agree with the light of the simulated detector, and so do measured ones between their points', () => {
    const [computed, grid] = [sound(mapOf(geometry)), sound(mapOf(measured(world)))];
    const places: readonly Point[] = [
      [0, 0, 0],
      [5, -3, 8],
      [-9, 9, -9],
      [8, 1, 2],
    ];
    for (const place of places) {
      const light = world.response(place);
      const [a, b] = [new Float64Array(64), new Float64Array(64)];
      computed.at(...place, a);
      grid.at(...place, b);
      for (const [c, want] of light.entries()) {
        expect(Math.abs(((a[c] ?? 0) * SETUP.light) / want - 1), `${place} ${c}`).toBeLessThan(0.06);
        expect(Math.abs((b[c] ?? 0) / want - 1), `${place} ${c}`).toBeLessThan(0.15);
      }
    }
  });
  test('channels at given places look into the box', () => {
    const { positions } = arranged(SETUP.box, 'walls');
    const [a, b] = [new Float64Array(64), new Float64Array(64)];
    sound(mapOf(geometry)).at(3, 4, 5, a);
    sound(mapOf({ ...geometry, channels: positions })).at(3, 4, 5, b);
    expect(b).toEqual(a);
  });
  test('what is wrong is a sentence', () => {
    expect(mapOf({ ...geometry, box: [0, 1, 1] })).toMatch(/sides must be above 0/);
    expect(mapOf({ ...geometry, scattered: 1 })).toMatch(/scattered/);
    expect(mapOf({ ...geometry, channels: [] })).toMatch(/no channel/);
    expect(mapOf({ channels: [[0, 0, 0]], x: [0], y: [0], z: [0], values: [1, 2] })).toMatch(/2 values/);
  });
});

test('a candidate is looked for once, is forgotten when it is old, and has no place where it has no light', () => {
  const all = vertices({ map: sound(mapOf({ box: SETUP.box, channels: 'walls' })), photoelectron: 16 }, 2);
  const event = (t: number, charge: number): DetectorEvent => ({
    t,
    energy: 1,
    shape: 0.1,
    flags: 0,
    hits: 64,
    charge: new Float64Array(64).fill(charge),
  });
  all.keep(event(1, 160));
  all.keep(event(2, 0));
  expect(all.place(1, 1)?.method).toBe('likelihood');
  for (const x of all.place(1, 1)?.at ?? [99]) expect(Math.abs(x)).toBeLessThan(0.01);
  expect(all.fits).toBe(1);
  expect([all.place(2, 1), all.place(3, 1), all.place(1, 2)]).toEqual([undefined, undefined, undefined]);
  all.keep(event(4, 160));
  expect(all.place(1, 1)).toBeUndefined();
});

describe('the channels of a detector', () => {
  /** A second of about 30 hits in every channel but those of `dead`. */
  const second = (random: () => number, dead: readonly number[], first: number): Row[] =>
    Array.from({ length: 8 * 30 }, () => ({
      channel: first + Math.floor(8 * random()),
      charge: 100 + 10 * random(),
      baseline: 2000,
      noise: 1,
    })).filter(({ channel }) => !dead.includes(channel));
  test.each([0, 64])('a channel that dies is named with the time, from channel %d on', (firstChannel) => {
    const watch = detectorWatch({ channels: 8, firstChannel, learn: 30 });
    const random = uniform(4);
    const day = 86_400e6;
    const said: unknown[] = [];
    for (let s = 1; s <= 200; s++) {
      watch.take(blockOf([...second(random, s > 150 ? [firstChannel + 5] : [], firstChannel), { channel: 3 }]));
      said.push(watch.look(1, day + (s - 1) * 1e6, day + s * 1e6));
    }
    expect(said[0]).toMatchObject({ channels: 'learning', channel: expect.arrayContaining(new Array(8).fill('learning')) });
    expect(said[148]).toMatchObject({
      channels: 'all well',
      channel: [...new Array(firstChannel).fill('absent'), ...new Array(8).fill('well')],
    });
    const last = Object(said.at(-1));
    expect(last.channels).toMatch(
      new RegExp(`^${firstChannel + 5} dead since 00:02:3\\d UTC \\(0\\.?\\d* instead of \\d+\\.?\\d* per second\\)$`),
    );
    expect(last.channel.slice(firstChannel)).toEqual(['well', 'well', 'well', 'well', 'well', 'dead', 'well', 'well']);
    watch.accept();
    expect(Object(watch.look(1, day + 200e6, day + 201e6)).channels).toMatch(/learning/);
  });
});
