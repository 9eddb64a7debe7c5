/** A session against simulators: as they were, and each with one thing that the instrument does otherwise. */
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import type { CounterFrame } from '../protocols/counter-frames.ts';
import type { ModbusTell } from '../protocols/modbus.ts';
import { type Catalogue, catalogue } from '../src/catalogue.ts';
import { againstWords } from '../src/cli/replay-against.ts';
import { type Against, againstSimulators } from '../src/replay/against.ts';
import type { Simulator } from '../src/simulator.ts';
import { recorded, rigNamed } from './replay-session.ts';
import { tamper } from './tamper.ts';

const known = await catalogue();
const rig = await rigNamed('demo', known);
// The sample's temperature and the spectra of it depend on nothing that is looked at here.
const quiet = {
  ...rig,
  instruments: rig.instruments.filter(({ name }) => !['board', 'camera'].includes(name)),
  derive: [],
  alarms: undefined,
};
const recording = await recorded(quiet, known, { seconds: 12 });
afterAll(() => recording.remove());

type Say = (q: unknown, said: readonly unknown[]) => readonly unknown[];

/** The catalogue with one simulator whose answers are changed on their way out, or whose questions never reach it (undefined). */
function changed(model: string, say: Say, hears: (q: unknown) => boolean = () => true): Catalogue {
  const simulator = known.simulators.get(model);
  if (!simulator) throw new Error(`no simulator ${model}`);
  const answer = Object.fromEntries(
    Object.entries(simulator.answer).map(([role, given]) => [
      role,
      (...[q, ...rest]: Parameters<NonNullable<typeof given>>) => (hears(q) ? say(q, given?.(q, ...rest) ?? []) : []),
    ]),
  );
  return { ...known, simulators: new Map(known.simulators).set(model, { ...simulator, answer } as Simulator) }; // the same languages
}

const run = (using: Catalogue, more: object = {}): Promise<Against> =>
  againstSimulators({ folder: recording.folder, rig: quiet, catalogue: using, ...more });
const short = ({ findings }: Against): readonly string[] => findings.map((f) => `${f.class} ${f.instrument} ${f.of}: ${f.what}`);
const lines =
  (to: (line: string) => string | undefined): Say =>
  (_, said) =>
    said.flatMap((m) => {
      const line = typeof m === 'string' ? to(m) : m;
      return line === undefined ? [] : [line];
    });

describe('a session of simulators against the same', () => {
  test('is clean, to the last bit', async () => {
    const r = await run(known);
    expect(r.findings).toEqual([]);
    expect(r.notCompared).toEqual([]);
    expect(r.without).toEqual([]);
    expect(r.exchanges.compared).toBe(r.exchanges.recorded);
    expect(r.exchanges.recorded).toBeGreaterThan(300);
    expect(r.channels.map(({ largest = 0 }) => Math.max(0, largest)).every((size) => size === 0)).toBe(true);
    expect(r.channels.find(({ channel }) => channel === 'laser.output_power')?.pairs).toBeGreaterThan(20);
    expect(r.verdict).toBe('as the instruments');
  });

  test('is clean where the program took its time before it asked', async () => {
    const place = await mkdtemp(join(tmpdir(), 'bridgman-against-'));
    try {
      await cp(recording.folder, place, { recursive: true });
      const changed = await tamper(place, 'slow', (topic, bytes) => {
        if (topic !== 'rig') return false;
        const file = Buffer.from(bytes.buffer);
        const logTime = Buffer.from(file.subarray(bytes.byteOffset - 16, bytes.byteOffset - 8));
        const earlier = logTime.readBigUInt64LE() - 20_000_000_000n; // nanoseconds; also where the chunk's head says it
        for (let at = file.indexOf(logTime); at >= 0; at = file.indexOf(logTime, at)) file.writeBigUInt64LE(earlier, at);
        return true;
      });
      expect(changed).toBe(1);
      const r = await againstSimulators({ folder: place, rig: quiet, catalogue: known });
      expect(r.duration).toBeGreaterThan(30);
      expect(short(r)).toEqual([]);
      // A countdown hangs on where in a tick it is asked.
      expect(r.channels.flatMap(({ channel, largest = 0 }) => (largest > 0 && channel !== 'guard.time_left' ? [channel] : []))).toEqual([]);
    } finally {
      await rm(place, { recursive: true, force: true });
    }
  });

  test('another seed is the same laboratory', async () => {
    const r = await run(known, { seed: 5 });
    expect(short(r)).toEqual([]);
    expect(r.verdict).toBe('as the instruments');
  });
});

