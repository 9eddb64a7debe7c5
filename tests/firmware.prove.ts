/** The sketch of the dead-man board, built and run on simavr and driven by its driver; its simulator is held to the same. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import driver from '../drivers/bridgman-deadman.ts';
import { type DeadmanTell, deadman } from '../protocols/deadman.ts';
import { acquire } from '../src/acquire.ts';
import { type Clock, realClock } from '../src/clock.ts';
import { exchange, ORDER } from '../src/exchange.ts';
import type { Watchdog } from '../src/instrument.ts';
import type { Link } from '../src/link.ts';
import { serialLink } from '../src/links/serial.ts';
import type { Reading } from '../src/reading.ts';
import { uniform } from '../src/simulator.ts';
import { here, type Talk } from '../src/talk.ts';
import { runTalk } from '../src/talk-run.ts';
import { asked, type Board, build, type Change, harness, heardOf, onSimavr, onSimulator, prepare, toolchain } from './firmware-board.ts';
import { ask, exact, script, tells } from './firmware-script.ts';

const there = toolchain();
const folder = mkdtempSync(join(tmpdir(), 'bridgman-firmware-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let plain = '';
beforeAll(() => {
  if (!there) return;
  prepare(folder);
  plain = build(folder);
});

/** The driver on a link; each order calls back with 'done' or why not. */
function driven(link: Link, clock: Clock) {
  const wire = exchange(link, deadman(), clock);
  const readings: Reading[] = [];
  const acquired = acquire({ name: 'guard', model: driver, options: { unit: 1 }, roles: { main: wire }, origin: 'simulator' }, clock, {
    reading: (r) => readings.push(r),
    state: () => {},
  });
  onTestFinished(() => {
    acquired.close();
    wire.close();
  });
  // biome-ignore lint/suspicious/noExplicitAny: the watchdog of this driver, for its own links
  const dog = driver.body({ unit: 1 }, { version: '1', unit: 1, trips: 'DBK' }).watchdog as Watchdog<any>;
  const act = acquired.actors;
  const give = (talk: Talk<void>, done: (outcome: string) => void): void => {
    const run = { instrument: 'guard', by: 'order', urgency: ORDER, roles: { main: wire }, within: driver.within, clock } as const;
    runTalk(talk, run, (end) => done(end.ok ? 'done' : end.why));
  };
  return {
    acquired,
    readings,
    latest: (channel: string) => acquired.latest(channel),
    value(channel: string) {
      const reading = acquired.latest(channel);
      return reading === undefined || reading.quality === 'bad' ? reading?.why : reading.value;
    },
    set: (seconds: number, done: (outcome: string) => void = () => {}) => give(dog.set(act, seconds), done),
    feed: (done: (outcome: string) => void = () => {}) => give(dog.feed?.(act) as Talk<void>, done), // this driver has one
    order: (word: string, value: boolean, done: (outcome: string) => void = () => {}) =>
      give(acquired.commands[word].talk(act, value, 0, here), done),
  };
}

/** A board that has been on for half a second, with the driver on it. */
async function started(make: () => Promise<Board>) {
  const board = await make();
  onTestFinished(() => board.close());
  const host = driven(board.link, board.clock);
  await board.run(1.5);
  const outcome = async (give: (done: (outcome: string) => void) => void): Promise<string> => {
    let said = 'unfinished';
    give((end) => {
      said = end;
    });
    await board.run(0.1);
    return said;
  };
  return {
    board,
    ...host,
    set: (seconds: number) => outcome((done) => host.set(seconds, done)),
    feed: () => outcome((done) => host.feed(done)),
    order: (word: string, value: boolean) => outcome((done) => host.order(word, value, done)),
    /** Feeds every 0.1 s. */
    async fed(seconds: number) {
      for (let n = Math.round(seconds / 0.1); n > 0; n--) expect(await outcome((done) => host.feed(done))).toBe('done');
    },
    async armed(seconds: number) {
      expect(await outcome((done) => host.set(seconds, done))).toBe('done');
      expect(await outcome((done) => host.order('relay', true, done))).toBe('done');
      expect(await outcome((done) => host.order('shutter', true, done))).toBe('done');
      expect(board.pins).toEqual({ relay: true, shutter: true });
    },
  };
}

const ON = { relay: true, shutter: true };
const OFF = { relay: false, shutter: false };
const SKIPPED = 'skipped without arduino-core-avr, gcc-avr, avr-libc and libsimavr-dev';

const boards: readonly (readonly [string, boolean, () => Promise<Board>])[] = [
  [`the sketch on simavr (${SKIPPED})`, there, () => onSimavr(folder, plain)],
  ['the simulator', true, () => onSimulator()],
];

