/** What is asked of every instrument, found by itself: a new driver and its simulator need no test of their own to be held to this. */
import { Subject } from 'rxjs';
import { describe, expect, test } from 'vitest';
import { catalogue } from '../src/catalogue.ts';
import { leastOptions } from '../src/cli/instruments.ts';
import { virtualClock } from '../src/clock.ts';
import type { Entry } from '../src/entry.ts';
import type { Body, Instrument, Links } from '../src/instrument.ts';
import { type Arrival, wrapped } from '../src/link.ts';
import { dribbleLink } from '../src/links/dribble.ts';
import { faultyLink } from '../src/links/faulty.ts';
import type { Recorded } from '../src/links/recording.ts';
import { replayedLink } from '../src/links/replayed.ts';
import type { Kinds, Measured, Reading, Trace, Values } from '../src/reading.ts';
import { wires } from '../src/rig-wires.ts';
import { universe } from '../src/simulate.ts';
import { laboratory, rigOf } from './laboratory.ts';

const known = await catalogue();
const simulated = [...known.instruments.keys()].filter((name) => known.simulators.has(name));
const SECONDS = 70; // longer than the slowest poll

const kindOf = (value: unknown): string =>
  typeof value === 'boolean' ? 'flag' : typeof value === 'string' ? 'state' : typeof value === 'number' ? 'number' : 'trace';
const plain = (kind: string): string => (['flag', 'state', 'trace'].includes(kind) ? kind : 'number');

/** The body that the instrument has after identifying itself against its simulator. */
function bodyOf(name: string): Body<Links> {
  const lab = laboratory(rigOf(name, known), known);
  lab.clock.advance(5);
  const one = lab.host.acquired.get(name);
  expect(one?.state).toEqual({ is: 'running' });
  const model = known.instruments.get(name);
  return model?.body(model.options.parse(leastOptions(model) ?? {}), one?.id) as Body<Links>; // a driver of these links
}

function close(got: unknown, want: unknown): void {
  if (typeof want === 'number') {
    expect(typeof got).toBe('number');
    expect(Math.abs(Number(got) - want)).toBeLessThanOrEqual(1e-12 * Math.max(1e-30, Math.abs(want)));
  } else if (Array.isArray(want)) {
    expect(Array.isArray(got) && got.length).toBe(want.length);
    for (const [i, w] of want.entries()) close((got as unknown[])[i], w); // an array, checked above
  } else if (want !== null && typeof want === 'object' && 'value' in want) close((got as { value: unknown }).value ?? got, want.value);
  else expect(got).toEqual(want);
}

/** A trace's numbers as text, so that two of them can be compared. */
const flat = (r: Reading): unknown => {
  if (r.quality === 'bad' || r.kind !== 'trace') return r;
  const { columns, ...rest } = r.value as Trace; // its kind says so
  return { ...r, value: { ...rest, columns: Object.entries(columns).map(([n, c]) => [n, c.unit, c.data.length, ...c.data.slice(0, 50)]) } };
};
const values = (entries: readonly Entry[]): unknown[] => entries.flatMap((e) => (e.kind === 'reading' ? [flat(e.reading)] : []));

describe.each([...known.instruments.keys()])('%s', (name) => {
  const model = known.instruments.get(name);
  test('says where it was learnt', () => {
    expect(model?.model.length).toBeGreaterThan(3);
    expect(model?.source.length).toBeGreaterThan(10);
  });
});