describe('found and named, and nothing else', () => {
  test('a question that the simulator does not know', async () => {
    const r = await run(changed('ipg-ylr', (q, said) => (q === 'RCT' ? [] : said)));
    expect(short(r)).toEqual(['unknown laser "RCT\\r": was answered then, the simulator is silent']);
    const [{ count, among, first }] = r.findings;
    expect(count).toBe(among);
    expect(first).toMatchObject({ question: '"RCT\\r"', recorded: expect.stringMatching(/^"RCT: /) });
    expect(first.simulator).toBeUndefined();
    expect(r.notCompared).toEqual([{ of: 'laser.temperature', why: 'the simulator did not answer', count }]);
    expect(r.verdict).toBe('differs');
  });

  test('a number with one decimal less', async () => {
    const r = await run(
      changed(
        'druck-pace',
        lines((line) => line.replace(/(?<=^:SENS:PRES )(-?\d+\.\d+)\d/, '$1')),
      ),
    );
    expect(short(r)).toEqual(['form gas ":SENS:PRES?;:UNIT:PRES?\\n": how number 1 is written: 6 decimals instead of 7 decimals']);
  });

  test('a number in another style', async () => {
    const r = await run(
      changed(
        'druck-pace',
        lines((line) => line.replace(/(?<=^:SENS:PRES )-?[\d.]+/, (n) => Number(n).toExponential(9))),
      ),
    );
    expect(short(r)).toEqual(['form gas ":SENS:PRES?;:UNIT:PRES?\\n": how number 1 is written: with an exponent']);
  });

  test('letters of another size', async () => {
    const r = await run(
      changed(
        'ipg-ylr',
        lines((line) => line.replace('Off', 'OFF')),
      ),
    );
    expect(new Set(r.findings.map((f) => `${f.class} ${f.what}`))).toEqual(new Set(['form large and small letters']));
  });

  test('an error where there was none', async () => {
    const r = await run(changed('ipg-ylr', (q, said) => (q === 'RCT' ? ['ERR: not now'] : said)));
    expect(short(r)).toEqual(['error laser "RCT\\r": no error then, the simulator: "ERR: not now"']);
  });

  test('20 % less power', async () => {
    const less = changed(
      'ipg-ylr',
      lines((line) => line.replace(/(?<=^ROP: )[\d.]+$/, (n) => (Number(n) * 0.8).toFixed(n.split('.')[1]?.length ?? 0))),
    );
    const r = await run(less);
    expect(short(r)).toEqual(['physics laser laser.output_power: another value']);
    const power = r.channels.find(({ channel }) => channel === 'laser.output_power');
    expect(power?.median).toBeGreaterThan(0);
    expect(power?.first).toMatchObject({ question: '"ROP\\r"' });
    // The world may be as far off as that.
    expect(short(await run(less, { tolerance: 0.25 }))).toEqual([]);
  });

  test('another sign', async () => {
    const r = await run(
      changed(
        'druck-pace',
        lines((line) => line.replace(/(?<=^:SENS:PRES )(\d)/, '-$1')),
      ),
    );
    expect(short(r)).toEqual(['physics gas gas.pressure: another value']);
  });

  test('a Modbus answer of another length', async () => {
    let asked: number | undefined;
    const longer = changed('eurotherm-2000', (q, said) => {
      const { unit, function: code, address } = q as { unit: number; function: number; address: number }; // what modbusRtu gives
      if (unit !== 1 || code !== 3) return said;
      asked ??= address;
      if (address !== asked) return said;
      return (said as readonly ModbusTell[]).map((m) => ('values' in m && m.function === 3 ? { ...m, values: [...m.values, 0] } : m));
    });
    const r = await run(longer);
    expect(r.findings.length).toBeGreaterThan(0);
    expect(new Set(r.findings.map(({ class: kind, instrument }) => `${kind} ${instrument}`))).toEqual(new Set(['form cell']));
    expect(r.findings[0].what).toMatch(/^no answer to this question: .*(\d) numbers.* instead of .*(\d) numbers/);
  });

  test('an exception, and another one', async () => {
    const refuses =
      (code: number): Say =>
      (q, said) => {
        const { unit, function: fn, address } = q as { unit: number; function: number; address: number }; // what modbusRtu gives
        return unit === 2 && fn === 3 && address !== 111 && said.length > 0 ? [{ unit, function: fn, exception: code }] : said;
      };
    const one = changed('eurotherm-2000', refuses(2));
    const r = await run(one);
    const errors = r.findings.filter(({ class: kind }) => kind === 'error');
    expect(errors).toEqual(r.findings);
    expect(new Set(errors.map((f) => `${f.instrument} ${f.what}`))).toEqual(new Set(['oven no error then, the simulator: exception 2']));
    // The same of a recording in which it refuses, and of one that refuses with another.
    const refused = await recorded(quiet, one, { seconds: 2 });
    const against = async (using: Catalogue): Promise<readonly string[]> =>
      (await againstSimulators({ folder: refused.folder, rig: quiet, catalogue: using })).findings.map((f) => `${f.instrument} ${f.what}`);
    try {
      expect(await against(one)).toEqual([]);
      expect(new Set(await against(changed('eurotherm-2000', refuses(4))))).toEqual(
        new Set(['oven exception 2 then, the simulator: exception 4']),
      );
    } finally {
      await refused.remove();
    }
  });

  test('an answer to a question that was never answered', async () => {
    const silent = await recorded(
      quiet,
      changed('ipg-ylr', (q, said) => (q === 'RCT' ? [] : said)),
      { seconds: 3 },
    );
    try {
      const r = await againstSimulators({ folder: silent.folder, rig: quiet, catalogue: known });
      expect(short(r)).toEqual(['alone laser "RCT\\r": was not answered then, the simulator answers']);
      expect(r.findings[0].first).toMatchObject({ question: '"RCT\\r"', simulator: expect.stringMatching(/^"RCT: /) });
    } finally {
      await silent.remove();
    }
  });

  test('another name is told apart, and is no difference', async () => {
    const r = await run(
      changed('druck-pace', (q, said) => (q === '*IDN?' ? said.map((m) => String(m).replace(/\d{5,}/, '7654321')) : said)),
    );
    expect(short(r).every((one) => one.startsWith('identity gas'))).toBe(true);
    expect(r.findings.length).toBeGreaterThan(0);
    expect(r.verdict).toBe('as the instruments');
  });
});

describe('orders', () => {
  test('have their effect on the simulated world: one that is not carried out shows', async () => {
    const deaf = changed('ipg-ylr', (_, said) => said);
    const simulator = deaf.simulators.get('ipg-ylr');
    const main = simulator?.answer.main;
    if (!simulator || !main) throw new Error('no simulator');
    const kept: Simulator = {
      ...simulator,
      // It says that it has taken the set point, and does not.
      answer: { main: (q, ...rest) => (/^SDC (35|40)/.test(String(q)) ? [String(q).replace(' ', ': ')] : main(q, ...rest)) },
    };
    const r = await run({ ...deaf, simulators: new Map(deaf.simulators).set('ipg-ylr', kept) });
    expect(r.findings.map((f) => `${f.class} ${f.of}`)).toEqual(['physics laser.output_power', 'physics laser.set_point']);
    const power = r.channels.find(({ channel }) => channel === 'laser.output_power');
    expect(power?.first).toMatchObject({ was: expect.any(Number), is: expect.any(Number) });
  });
});

/** As many again, and some. */
const doubled = ({ number, counters }: CounterFrame): CounterFrame => ({ number, counters: counters.map((n) => 2 * n + 10) });

describe('streams', () => {
  const streamed = {
    ...rig,
    instruments: rig.instruments.filter(({ name }) => ['board', 'camera'].includes(name)),
    derive: [],
    alarms: undefined,
    start: [],
  };

  test('are paired by time; what a simulator does not send is named', async () => {
    const one = await recorded(streamed, known, { seconds: 4 });
    const board = known.simulators.get('sitcp-board');
    if (!board) throw new Error('no simulator');
    const say = board.unasked?.data?.say;
    const using = (unasked: Simulator['unasked']): Catalogue => ({
      ...known,
      simulators: new Map(known.simulators).set('sitcp-board', { ...board, unasked } as Simulator), // the same language
    });
    const against = (catalogue: Catalogue): Promise<Against> => againstSimulators({ folder: one.folder, rig: streamed, catalogue });
    try {
      const same = await against(known);
      expect(short(same)).toEqual([]);
      expect(same.channels.find(({ channel }) => channel === 'board.counter_0')?.pairs).toBeGreaterThan(30);
      const silent = await against(using({}));
      expect(short(silent)).toEqual(['unknown board by itself (data): came by itself then, the simulator does not send it']);
      const every = board.unasked?.data?.every ?? 1;
      const other = await against(
        using({
          data: {
            every,
            say: (s, w, t) => (say?.(s, w, t) ?? []).map((m) => doubled(m as CounterFrame)),
          },
        }),
      );
      expect(other.findings.map((f) => `${f.class} ${f.of}`)).toContain('physics board.counter_0');
      expect(new Set(other.findings.map((f) => f.class))).toEqual(new Set(['physics']));
    } finally {
      await one.remove();
    }
  });
});

describe('what is not compared is named', () => {
  test('an instrument without a simulator', async () => {
    const without = new Map(known.simulators);
    without.delete('druck-pace');
    without.delete('bridgman-deadman');
    const r = await run({ ...known, simulators: without });
    expect(r.findings).toEqual([]);
    expect(r.without.map(({ instrument, model }) => `${instrument} ${model}`)).toEqual(['guard bridgman-deadman', 'gas druck-pace']);
    expect(r.without.every(({ exchanges }) => exchanges > 10)).toBe(true);
    expect(r.exchanges.asked + r.without.reduce((n, { exchanges }) => n + exchanges, 0)).toBe(r.exchanges.recorded);
    expect(r.channels.some(({ channel }) => channel.startsWith('gas.'))).toBe(false);
    const said = againstWords('head', r, 1);
    expect(said).toMatch(/\nas the instruments\n/);
    expect(said).toMatch(/\nwithout a simulator\n {2}guard \(bridgman-deadman\): \d+ exchanges not asked\n {2}gas \(druck-pace\)/);
  });

  test('a rig of nothing but those is not the same as anything', async () => {
    const r = await run({ ...known, simulators: new Map() });
    expect(r.exchanges.compared).toBe(0);
    expect(r.verdict).toBe('differs');
  });

  test('a session that is cut off in its middle, and damaged', async () => {
    const place = await mkdtemp(join(tmpdir(), 'bridgman-against-'));
    try {
      await cp(recording.folder, place, { recursive: true });
      const [part] = (await readdir(place)).filter((name) => name.startsWith('slow')).sort();
      const bytes = await readFile(join(place, part));
      const half = bytes.subarray(0, Math.floor(bytes.length / 2));
      half.fill(0, Math.floor(half.length / 2), Math.floor(half.length / 2) + 40);
      await writeFile(join(place, part), half);
      const r = await againstSimulators({ folder: place, rig: quiet, catalogue: known });
      expect(r.complete).toBe(false);
      expect(r.trouble.length).toBeGreaterThan(0);
      expect(r.exchanges.compared).toBeGreaterThan(20);
      const said = againstWords('head', r, 1);
      expect(said).toMatch(/\nlost\n/);
      expect(said).toMatch(/the session was cut off/);
    } finally {
      await rm(place, { recursive: true, force: true });
    }
  });
});

describe('in words', () => {
  test('a difference has its question and both answers', async () => {
    const r = await run(changed('ipg-ylr', (q, said) => (q === 'RCT' ? [] : said)));
    const said = againstWords('session: rig demo', r, 0.5);
    expect(said).toMatch(
      /^session: rig demo\n\d+ exchanges of 1[\d.]+ s, \d+ asked again of simulators \(seed 1\) in 0\.50 s\n\ndiffers\n/,
    );
    expect(said).toMatch(
      /\na simulator does not know: 1\n {2}laser: "RCT\\r": .*; (\d+) of \1\n {4}first 2026-01-01 [\d:.]+, asked "RCT\\r": "RCT: 2\d\.\d\\r" then, the simulator nothing\n/,
    );
    expect(said).toMatch(/\nnot compared\n {2}laser\.temperature: \d+ x: the simulator did not answer\n/);
  });
});
