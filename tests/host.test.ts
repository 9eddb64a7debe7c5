/** The whole host on virtual time: instruments that come, go, lie and throw, and what is written down about it. */
import { Subject } from 'rxjs';
import { describe, expect, test } from 'vitest';
import type { Catalogue } from '../src/catalogue.ts';
import { catalogue } from '../src/catalogue.ts';
import type { VirtualClock } from '../src/clock.ts';
import type { Entry, OrderEntry } from '../src/entry.ts';
import { type Body, type Instrument, type Links, NoReply } from '../src/instrument.ts';
import { type Arrival, type Link, wrapped } from '../src/link.ts';
import type { SimulatedLink } from '../src/links/simulated.ts';
import type { Rig } from '../src/rig.ts';
import { type Laboratory, type LaboratoryOptions, laboratory } from './laboratory.ts';
import { type ToyState, toy, toyRig, toySimulator, toys } from './toys.ts';

const known = await catalogue();

function bench(rig: Rig = toyRig(), from: Catalogue = toys, more: LaboratoryOptions = {}) {
  const links = new Map<string, SimulatedLink>();
  const lab = laboratory(rig, from, {
    ...more,
    wrap(link, wire, clock) {
      links.set(wire.key, link as SimulatedLink); // the laboratory's links are simulated ones
      return more.wrap?.(link, wire, clock) ?? link;
    },
  });
  return { ...lab, links, toy: (name = 'toy') => lab.simulated.device(name)?.state as ToyState }; // the toy's own state
}
const orders = (lab: Laboratory): OrderEntry[] => lab.entries.flatMap((e) => (e.kind === 'order' && e.order.outcome ? [e.order] : []));
const gaps = (lab: Laboratory) => lab.entries.flatMap((e) => (e.kind === 'gap' ? [e.gap] : []));
const alarms = (lab: Laboratory): string[] => lab.entries.flatMap((e) => (e.kind === 'alarm' ? [`${e.alarm.from}: ${e.alarm.text}`] : []));
const exchanges = (entries: readonly Entry[], instrument: string) =>
  entries.flatMap((e) => (e.kind === 'exchange' && e.exchanged.instrument === instrument ? [e.exchanged] : []));

/** Arrivals later than they came, by what `late` says for each. */
/** Replies that come late, and those behind them after them: no wire changes their order. */
const delayed = (late: (n: number) => number) => (link: Link, _: unknown, clock: VirtualClock) => {
  const arrivals = new Subject<Arrival>();
  let n = 0;
  let last = 0;
  link.arrivals.subscribe((a) => {
    last = Math.max(last, clock.mono() + late(n++));
    clock.after(last - clock.mono(), () => arrivals.next({ ...a, t: clock.now(), mono: clock.mono() }));
  });
  return wrapped(link, { arrivals });
};

