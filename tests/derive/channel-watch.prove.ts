/** How often a steady channel is named, and how often a changed one is not: counted, with seeded numbers. */
import { describe, expect, test } from 'vitest';
import { channelWatch } from '../../src/derive/channel-watch.ts';
import { type Hits, hits } from '../../src/derive/hits.ts';
import { poisson, uniform } from './hit-rows.ts';

/** Seconds of pulses of 64 channels: only their numbers, as the rates see nothing else. */
function counts(seed: number, channels: number): (mean: (channel: number) => number) => Hits {
  const random = uniform(seed);
  const block = hits(50_000);
  for (const column of [block.charge, block.baseline, block.noise]) column.fill(Number.NaN);
  return (mean) => {
    let i = 0;
    for (let c = 0; c < channels; c++) for (let n = poisson(mean(c), random); n > 0; n--) block.channel[i++] = c;
    block.count = i;
    return block;
  };
}

describe('false names', () => {
  const names = (hours: number, falsePerHour: number, seed: number): number => {
    const watch = channelWatch({ channels: 64, falsePerHour });
    const next = counts(seed, 64);
    let named = 0;
    for (let s = 0; s < hours * 3600; s++) {
      watch.take(next((c) => 0.3 * 200 ** (c / 63)));
      named += watch.look(1, s, s + 1).named.length;
    }
    return named;
  };

  test('none in 15 hours of 64 channels from 0.3 to 60 per second', () => {
    expect(names(15, 1e-3, 1)).toBe(0);
  });

  test('where 200 an hour are allowed there are some, and fewer than that', () => {
    const got = names(4, 200, 2);
    expect(got).toBeGreaterThan(0);
    expect(got).toBeLessThan(4 * 200);
  });
});

describe('within a minute', () => {
  const missed = (rate: number, factor: number, learnt: number): number => {
    let late = 0;
    for (let trial = 0; trial < 100; trial++) {
      const watch = channelWatch({ channels: 8 });
      const next = counts(1000 + trial, 8);
      let named = false;
      for (let s = 0; s < learnt + 60; s++) {
        watch.take(next((c) => (c === 3 && s >= learnt ? rate * factor : rate)));
        named ||= watch.look(1, s, s + 1).named.some((f) => f.channels.length === 1 && f.channels[0] === 3);
      }
      if (!named) late++;
    }
    return late;
  };

  test('a channel of 3 per second that doubles, a quarter of an hour after the start: at least 97 of 100', () => {
    expect(missed(3, 2, 900)).toBeLessThanOrEqual(3);
  });

  test('a channel of 0.6 per second that dies: all of 100', () => {
    expect(missed(0.6, 0, 900)).toBe(0);
  });
});
