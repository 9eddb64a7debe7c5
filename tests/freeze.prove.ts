/**
 * A machine that sleeps, for which a frozen control group stands: guardian, host and recorder stand still for 6 s while outputs are on and
 * orders wait. The first byte after it, on every link of a hazardous output, is a safe order.
 */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { catalogue } from '../src/catalogue.ts';
import type { Gap, OrderEntry } from '../src/entry.ts';
import { hasSocat, needs } from './bench-top.ts';
import { effectOf, harmLab, type Lab } from './harm-lab.ts';

const known = await catalogue();
const SLEEP = 6;
const MANY = 60; // orders for each of two instruments, of which a few are through when everything stops

interface Freezer {
  freeze(pids: readonly number[]): Promise<void>;
  thaw(): void;
  remove(): void;
}

/** A control group of version 1 or 2; undefined where none can be made. */
function freezer(pause: (seconds: number) => Promise<void>): Freezer | undefined {
  const mounts = existsSync('/proc/mounts') ? readFileSync('/proc/mounts', 'utf8').split('\n') : [];
  for (const line of mounts) {
    const [, at = '', type = '', options = ''] = line.split(' ');
    const first = type === 'cgroup' && options.split(',').includes('freezer');
    if (!first && type !== 'cgroup2') continue;
    const folder = join(at, `bridgman-proof-${process.pid}`);
    const [file, frozen, thawed] = first ? ['freezer.state', 'FROZEN', 'THAWED'] : ['cgroup.freeze', '1', '0'];
    try {
      mkdirSync(folder);
      if (!existsSync(join(folder, file))) {
        rmdirSync(folder);
        continue;
      }
    } catch {
      continue;
    }
    const isFrozen = (): boolean =>
      first
        ? readFileSync(join(folder, file), 'utf8').trim() === 'FROZEN'
        : readFileSync(join(folder, 'cgroup.events'), 'utf8').includes('frozen 1');
    return {
      async freeze(pids) {
        for (const pid of pids) writeFileSync(join(folder, 'cgroup.procs'), String(pid));
        writeFileSync(join(folder, file), frozen);
        while (!isFrozen()) await pause(0.001);
      },
      thaw: () => writeFileSync(join(folder, file), thawed),
      remove() {
        try {
          rmdirSync(folder);
        } catch {
          // the last process of it is still going
        }
      },
    };
  }
  return undefined;
}

const possible = (() => {
  const one = freezer(async () => {});
  one?.remove();
  return one !== undefined;
})();

const LINKS = ['laser', 'gas', 'oven', 'guard'] as const;

async function emitting(laser: 'tcp' | 'pty'): Promise<Lab> {
  const lab = await harmLab(known, { laser });
  onTestFinished(() => lab.close());
  await lab.begin();
  expect(await lab.ready(), lab.out()).toBe(undefined);
  const orders = [
    ['guard', 'relay', 'on'],
    ['guard', 'shutter', 'on'],
    ['gas', 'control', 'on'],
    ['oven', 'setpoint', '50 degC'],
    ['laser', 'current', '20 %'],
    ['laser', 'emission', 'on'],
  ] as const;
  for (const [instrument, command, value] of orders) {
    const { outcome, why } = await lab.order(instrument, command, value);
    expect(outcome, `${instrument}.${command}: ${why}\n${lab.out()}`).toBe('done');
  }
  expect(lab.unsafe()).toEqual(lab.outputs.map((o) => o.name));
  return lab;
}

