/** The real clock when the machine sleeps, and when somebody sets the computer's clock: both played by hand. */
import os from 'node:os';
import { afterEach, expect, test, vi } from 'vitest';
import { realClock, TIME_LINE, timeLine } from '../src/clock.ts';

/** Seconds by which the computer's clock has been set, and that the machine has slept. */
let set = 0;
let slept = 0;
const date = Date.now.bind(Date);
const uptime = os.uptime.bind(os);
const play = () => {
  vi.spyOn(Date, 'now').mockImplementation(() => date() + (set + slept) * 1000);
  vi.spyOn(os, 'uptime').mockImplementation(() => uptime() + slept);
};
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  set = 0;
  slept = 0;
});

const SECOND = 1e6; // µs

test('a step of the computer by an hour changes nothing but what date() shows', () => {
  play();
  const clock = realClock();
  const [now, boot, mono] = [clock.now(), clock.boot(), clock.mono()];
  expect(Math.abs(now - (clock.date?.() ?? 0))).toBeLessThan(5 * SECOND);
  for (const step of [3600, -7200]) {
    set += step;
    expect(Math.abs(clock.now() - now)).toBeLessThan(60 * SECOND);
    expect(Math.abs(clock.boot() - boot)).toBeLessThan(60);
    expect(Math.abs(clock.mono() - mono)).toBeLessThan(60);
    expect(Math.abs((clock.date?.() ?? 0) - now - set * SECOND)).toBeLessThan(60 * SECOND);
  }
});

test('an hour of sleep counts in now() and boot(), once, whoever asks first', () => {
  play();
  const [one, other] = [realClock(), realClock()];
  const now = one.now();
  const mono = one.mono();
  slept = 3600;
  expect(one.maybeSlept?.()).toBe(true);
  one.boot();
  expect(one.maybeSlept?.()).toBe(false);
  for (const clock of [one, other, one, other]) expect(Math.abs(clock.now() - now - 3600 * SECOND)).toBeLessThan(60 * SECOND);
  expect(one.mono() - mono).toBeLessThan(60);
  slept = 3600.04; // less than can be told from the clock's own steps
  expect(Math.abs(one.now() - now - 3600 * SECOND)).toBeLessThan(60 * SECOND);
});

test('a process that is started later is on the same time line, though the computer has been set since', () => {
  play();
  const parent = realClock();
  slept = 100;
  set = -7200;
  for (const [name, value] of Object.entries(timeLine(parent))) vi.stubEnv(name, value);
  const child = realClock();
  expect(Math.abs(child.now() - parent.now())).toBeLessThan(SECOND / 10);
  slept = 200;
  expect(Math.abs(child.now() - parent.now())).toBeLessThan(SECOND / 10);
});

test('nonsense in the environment is no time line', () => {
  for (const word of ['', 'soon', 'NaN']) {
    vi.stubEnv(TIME_LINE, word);
    expect(Math.abs(realClock().now() / 1000 - Date.now())).toBeLessThan(5000);
  }
});
