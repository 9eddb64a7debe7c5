import { describe, expect, test } from 'vitest';
import { type ChannelLook, type ChannelWatchOptions, channelWatch } from '../../src/derive/channel-watch.ts';
import { FLAG } from '../../src/derive/hits.ts';
import { steady } from './channel-hits.ts';

const CHANNELS = 16;
/** From 3 to 60 per second. */
const RATES = Array.from({ length: CHANNELS }, (_, c) => 3 * 20 ** (c / (CHANNELS - 1)));

/** Runs for so many seconds; `change` gives the factor of each channel's rate. Gives all that was named, with its second. */
function run(
  seconds: number,
  change: (c: number, s: number) => number,
  seed = 1,
  rates = RATES,
  more: Partial<ChannelWatchOptions> = {},
): { readonly named: (ChannelLook['named'][number] & { readonly s: number })[]; readonly last: ChannelLook; readonly cleared: number } {
  const watch = channelWatch({ channels: rates.length, ...more });
  const next = steady(seed, rates.length);
  const named: (ChannelLook['named'][number] & { readonly s: number })[] = [];
  let cleared = 0;
  let last = watch.look(0, 0, 0);
  for (let s = 1; s <= seconds; s++) {
    watch.take(next((c) => (rates[c] ?? 0) * change(c, s)));
    last = watch.look(1, (s - 1) * 1e6, s * 1e6);
    for (const f of last.named) named.push({ ...f, s });
    cleared += last.cleared.length;
  }
  return { named, last, cleared };
}

describe('rates of channels', () => {
  test('an hour of steady Poisson rates names nothing', () => {
    const got = run(3600, () => 1, 11);
    expect(got.named).toEqual([]);
    expect([got.last.learning, got.last.blind, got.last.silent, got.last.findings]).toEqual([[], [], [], []]);
  });

  test.each([
    ['dead', 0],
    ['high', 2],
    ['hot', 20],
  ] as const)('a channel that gets %s is named within a minute, and no other', (kind, factor) => {
    for (const channel of [0, 7, 15]) {
      const { named, last } = run(700, (c, s) => (c === channel && s > 600 ? factor : 1), 5 + channel);
      expect(named.map((f) => f.channels)).toEqual([[channel]]);
      expect(named[0]).toMatchObject({ what: 'rate', common: false });
      expect(named[0]?.s).toBeLessThanOrEqual(660);
      expect(last.findings).toMatchObject([{ kind, channels: [channel] }]);
    }
  });

  test('a strong channel is named within seconds', () => {
    const { named } = run(330, (c, s) => (c === 15 && s > 300 ? 0 : 1));
    expect(named).toMatchObject([{ kind: 'dead' }]);
    expect(named[0]?.s).toBeLessThanOrEqual(303);
  });

  test('half of the channels dying are all named; a change of all of them is one finding', () => {
    const some = run(420, (c, s) => (s > 300 && c % 2 === 1 && c > 5 ? 0 : 1));
    expect(some.last.findings.map((f) => f.channels[0]).sort((a = 0, b = 0) => a - b)).toEqual([7, 9, 11, 13, 15]);
    const doubled = run(420, (_, s) => (s > 300 ? 2 : 1));
    expect(doubled.last.findings).toMatchObject([{ common: true, kind: 'high' }]);
    expect(doubled.last.findings[0]?.channels.length).toBeGreaterThan(10);
    const stopped = run(420, (_, s) => (s > 300 ? 0 : 1));
    expect(stopped.last.findings).toMatchObject([{ common: true, kind: 'dead' }]);
  });

  test('one that dies while all the others double is named', () => {
    const { last } = run(420, (c, s) => (s > 300 ? (c === 9 ? 0 : 2) : 1));
    expect(last.findings).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ common: false, channels: [9], kind: 'dead' }),
        expect.objectContaining({ common: true, kind: 'high' }),
      ]),
    );
    expect(last.findings.length).toBe(2);
  });

  test('one channel alone is judged by its own past', () => {
    const { last } = run(420, (_, s) => (s > 300 ? 3 : 1), 2, [40]);
    expect(last.findings).toMatchObject([{ channels: [0], kind: 'high' }]);
    expect(last.findings[0]?.was).toBeCloseTo(40, -1);
  });

  test('it is held against what was before, stands while it lasts, and is cleared when it is over', () => {
    const { last, named, cleared } = run(1200, (c, s) => (c === 8 && s > 300 && s < 900 ? 2.5 : 1));
    expect([named.length, cleared, last.findings.length]).toEqual([1, 1, 0]);
    const during = run(890, (c, s) => (c === 8 && s > 300 ? 2.5 : 1)).last.findings;
    expect(during[0]?.was).toBeGreaterThan(0.9 * (RATES[8] ?? 0));
    expect(during[0]?.was).toBeLessThan(1.1 * (RATES[8] ?? 0));
  });

  test('what is accepted is learnt again, without what was before', () => {
    const watch = channelWatch({ channels: 2, learn: 60 });
    const next = steady(4, 2);
    let t = 0;
    const go = (seconds: number, rates: readonly number[]): ChannelLook => {
      let last = watch.look(0, 0, 0);
      for (let s = 0; s < seconds; s++) {
        t += 1e6;
        watch.take(next((c) => rates[c] ?? 0));
        last = watch.look(1, t - 1e6, t);
      }
      return last;
    };
    go(200, [50, 50]);
    expect(go(30, [50, 200]).findings.length).toBe(1);
    watch.accept(1);
    expect(go(1, [50, 200])).toMatchObject({ findings: [], learning: [1] });
    expect(go(200, [50, 200])).toMatchObject({ findings: [], learning: [] });
    const got = go(1, [50, 200]).trace.columns.past?.data ?? [];
    expect(got[1]).toBeGreaterThan(180);
    expect(go(60, [50, 50]).findings).toMatchObject([{ channels: [1], kind: 'low' }]);
  });

  test('quiet ones are told to be blind, those without a pulse silent; live time is what counts', () => {
    const { last } = run(400, () => 1, 3, [20, 0.1, 0, 20, 20]);
    expect([last.blind, last.silent]).toEqual([[1], [2]]);
    const watch = channelWatch({ channels: 1 });
    const next = steady(9, 1);
    for (let s = 0; s < 600; s++) {
      // Every other second the board was dead for 0.9 s of it.
      const live = s % 2 === 0 ? 1 : 0.1;
      watch.take(next(() => 100 * live));
      expect(watch.look(live, s, s + 1).findings).toEqual([]);
    }
  });

  test('bursts are no change: what scatters more than Poisson needs more to be named', () => {
    const watch = channelWatch({ channels: 4 });
    const [burst, single] = [steady(21, 4), steady(22, 4)];
    const named: unknown[] = [];
    for (let s = 0; s < 3600; s++) {
      // Each pulse brings 19 others.
      const block = burst(() => 0.5);
      for (let i = 0; i < 20; i++) watch.take(block);
      watch.take(single(() => 1));
      named.push(...watch.look(1, s, s + 1).named);
    }
    expect(named).toEqual([]);
  });
});

