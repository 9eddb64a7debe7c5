/** A driver with a bug takes down its own instrument at most: the others are read, ordered and kept safe as if it were not there. */
import { describe, expect, test } from 'vitest';
import type { Catalogue } from '../src/catalogue.ts';
import type { OrderEntry } from '../src/entry.ts';
import type { Body, Instrument, Links } from '../src/instrument.ts';
import { laboratory } from './laboratory.ts';
import { toys } from './toys.ts';

const boom = (where: string) => (): never => {
  throw new Error(`a bug in ${where}`);
};
type Any = Instrument<Links>; // as a catalogue keeps them

/** The toy with a bug in one place of its driver. */
const BUGS: Readonly<Record<string, (good: Any) => Partial<Any>>> = {
  'identify, at once': () => ({ identify: boom('identify') }),
  'identify, later': (good) => ({
    *identify(ask, options) {
      yield* good.identify(ask, options);
      boom('identify')();
    },
  }),
  body: () => ({ body: boom('body') }),
  'the read of a poll': (good) => ({ body: (o, id) => polls(good.body(o, id), (p) => ({ ...p, read: boom('read') })) }),
  'the talk of a poll': (good) => ({ body: (o, id) => polls(good.body(o, id), (p) => ({ ...p, talk: boom('talk') })) }),
  'the proof': (good) => ({
    proof: (o) => ({ main: { ...good.proof(o).main, is: boom('proof') } }) as ReturnType<Any['proof']>,
  }),
  "the proof's question": (good) => ({
    proof: (o) => ({ main: { ...good.proof(o).main, ask: boom('proof') } }) as ReturnType<Any['proof']>,
  }),
  'a command': (good) => ({
    body(o, id) {
      const body = good.body(o, id);
      const commands = Object.fromEntries(Object.entries(body.commands ?? {}).map(([name, c]) => [name, { ...c, talk: boom('command') }]));
      return { ...body, commands } as Body<Links>;
    },
  }),
};

const polls = (body: Body<Links>, change: (poll: NonNullable<Body<Links>['polls']>[number]) => object): Body<Links> =>
  ({ ...body, polls: body.polls?.map((p) => ({ ...p, ...change(p) })) }) as Body<Links>;

const rig = (catalogue: Catalogue) => {
  const place = (name: string, model: string) => ({
    name,
    model,
    links: { main: { wire: name, address: 'simulated' } },
    options: {},
    every: {},
    limits: {},
    leases: { output: { longest: 600, deadline: 1, then: 'safe' as const, bare: true } },
    simulate: {},
  });
  return laboratory(
    {
      name: 'test',
      folder: import.meta.dirname,
      file: 'rig.yaml',
      text: '',
      sessions: '',
      links: {},
      instruments: [place('bad', 'bug'), place('good', 'toy')],
      derive: [],
      start: [],
      record: { rawOrder: [] },
    },
    catalogue,
  );
};

describe.each(Object.keys(BUGS))('a driver that throws in %s', (where) => {
  test('leaves the other instrument alone', () => {
    const good = toys.instruments.get('toy') as Any | undefined; // one of the catalogue's
    const simulator = toys.simulators.get('toy');
    if (!good || !simulator) throw new Error('the toy is there');
    const bug = { ...good, ...BUGS[where]?.(good) };
    const lab = rig({
      instruments: new Map([...toys.instruments, ['bug', bug]]) as Catalogue['instruments'],
      simulators: new Map([...toys.simulators, ['bug', simulator]]),
    });
    lab.clock.advance(3);
    const outcomes: OrderEntry[] = [];
    for (const instrument of ['good', 'bad'])
      lab.host.order({ by: 'test', instrument, command: 'output', written: 'on', deadline: 2 }, (order) => outcomes.push(order));
    lab.clock.advance(5);
    expect(lab.host.acquired.get('good')?.state.is).toBe('running');
    const seen = lab.readings('good.level').filter((r) => r.quality === 'good');
    expect(seen.length).toBeGreaterThan(60);
    expect(outcomes.length).toBe(2);
    expect(outcomes.find((o) => o.instrument === 'good')?.outcome).toBe('done');
    expect(outcomes.find((o) => o.instrument === 'bad')?.outcome).not.toBe('done');
    // Its own trouble is said: in its state, its readings or its order. To a proof that throws nothing is an answer.
    const state = lab.host.acquired.get('bad')?.state;
    const said = JSON.stringify([state, lab.readings().filter((r) => r.from.startsWith('bad.') && r.quality === 'bad'), outcomes]);
    expect(said).toContain(where === 'the proof' ? 'no answer to its identify question' : 'a bug in');
    let unsafe: readonly string[] | undefined;
    lab.host.close(3, (left) => {
      unsafe = left;
    });
    lab.clock.advance(5);
    expect(unsafe?.filter((name) => name.startsWith('good.'))).toEqual([]);
  });
});
