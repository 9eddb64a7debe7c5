import { firmata } from '../protocols/firmata.ts';
import { type ChildTell, firmataChild } from '../protocols/firmata-child.ts';
import { type Field, options, Refused, simulator } from '../src/simulator.ts';
import { type Dac, dac } from './worlds/dac.ts';
import { chip, hear, type Outside } from './worlds/firmata-chip.ts';

type Table = Readonly<Record<string, unknown>>;
const isTable = (yaml: unknown): yaml is Table => yaml !== null && typeof yaml === 'object' && !Array.isArray(yaml);
const parts: Field<Readonly<Record<string, Table>>> = {
  about: 'the parts of the driver',
  of: (yaml = {}) =>
    isTable(yaml) && Object.values(yaml).every(isTable)
      ? (yaml as Readonly<Record<string, Table>>)
      : new Refused('is written as "NAME: { part, ... }"'), // just looked at
};

/** Of the room around the table: nothing in the world changes its humidity, pressure, height and light. */
const measured = (w: Dac): Readonly<Record<string, number>> => ({
  temperature: w.roomTemperature + 0.05 * w.noise('room temperature'),
  humidity: 0.4,
  pressure: 101_325,
  altitude: 0,
  level: 0.5,
});
/** Nothing is wired to the board of this one: what it has is on the firmata-board that carries it. */
const bare: Outside = { level: (_, pullUp) => pullUp, analog: () => 0, i2c: () => undefined, written: () => {} };

/** johnny-five's process with parts in a room: every part measures at once, and asks nothing of the board. */
export default simulator({
  options: options<{ readonly parts: Readonly<Record<string, Table>> }>({ parts }),
  links: { board: firmata(), child: firmataChild() },
  state: (given: { readonly parts?: Readonly<Record<string, Table>> }) => ({ names: Object.keys(given.parts ?? {}), chip: chip() }),
  world: dac,
  answer: {
    board: (q, s, _, t) => q.flatMap((command) => hear(s.chip, command, t, bare)),
    child(q, s, w): readonly ChildTell[] {
      const n = q.n ?? 0;
      if (q.do === 'hello') return [{ n, say: 'hello' }];
      if (q.do === 'begin') return [{ n, say: 'begun' }];
      const values = Object.fromEntries(Object.entries(measured(w)).map(([name, value]) => [name, { value, age: 0 }]));
      return [{ n, say: 'turn', write: '', values: Object.fromEntries(s.names.map((name) => [name, values])), troubles: {} }];
    },
  },
});
