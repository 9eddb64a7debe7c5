/**
 * The power of the computer fails and that of the instruments does not: outputs are on, a heater is in the middle of its ramp, and no
 * process is left. The next start finds what is, changes nothing, watches it, and goes on from there when a person has said so.
 */
import { describe, expect, onTestFinished, test } from 'vitest';
import { catalogue } from '../src/catalogue.ts';
import { lives, start } from './bench-top.ts';
import { harmLab, type Lab } from './harm-lab.ts';

const known = await catalogue();
const RATE = 2; // K/s
const EVERY = 1; // s
const STEP = RATE * EVERY;
const OVEN = `    ramps: { setpoint: { rate: ${RATE} K/s, band: 100 K, every: ${EVERY} s } }\n`;
const ROUNDING = 0.11; // K: the controller's display has one decimal
const SETPOINT = 2; // its register

interface Written {
  readonly at: number;
  readonly celsius: number;
}

/** Each set point that was written to the oven since then. */
function setPoints(lab: Lab, since: number): readonly Written[] {
  return lab.bench.heard.flatMap(({ at, from, asks }) =>
    from === 'oven' && at >= since
      ? asks.flatMap((ask) => {
          const { function: f, address, value } = ask as { function?: number; address?: number; value?: number }; // Modbus, as the simulator hears it
          return f === 6 && address === SETPOINT && value !== undefined
            ? [{ at, celsius: (value > 32767 ? value - 65536 : value) / 10 }]
            : [];
        })
      : [],
  );
}

describe('after a power cut', () => {
  test('outputs are found, watched and not touched; nothing hazardous before the record is acknowledged; a ramp goes on from where it is', async () => {
    const lab = await harmLab(known, { laser: 'tcp', oven: OVEN });
    onTestFinished(() => lab.close());
    const { clock, heard } = lab.bench;
    const oven = lab.devices.oven.state as { readonly setPoint: number }; // the simulator's own
    await lab.begin();
    expect(await lab.ready(), lab.out()).toBe(undefined);
    for (const [instrument, command, value] of [
      ['guard', 'relay', 'on'],
      ['gas', 'control', 'on'],
      ['laser', 'current', '20 %'],
      ['laser', 'emission', 'on'],
    ] as const) {
      const { outcome, why } = await lab.order(instrument, command, value);
      expect(outcome, `${instrument}.${command}: ${why}\n${lab.out()}`).toBe('done');
    }
    void lab.order('oven', 'setpoint', '80 degC').catch(() => {});
    expect(await lab.until(60, () => oven.setPoint > 12), lab.out()).toBe(true);

    const pids = lab.pids;
    // All stand still first: none may see another one die.
    for (const pid of pids) process.kill(pid, 'SIGSTOP');
    for (const pid of pids) process.kill(pid, 'SIGKILL');
    await lab.run?.exit;
    expect(await lab.until(10, () => !pids.some(lives))).toBe(true);
    const cut = clock.mono() + 0.2; // what was on its way has come
    await lab.pause(2);
    const present = oven.setPoint;
    expect(heard.filter((h) => h.at > cut).map((h) => h.text)).toEqual([]);
    // The dead-man board has its own power and has done its part.
    expect(lab.unsafe()).toEqual(['laser.emission', 'laser.current', 'gas.control', 'oven.setpoint']);
    lab.forget();

    await lab.begin();
    const run = lab.run;
    await run?.said(/was NOT signed off: .*laser\.emission on since/);
    for (const output of ['laser.emission', 'laser.current', 'gas.control', 'oven.setpoint']) {
      await run?.said(`${output}: is on without an order of this run: watched under its lease from now on`);
    }
    const { latched, leases } = await lab.status();
    expect(latched).toMatch(/^record: /);
    expect(
      leases
        .filter((l) => l.active)
        .map((l) => l.name)
        .sort(),
    ).toEqual(['gas.control', 'laser.current', 'laser.emission', 'oven.setpoint']);
    for (const [instrument, command, value] of [
      ['oven', 'setpoint', '40 degC'],
      ['laser', 'current', '30 %'],
      ['guard', 'relay', 'on'],
    ] as const) {
      const { outcome, why } = await lab.order(instrument, command, value);
      expect([outcome, why], lab.out()).toEqual(['refused', expect.stringContaining('record')]);
    }
    await lab.pause(1);
    // Questions alone until now.
    expect(
      lab.effects(cut).map((e) => [e.from, e.text]),
      lab.out(),
    ).toEqual([]);
    expect(lab.unsafe()).toEqual(['laser.emission', 'laser.current', 'gas.control', 'oven.setpoint']);
    expect(oven.setPoint).toBe(present);

    const acknowledge = start(['order', 'rig', 'acknowledge', 'record', '--rig', lab.name], lab.env);
    expect(await acknowledge.exit, acknowledge.out()).toBe(0);
    expect(await lab.ready(), lab.out()).toBe(undefined);
    const from = clock.mono();
    const end = present + 6 * STEP;
    const { outcome, why } = await lab.order('oven', 'setpoint', `${end} degC`);
    expect(outcome, `${why}\n${lab.out()}`).toBe('done');
    const written = setPoints(lab, from);
    console.info(`the oven was at ${present} °C; written: ${written.map((w) => w.celsius).join(', ')}`);
    expect(written.length, lab.out()).toBeGreaterThanOrEqual(6);
    let before: Written = { at: from, celsius: present };
    for (const one of written) {
      expect(one.celsius, 'a step back').toBeGreaterThanOrEqual(before.celsius - ROUNDING);
      expect(one.celsius - before.celsius, `a jump after ${before.celsius} °C`).toBeLessThanOrEqual(STEP + ROUNDING);
      before = one;
    }
    expect(before.celsius).toBeCloseTo(end, 1);
    // At its rate, never faster; a busy machine may make it slower.
    expect((end - present - STEP) / (before.at - from)).toBeLessThanOrEqual(RATE * 1.1);

    // What was taken over is kept safe as what was switched on: the proof of its lease.
    process.kill(lab.pid('host-process'), 'SIGKILL');
    expect(await run?.exit, lab.out()).toBe(5);
    expect(lab.unsafe(), lab.out()).toEqual([]);
    lab.forget();

    await lab.begin();
    await lab.run?.said(/the last run \(.*\) was signed off by the guardian/);
    expect(await lab.ready(), lab.out()).toBe(undefined);
    expect((await lab.order('laser', 'current', '12 %')).outcome, lab.out()).toBe('done');
    expect(await lab.end(), lab.out()).toBe(0);
  });
});