describe('polls', () => {
  test('20 Hz are 20 Hz: 2000 readings in 100 s, each on its place of the grid', () => {
    const b = bench();
    b.clock.advance(2);
    const before = b.readings('toy.fast').length;
    b.clock.advance(100);
    const all = b.readings('toy.fast');
    expect(all.length - before).toBe(2000);
    const first = all[0]?.t ?? 0;
    all.forEach((r, i) => {
      expect(Math.abs(r.t - first - i * 50_000)).toBeLessThan(10_000); // behind another question at most
      expect(r.seq).toBe(i);
    });
    expect(b.host.acquired.get('toy')?.polls.get('fast')).toMatchObject({ skipped: 0, failed: 0 });
  });

  test('an instrument that is slower than its polls: skipped ones are counted, none are queued', () => {
    const b = bench(toyRig(), toys, { wrap: delayed(() => 0.12) });
    b.clock.advance(60);
    const fast = b.host.acquired.get('toy')?.polls.get('fast');
    const ticks = (fast?.runs ?? 0) + (fast?.skipped ?? 0);
    expect(fast?.skipped).toBeGreaterThan(600);
    expect(ticks).toBeGreaterThan(1100);
    expect(ticks).toBeLessThanOrEqual(1200);
    const { behind, skipped } = b.host.status().instruments.toy;
    expect(behind?.fast).toBe(fast?.skipped);
    expect(Object.values(behind ?? {}).reduce((n, one) => n + one, 0)).toBe(skipped);
    expect(Math.max(...b.entries.flatMap((e) => (e.kind === 'status' ? e.status.links.map((l) => l.waiting) : [])))).toBeLessThanOrEqual(4);
  });

  test('polls that passed while the program stood still are counted too', () => {
    const b = bench();
    b.clock.advance(10);
    b.clock.stall(1);
    b.clock.advance(0.5);
    const skipped = b.host.acquired.get('toy')?.polls.get('fast')?.skipped ?? 0;
    // Twenty ticks; five of them are asked late.
    expect(skipped).toBeGreaterThanOrEqual(14);
    expect(skipped).toBeLessThanOrEqual(16);
    expect(b.host.status().lateness).toBeGreaterThan(0.9);
  });

  test('late replies: bad readings with their cause, never the value of another question', () => {
    const b = bench(toyRig(), toys, { wrap: delayed((n) => (n % 7 === 5 ? 0.35 : 0.002)) });
    b.clock.advance(120);
    const level = b.readings('toy.level');
    expect(level.filter((r) => r.quality !== 'bad' && r.value !== 0)).toEqual([]);
    expect(level.filter((r) => r.quality === 'bad').length).toBeGreaterThan(10);
    expect(level.filter((r) => r.quality !== 'bad').length).toBeGreaterThan(300);
    const fast = b.readings('toy.fast').flatMap((r) => (r.quality === 'bad' ? [] : [Number(r.value)]));
    expect(fast).toEqual([...fast].sort((x, y) => x - y));
  });

  test('two runs of one seed are equal to the last digit', () => {
    const all = [1, 2].map(() => {
      const b = bench();
      b.clock.advance(20);
      return JSON.stringify(b.entries);
    });
    expect(all[0]).toBe(all[1]);
  });
});

