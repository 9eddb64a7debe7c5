/** The simulated digitizer alone: its registers, and frames as a foreign reader takes them from the wire. */
import { crc32 } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { DIGITIZER_REGISTERS, DIGITIZER_STATUS, DIGITIZER_VERSION } from '../../protocols/digitizer-registers.ts';
import { concat, Fault } from '../../protocols/protocol.ts';
import { type RbcpAsk, rbcp } from '../../protocols/rbcp.ts';
import { type WaveformFrame, waveformFrames } from '../../protocols/waveform-frames.ts';
import { DIGITIZER_64, frameBytes } from '../../protocols/waveform-layout.ts';
import digitizer from '../../simulators/sitcp-digitizer.ts';
import { type DetectorWorld, detector } from '../../simulators/worlds/detector.ts';
import { virtualClock } from '../../src/clock.ts';
import { FLAG } from '../../src/derive/hits.ts';
import { features, PULSE } from '../../src/derive/waveform.ts';
import { waveformSource } from '../../src/derive/waveform-source.ts';
import { universe } from '../../src/simulate.ts';
import { Refused } from '../../src/talk.ts';

const R = DIGITIZER_REGISTERS;
const LED = { kind: 'led', rate: 20, pe: 40 };

function bench(given: Readonly<Record<string, unknown>> = {}, seed = 3) {
  const options = digitizer.options.parse(given);
  if (options instanceof Refused) throw new Error(options.why);
  const clock = virtualClock();
  const all = universe(seed, clock);
  const device = all.device('board', digitizer, options);
  const pieces: Uint8Array[] = [];
  const tells: ReturnType<typeof codec.asks.encode>[] = [];
  const codec = rbcp();
  device.ports.data.says.subscribe(({ bytes }) => pieces.push(bytes));
  device.ports.control.says.subscribe(({ bytes }) => tells.push(bytes));
  const ask = (q: RbcpAsk) => {
    device.ports.control.receive(codec.asks.encode(q));
    clock.advance(0.002);
    const [tell] = codec.tells.decoder()(tells.splice(0).at(-1) ?? new Uint8Array(0));
    if (tell === undefined || tell instanceof Fault) throw new Error('no answer');
    return tell;
  };
  return {
    clock,
    pieces,
    world: all.of(detector) as DetectorWorld,
    ask,
    read(name: keyof typeof R, index = 0): number | undefined {
      const { address, bytes } = R[name];
      const { busError, data } = ask({ command: 'read', address: address + index * bytes, length: bytes });
      return busError ? undefined : data.reduce((n, byte) => n * 256 + byte, 0);
    },
    write(name: keyof typeof R, value: number, index = 0): boolean {
      const { address, bytes } = R[name];
      const data = Uint8Array.from({ length: bytes }, (_, i) => Math.floor(value / 256 ** (bytes - 1 - i)) % 256);
      return !ask({ command: 'write', address: address + index * bytes, data }).busError;
    },
    frames(): WaveformFrame[] {
      const decoder = waveformFrames(DIGITIZER_64, crc32).tells.decoder();
      return pieces.flatMap((bytes) => decoder(bytes)).filter((m): m is WaveformFrame => !(m instanceof Fault));
    },
    counts() {
      const source = waveformSource(DIGITIZER_64, {}, crc32);
      const flags: number[] = [];
      for (const bytes of pieces) source.take(bytes, 0, (block) => flags.push(...block.flags.subarray(0, block.count)));
      source.end((block) => flags.push(...block.flags.subarray(0, block.count)));
      return { ...source.counts, flags };
    },
  };
}
type Bench = ReturnType<typeof bench>;
const channel = (frame: WaveformFrame, c: number): Uint16Array => frame.samples.subarray(256 * c, 256 * (c + 1));

