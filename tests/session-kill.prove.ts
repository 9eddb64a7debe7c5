/**
 * kill -9 at 50 moments of chance, of everything or of one process: what went over the wires until 0.2 s before is in the session, whole,
 * and the next start goes on by itself. What the instruments themselves heard is the measure. BRIDGMAN_SEED gives other moments.
 */
import { afterAll, describe, expect, test } from 'vitest';
import { catalogue } from '../src/catalogue.ts';
import { listParts, readSession } from '../src/recorder/session-read.ts';
import { uniform } from '../src/simulator.ts';
import { type Heard, hasSocat, lives, needs } from './bench-top.ts';
import { OWN_PORT } from './block.ts';
import { harmLab, type Lab } from './harm-lab.ts';
import { sessionsOf } from './proof.ts';

const known = await catalogue();
const SEED = Number(process.env.BRIDGMAN_SEED ?? 17);
const LOST = 0.2; // seconds that docs/sessions.md says a killed program loses at most
const MARGIN = 0.5; // what a machine with much else to do adds, beside twice what this process was late by
const LONGEST = 1.5; // seconds from the beginning of a run to its end

const VICTIMS = { all: 28, 'recorder/process': 12, 'host-process': 10 } as const;
type Victim = keyof typeof VICTIMS;
const victims = (Object.keys(VICTIMS) as Victim[]) // the table's own keys
  .flatMap((victim) => Array.from({ length: VICTIMS[victim] }, () => victim))
  .map((victim, i) => ({ victim, at: uniform(SEED, 'order', i) }))
  .sort((a, b) => a.at - b.at)
  .map(({ victim }) => victim);

const lost = new Map<Victim, number[]>();

/** What of `heard` is missing in `kept`, which has its beginning, and its end where it went on: the pieces, in their order. */
function missing(heard: readonly Heard[], kept: string): readonly Heard[] {
  const whole = heard.map(({ text }) => text).join('');
  let head = 0;
  while (head < kept.length && kept[head] === whole[head]) head++;
  const rest = kept.slice(head);
  expect(whole.endsWith(rest), `the session has other bytes than the instrument has heard, from byte ${head} on`).toBe(true);
  let at = 0;
  return heard.filter(({ text }) => {
    const [from, to] = [at, at + text.length];
    at = to;
    return to > head && from < whole.length - rest.length;
  });
}

/** The bytes that a session says were sent on each link, by the link's name. */
async function sent(session: string): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  for await (const { topic, bytes } of readSession(session, { raw: true }))
    if (topic.endsWith(' out')) {
      const link = topic.slice(0, -' out'.length);
      found.set(link, (found.get(link) ?? '') + Buffer.from(bytes).toString('latin1'));
    }
  return found;
}

async function killed(lab: Lab, victim: Victim, moment: number): Promise<void> {
  const { clock, heard } = lab.bench;
  const began = heard.length;
  await lab.begin();
  lab.lateness();
  await lab.pause(moment);
  const run = lab.run;
  const guardian = lab.pid('guardian');
  const pids = lab.pids;
  const doomed = victim === 'all' ? pids : [lab.pid(victim)];
  for (const pid of doomed) process.kill(pid, 'SIGKILL');
  const at = clock.mono();
  if (victim === 'recorder/process') {
    await lab.pause(0.5); // the host goes on, with a new recorder
    expect(lives(guardian), lab.out()).toBe(true);
    expect(await lab.end(), lab.out()).toBe(0);
  } else {
    expect(await run?.exit, lab.out()).toBe(victim === 'all' ? null : 5);
    lab.forget();
  }
  expect(await lab.until(10, () => !pids.some(lives)), `something is left running\n${lab.out()}`).toBe(true);
  const limit = LOST + MARGIN + 2 * lab.lateness();

  const session = sessionsOf(`${lab.disk}/sessions`).at(-1) ?? '';
  const { readings, troubles } = await lab.read();
  // A part without its end is all that may be wrong, each part once.
  expect(troubles.filter(({ kind }) => kind !== 'cut')).toEqual([]);
  expect(troubles.length).toBeLessThanOrEqual((await listParts(session)).length);
  expect(readings.length).toBeGreaterThan(10);
  const out = await sent(session);
  const now = heard.slice(began);
  let most = 0;
  for (const device of Object.keys(lab.devices)) {
    const mine = now.filter(({ from }) => from === device);
    expect(mine.length).toBeGreaterThan(0);
    // After a dead host the guardian speaks.
    const gone = missing(mine, out.get(lab.links[device] ?? '') ?? '').filter((one) => victim === 'recorder/process' || one.at <= at);
    for (const { at: then, text } of gone) {
      most = Math.max(most, at - then);
      expect(at - then, `${device}: ${JSON.stringify(text)} was heard, and is not in the session`).toBeLessThan(limit);
      // What was on its way until the host saw that there is no recorder.
      expect(then - at, `${device}: ${JSON.stringify(text)} came after, and is not in the session`).toBeLessThan(limit);
    }
  }
  lost.set(victim, [...(lost.get(victim) ?? []), most]);
  const last = readings.reduce((t, r) => Math.max(t, r.t), 0);
  const killedAt = clock.now() - 1e6 * (clock.mono() - at);
  // A tenth of a second lies between two readings of the laser.
  expect((killedAt - last) / 1e6, 'the last reading').toBeLessThan(limit + 0.1);
}

describe.skipIf(!needs('socat', hasSocat))('50 kills', () => {
  const free: (Lab | undefined)[] = Array.from({ length: 4 }, () => undefined);
  const waiting: ((lab: Lab | undefined) => void)[] = [];

  victims.forEach((victim, i) => {
    const moment = LONGEST * uniform(SEED, 'moment', i);
    test.concurrent(`${i + 1} (seed ${SEED}): ${victim}, ${moment.toFixed(2)} s after the beginning`, { retry: 1 }, async () => {
      let lab = free.length > 0 ? free.shift() : await new Promise<Lab | undefined>((next) => void waiting.push(next));
      try {
        lab ??= await harmLab(known, { laser: i % 2 === 0 ? 'tcp' : 'pty', env: OWN_PORT });
        await killed(lab, victim, moment);
      } catch (error) {
        await lab?.close();
        lab = undefined;
        throw error;
      } finally {
        const next = waiting.shift();
        if (next) next(lab);
        else free.push(lab);
      }
    });
  });

  afterAll(async () => {
    for (const lab of free) {
      if (!lab) continue;
      // Every killed run has left a session of its own beside those that came after it.
      const sessions = sessionsOf(`${lab.disk}/sessions`);
      for (const session of sessions) expect((await listParts(session)).length, session).toBeGreaterThan(0);
      await lab.close();
    }
    for (const [victim, all] of lost) {
      const sorted = [...all].sort((a, b) => a - b);
      const median = sorted[sorted.length >> 1] ?? 0;
      console.info(
        `${victim}: ${sorted.length} kills, lost ${median.toFixed(3)} s in the middle, ${(sorted.at(-1) ?? 0).toFixed(3)} s at most`,
      );
    }
  }, 60_000);
});
