/**
 * Whatever dies, hangs, is unplugged or full, at any moment: hazardous outputs are safe within their leases' deadlines, and nothing but
 * safe orders follows. Real processes, sockets and pseudo-terminals; the instruments themselves say when they are safe.
 * BRIDGMAN_SEED gives other moments.
 */
import { afterAll, describe, expect, test } from 'vitest';
import { catalogue } from '../src/catalogue.ts';
import { uniform } from '../src/simulator.ts';
import { hasSocat, lives, needs, type Running } from './bench-top.ts';
import { OWN_PORT } from './block.ts';
import { type Chance, HARMS, type Harm, type Kind } from './harm.ts';
import { harmLab, type Lab, mounts } from './harm-lab.ts';

const known = await catalogue();
const SEED = Number(process.env.BRIDGMAN_SEED ?? 41);
const ONLY = process.env.BRIDGMAN_CASE;

/** How often each, 200 together. */
const TIMES: Readonly<Record<Kind, number>> = {
  'host killed': 32,
  'host stopped': 26,
  'host blocked': 18,
  'stop, host stopped': 14,
  'stop, host blocked': 6,
  'guardian killed': 16,
  'guardian stopped': 8,
  'guardian blocked': 8,
  'recorder killed': 10,
  'recorder stopped': 8,
  unplugged: 18,
  mute: 12,
  'unplugged, host killed': 10,
  'disk full': 8,
  'disk full, host killed': 6,
};
const LABS = 4;
/** What a machine with much else to do adds to every promise, beside twice what this process itself was late by. */
const MARGIN = 1;
const QUIET = 0.6; // seconds after a thaw in which what is wrong would come
const SETTLED = 15; // seconds in which everything must be over that has no promise of its own

const disks = mounts();
const all = (Object.keys(TIMES) as Kind[]).flatMap((kind) => Array.from({ length: TIMES[kind] }, () => kind)); // the table's own keys
/** In an order of chance. */
const cases = all
  .map((kind, i) => ({ kind, at: uniform(SEED, 'order', i) }))
  .sort((a, b) => a.at - b.at)
  .map(({ kind }) => kind);

/** Laboratories that nobody works in now; every second one has its laser on a pseudo-terminal. */
const free: (Lab | undefined)[] = Array.from({ length: LABS }, () => undefined);
let built = 0;
const build = (): Promise<Lab> => harmLab(known, { laser: built++ % 2 === 0 ? 'tcp' : 'pty', disk: disks, env: OWN_PORT });
const waiting: ((lab: Lab | undefined) => void)[] = [];
const take = (): Promise<Lab | undefined> =>
  free.length > 0 ? Promise.resolve(free.shift()) : new Promise((next) => void waiting.push(next));
const give = (lab: Lab | undefined): void => {
  const next = waiting.shift();
  if (next) next(lab);
  else free.push(lab);
};

/** Stops that were answered "NO ANSWER" though the output was safe. */
let unread = 0;
/** Runs that ended though their harm does not end them: the guardian took a late host for one that hangs. */
let early = 0;
/** What the next run must say of the one before. */
const legacy = new WeakMap<Lab, RegExp>();
/** Outputs that have been on, and when their harm came, in seconds after their promise. */
const measured = new Map<Kind, { on: number; cases: number; late: number[] }>();
for (const kind of Object.keys(TIMES) as Kind[]) measured.set(kind, { on: 0, cases: 0, late: [] });

const ORDERS = [
  ['gas', 'control', 'on'],
  ['oven', 'setpoint', '50 degC'],
  ['guard', 'relay', 'on'],
  ['guard', 'shutter', 'on'],
] as const;