describe('registers', () => {
  test('identity, status and what stands at power-up', () => {
    const b = bench();
    expect(b.read('version')).toBe(DIGITIZER_VERSION);
    expect(b.read('status')).toBe(DIGITIZER_STATUS.locked | DIGITIZER_STATUS.running);
    expect([b.read('threshold', 0), b.read('threshold', 63)]).toEqual([20, 20]);
    expect(b.read('preTrigger')).toBe(25);
    const all = b.ask({ command: 'read', address: R.threshold.address, length: 128 });
    expect(all).toMatchObject({ busError: false, ack: true });
    expect(all.data).toHaveLength(128);
  });
  test('what may be written is kept, all else is a bus error and changes nothing', () => {
    const b = bench();
    expect(b.write('threshold', 300, 63)).toBe(true);
    expect([b.read('threshold', 62), b.read('threshold', 63)]).toEqual([20, 300]);
    expect(b.write('threshold', 4096, 5)).toBe(false);
    expect(b.read('threshold', 5)).toBe(20);
    expect(b.write('version', 1)).toBe(false);
    expect(b.write('frames', 1)).toBe(false);
    expect(b.read('version')).toBe(DIGITIZER_VERSION);
    expect(b.ask({ command: 'read', address: 0x0300, length: 1 }).busError).toBe(true);
    expect(b.ask({ command: 'read', address: R.threshold.address + 126, length: 4 }).busError).toBe(true);
    expect(b.ask({ command: 'read', address: 0xffffff10, length: 16 }).busError).toBe(false);
  });
});

describe('a run', () => {
  test('each flash over the threshold is a frame of all channels, with the pulse where the trigger is', () => {
    const b = bench({ sources: [LED], dark: 0 });
    b.clock.advance(5);
    const frames = b.frames();
    const events = b.world.events(0);
    expect(frames.length).toBeGreaterThan(60);
    expect(frames.length).toBeGreaterThanOrEqual(events.length - 1);
    expect(frames.map((f) => f.number)).toEqual(frames.map((_, i) => i));
    for (const [i, frame] of frames.entries()) {
      // The first sample was taken 25 ticks before the trigger.
      expect(Math.abs((frame.time + 25) * 4e-9 - events[i].t)).toBeLessThan(4.1e-9);
      for (const c of [0, 31, 63]) {
        const of = features(channel(frame, c));
        expect(of.peakAt).toBeGreaterThanOrEqual(25);
        expect(of.peakAt).toBeLessThanOrEqual(28);
        expect(of.flags & (FLAG.saturated | FLAG.empty)).toBe(0);
        const wanted = events[i].pe[c] * 16 * b.world.gain(c, events[i].t);
        expect(Math.abs(of.charge - wanted)).toBeLessThan(0.12 * wanted + 8 * 16 * 0.3 * Math.sqrt(40));
      }
    }
    expect(b.read('frames')).toBe(frames.length);
    expect(b.read('lost')).toBe(0);
  });
  test('stops and begins again by its register, with its counters at 0 and its clock going on', () => {
    const b = bench({ sources: [LED], running: 'off' });
    b.clock.advance(2);
    expect(b.pieces).toHaveLength(0);
    expect(b.read('status')).toBe(DIGITIZER_STATUS.locked);
    b.write('run', 1);
    b.clock.advance(2);
    b.write('run', 0);
    b.clock.advance(0.05);
    const first = b.pieces.length;
    expect(first).toBeGreaterThan(15);
    b.clock.advance(2);
    expect(b.pieces).toHaveLength(first);
    b.write('run', 1);
    expect(b.read('frames')).toBe(0);
    b.clock.advance(2);
    const frames = b.frames();
    expect(frames[first].number).toBe(0);
    expect(frames[0].time * 4e-9).toBeGreaterThan(2);
    expect(frames[first].time * 4e-9).toBeGreaterThan(6);
  });
  test('a channel whose threshold is 0 or too high does not trigger', () => {
    const b = bench({ sources: [LED], running: 'off' });
    b.ask({ command: 'write', address: R.threshold.address, data: new Uint8Array(128) });
    b.write('run', 1);
    b.clock.advance(2);
    expect(b.pieces).toHaveLength(0);
    b.write('threshold', 4095, 7);
    b.clock.advance(2);
    expect(b.pieces).toHaveLength(0);
    b.write('threshold', 30, 7);
    b.clock.advance(2);
    expect(b.frames().length).toBeGreaterThan(20);
  });
  test('pre-trigger and divider move and stretch the record', () => {
    const b = bench({ sources: [LED], dark: 0 });
    b.write('preTrigger', 100);
    b.clock.advance(1);
    expect(features(channel(b.frames()[2], 5)).peakAt).toBeGreaterThanOrEqual(100);
    expect(features(channel(b.frames()[2], 5)).peakAt).toBeLessThanOrEqual(103);
    const before = b.frames().length;
    b.write('divider', 4);
    b.clock.advance(1);
    const [frame] = b.frames().slice(before + 1);
    const at = features(channel(frame, 5), { ...PULSE, intervalNs: 16 }).peakAt;
    expect(at).toBeGreaterThanOrEqual(99);
    expect(at).toBeLessThanOrEqual(102);
  });
  test('test pulses come at their rate, on every channel, as high as they are set', () => {
    const b = bench({ sources: [], dark: 0 });
    b.clock.advance(1);
    expect(b.pieces).toHaveLength(0);
    b.write('testRate', 50);
    b.write('testHeight', 800);
    b.write('testPulse', 1);
    b.clock.advance(2);
    const frames = b.frames();
    expect(Math.abs(frames.length - 100)).toBeLessThan(4);
    const gaps = frames.slice(1).map((f, i) => (f.time - frames[i].time) * 4e-9);
    for (const gap of gaps) expect(gap).toBeCloseTo(0.02, 7);
    for (const c of [0, 17, 63]) {
      expect(features(channel(frames[3], c)).peak).toBeGreaterThan(650);
      expect(features(channel(frames[3], c)).peak).toBeLessThan(900);
    }
    b.write('testPulse', 0);
    const so = b.pieces.length;
    b.clock.advance(1);
    expect(b.pieces.length - so).toBeLessThan(2);
  });
  test('positive pulses', () => {
    const b = bench({ sources: [LED], polarity: 'positive', baseline: 200 });
    b.clock.advance(1);
    const of = features(channel(b.frames()[1], 3), { ...PULSE, polarity: 'positive' });
    expect(of.baseline).toBeGreaterThan(190);
    expect(of.baseline).toBeLessThan(210);
    expect(of.peak).toBeGreaterThan(100);
  });
  test('the same seed gives the same bytes, whoever reads registers meanwhile', () => {
    const bytes = (b: Bench, busy: boolean): Uint8Array => {
      for (let i = 0; i < 30; i++) {
        if (busy) b.read('status');
        else b.clock.advance(0.002);
        b.clock.advance(0.098);
      }
      return concat(...b.pieces);
    };
    const quiet = bytes(bench(), false);
    expect(quiet.length).toBeGreaterThan(4 * frameBytes(DIGITIZER_64));
    expect(bytes(bench(), true)).toEqual(quiet);
    expect(bytes(bench({}, 4), false)).not.toEqual(quiet);
  });
});

