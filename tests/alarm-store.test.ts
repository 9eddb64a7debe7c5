/** Alarms over a restart: kept in a file that is always whole; one that is damaged is said and set aside. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { alarms } from '../src/alarm.ts';
import { virtualClock } from '../src/clock.ts';
import type { AlarmState, Entry } from '../src/entry.ts';
import { alarmKeeper } from '../src/recorder/alarm-keeper.ts';
import { alarmFile, alarmStore, readAlarmStates } from '../src/recorder/alarm-store.ts';
import { alarmWords } from '../src/recorder/alarm-words.ts';

const scratch = mkdtempSync(join(tmpdir(), 'bridgman-alarms-'));
afterAll(() => rmSync(scratch, { recursive: true }));
let folders = 0;
const fresh = (): string => {
  const folder = join(scratch, String(folders++));
  mkdirSync(folder);
  return join(folder, 'lab.alarms.json');
};
const T = 1_767_225_600_000_000;
const state = (name: string, more: Partial<AlarmState> = {}): AlarmState => ({
  name,
  now: 'alarm',
  severity: 'critical',
  since: T,
  changed: T,
  text: 'cell.temperature is 41.2 °C, above 35.0 °C',
  unacknowledged: true,
  ...more,
});
const over = (name: string): AlarmState => {
  const { now: _, ...rest } = state(name, { unacknowledged: false });
  return rest;
};
const never = (text: string): void => {
  throw new Error(text);
};

describe('the file', () => {
  test('holds what is not normal, and gives it back as it was', async () => {
    const file = fresh();
    const store = alarmStore(file, { told: never });
    const all = [
      state('hot', { guidance: 'look at the chiller' }),
      state('silence laser', { unacknowledged: false, acknowledged: { by: 'eva', t: T + 1 } }),
      state('link tcp:laser', { shelved: { by: 'tom', until: T + 2, why: 'being mended' } }),
    ];
    for (const one of [...all, state('gone')]) store.take(one);
    store.take(over('gone'));
    store.done(['a', 'b']);
    await store.flush();
    expect(await readAlarmStates(file)).toMatchObject({ states: all, done: ['a', 'b'] });
    expect(await readAlarmStates(file)).not.toHaveProperty('why');
    expect(readdirSync(join(file, '..'))).toEqual(['lab.alarms.json']);
  });

  test('is whole at each moment, with the last state in the end', async () => {
    const file = fresh();
    const store = alarmStore(file, { told: never });
    for (let i = 0; i < 200; i++) {
      store.take(state('hot', { changed: T + i }));
      if (i % 20 !== 0) continue;
      await new Promise(setImmediate);
      if (existsSync(file)) expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ version: 1 });
    }
    await store.flush();
    expect((await readAlarmStates(file)).states).toEqual([state('hot', { changed: T + 199 })]);
  });

  test('has what came during a write without being asked for it', async () => {
    const file = fresh();
    const store = alarmStore(file, { told: never });
    store.take(state('hot'));
    store.take(state('cold'));
    while (!existsSync(file) || !readFileSync(file, 'utf8').includes('cold')) await new Promise(setImmediate);
    await store.flush();
  });

  test('begins with what was kept, and a list of all that there is takes out the rest', async () => {
    const file = fresh();
    const store = alarmStore(file, { told: never, kept: { states: [state('old'), state('hot')], done: ['k'] } });
    store.take(state('new'));
    await store.flush();
    expect((await readAlarmStates(file)).states.map((s) => s.name)).toEqual(['old', 'hot', 'new']);
    store.takeAll([state('hot', { text: 'another value' }), state('new', { changed: T + 1 }), over('old')]);
    await store.flush();
    const { states, done } = await readAlarmStates(file);
    expect(states).toEqual([state('hot'), state('new', { changed: T + 1 })]); // a value alone is no reason to write
    expect(done).toEqual(['k']);
  });

  test('that cannot be written is said once, tried again, and said when it works again', async () => {
    const file = join(scratch, 'not-there-yet', 'lab.alarms.json');
    const told: string[] = [];
    const clock = virtualClock();
    const store = alarmStore(file, { told: (text) => told.push(text), after: (s, work) => clock.after(s, work) });
    store.take(state('hot'));
    await store.flush();
    store.take(state('cold'));
    await store.flush();
    expect(told).toEqual([
      expect.stringMatching(/^the alarms cannot be kept in .*ENOENT.*: a restart would not know who acknowledged what$/),
    ]);
    mkdirSync(join(file, '..'));
    clock.advance(5);
    await store.flush();
    expect(told.slice(1)).toEqual([`the alarms are kept in ${file} again`]);
    expect((await readAlarmStates(file)).states.map((s) => s.name)).toEqual(['hot', 'cold']);
  });

  test('that is not there is no fault', async () => {
    expect(await readAlarmStates(fresh())).toEqual({ states: [], done: [] });
  });

  test('cut at any byte is said and set aside, and the next one is written', async () => {
    const file = fresh();
    const store = alarmStore(file, { told: never });
    store.take(state('hot', { guidance: 'see „chiller"' }));
    store.done(['x']);
    await store.flush();
    const whole = readFileSync(file);
    for (let n = 0; n < whole.length - 1; n++) {
      writeFileSync(file, whole.subarray(0, n));
      const { states, why } = await readAlarmStates(file);
      expect(states).toEqual([]);
      expect(why).toMatch(
        /are damaged: no alarm of the last run is known; it has been put aside as .*\.damaged\. What lasts is raised anew$/,
      );
      expect(existsSync(file)).toBe(false);
    }
    store.take(state('cold'));
    await store.flush();
    expect((await readAlarmStates(file)).states.map((s) => s.name)).toEqual(['hot', 'cold']);
  });

  test.each([
    ['nonsense', 0],
    ['null', 0],
    ['[]', 0],
    ['{"version":2,"alarms":[],"done":[]}', 0],
    [JSON.stringify({ version: 1, alarms: [state('a'), { ...state('b'), severity: 'bad' }, state('c')], done: [] }), 2],
    [JSON.stringify({ version: 1, alarms: [state('a'), null, { name: 'b' }, 7], done: [] }), 1],
    [
      JSON.stringify({
        version: 1,
        alarms: [
          { ...state('a'), shelved: { by: 'x' } },
          { ...state('b'), since: 'now' },
        ],
        done: [],
      }),
      0,
    ],
    [JSON.stringify({ version: 1, alarms: [state('a')] }), 1],
  ])('%s is set aside; what can be read of it counts', async (text, n) => {
    const file = fresh();
    writeFileSync(file, text);
    const { states, why } = await readAlarmStates(file);
    expect(states).toHaveLength(n);
    expect(why).toContain(n === 0 ? 'no alarm of the last run is known' : `${n} could be read`);
    expect(readFileSync(`${file}.damaged`, 'utf8')).toBe(text);
  });

  test('that is a folder is said, not fatal', async () => {
    const file = fresh();
    mkdirSync(file);
    expect((await readAlarmStates(file)).why).toMatch(/cannot be read .*EISDIR/);
  });
});

describe('a run after a run', () => {
  test('knows what was acknowledged, and tells nobody twice', async () => {
    const file = fresh();
    const rig = {
      name: 'lab',
      sessions: join(file, '..'),
      escalate: [{ severity: 'alarm' as const, after: 0, command: ['/nowhere/page'] }],
    };
    const clock = virtualClock();
    const said: string[] = [];
    const run = async (work: (engine: ReturnType<typeof alarms>) => void): Promise<void> => {
      const keeper = await alarmKeeper(rig, { simulated: false, clock, told: (text) => said.push(text) });
      const { states } = await readAlarmStates(alarmFile(rig, false));
      const engine = alarms([], { restored: states, emit: (s) => keeper.take({ kind: 'alarm-state', state: s }) });
      work(engine);
      const status = { t: 0, instruments: {}, links: [], leases: [], alarms: engine.states, lateness: 0, queued: 0, dropped: 0, memory: 0 };
      keeper.take({ kind: 'status', status } satisfies Entry);
      await keeper.close();
    };
    await run((engine) => {
      engine.raise('hot', 'warning', 'too hot', 0, T);
      engine.raise('wet', 'warning', 'too wet', 0, T);
      engine.acknowledge('hot', 'eva', T);
    });
    expect(said.at(-1)).toBe('not acknowledged yet, and kept for the next run: wet');
    let restored: readonly AlarmState[] = [];
    await run((engine) => {
      restored = engine.states;
      engine.raise('hot', 'warning', 'still too hot', 1, T + 1);
      engine.clear('wet', 1, T + 1);
    });
    expect(restored).toMatchObject([
      { name: 'hot', unacknowledged: false, acknowledged: { by: 'eva' } },
      { name: 'wet', unacknowledged: true },
    ]);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ alarms: [{ name: 'hot', unacknowledged: false }, { name: 'wet' }] });
    expect(alarmFile(rig, true)).toBe(join(file, '..', 'lab.simulated.alarms.json'));
  });
});

test('each change is said in one line', () => {
  const raised = state('hot', { now: 'warning', guidance: 'look' });
  const { now: _, ...gone } = raised;
  const lines: (readonly [AlarmState, AlarmState | undefined, string])[] = [
    [raised, undefined, 'hot: WARNING: cell.temperature is 41.2 °C, above 35.0 °C (look)'],
    [{ ...raised, now: 'critical' }, raised, 'hot: CRITICAL: cell.temperature is 41.2 °C, above 35.0 °C (look)'],
    [raised, { ...raised, now: 'critical' }, 'hot: down to warning: cell.temperature is 41.2 °C, above 35.0 °C'],
    [{ ...raised, unacknowledged: false, acknowledged: { by: 'eva', t: T } }, raised, 'hot: acknowledged by eva, still warning'],
    [gone, raised, 'hot: over (cell.temperature is 41.2 °C, above 35.0 °C); waits to be acknowledged'],
    [{ ...gone, unacknowledged: false }, raised, 'hot: over (cell.temperature is 41.2 °C, above 35.0 °C)'],
    [{ ...gone, unacknowledged: false, acknowledged: { by: 'eva', t: T } }, gone, 'hot: acknowledged by eva'],
    [{ ...raised, shelved: { by: 'eva', until: T, why: 'venting' } }, raised, 'hot: shelved by eva until 2026-01-01 00:00 UTC (venting)'],
    [
      raised,
      { ...raised, shelved: { by: 'eva', until: T, why: 'venting' } },
      'hot: WARNING: cell.temperature is 41.2 °C, above 35.0 °C (look)',
    ],
    [{ ...gone, unacknowledged: false }, { ...gone, shelved: { by: 'eva', until: T, why: 'venting' } }, 'hot: no longer shelved'],
  ];
  for (const [now, before, wanted] of lines) expect(alarmWords(now, before)).toBe(wanted);
});