/** Orders on their way, some done and some waiting, when the harm comes. */
async function experiment(lab: Lab, chance: Chance): Promise<void> {
  expect(await lab.ready(), `not ready: ${lab.out()}`).toBe(undefined);
  const order = (instrument: string, command: string, value: string): void => void lab.order(instrument, command, value).catch(() => {});
  let first = await lab.order('laser', 'current', '12 %');
  // The guardian may not be through with what was before, or the disk be slow in taking its record.
  for (let tries = 0; first.outcome !== 'done' && tries < 10; tries++) {
    await lab.pause(0.5);
    await lab.ready();
    first = await lab.order('laser', 'current', '12 %');
  }
  expect(first.outcome, `${first.why}\n${lab.out()}`).toBe('done');
  for (const [instrument, command, value] of ORDERS) if (chance(`${instrument}.${command}`) < 0.75) order(instrument, command, value);
  if (chance('emission') < 0.8) {
    order('laser', 'emission', 'on');
    // These wait for the light: they must never come after a safe order.
    for (const part of ['15 %', '20 %', '25 %']) order('laser', 'current', part);
  }
  await lab.pause(4 * chance('moment'));
}

/** As long as it takes: on a machine with much else to do outputs go off by themselves, or a run ends, before the harm comes. */
async function begun(lab: Lab, chance: Chance): Promise<Running> {
  for (let tries = 0; ; tries++) {
    if (!lab.run) {
      await lab.begin();
      const words = legacy.get(lab);
      if (words) expect(await lab.until(5, () => words.test(lab.out())), `${words} was not said: ${lab.out()}`).toBe(true);
    }
    try {
      await experiment(lab, chance);
      if (lab.run && lives(lab.run.child.pid ?? -1)) return lab.run;
    } catch (error) {
      if (tries >= 2) throw error;
    }
    await lab.until(2, () => !lab.run || !lives(lab.run.child.pid ?? -1));
    if (!lab.run || lives(lab.run.child.pid ?? -1)) continue;
    await lab.run.exit;
    lab.forget();
    legacy.delete(lab);
  }
}

async function suffer(lab: Lab, kind: Kind, chance: Chance): Promise<void> {
  const run = await begun(lab, chance);
  const was = lab.unsafe();
  lab.lateness();
  const harm: Harm = await HARMS[kind](lab, chance);
  const on = lab.outputs.filter((o) => was.includes(o.name));
  const promised = on.filter((o) => harm.within(o) !== undefined);
  await lab.until(SETTLED, () => promised.every((o) => o.safeAt < Number.POSITIVE_INFINITY));
  const slack = MARGIN + 2 * lab.lateness();
  const counts = measured.get(kind);
  if (counts) {
    counts.cases++;
    counts.on += was.length;
  }
  for (const o of promised) {
    const late = o.safeAt - harm.from;
    const limit = harm.within(o) ?? 0;
    counts?.late.push(late - limit);
    expect(
      late,
      `${o.name} was on, and safe ${late.toFixed(3)} s after, where ${limit.toFixed(2)} s are promised\n${lab.out()}`,
    ).toBeLessThan(limit + slack);
  }
  if (harm.says && promised.length > 0)
    expect(await lab.until(5, () => harm.says?.test(lab.out()) === true), `${harm.says} was not said: ${lab.out()}`).toBe(true);
  await harm.mend?.();
  await lab.pause(QUIET);
  if (harm.quietFrom !== undefined) {
    // What a machine with much else to do lets lie may have been written before.
    const wrong = lab.effects(harm.quietFrom + slack - MARGIN).filter(({ effect }) => effect.is === 'change' || !effect.safe);
    expect(
      wrong.map((w) => [w.from, w.text, w.at - harm.from]),
      `hazardous orders after the harm: ${lab.out()}`,
    ).toEqual([]);
  }
  await after(lab, harm, run);
  expect(await lab.until(SETTLED, () => lab.unsafe().length === 0), `left on: ${lab.unsafe().join(', ')}\n${lab.out()}`).toBe(true);
}

/** The guardian has ended a host whose loop was late while it acted beside it: a machine with too much else to do. */
const hostEnded = (lab: Lab): boolean => lab.out().includes('the host is ended');