describe('what goes wrong on request is what a reader counts', () => {
  const SECONDS = 10;
  const busy = (given: Readonly<Record<string, unknown>>): Bench => {
    const b = bench({ sources: [LED], ...given });
    b.clock.advance(SECONDS);
    return b;
  };
  test('nothing', () => {
    const b = busy({});
    expect(b.counts()).toMatchObject({ missing: 0, doubled: 0, late: 0, damaged: 0, junk: 0, lost: 0, frames: b.read('frames') });
  });
  test('frames that are dropped', () => {
    const b = busy({ drop: 0.1 });
    const { missing, frames } = b.counts();
    expect(missing).toBeGreaterThan(5);
    // Those after the last that came are not known of.
    expect(frames + missing).toBeGreaterThan((b.read('frames') ?? 0) - 5);
    expect(frames + missing).toBeLessThanOrEqual(b.read('frames') ?? 0);
  });
  test('frames that come twice, and after the next', () => {
    const twice = busy({ duplicate: 0.1 });
    const { doubled, frames } = twice.counts();
    expect(doubled).toBeGreaterThan(5);
    expect(frames - doubled).toBe(twice.read('frames'));
    const late = busy({ reorder: 0.1 }).counts();
    expect(late.late).toBeGreaterThan(5);
    expect(late.missing).toBe(0);
  });
  test('wrong bits and noise', () => {
    const wrong = busy({ flip: 0.1 }).counts();
    expect(wrong.damaged + wrong.resynced).toBeGreaterThan(5);
    const noise = busy({ junk: 0.3 });
    const { junk, frames } = noise.counts();
    expect(junk).toBeGreaterThan(100);
    expect(frames).toBe(noise.read('frames'));
  });
  test('what the board has no room for, by its register and in the next frame', () => {
    const b = busy({ overflow: 0.1 });
    const lost = b.read('lost') ?? 0;
    expect(lost).toBeGreaterThan(5);
    expect(b.read('status')).toBe(DIGITIZER_STATUS.locked | DIGITIZER_STATUS.running | DIGITIZER_STATUS.overflow);
    const { flags, lost: told, missing } = b.counts();
    expect(told).toBeGreaterThan(5);
    expect(told).toBeLessThanOrEqual(lost);
    expect(missing).toBe(0);
    expect(flags.some((flag) => (flag & FLAG.lostBefore) !== 0)).toBe(true);
  });
  test('number and time roll over', () => {
    const b = busy({ frames_to_roll: 5, time_to_roll: '2 s' });
    const frames = b.frames();
    expect(frames.slice(0, 7).map((f) => f.number)).toEqual([2 ** 32 - 5, 2 ** 32 - 4, 2 ** 32 - 3, 2 ** 32 - 2, 2 ** 32 - 1, 0, 1]);
    expect(frames.filter((f, i) => i > 0 && f.time < frames[i - 1].time)).toHaveLength(1);
    expect(b.counts()).toMatchObject({ missing: 0, late: 0, doubled: 0, frames: frames.length });
  });
  test('a board that stands still', () => {
    const b = busy({ stalls: ['3 s', '6 s'] });
    const times = b.frames().map((f) => f.time * 4e-9);
    expect(times.filter((t) => t > 3 && t < 5.999)).toEqual([]);
    expect(times.filter((t) => t > 6).length).toBeGreaterThan(30);
    expect(b.frames().filter((f) => f.lost === true)).toHaveLength(1);
    expect(b.read('lost')).toBeGreaterThan(30);
  });
});

