/** A host that is killed, stopped or hangs at any moment leaves no hazardous output on: real processes, sockets and pseudo-terminals. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { catalogue } from '../src/catalogue.ts';
import { uniform } from '../src/simulator.ts';
import { benchTop, hasSocat, needs, start, until } from './bench-top.ts';
import { block, OWN_PORT } from './block.ts';

const known = await catalogue();
const RUNS = 50;

const rig = (laser: string, gas: string): string => `
rig: kill-${process.pid}
instruments:
  laser:
    model: ipg-ylr
    link: ${laser}
    every: { set_point: 0.2 s, emission: 0.1 s }
    leases:
      emission: { longest: 10 min, deadline: 0.5 s, then: safe, interlock: none }
      current: { longest: 10 min, deadline: 0.5 s, then: safe, interlock: none }
  gas:
    model: druck-pace
    link: ${gas}
    leases: { control: { longest: 10 min, deadline: 2 s, then: safe, interlock: none } }
start:
  - { order: laser.current, value: 10 % }
  - { order: laser.emission, value: on }
  - { order: laser.current, value: 20 %, after: 0.3 s }
  - { order: laser.current, value: 30 %, after: 0.3 s }
  - { order: laser.current, value: 20 %, after: 0.3 s }
  - { order: laser.current, value: 40 %, after: 0.3 s }
`;

const WAYS = ['kill', 'stop', 'block', 'order'] as const;
type Way = (typeof WAYS)[number];

/** Seconds until the safe bytes were on the wire, and what came after them. */
async function once(way: Way, pty: boolean, moment: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'bridgman-kill-'));
  const bench = benchTop(known);
  const { clock, heard } = bench;
  const laser = bench.device('laser', 'ipg-ylr');
  const gas = bench.device('gas', 'druck-pace');
  let run: ReturnType<typeof start> | undefined;
  let host = 0;
  try {
    const at = pty ? await bench.pty(laser, join(folder, 'laser')) : await bench.tcp(laser, true);
    writeFileSync(join(folder, 'rig.yaml'), rig(pty ? `${at.split('?')[0]}?baud=57600` : at, await bench.tcp(gas)));
    run = start(['run', folder], OWN_PORT);
    await run.said('order laser.current 0.1');
    host = run.pid('host-process');
    await until(clock, moment, () => false);
    const on = heard.some((h) => h.text.includes('EMON'));
    const from = clock.mono();
    if (way === 'kill') process.kill(host, 'SIGKILL');
    else if (way === 'stop') process.kill(host, 'SIGSTOP');
    else if (way === 'block') await block(host, clock);
    else {
      process.kill(host, 'SIGSTOP');
      const answer = await start(['stop', '--rig', `kill-${process.pid}`]).exit;
      expect(answer).toBe(0);
    }
    const limit = way === 'kill' ? 0.25 : 1.5;
    const safe = (word: RegExp) => heard.find((h) => h.at >= from && word.test(h.text));
    const wanted = on ? [/EMOFF/, /SDC 0/] : [/SDC 0/];
    // The order "stop" takes the time of a command line's start as well.
    const patience = way === 'order' ? 3 : 4;
    for (const word of wanted) {
      expect(await until(clock, patience, () => safe(word) !== undefined), `${way}: no ${word} on the wire\n${run.out()}`).toBe(true);
      const late = (safe(word)?.at ?? Number.POSITIVE_INFINITY) - from;
      if (way !== 'order')
        expect(late, `${way}, ${pty ? 'pty' : 'tcp'}: ${word} after ${late.toFixed(3)} s\n${run.out()}`).toBeLessThan(
          limit + (way === 'block' ? 0.5 : 0),
        );
    }
    expect((await until(clock, 5, () => /made safe and read back|stopped by/.test(run?.out() ?? ''))) || way === 'order', run.out()).toBe(
      true,
    );
    // After a thaw nothing but safe orders and questions may come.
    const thaw = clock.mono();
    if (way === 'stop' || way === 'order') {
      try {
        process.kill(host, 'SIGCONT');
      } catch {
        // the guardian has ended it, because it held the port
      }
    }
    await until(clock, 1, () => false);
    const after = heard.filter((h) => h.at > thaw).map((h) => h.text);
    expect(
      after.filter((t) => /EMON|SDC (?!0(\.0*)?\s)/.test(t)),
      run.out(),
    ).toEqual([]);
    const emission = (laser.state as { emission?: unknown }).emission;
    expect(emission === false || emission === undefined || emission === 0, `the laser is left on: ${JSON.stringify(laser.state)}`).toBe(
      true,
    );
  } finally {
    try {
      if (host) process.kill(host, 'SIGKILL');
    } catch {
      // it has ended
    }
    run?.child.kill('SIGTERM');
    await run?.exit;
    await bench.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

describe.skipIf(!needs('socat', hasSocat))('a host that dies or hangs', () => {
  for (let i = 0; i < RUNS; i++) {
    const way = WAYS[i % WAYS.length];
    const pty = Math.floor(i / WAYS.length) % 2 === 0;
    const moment = 5 * uniform(41, 'moment', i);
    test(`${i + 1}: ${way}, laser on a ${pty ? 'pseudo-terminal' : 'socket for one client'}, ${moment.toFixed(2)} s after its first order`, async () => {
      await once(way, pty, moment);
    });
  }
});