describe('instruments that come and go', () => {
  test('unplugged: bad readings with the cause; plugged in again: identified before anything is asked', () => {
    const b = bench();
    b.clock.advance(5);
    b.links.get('toy')?.plug(false);
    b.clock.advance(3);
    expect(b.readings('toy.level').at(-1)).toMatchObject({ quality: 'bad', why: 'link down' });
    expect(b.host.status().instruments.toy).toMatchObject({ state: 'silent', why: 'link down' });
    const cut = b.entries.length;
    b.links.get('toy')?.plug(true);
    b.clock.advance(2);
    const by = exchanges(b.entries.slice(cut), 'toy').map((e) => e.by);
    expect(by.slice(0, 2)).toEqual(['proof', 'identify']);
    expect(by[2]).toMatch(/^poll:/);
    expect(b.readings('toy.level').at(-1)?.quality).toBe('good');
    expect(alarms(b)).toEqual(['toy: is there', 'toy: link down', 'toy: is there']);
  });

  test('another one plugged in is refused: not read, not commanded; the first one is taken again', () => {
    const b = bench();
    b.clock.advance(5);
    b.links.get('toy')?.plug(false);
    b.clock.advance(1);
    b.toy().serial = 2;
    b.links.get('toy')?.plug(true);
    const cut = b.readings().length;
    b.clock.advance(5);
    expect(
      b
        .readings()
        .slice(cut)
        .filter((r) => r.quality !== 'bad'),
    ).toEqual([]);
    const ends: OrderEntry[] = [];
    b.host.order({ by: 'test', instrument: 'toy', command: 'level', written: 1 }, (o) => ends.push(o));
    b.clock.advance(1);
    expect(ends[0]).toMatchObject({ outcome: 'refused', why: expect.stringContaining('another instrument answers than before') });
    expect(b.toy().heard).toEqual([]);
    b.links.get('toy')?.plug(false);
    b.clock.advance(1);
    b.toy().serial = 1;
    b.links.get('toy')?.plug(true);
    b.clock.advance(2);
    expect(b.host.acquired.get('toy')?.state).toEqual({ is: 'running' });
    expect(b.readings('toy.level').at(-1)?.quality).toBe('good');
  });

  test('back on its link but without identifying itself: it is not read', () => {
    let times = 0;
    const shy: Instrument = {
      ...(toy as Instrument),
      *identify(ask) {
        const serial = yield* ask.main.ask('*IDN?');
        if (times++ > 0) throw new NoReply('still booting');
        return { serial };
      },
    };
    const b = bench(toyRig(), { ...toys, instruments: new Map([['toy', shy]]) });
    b.clock.advance(5);
    b.links.get('toy')?.plug(false);
    b.clock.advance(1);
    b.links.get('toy')?.plug(true);
    const cut = b.readings().length;
    b.clock.advance(10);
    expect(times).toBeGreaterThan(3);
    expect(
      b
        .readings()
        .slice(cut)
        .filter((r) => r.quality !== 'bad'),
    ).toEqual([]);
  });

  test('the gap ledger: each gap with its cause, its length and how many readings it missed', () => {
    const b = bench();
    b.clock.advance(5);
    b.links.get('toy')?.plug(false);
    b.clock.advance(3);
    b.links.get('toy')?.plug(true);
    b.clock.advance(2);
    const level = gaps(b).filter((g) => g.channel === 'toy.level');
    const bad = b.readings('toy.level').filter((r) => r.quality === 'bad');
    expect(level.at(-1)?.to).toBeDefined();
    const closed = level.filter((g) => g.to !== undefined);
    expect(closed.reduce((n, g) => n + g.missed, 0)).toBe(bad.length);
    expect(closed[0]).toMatchObject({ cause: 'link down', from: bad[0]?.t });
    expect(level.length).toBe(2 * closed.length); // each opened once and closed once
    expect(gaps(b).some((g) => g.channel === 'toy.bias[2]')).toBe(true);
  });

  test('a gap that lasts is closed at the end', () => {
    const b = bench();
    b.clock.advance(5);
    b.links.get('toy')?.plug(false);
    b.clock.advance(3);
    b.host.close(1, () => {});
    b.clock.advance(2);
    expect(
      gaps(b)
        .filter((g) => g.channel === 'toy.level')
        .map((g) => g.to !== undefined),
    ).toEqual([false, true]);
  });

  test('silent without a word: found by its polls, asked ever more rarely, found again', () => {
    const b = bench();
    b.clock.advance(5);
    b.toy().dead = true;
    const cut = b.entries.length;
    b.clock.advance(600);
    const asked = exchanges(b.entries.slice(cut), 'toy').map((e) => e.asked / 1e6);
    expect(asked.length).toBeLessThan(40);
    expect((asked.at(-1) ?? 0) - (asked.at(-2) ?? 0)).toBeGreaterThan(29);
    expect(b.readings('toy.level').at(-1)).toMatchObject({ quality: 'bad', why: expect.stringContaining('no answer') });
    b.toy().dead = false;
    b.clock.advance(32);
    expect(b.readings('toy.level').at(-1)?.quality).toBe('good');
    expect(alarms(b).length).toBe(3); // there, silent, there
  });
});