describe('a flood', () => {
  test('is as many good frames a second as wanted, with number, time and CRC of their own', () => {
    const b = bench({ flood: 400, frames_to_roll: 100 });
    b.clock.advance(1.001);
    const frames = b.frames();
    expect(frames.length).toBe(400);
    expect(b.counts()).toMatchObject({ frames: 400, missing: 0, damaged: 0, junk: 0, late: 0, doubled: 0 });
    expect(frames.map((f) => f.number)).toEqual(frames.map((_, i) => (2 ** 32 - 100 + i) % 2 ** 32));
    for (const [i, f] of frames.entries()) expect(f.time).toBe((i * 250e6) / 400);
    expect(new Set(frames.slice(0, 32).map((f) => f.samples.join())).size).toBe(32);
    expect(frames.slice(0, 32).every((f) => f.samples.some((sample) => sample < 1985))).toBe(true);
    b.write('run', 0);
    const so = b.pieces.length;
    b.clock.advance(1);
    expect(b.pieces).toHaveLength(so);
  });
});

test('options say what would be right', () => {
  const why = (given: unknown): string => {
    const read = digitizer.options.parse(given);
    return read instanceof Refused ? read.why : 'taken';
  };
  expect(why({ drop: 2 })).toBe('drop: must be from 0 to 1');
  expect(why({ sources: [{ kind: 'cf25', rate: 5 }] })).toMatch(/sources: 0: kind: "cf25" is none of .*cf252/);
  expect(why({ sources: [{ kind: 'cf252', place: 5 }] })).toMatch(/there is no "place" here/);
  expect(why({ sources: [{ kind: 'cf252', at: [1, 2] }] })).toMatch(/sources: 0: at: must be three/);
  expect(why({ sources: 'cf252' })).toMatch(/must be a list/);
  expect(why({ box: ['10 cm', '0 cm', '5 cm'] })).toMatch(/box: 1: must be above zero/);
  expect(why({ loading: { fraction: 3 } })).toMatch(/loading: fraction: must be from 0 to 1/);
  expect(why({ sources: [{ kind: 'ibd', rate: '10 Hz', direction: { theta: '70 deg', phi: 50 } }] })).toBe('taken');
  expect(why({ faults: [{ channel: 1024, does: 'dead' }] })).toMatch(/channel: must be a whole number from 0 to 1023/);
  const given = digitizer.options.parse({ sources: [{ kind: 'cf252', rate: 5, at: ['20 cm', 0, '-5 mm'], direction: [0, 0, 2] }] });
  if (given instanceof Refused) throw new Error(given.why);
  expect(given.sources?.[0]).toMatchObject({ kind: 'cf252', rate: 5, direction: [0, 0, 1] });
  const [x, y, z] = given.sources?.[0].at ?? [];
  expect([x, y, z].map((v) => Number(v?.toFixed(9)))).toEqual([20, 0, -0.5]);
});