describe('levels of channels', () => {
  const levels = (
    seconds: number,
    at: number,
    shift: { readonly charge?: number; readonly baseline?: number; readonly noise?: number },
  ) => {
    const watch = channelWatch({ channels: 4 });
    const next = steady(31, 4);
    const named: (ChannelLook['named'][number] & { readonly s: number })[] = [];
    for (let s = 1; s <= seconds; s++) {
      const block = next(() => 50);
      for (let i = 0; s > at && i < block.count; i++) {
        if (block.channel[i] !== 2) continue;
        block.charge[i] = (block.charge[i] ?? 0) * (shift.charge ?? 1);
        block.baseline[i] = (block.baseline[i] ?? 0) + (shift.baseline ?? 0);
        block.noise[i] = (block.noise[i] ?? 0) * (shift.noise ?? 1);
      }
      watch.take(block);
      for (const f of watch.look(1, s, s + 1).named) named.push({ ...f, s });
    }
    return named;
  };

  test.each([
    ['charge', { charge: 0.6 }, 'low'],
    ['baseline', { baseline: 12 }, 'high'],
    ['noise', { noise: 3 }, 'high'],
  ] as const)('%s that moves is named within a minute, with what it was and is', (what, shift, kind) => {
    const named = levels(400, 330, shift);
    expect(named).toMatchObject([{ what, kind, channels: [2] }]);
    expect(named[0]?.s).toBeLessThanOrEqual(390);
    expect(Math.sign((named[0]?.is ?? 0) - (named[0]?.was ?? 0))).toBe(kind === 'high' ? 1 : -1);
  });

  test('changes below the limits are none; empty frames still tell of the baseline', () => {
    expect(levels(400, 300, { charge: 0.9, baseline: 2, noise: 1.3 })).toEqual([]);
    const watch = channelWatch({ channels: 1 });
    const next = steady(33, 1);
    let last = watch.look(0, 0, 0);
    for (let s = 1; s <= 300; s++) {
      const block = next(() => 40);
      block.flags.fill(FLAG.empty);
      for (let i = 0; s > 240 && i < block.count; i++) block.baseline[i] = 900;
      watch.take(block);
      last = watch.look(1, s, s + 1);
    }
    expect(last.findings).toMatchObject([{ what: 'baseline', kind: 'low' }]);
    expect(last.trace.columns.rate?.data[0]).toBe(0);
  });

  test('options that make no sense', () => {
    expect(() => channelWatch({ channels: 0 })).toThrow('channels');
    expect(() => channelWatch({ channels: 1, learn: 100, memory: 50 })).toThrow('memory');
  });
});