describe('three controllers on one bus', () => {
  const rig: Rig = {
    ...toyRig([]),
    instruments: [1, 2, 3].map((unit) => ({
      name: `oven${unit}`,
      model: 'eurotherm-2000',
      links: { main: { wire: 'bus', address: 'serial:/dev/ttyS9?baud=19200' } },
      options: { unit },
      every: {},
      limits: {},
      leases: {},
      simulate: {},
    })),
  };

  test('one of them dead: the others go on at their rate, the dead one is asked ever more rarely', () => {
    const b = bench(rig, known);
    b.clock.advance(10);
    b.simulated.device('oven2')?.close();
    b.clock.advance(60); // it is found out and set aside
    const cut = b.entries.length;
    const good = (name: string): number => b.readings(`${name}.temperature`).filter((r) => r.quality === 'good').length;
    const before = [1, 2, 3].map((u) => good(`oven${u}`));
    b.clock.advance(300);
    const gained = [1, 2, 3].map((u, i) => good(`oven${u}`) - before[i]);
    expect(gained[1]).toBe(0);
    expect(gained[0]).toBeGreaterThanOrEqual(580); // two a second, save where the dead one is asked
    expect(gained[2]).toBeGreaterThanOrEqual(580);
    const asked = exchanges(b.entries.slice(cut), 'oven2');
    expect(asked.length).toBeGreaterThan(5);
    expect(asked.length).toBeLessThan(15); // every 30 s
    expect(b.host.status().instruments.oven2).toMatchObject({ state: 'silent' });
    expect(
      b
        .readings('oven1.temperature')
        .slice(-50)
        .every((r) => r.quality === 'good'),
    ).toBe(true);
  });

  test('one that was never there does not keep the others from starting', () => {
    const simulators = new Map(known.simulators);
    const b = bench(rig, { ...known, simulators });
    b.simulated.device('oven3')?.close();
    b.clock.advance(30);
    expect(b.host.acquired.get('oven1')?.state).toEqual({ is: 'running' });
    expect(b.host.acquired.get('oven2')?.state).toEqual({ is: 'running' });
    expect(b.host.acquired.get('oven3')?.state).toMatchObject({ is: 'silent' });
  });
});

describe('drivers that throw', () => {
  const body = toy.body({ serial: 1 }, { serial: 'TOY,1' });
  const fail = (): never => {
    throw new Error('oops');
  };
  const broken: Readonly<Record<string, Partial<Instrument>>> = {
    'in body': { body: fail },
    'in identify': { identify: fail },
    'in the making of a talk': {
      body: (): Body<Links> => ({ ...body, polls: body.polls?.map((p) => ({ ...p, talk: fail })) }) as Body<Links>,
    },
    'in read': { body: (): Body<Links> => ({ ...body, polls: body.polls?.map((p) => ({ ...p, read: fail })) }) as Body<Links> },
    'with nothing read': {
      body: (): Body<Links> => ({ ...body, polls: body.polls?.map((p) => ({ ...p, read: () => undefined as never })) }) as Body<Links>,
    },
    'in takes': {
      body: (): Body<Links> =>
        ({ ...body, streams: { main: [{ gives: { odd: 'V' }, takes: fail, read: fail, example: ['', {}] }] } }) as Body<Links>,
    },
    'in its proof': { proof: () => ({ main: { ask: () => '*IDN?', is: fail } }) },
    'in what it asks': {
      body: (): Body<Links> =>
        ({
          ...body,
          polls: body.polls?.map((p) => ({
            ...p,
            *talk(ask: { main: { ask(q: string): Generator } }) {
              return yield* ask.main.ask('two\nlines');
            },
          })),
        }) as unknown as Body<Links>,
    },
  };
  test.each(Object.keys(broken))('%s: it is said, and the others go on', (where) => {
    const odd: Instrument = { ...(toy as Instrument), ...broken[where] };
    const rig = toyRig(['good', 'odd']);
    const b = bench(
      { ...rig, instruments: rig.instruments.map((i) => (i.name === 'odd' ? { ...i, model: 'odd' } : i)) },
      {
        instruments: new Map<string, Instrument>([
          ['toy', toy as Instrument],
          ['odd', odd],
        ]),
        simulators: new Map([
          ['toy', toySimulator],
          ['odd', toySimulator],
        ]),
      },
    );
    b.clock.advance(1);
    b.links.get('odd'); // its wire is its own
    b.clock.advance(60);
    const good = b.readings('good.fast');
    expect(good.length).toBeGreaterThan(1200);
    expect(good.every((r) => r.quality === 'good')).toBe(true);
    const said = [...alarms(b), ...b.readings().flatMap((r) => (r.quality === 'bad' ? [r.why] : []))].join('\n');
    if (where !== 'in takes') expect(said).toMatch(/oops|read into nothing|Unsendable|no answer|line|terminator/);
  });
});

