/** A session against simulators: as they were, and each with one thing that the instrument does otherwise. */
import { afterAll, describe, expect, test } from 'vitest';
import type { ModbusTell } from '../protocols/modbus.ts';
import { type Catalogue, catalogue } from '../src/catalogue.ts';
import { type Against, againstSimulators } from '../src/replay/against.ts';
import type { Simulator } from '../src/simulator.ts';
import { recorded, rigNamed } from './replay-session.ts';

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

  test('another exception', async () => {
    const refuses =
      (code: number): Say =>
      (q, said) => {
        const { unit, function: fn, address } = q as { unit: number; function: number; address: number }; // what modbusRtu gives
        return unit === 2 && fn === 3 && address === 2 ? [{ unit, function: fn, exception: code }] : said;
      };
    const r = await run(changed('eurotherm-2000', refuses(2)));
    if (r.findings.length > 0)
      expect(new Set(r.findings.map((f) => `${f.class} ${f.what}`))).toEqual(new Set(['error no error then, the simulator: exception 2']));
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
    const r = await run(
      changed(
        'ipg-ylr',
        (q, said) => (String(q).startsWith('SDC') && said.length === 0 ? [String(q)] : said),
        (q) => !/^SDC 4[05]/.test(String(q)),
      ),
    );
    expect(r.findings.map((f) => `${f.class} ${f.of}`)).toContain('physics laser.set_point');
  });
});