describe.each(boards)('%s', (_name, able, make) => {
  describe.skipIf(!able)('driven by its driver', () => {
    test('is identified and read, and connecting changes nothing', async () => {
      const { board, acquired, value } = await started(make);
      expect(acquired.state).toEqual({ is: 'running' });
      expect(acquired.id).toEqual({ version: '1', unit: 1, trips: 'DBK' });
      expect(board.pins).toEqual(OFF);
      expect(board.changes).toEqual([]);
      const inputs = ['door', 'button', 'key'].map(value);
      expect(inputs).toEqual([true, true, true]);
      expect([value('relay'), value('shutter'), value('armed_timeout'), value('time_left')]).toEqual([false, false, 0, 0]);
      expect([value('trip'), value('reset_cause')]).toEqual(['reset', 'power']);
    });

    test('nothing goes on before the time-out is set', async () => {
      const { board, order, set, feed } = await started(make);
      expect(await order('relay', true)).toMatch(/tripped \(reset\)/);
      expect(await feed()).toMatch(/tripped \(reset\)/);
      expect(await set(0)).toBe('done');
      expect(await order('shutter', true)).toMatch(/tripped \(reset\)/);
      expect(await order('relay', false)).toBe('done');
      expect(board.changes).toEqual([]);
    });

    test('fed it stays; unfed both pins fall within the time-out, and only a new time-out and new orders bring them back', async () => {
      const { board, armed, fed, feed, order, set, value } = await started(make);
      await armed(0.5);
      await fed(3);
      expect(board.pins).toEqual(ON);
      expect([value('relay'), value('shutter'), value('armed_timeout'), value('trip')]).toEqual([true, true, 0.5, 'none']);
      expect(await feed()).toBe('done');
      const last = board.now - 0.1;
      await board.run(0.3);
      expect(board.pins).toEqual(ON);
      await board.run(0.3);
      expect(board.pins).toEqual(OFF);
      for (const { at } of board.changes.slice(-2)) {
        expect(at - last).toBeGreaterThan(0.49);
        expect(at - last).toBeLessThan(0.51);
      }
      expect([value('relay'), value('armed_timeout'), value('trip')]).toEqual([false, 0, 'heartbeat']);
      const fallen = board.changes.length;
      for (let n = 0; n < 5; n++) expect(await feed()).toMatch(/tripped \(heartbeat\)/);
      expect(await order('relay', true)).toMatch(/tripped \(heartbeat\) and its time-out must be set again/);
      expect(await set(0.5)).toBe('done');
      await fed(0.5);
      expect(board.changes).toHaveLength(fallen);
      expect(await order('relay', true)).toBe('done');
      expect(board.pins).toEqual({ relay: true, shutter: false });
    });

    test('the time-out is of use from 0.2 to 10 s, and 0 switches off', async () => {
      const { board, set, armed, order } = await started(make);
      expect(await set(0.199)).toMatch(/does not take 199/);
      expect(await set(10.001)).toMatch(/does not take 10001/);
      expect(await set(10)).toBe('done');
      expect(await set(0.2)).toBe('done');
      await order('relay', true);
      expect(board.changes.at(-1)).toMatchObject({ output: 'relay', on: true });
      await board.run(0.1);
      expect(board.pins).toEqual(OFF);
      await armed(1);
      // Another time-out while it runs leaves the outputs as they are.
      expect(await set(2)).toBe('done');
      expect(board.pins).toEqual(ON);
      expect(await set(0)).toBe('done');
      expect(board.pins).toEqual(OFF);
      expect(await order('relay', true)).toMatch(/time-out of the board is not set/);
    });

    test('a safe order is carried out in every state', async () => {
      const { board, armed, order } = await started(make);
      await armed(1);
      expect(await order('shutter', false)).toBe('done');
      expect(board.pins).toEqual({ relay: true, shutter: false });
      expect(await order('relay', false)).toBe('done');
      await board.run(1);
      expect(await order('relay', false)).toBe('done');
      expect(board.pins).toEqual(OFF);
    });

    test.each(['door', 'button', 'key'] as const)('an open %s switches off by itself, at once, and until all is closed', async (name) => {
      const { board, armed, order, set, fed, value } = await started(make);
      await armed(2);
      const at = board.now;
      await board.contact(name, false);
      await board.run(0.02);
      expect(board.pins).toEqual(OFF);
      for (const change of board.changes.slice(-2)) expect(change.at - at).toBeLessThan(0.01);
      await board.run(0.2);
      expect([value(name), value('trip'), value('armed_timeout')]).toEqual([false, name, 0]);
      expect(await set(2)).toMatch(new RegExp(`while an input is open \\(${name}\\)`));
      await board.contact(name, true);
      await board.run(0.03);
      expect(await order('relay', true)).toMatch(new RegExp(`tripped \\(${name}\\)`));
      expect(board.pins).toEqual(OFF);
      await armed(2);
      await fed(0.2);
      expect(board.pins).toEqual(ON);
    });

    test('a contact that bounces for 3 ms is not open, one that chatters is not closed', async () => {
      const { board, armed, value, set } = await started(make);
      await armed(2);
      await board.contact('door', false);
      await board.run(0.002);
      await board.contact('door', true);
      await board.run(0.1);
      expect(board.pins).toEqual(ON);
      await board.contact('door', false);
      await board.run(0.1);
      for (let n = 0; n < 5; n++) {
        await board.contact('door', true);
        await board.run(0.03);
        await board.contact('door', false);
        await board.run(0.01);
      }
      expect(value('door')).toBe(false);
      expect(await set(1)).toMatch(/door/);
    });

    test('noise, half lines and lines without an end do no harm, and are not answered', async () => {
      const { board, armed, fed, feed } = await started(make);
      await armed(1);
      const before = board.changes.length;
      const evil = asked(9, 'relay', 0);
      const junk: readonly string[] = [
        ':17 rel',
        ':'.repeat(100),
        `:${'1'.repeat(500)}`,
        `:${'9 relay 0 '.repeat(30)}*0000\n`,
        evil.replace('relay', 'relax'),
        evil.replace('*', ' '),
        evil.slice(1),
        evil.toLowerCase().replace(':9', ':9 '),
        evil.replace(' ', '\0'),
        `${evil.slice(0, 8)}\n${evil.slice(8)}`,
        '\n\n\r\n*\n:*\n:\n',
      ];
      for (const text of junk) {
        const answers = board.said.split('=').length;
        board.inject(text);
        expect(await feed()).toBe('done');
        // The feed's answer and the poll's: none to the noise.
        expect(board.said.split('=').length - answers).toBeLessThanOrEqual(2);
      }
      for (let n = 0; n < 25; n++) {
        board.inject(Uint8Array.from({ length: 1 + Math.floor(60 * uniform(3, 'length', n)) }, (_, i) => 256 * uniform(3, `byte ${i}`, n)));
        await fed(0.1);
      }
      expect(board.pins).toEqual(ON);
      expect(board.changes).toHaveLength(before);
    });

    test('a reset in mid-session is seen: outputs fall, the readings say so, and orders wait for a new time-out', async () => {
      const { board, armed, fed, order, readings, value } = await started(make);
      await armed(1);
      await fed(1);
      const from = readings.length;
      await board.press();
      expect(board.pins).toEqual(OFF);
      await board.run(0.4);
      const bad = readings.slice(from).filter((r) => r.from === 'guard.relay' && r.quality === 'bad');
      expect(bad.map((r) => r.why)).toContain(
        'the board has been reset (external): its outputs were off, and what was ordered before is gone',
      );
      expect([value('relay'), value('trip'), value('armed_timeout'), value('reset_cause')]).toEqual([false, 'reset', 0, 'external']);
      expect(Number(value('uptime'))).toBeLessThan(0.5);
      expect(await order('relay', true)).toMatch(/tripped \(reset\)/);
      await armed(1);
    });
  });
});