describe('start orders', () => {
  const start = (more: Partial<Rig>): ReturnType<typeof bench> => bench(toyRig(['toy'], {}, more));
  const one = (command: string, value?: string | boolean, after = 0): Rig['start'][number] => ({
    instrument: 'toy',
    command,
    ...(value === undefined ? {} : { value }),
    after,
  });

  test('one after the other, once the instrument is there', () => {
    const b = start({ start: [one('level', '2 V'), one('output', true), one('level', '3 V', 2)] });
    b.clock.advance(0);
    expect(b.host.started).toBe(false);
    b.clock.advance(1.5);
    expect(b.toy().heard.map((h) => h.text)).toEqual(['LEV 2.00', 'OUT 1']);
    b.clock.advance(3);
    expect(b.toy().heard.map((h) => h.text)).toEqual(['LEV 2.00', 'OUT 1', 'LEV 3.00']);
    expect(b.host.started).toBe(true);
    expect(orders(b).map((o) => [o.by, o.outcome])).toEqual(Array.from({ length: 3 }, () => ['rig', 'done']));
  });

  test('one that fails ends them, in words', () => {
    const b = start({ start: [one('level', '99 V'), one('output', true)] });
    b.clock.advance(10);
    expect(b.toy().heard).toEqual([]);
    expect(b.host.started).toBe(true);
    expect(alarms(b).at(-1)).toBe(
      'start: toy.level: refused: 99 V is outside of the limits 0 V to 10 V; the start orders after it are not given',
    );
  });

  test('a stop in the middle: none after it', () => {
    const b = start({ start: [one('level', '2 V'), one('output', true, 2), one('level', '3 V', 1)] });
    b.clock.advance(1);
    b.host.stop('stop by a person');
    b.clock.advance(10);
    expect(b.toy().output).toBe(false);
    expect(b.toy().heard.map((h) => h.text)).not.toContain('OUT 1');
  });
});

describe('behind a GPIB adapter', () => {
  test('an instrument is read and commanded through it, and goes with it', () => {
    const rig = toyRig(['toy']);
    const b = bench(
      {
        ...rig,
        instruments: [
          ...rig.instruments.map((i) => ({ ...i, links: { main: { wire: 'gpib:adapter/7', address: 'gpib:adapter/7' } }, within: 1 })),
          {
            ...rig.instruments[0],
            name: 'adapter',
            model: 'prologix-gpib',
            links: { main: { wire: 'a', address: 'tcp:10.0.0.1:1234' } },
            leases: {},
          },
        ],
      },
      { instruments: new Map([...known.instruments, ...toys.instruments]), simulators: new Map([...known.simulators, ...toys.simulators]) },
    );
    b.clock.advance(5);
    expect(b.readings('toy.level').at(-1)).toMatchObject({ quality: 'good', origin: 'simulator' });
    const ends: OrderEntry[] = [];
    const give = (command: string, written: string | number | boolean): void =>
      b.host.order({ by: 'test', instrument: 'toy', command, written }, (o) => ends.push(o));
    give('level', 4);
    give('output', true);
    b.clock.advance(3);
    expect(ends.map((o) => o.outcome)).toEqual(['done', 'done']);
    expect([b.toy().level, b.toy().output]).toEqual([4, true]);
    b.host.stop('stop');
    b.clock.advance(2);
    expect(b.toy().output).toBe(false);
    b.links.get('a')?.plug(false);
    b.clock.advance(3);
    expect(b.readings('toy.level').at(-1)?.quality).toBe('bad');
    b.links.get('a')?.plug(true);
    b.clock.advance(5);
    expect(b.readings('toy.level').at(-1)?.quality).toBe('good');
  });
});

test('marks count runs, and refuse what makes no sense', () => {
  const b = bench();
  expect(b.host.mark('me', 'stop')).toBe('no run has been started');
  expect(b.host.mark('me', 'start')).toBe(1);
  expect(b.host.mark('me', 'start')).toBe('run 1 has not been stopped yet');
  expect(b.host.mark('me', 'stop')).toBe(1);
  expect(b.host.mark('me', 'start')).toBe(2);
});