/** One that lives answers a stop and shows all its outputs safe; one that has ended has left nothing running, and its session can be read. */
async function after(lab: Lab, harm: Harm, run: Running): Promise<void> {
  const pids = lab.pids;
  const guardian = run.child.pid ?? -1;
  const ends = (): boolean => (harm.code !== undefined && !harm.mayGoOn) || hostEnded(lab) || !lives(guardian);
  if (!ends()) {
    const stop = (): Promise<unknown> => lab.ask({ do: 'stop', by: 'proof' }).catch(() => undefined);
    let reply = await stop();
    // Where host and guardian speak on one line at the same time, a readback may take longer than a stop waits for it; the host goes on.
    if (JSON.stringify(reply)?.includes('"why":')) {
      unread++;
      for (let tries = 0; tries < 100 && !ends(); tries++) {
        const status = await lab.status().catch(() => undefined);
        if (status && !status.leases.some((l) => l.active)) break;
        await lab.pause(0.2);
      }
      reply = await stop();
    }
    if (!ends())
      expect(reply, `the stop at the end: ${JSON.stringify(reply)}\n${lab.out()}`).toMatchObject({ ok: true, stopped: { unsafe: [] } });
  }
  // What a stop has set off may still be on its way: an order that waited, an interlock.
  let left: readonly string[] = ['no status'];
  for (let tries = 0; tries < 50 && left.length > 0 && !ends(); tries++) {
    const status = await lab.status().catch(() => undefined);
    if (status) {
      const { leases, latched } = status;
      left = [...leases.filter((l) => l.active).map((l) => l.name), ...(latched === undefined ? ['nothing is latched'] : [])];
    }
    if (left.length > 0) await lab.pause(0.1);
  }
  if (!ends()) {
    expect(left, `after the stop: ${lab.out()}`).toEqual([]);
    return;
  }
  if (harm.code === undefined) early++;
  expect(await run.exit, `exit code: ${lab.out()}`).toBe(harm.code === undefined ? 5 : harm.code);
  expect(await lab.until(SETTLED, () => !pids.some(lives)), `something is left running\n${lab.out()}`).toBe(true);
  const { readings, troubles } = await lab.read();
  expect(readings.length, lab.out()).toBeGreaterThan(10);
  expect(troubles.filter((t) => t.kind !== 'cut')).toEqual([]);
  lab.forget();
  // A full disk may take the signature or not.
  if (harm.disk) legacy.delete(lab);
  else legacy.set(lab, harm.code === null ? /the last run .* was NOT signed off/ : /the last run .* was signed off by the guardian/);
}

describe.skipIf(!needs('socat', hasSocat))('a laboratory', () => {
  cases.forEach((kind, i) => {
    const chance: Chance = (what) => uniform(SEED, `${i} ${what}`, 0);
    const skip =
      (kind.startsWith('disk') && !needs('root with mount and fallocate', disks)) ||
      (ONLY !== undefined && ONLY !== String(i + 1) && ONLY !== kind);
    // Once more where it failed, in a new laboratory: a fault of ours fails twice, a moment without processor time does not.
    const name = `${i + 1} (seed ${SEED}): ${kind}, ${(4 * chance('moment')).toFixed(2)} s after its orders`;
    test.skipIf(skip).concurrent(name, { retry: 1 }, async () => {
      let lab = await take();
      try {
        lab ??= await build();
        await suffer(lab, kind, chance);
      } catch (error) {
        const out = lab?.out() ?? '';
        await lab?.close();
        lab = undefined;
        throw error instanceof Error && !error.message.includes(out) ? new Error(`${error.message}\n${out}`, { cause: error }) : error;
      } finally {
        give(lab);
      }
    });
  });

  afterAll(async () => {
    for (const lab of free) {
      if (!lab) continue;
      const lives = lab.run !== undefined;
      const code = await lab.end();
      const { troubles } = await lab.read();
      const out = lab.out();
      await lab.close();
      // A recorder that was killed leaves a part without its end.
      expect([code, troubles.filter((t) => t.kind !== 'cut')], out).toEqual([lives ? 0 : undefined, []]);
    }
    console.info(`stops that were not read back at the first time: ${unread}; runs that ended because the machine was late: ${early}`);
    console.info(`seed ${SEED}; seconds between harm and safe outputs, less what is promised (negative: earlier)`);
    for (const [kind, { cases: n, on, late }] of measured) {
      const sorted = [...late].sort((a, b) => a - b);
      const at = (part: number): string => sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))]?.toFixed(2) ?? '-';
      console.info(
        `${kind.padEnd(24)} ${String(n).padStart(3)} cases, ${String(on).padStart(3)} outputs on, median ${at(0.5)}, worst ${at(1)}`,
      );
    }
  }, 60_000);
});