describe.skipIf(!there)(`the sketch on simavr (${SKIPPED})`, () => {
  test.each([
    ['hangs', 'hang'],
    ["has lost its clock's interrupts", 'stop'],
  ])('when it %s the hardware watchdog resets it', async (_what, word) => {
    const elf = build(folder, 'HANG');
    const { board, armed, readings, value } = await started(() => onSimavr(folder, elf));
    await armed(10);
    const from = readings.length;
    const at = board.now;
    board.inject(asked(1, word));
    await board.run(1.5);
    expect(board.pins).toEqual(OFF);
    for (const change of board.changes.slice(-2)) expect(change.at - at).toBeLessThan(0.3);
    expect([value('trip'), value('reset_cause')]).toEqual(['reset', 'watchdog']);
    expect(readings.slice(from).some((r) => r.quality === 'bad' && r.why.includes('reset (watchdog)'))).toBe(true);
  });

  test('an input that is built not to trip is only reported', async () => {
    const elf = build(folder, 'DOOR_TRIPS=0', 'UNIT=1');
    const { board, acquired, armed, fed, value } = await started(() => onSimavr(folder, elf));
    expect(acquired.id).toMatchObject({ trips: '-BK' });
    await armed(1);
    await board.contact('door', false);
    await fed(0.5);
    expect(value('door')).toBe(false);
    expect(board.pins).toEqual(ON);
    await board.contact('button', false);
    await board.run(0.02);
    expect(board.pins).toEqual(OFF);
  });

  test('a board of another number is refused', async () => {
    const elf = build(folder, 'UNIT=7');
    const { acquired } = await started(() => onSimavr(folder, elf));
    expect(acquired.state).toMatchObject({ is: 'refused', why: 'this is the board number 7, and number 1 is expected (option "unit")' });
  });

  test('more questions at once than the line can hold: what is answered is right, and the next one is', async () => {
    const board = await onSimavr(folder, plain);
    onTestFinished(() => board.close());
    await board.run(0.5);
    board.inject(Array.from({ length: 60 }, (_, i) => asked(100 + i, 'state')).join(''));
    await board.run(1);
    const numbers = tells(board.said).map((m) => m.n);
    expect(numbers.length).toBeGreaterThan(5);
    expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
    expect(numbers.every((n) => n >= 100 && n < 160)).toBe(true);
    board.inject(asked(7, 'who'));
    await board.run(0.1);
    expect(tells(board.said).at(-1)).toMatchObject({ n: 7, word: 'who', outcome: 'ok', more: 'deadman 1 1 DBK' });
  });

  test('the simulator gives the same answers, line by line', async () => {
    const both = [await onSimavr(folder, plain), await onSimulator()];
    for (const board of both) {
      onTestFinished(() => board.close());
      await board.run(1.5);
    }
    const [sketch, simulator] = both;
    const [first] = await Promise.all([ask(sketch, ':1 state'), ask(simulator, ':1 state')]);
    expect(first).toHaveLength(1);
    for (const [n, act] of script().entries()) {
      const answers: (readonly DeadmanTell[])[] = [];
      for (const board of both) {
        if (typeof act === 'string') answers.push(await ask(board, act));
        else {
          if ('contact' in act) await board.contact(act.contact, act.closed);
          await board.run(act.run);
          answers.push([]);
        }
      }
      const [one, other] = answers;
      const shown = `step ${n}: ${JSON.stringify(act)}`;
      expect(other.map(exact), shown).toEqual(one.map(exact));
      expect(both.map((b) => b.pins)[1], shown).toEqual(sketch.pins);
      // Their milliseconds begin at different moments of the line.
      for (const [i, m] of one.entries()) expect(Math.abs(other[i].left - m.left), shown).toBeLessThanOrEqual(5);
    }
  });

  test('on a pseudo-terminal, in real time, through the serial link', async () => {
    const path = join(folder, 'ttyBoard');
    const child = harness(folder, plain, path);
    const changes: Change[] = [];
    let changed = (): void => {};
    const lines = createInterface({ input: child.stdout });
    lines.on('line', (line) => {
      changes.push(...heardOf(line).changes);
      changed();
    });
    await once(lines, 'line');
    onTestFinished(async () => {
      child.stdin.end();
      if (child.exitCode === null) await once(child, 'exit');
    });
    /** Waits for events of the board, never for a time. */
    const until = (done: () => boolean): Promise<void> =>
      new Promise((over) => {
        changed = () => {
          if (done()) over();
        };
        changed();
      });
    const clock = realClock();
    const host = driven(serialLink({ path, baud: 115200 }, clock), clock);
    const told = (give: (done: (outcome: string) => void) => void): Promise<string> => new Promise(give);
    const again = async (give: (done: (outcome: string) => void) => void): Promise<void> => {
      // The link comes up by itself, and a busy machine may take longer than a question's time-out.
      for (let tries = 0; tries < 100; tries++) {
        if ((await told(give)) === 'done') return;
        await new Promise((over) => clock.after(0.05, () => over(undefined)));
      }
      throw new Error('the board does not do as it is told');
    };
    while (host.acquired.state.is !== 'running') await new Promise((over) => clock.after(0.02, () => over(undefined)));
    await again((done) => host.set(10, done));
    await again((done) => host.order('relay', true, done));
    await until(() => changes.at(-1)?.output === 'relay');
    expect(changes).toMatchObject([{ output: 'relay', on: true }]);
    for (let n = 0; n < 5; n++) await again((done) => host.feed(done));
    // A short time-out that nobody feeds: the pin falls, by the board's own clock.
    await again((done) => host.set(0.2, done));
    await until(() => changes.length > 1);
    expect(changes.slice(1)).toMatchObject([{ output: 'relay', on: false }]);
    expect(await told((done) => host.feed(done))).not.toBe('done');
  });
});
