/** Somebody sets the computer's clock, by an hour forward and two back, while a rig runs: nothing but an alarm comes of it. */
import { existsSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { catalogue } from '../src/catalogue.ts';
import type { AlarmState, Gap } from '../src/entry.ts';
import { needs } from './bench-top.ts';
import { harmLab } from './harm-lab.ts';

const known = await catalogue();
const WINDOW = 6; // seconds before, between and after the steps
const HOUR = 3600;
const SLOW = 0.5; // s: polls that are no rarer on a machine with much else to do

/** libfaketime fakes the wall clock of the processes that it is loaded into; Debian's package of that name. */
const library = ((): string | undefined => {
  for (const base of ['/usr/lib', '/usr/local/lib', '/usr/lib64']) {
    if (!existsSync(base)) continue;
    for (const folder of ['', ...readdirSync(base).map((name) => `${name}/`)]) {
      const path = `${base}/${folder}faketime/libfaketime.so.1`;
      if (existsSync(path)) return path;
    }
  }
  return undefined;
})();

describe.skipIf(!needs('libfaketime', library !== undefined))('the wall clock steps', () => {
  test('by +1 h and by -2 h: no trip, no gap, no late poll, times of readings go on, and the alarm is in the session', async () => {
    const file = join(tmpdir(), `bridgman-clock-${process.pid}`);
    const set = (seconds: number): void => {
      writeFileSync(`${file}.new`, `${seconds < 0 ? '' : '+'}${seconds}\n`);
      renameSync(`${file}.new`, file); // it is read at any moment
    };
    set(0);
    const lab = await harmLab(known, {
      laser: 'tcp',
      patience: 5, // what a busy machine does to a poll is not the question here
      env: {
        LD_PRELOAD: library,
        FAKETIME_TIMESTAMP_FILE: file,
        FAKETIME_NO_CACHE: '1',
        FAKETIME_DONT_FAKE_MONOTONIC: '1',
      },
    });
    onTestFinished(() => lab.close());
    const { clock } = lab.bench;
    await lab.begin();
    expect(await lab.ready(), lab.out()).toBe(undefined);
    for (const [instrument, command, value] of [
      ['guard', 'relay', 'on'],
      ['guard', 'shutter', 'on'],
      ['gas', 'control', 'on'],
      ['oven', 'setpoint', '50 degC'],
      ['laser', 'current', '20 %'],
      ['laser', 'emission', 'on'],
    ] as const) {
      const { outcome, why } = await lab.order(instrument, command, value);
      expect(outcome, `${instrument}.${command}: ${why}\n${lab.out()}`).toBe('done');
    }
    const first = await lab.status();
    const marks = [clock.mono()];
    const times = [first.t];
    lab.lateness();
    const late: number[] = [];
    for (const offset of [0, HOUR, -HOUR]) {
      set(offset);
      await lab.pause(WINDOW);
      marks.push(clock.mono());
      times.push((await lab.status()).t);
      late.push(lab.lateness());
      expect(lab.unsafe(), `${offset} s: an output went off\n${lab.out()}`).toEqual(lab.outputs.map((o) => o.name));
    }
    const [from = 0, , , to = 0] = marks;
    const last = await lab.status();
    expect(last.latched, lab.out()).toBe(undefined);
    expect(last.interlocks?.map((i) => i.is)).toEqual(['holds', 'holds', 'holds']);
    expect(last.leases.filter((l) => !l.active)).toEqual([]);
    // Its own time has gone on as ours.
    expect(Math.abs((last.t - first.t) / 1e6 - (to - from))).toBeLessThan(1);
    expect(
      lab
        .effects(from)
        .filter(({ at }) => at < to)
        .map((e) => e.text),
      lab.out(),
    ).toEqual([]);

    expect(await lab.end(), lab.out()).toBe(0);
    const { readings, troubles } = await lab.read();
    expect(troubles).toEqual([]);
    const intervals: Readonly<Record<string, number>> = {
      'laser.emission': 0.1,
      'laser.set_point': 0.2,
      'guard.relay': 0.1,
      'gas.control': 0.5,
      'oven.temperature': 0.5,
    };
    const slack = 1 + 2 * Math.max(...late);
    for (const [channel, every] of Object.entries(intervals)) {
      const of = readings.filter((r) => r.from === channel).map((r) => r.t);
      const steps = of.slice(1).map((t, i) => (t - (of[i] ?? 0)) / 1e6);
      expect(Math.min(...steps), `${channel}: a time that does not go on`).toBeGreaterThan(0);
      expect(Math.max(...steps), `${channel}: a hole`).toBeLessThan(every + slack);
      const rates = times
        .slice(1)
        .map((end, i) => (1e6 * of.filter((t) => t >= (times[i] ?? 0) && t < end).length) / (end - (times[i] ?? 0)));
      console.info(`${channel}: ${rates.map((rate) => rate.toFixed(2)).join(', ')} a second`);
      // What a busy machine leaves out of the fast ones is not the question here.
      for (const rate of every < SLOW ? [] : rates.slice(1)) {
        expect(rate / (rates[0] ?? 0), `${channel}: ${rates}`).toBeGreaterThan(0.5);
        expect(rate / (rates[0] ?? 0), `${channel}: ${rates}`).toBeLessThan(1.6);
      }
    }
    expect(
      readings.filter((r) => r.quality === 'bad' && r.t > first.t && r.t < last.t).map((r) => [r.from, r.quality === 'bad' && r.why]),
    ).toEqual([]);
    const gaps = (await lab.entries('gaps')) as readonly Gap[]; // as the program has written them
    expect(gaps.filter((g) => g.from > first.t && g.from < last.t)).toEqual([]);
    const steps = ((await lab.entries('alarm-states')) as readonly AlarmState[]).filter(
      (a) => a.name === 'clock step' && a.now !== undefined,
    );
    console.info(steps.map((s) => s.text).join('\n'));
    expect(steps.map((s) => s.text)).toEqual([
      expect.stringMatching(/forward by 36\d\d\.\d s/),
      expect.stringMatching(/back by 7[12]\d\d\.\d s/),
    ]);
  });
});