describe.skipIf(!needs('a control group that can be frozen (root)', possible))('the whole program stands still for 6 s', () => {
  test.each(['tcp', 'pty'] as const)(
    'laser on a %s: the first byte of each link is its safe order, and no order that waited goes',
    async (wire) => {
      if (wire === 'pty' && !needs('socat', hasSocat)) return;
      const lab = await emitting(wire);
      const { bench } = lab;
      const group = freezer((s) => lab.pause(s));
      if (!group) throw new Error('there was one a moment ago');
      onTestFinished(() => {
        group.thaw();
        group.remove();
      });
      // Many of them, so that most still wait when everything stands still.
      const waiting: Promise<OrderEntry>[] = [];
      for (let i = 0; i < MANY; i++) {
        waiting.push(lab.order('laser', 'current', `${25 + (i % 50)} %`), lab.order('oven', 'setpoint', `${60 + i} degC`));
      }
      await lab.pause(0.15);
      await group.freeze(lab.pids);
      const from = bench.clock.mono();
      await lab.pause(0.5);
      // One that comes while nobody hears it.
      const meanwhile = lab.order('laser', 'current', '90 %');
      await lab.pause(SLEEP - (bench.clock.mono() - from));
      const silent = bench.heard.filter((h) => h.at > from + 0.2);
      expect(
        silent.map((h) => h.text),
        'bytes from a program that is frozen',
      ).toEqual([]);
      const thawed = bench.clock.mono();
      group.thaw();

      expect(await lab.until(10, () => lab.unsafe().length === 0), `left on: ${lab.unsafe().join(', ')}\n${lab.out()}`).toBe(true);
      await lab.pause(0.05);
      const worst = Math.max(...lab.outputs.filter((o) => o.device !== 'guard').map((o) => o.safeAt - thawed));
      console.info(`${wire}: all outputs safe ${worst.toFixed(3)} s after the thaw (the dead-man board by itself before)`);
      await lab.pause(2);
      for (const link of LINKS) {
        const first = bench.heard
          .filter((h) => h.at >= thawed && h.from === link)
          .flatMap((h) => h.asks)
          .find((ask) => ask !== ''); // the guardian ends what may be in the line first
        expect(effectOf(link, first), `first on the link of ${link}: ${JSON.stringify(first)}\n${lab.out()}`).toMatchObject({
          is: 'order',
          safe: true,
        });
      }
      const hazardous = lab.effects(thawed).filter(({ effect }) => effect.is === 'change' || !effect.safe);
      expect(
        hazardous.map((h) => [h.from, h.text]),
        lab.out(),
      ).toEqual([]);

      const late = await meanwhile;
      expect(['refused', 'expired'], JSON.stringify(late)).toContain(late.outcome);
      const outcomes = await Promise.all(waiting);
      expect(outcomes.filter((o) => o.outcome === undefined)).toEqual([]);
      expect(outcomes.filter((o) => o.outcome === 'expired' || o.outcome === 'refused').length, JSON.stringify(outcomes)).toBeGreaterThan(
        5,
      );
      expect((await lab.status()).latched).toMatch(/^standstill: the program stood still for [56]\.\d+ s/);
      const refused = await lab.order('laser', 'emission', 'on');
      expect([refused.outcome, refused.why]).toEqual(['refused', expect.stringContaining('standstill')]);
      expect(await lab.ready(), lab.out()).toBe(undefined);
      expect((await lab.order('laser', 'current', '20 %')).outcome, lab.out()).toBe('done');

      expect(await lab.end(), lab.out()).toBe(0);
      const gaps = (await lab.entries('gaps')) as readonly Gap[]; // as the program has written them
      const still = gaps.filter((g) => g.cause.startsWith('the program stood still'));
      for (const channel of [
        'laser.emission',
        'laser.set_point',
        'gas.pressure',
        'gas.control',
        'oven.temperature',
        'guard.relay',
        'guard.door',
      ]) {
        const gap = still.find((g) => g.channel === channel && g.to !== undefined);
        expect(gap, `${channel} in ${JSON.stringify(still)}`).toBeDefined();
        const seconds = ((gap?.to ?? 0) - (gap?.from ?? 0)) / 1e6;
        expect(seconds, `${channel}: ${JSON.stringify(gap)}`).toBeGreaterThan(SLEEP - 1);
        expect(seconds, `${channel}: ${JSON.stringify(gap)}`).toBeLessThan(SLEEP + 3);
      }
      const { troubles } = await lab.read();
      expect(troubles).toEqual([]);
    },
  );
});