describe.each(simulated)('%s on its simulator', (name) => {
  test('each example means what it says, in SI', () => {
    const body = bodyOf(name);
    const all = [...(body.polls ?? []), ...Object.values(body.streams ?? {}).flatMap((s) => s ?? [])];
    expect(all.length).toBeGreaterThan(0);
    for (const one of all) {
      const [reply, meaning] = one.example as readonly [unknown, Values<Kinds>];
      const got = one.read(reply, { asked: 0, t: 1e15, name: 'example' }) as Values<Kinds>;
      expect(Object.keys(meaning).length).toBeGreaterThan(0);
      for (const [channel, want] of Object.entries(meaning)) {
        expect(Object.keys(one.gives as Kinds)).toContain(channel);
        close(got[channel], want);
      }
    }
  });

  test('every channel is good, of its kind, and within a minute', () => {
    const lab = laboratory(rigOf(name, known), known);
    const statistical = wires(rigOf(name, known), known).wires.some(({ users }) => users[0]?.protocol.readout !== undefined);
    lab.clock.advance(SECONDS);
    const one = lab.host.acquired.get(name);
    const channels = Object.entries(one?.channels ?? {});
    expect(channels.length).toBeGreaterThan(0);
    for (const [channel, kind] of channels) {
      const all = lab.readings(`${name}.${channel}`);
      const good = all.filter((r) => r.quality !== 'bad');
      // A fit of what a stream brings may want more than a minute: until then it says why there is none.
      expect(statistical ? all.length : good.length, `${channel} has no good reading`).toBeGreaterThan(0);
      for (const r of good) expect(kindOf(r.value)).toBe(plain(kind));
    }
    const bad = lab.readings().filter((r) => r.quality === 'bad');
    if (statistical) expect(bad.filter((r) => r.quality === 'bad' && r.why === '')).toEqual([]);
    else expect(bad).toEqual([]);
    expect(lab.readings().every((r) => r.origin === 'simulator')).toBe(true);
  });

  test('connecting and polling changes nothing in the device', () => {
    const lab = laboratory(rigOf(name, known), known);
    const clock = virtualClock();
    const simulator = known.simulators.get(name);
    if (!simulator) return;
    const all = universe(1, clock);
    const alone = all.device(name, simulator, simulator.options.parse(leastOptions(known.instruments.get(name) as Instrument) ?? {}));
    lab.clock.advance(20);
    clock.advance(20);
    lab.simulated.universe.settle();
    all.settle();
    // `last` is when it was last asked: a device may know that without being changed.
    const settings = (state: unknown): string => JSON.stringify(state, (key, value: unknown) => (key === 'last' ? undefined : value));
    expect(settings(lab.simulated.device(name)?.state)).toBe(settings(alone.state));
  });

  test('two runs are equal to the last digit, and another seed is another world', () => {
    const run = (seed: number) => {
      const lab = laboratory(rigOf(name, known), known, { seed });
      lab.clock.advance(15);
      return values(lab.entries);
    };
    const first = run(7);
    expect(first.length).toBeGreaterThan(0);
    expect(run(7)).toEqual(first);
  });

  test('single bytes are read like whole replies', () => {
    const run = (single: boolean) => {
      const lab = laboratory(rigOf(name, known), known, {
        wrap: (link) => (single && link.framing === 'stream' ? dribbleLink(link) : link),
      });
      lab.clock.advance(15);
      return values(lab.entries);
    };
    expect(run(true)).toEqual(run(false));
  });

  test('a recording read again gives the same readings', () => {
    const lab = laboratory(rigOf(name, known), known);
    lab.clock.advance(15);
    const first = values(lab.entries);
    const wires = lab.entries.flatMap((e): Recorded[] => (e.kind === 'bytes' ? [e.wire] : []));
    const again = laboratory(rigOf(name, known), known, {
      open: (wire, clock) =>
        replayedLink(
          wires.filter((w) => w.link === wire.key),
          clock,
          { framing: wire.users[0].protocol.framing ?? 'stream', origin: 'simulator', strict: true },
        ),
    });
    again.clock.advance(15);
    expect(values(again.entries)).toEqual(first);
  });

  test('silence turns every polled channel bad, with the reason', () => {
    let silent = false;
    const lab = laboratory(rigOf(name, known), known, {
      wrap(link) {
        const arrivals = new Subject<Arrival>();
        link.arrivals.subscribe((a) => {
          if (!silent) arrivals.next(a);
        });
        return wrapped(link, { arrivals });
      },
    });
    lab.clock.advance(10);
    silent = true;
    const before = lab.entries.length;
    lab.clock.advance(SECONDS + 20);
    const after = lab.entries.slice(before).flatMap((e) => (e.kind === 'reading' ? [e.reading] : []));
    const body = bodyOf(name);
    const watched = Object.values(body.streams ?? {})
      .flatMap((s) => s ?? [])
      .filter((s) => s.silence !== undefined);
    const channels = [...(body.polls ?? []), ...watched].flatMap((p) => Object.keys(p.gives as Kinds));
    for (const channel of channels) {
      const last = after.filter((r) => r.from === `${name}.${channel}`).at(-1);
      expect(last?.quality, channel).toBe('bad');
      expect((last as Measured<'1'> | undefined)?.why?.length, channel).toBeGreaterThan(5);
    }
    expect(lab.entries.filter((e) => e.kind === 'gap').length).toBeGreaterThanOrEqual(channels.length);
  });

  test('late, garbled, lost and echoed replies never make a good reading that is wrong', () => {
    const calm = laboratory(rigOf(name, known), known);
    calm.clock.advance(SECONDS);
    const rough = laboratory(rigOf(name, known), known, {
      wrap: (link, wire, clock) =>
        faultyLink(link, clock, { seed: 3, name: wire.key, drop: 0.03, delay: 0.05, longest: 4, cut: 0.02, echo: 0.02 }),
    });
    rough.clock.advance(3 * SECONDS);
    const seen = new Map<string, Set<unknown>>();
    const range = new Map<string, [number, number]>();
    for (const r of calm.readings()) {
      if (r.quality === 'bad' || r.kind === 'trace') continue;
      const key = `${r.from}[${r.index ?? ''}]`;
      if (typeof r.value === 'number') {
        const [lo, hi] = range.get(key) ?? [r.value, r.value];
        range.set(key, [Math.min(lo, r.value), Math.max(hi, r.value)]);
      } else seen.set(key, (seen.get(key) ?? new Set()).add(r.value));
    }
    let good = 0;
    // What streams say of losses is true then.
    const polled = new Set((bodyOf(name).polls ?? []).flatMap((p) => Object.keys(p.gives as Kinds).map((c) => `${name}.${c}`)));
    for (const r of rough.readings()) {
      if (r.quality === 'bad' || r.kind === 'trace' || !polled.has(r.from)) continue;
      good++;
      const key = `${r.from}[${r.index ?? ''}]`;
      if (typeof r.value === 'number') {
        const [lo, hi] = range.get(key) ?? [Number.NaN, Number.NaN];
        const slack = 3 * (hi - lo) + 0.1 * Math.max(Math.abs(lo), Math.abs(hi)) + 1e-9;
        // A counter goes on counting in the longer run.
        if (hi - lo > 0.3 * Math.abs(hi)) continue;
        expect(r.value, key).toBeGreaterThanOrEqual(lo - slack);
        expect(r.value, key).toBeLessThanOrEqual(hi + slack);
      } else expect(seen.get(key), key).toContain(r.value);
    }
    expect(good > 0 || polled.size === 0).toBe(true);
  });

  test('hazardous commands can be read back, and their safe bytes depend on no reply', () => {
    const body = bodyOf(name);
    for (const [word, command] of Object.entries(body.commands ?? {})) {
      if (command.safe === undefined) continue;
      expect(command.readback, `${word} has no readback`).toBeDefined();
      const given = body.polls?.find((p) => command.readback && command.readback.channel in (p.gives as Kinds));
      expect(given, `${word} is read back from no poll`).toBeDefined();
    }
  });
});
