import { describe, expect, test } from 'vitest';
import { FLAG, type SourceCounts, sourceCounts } from '../../src/derive/hits.ts';
import { liveTime } from '../../src/derive/live-time.ts';
import { blockOf, uniform } from './hit-rows.ts';

const S = 1e6;
const counted = (frames: number, more: Partial<SourceCounts> = {}): SourceCounts => ({ ...sourceCounts(), frames, ...more });

describe('live time', () => {
  test('closed intervals are counted once, however they overlap, and clipped to the run', () => {
    const live = liveTime({ channels: 1, begin: 10 * S });
    live.closed(5 * S, 12 * S);
    live.closed(14 * S, 16 * S);
    live.closed(15 * S, 17 * S);
    live.closed(13.5 * S, 14.5 * S);
    live.closed(19 * S, 30 * S);
    expect(live.look(20 * S, counted(5)).whole).toMatchObject({ elapsed: 10, live: 10 - 2 - 3.5 - 1, dead: { closed: 6.5, missing: 0 } });
    expect(live.look(40 * S, counted(9)).whole.dead.closed).toBe(16.5);
  });

  test('rates per channel with bars, recent and whole; hits without a pulse do not count', () => {
    const live = liveTime({ channels: 2, begin: 0 });
    live.take(blockOf([{ channel: 0 }, { channel: 0 }, { channel: 1, flags: FLAG.empty }, { channel: 9 }]));
    const first = live.look(2 * S, counted(4)).recent;
    expect([...first.rate, ...first.sigma]).toEqual([1, 0, Math.SQRT2 / 2, 0.5]);
    live.take(blockOf([{ channel: 1 }]));
    const { recent, whole, trace } = live.look(3 * S, counted(5));
    expect([...recent.rate, recent.live]).toEqual([0, 1, 1]);
    expect([...whole.rate, whole.live]).toEqual([2 / 3, 1 / 3, 3]);
    expect([trace.begin, trace.end, trace.shape]).toEqual([2 * S, 3 * S, [2]]);
    expect([...(trace.columns.rate?.data ?? [])]).toEqual([0, 1]);
  });

  test('missing frames cost their part of the time in which they were missed, also when that is seen only afterwards', () => {
    const live = liveTime({ channels: 1, begin: 0 });
    live.look(10 * S, counted(1000));
    for (let s = 11; s <= 19; s++) {
      const got = live.look(s * S, counted(1000));
      expect(got.recent.elapsed).toBe(s - 10);
    }
    const got = live.look(20 * S, counted(1100, { missing: 900 }));
    expect(got.recent).toMatchObject({ elapsed: 10, live: 1, dead: { missing: 9 } });
    expect(got.whole).toMatchObject({ elapsed: 20, live: 11, dead: { missing: 9 }, frames: 1100 });
    expect(live.look(21 * S, counted(1200, { missing: 900 })).recent.dead.missing).toBe(0);
  });

  test('a silence that nothing has been lost in is live', () => {
    const live = liveTime({ channels: 1, begin: 0 });
    live.look(1 * S, counted(10));
    live.look(11 * S, counted(10));
    expect(live.look(12 * S, counted(11)).whole).toMatchObject({ live: 12, dead: { missing: 0 } });
  });

  test("the board's own word: from the frame before to the one that says it, once for all of its channels", () => {
    const live = liveTime({ channels: 4, begin: 0 });
    live.take(
      blockOf([
        { frame: 1, t: 1e9 },
        { frame: 1, t: 1e9 + 100, channel: 1 },
        { frame: 2, t: 3e9, flags: FLAG.lostBefore },
        { frame: 2, t: 3e9 + 50, channel: 1, flags: FLAG.lostBefore },
        { frame: 3, t: 3.5e9 },
      ]),
    );
    const got = live.look(5 * S, counted(3));
    expect(got.whole.dead.board).toBeCloseTo(2 - 100e-9, 12);
    expect(got.whole.live).toBeCloseTo(3 + 100e-9, 12);
    expect(got.whole.dead.missing).toBe(0);
  });

  test('the first hit that says so, without one before, costs nothing that is known', () => {
    const live = liveTime({ channels: 1, begin: 0 });
    live.take(blockOf([{ t: 7e9, flags: FLAG.lostBefore }]));
    expect(live.look(8 * S, counted(1)).whole.dead.board).toBe(0);
  });

  test('a dead time per frame gives back the true rate: m / (1 - m tau)', () => {
    const [rate, tau, random] = [20_000, 1e-5, uniform(3)];
    const live = liveTime({ channels: 1, begin: 0, perFrame: tau });
    let [t, free, frames] = [0, 0, 0];
    const rows: { readonly t: number }[] = [];
    for (;;) {
      t += -Math.log(1 - random()) / rate;
      if (t > 20) break;
      if (t < free) continue;
      free = t + tau;
      frames++;
      rows.push({ t: t * 1e9 });
    }
    live.take(blockOf(rows));
    const { whole } = live.look(20 * S, counted(frames));
    const [got = 0, sigma = 0] = [whole.rate[0], whole.sigma[0]];
    expect(frames / 20).toBeLessThan(17_000);
    expect(Math.abs(got - rate)).toBeLessThan(4 * sigma);
    expect(got).toBeCloseTo(frames / 20 / (1 - (frames / 20) * tau), 6);
  });

  test('without live time there is no rate; options that make no sense', () => {
    const live = liveTime({ channels: 1, begin: 0 });
    live.closed(0, 5 * S);
    expect(live.look(5 * S, counted(0)).whole.rate[0]).toBeNaN();
    expect(() => liveTime({ channels: 0, begin: 0 })).toThrow('channels');
    expect(() => liveTime({ channels: 1, begin: 0, perFrame: -1 })).toThrow('perFrame');
  });
});
