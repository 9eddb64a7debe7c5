import { type FirmataCommand, firmata, isAnswered } from '../protocols/firmata.ts';
import { type ChildPart, type ChildTell, firmataChild, fromHex, toHex } from '../protocols/firmata-child.ts';
import { quietly } from '../protocols/firmata-pins.ts';
import {
  type Askers,
  bad,
  type Field,
  type Given,
  instrument,
  type Kinds,
  NoReply,
  options,
  Refused,
  type Talk,
  type Values,
} from '../src/instrument.ts';
import type { Unit } from '../src/units.ts';

type L = { readonly board: ReturnType<typeof firmata>; readonly child: ReturnType<typeof firmataChild> };
type Told = Extract<ChildTell, { say: 'turn' }>;
interface Part extends ChildPart {
  /** What it measures, by the channel's name. */
  readonly gives: readonly (readonly [channel: string, measure: string, unit: Unit])[];
}

const UNITS = { temperature: 'K', humidity: '1', pressure: 'Pa', altitude: 'm', level: '1' } as const satisfies Readonly<
  Record<string, Unit>
>;
type Measure = keyof typeof UNITS;
/** What a part of one measure measures. */
const SINGLE: Readonly<Record<string, Measure>> = {
  thermometer: 'temperature',
  hygrometer: 'humidity',
  barometer: 'pressure',
  altimeter: 'altitude',
  light: 'level',
};
const KINDS = [...Object.keys(SINGLE), 'multi'];
const MULTI: readonly Measure[] = ['temperature', 'humidity', 'pressure'];
const PLACES = ['controller', 'pin', 'address', 'freq'];
const EVERY = 0.2; // s
const TURNS = 8; // questions to the board for one look, so that others on its line have theirs
const STALE = 3; // s since the part has been heard of
const SYNC: FirmataCommand = { do: 'firmware' };

const isTable = (yaml: unknown): yaml is Readonly<Record<string, unknown>> =>
  yaml !== null && typeof yaml === 'object' && !Array.isArray(yaml);
const isMeasure = (word: unknown): word is Measure => MULTI.some((m) => m === word);

function part(name: string, yaml: unknown): Part | string {
  if (!isTable(yaml)) return `${name}: must be a table such as { part: multi, controller: BME280 }`;
  const { part: kind, gives, ...rest } = yaml;
  if (typeof kind !== 'string' || !KINDS.includes(kind))
    return `${name}: part: must be one of ${KINDS.join(', ')}, not ${JSON.stringify(kind)}`;
  const given: Record<string, string | number> = {};
  for (const [key, value] of Object.entries(rest)) {
    if (!PLACES.includes(key)) return `${name}: ${key}: is not known here; known are part, gives, ${PLACES.join(', ')}`;
    if (typeof value !== 'string' && !(typeof value === 'number' && Number.isFinite(value)))
      return `${name}: ${key}: must be a word or a number`;
    given[key] = value;
  }
  if (given.controller === undefined && given.pin === undefined)
    return `${name}: controller: is needed: the name that johnny-five has for it, such as BME280`;
  const single = SINGLE[kind];
  if (gives !== undefined && (single !== undefined || !Array.isArray(gives) || gives.length === 0 || !gives.every(isMeasure)))
    return `${name}: gives: must be a list of ${MULTI.join(', ')}, and stands with a multi alone`;
  const measures = single ? [single] : ((gives as readonly Measure[] | undefined) ?? MULTI.slice(0, 2)); // checked above
  return {
    name,
    part: kind,
    options: given,
    gives: measures.map((m) => [single ? name : `${name}_${m}`, m, UNITS[m]] as const),
  };
}

const parts: Field<readonly Part[]> = {
  about:
    'NAME: { part: thermometer | hygrometer | barometer | altimeter | light | multi, controller?, pin?, address?, gives? } of each part',
  of(yaml) {
    if (yaml === undefined) return [];
    if (!isTable(yaml)) return new Refused('is written as "NAME: { part: multi, controller: BME280 }"');
    const out: Part[] = [];
    for (const [name, given] of Object.entries(yaml)) {
      if (!/^[A-Za-z]\w*$/.test(name) || name === 'ready')
        return new Refused(`"${name}" is no name for a part: letters, digits and _, and not ready`);
      const read = part(name, given);
      if (typeof read === 'string') return new Refused(read);
      out.push(read);
    }
    return out;
  },
};

/** What the process wants of the board is asked, and what the board says is handed back, until there is nothing more or others are due. */
function looks(): (askers: Askers<L>) => Talk<Told> {
  let heard = '';
  let failed = false;
  return function* (askers) {
    for (let turn = 0; ; turn++) {
      const m = yield* askers.child.ask({ do: 'turn', heard, ...(failed ? { failed } : {}) });
      heard = '';
      failed = false;
      if (m.say !== 'turn') throw new NoReply('the process gives another answer than to the question');
      if (m.write === '') return m;
      const commands = quietly(fromHex(m.write));
      if (!commands) throw new NoReply('johnny-five would set an output: a part that does so is ordered by the firmata-board itself');
      const last = commands.at(-1);
      try {
        const answered = last !== undefined && isAnswered(last);
        const tell = yield* askers.board.ask(answered ? commands : [...commands, SYNC]);
        if (answered) heard = toHex(firmata().tells.encode(tell));
      } catch (error) {
        failed = true;
        throw error;
      }
      if (turn >= TURNS) return m;
    }
  };
}

/**
 * Parts of johnny-five's catalogue that measure, on a board that is a `firmata-board` of the rig: johnny-five runs in a process of its
 * own without a port, and what it says to the board are questions of this instrument. It can set no output.
 */
export default instrument<L, { readonly parts: readonly Part[] }, { readonly parts: number }>({
  model: "Parts of johnny-five's catalogue",
  source: 'johnny-five 2.1, lib/thermometer.js and its neighbours; firmata-io 2.3',
  proven: 'third-party driver',
  options: options<{ readonly parts: readonly Part[] }>({ parts }),
  links: { board: firmata(), child: firmataChild() },
  proof: {
    board: { ask: () => [SYNC], is: (m) => m.say === 'firmware' },
    child: { ask: (n) => ({ n, do: 'hello' }), is: (m, n) => m.say === 'hello' && m.n === n, fresh: true },
  },
  within: 2,
  *identify(askers, { parts: all }) {
    yield* askers.child.ask({
      do: 'begin',
      parts: all.map(({ name, part: kind, options: given }) => ({ name, part: kind, options: given })),
    });
    return { parts: all.length };
  },
  body: ({ parts: all }) => {
    const channels = all.flatMap((p) => p.gives.map(([channel, measure, unit]) => ({ channel, measure, unit, name: p.name })));
    const gives: Kinds = { ready: 'flag', ...Object.fromEntries(channels.map((c) => [c.channel, c.unit])) };
    const measured = (m: Told, name: string, measure: string): Given<Unit> | undefined => {
      const why = m.troubles[name] ?? m.troubles[''];
      if (why !== undefined) return bad(why);
      const found = m.values[name]?.[measure];
      if (!found) return undefined;
      return found.age > STALE ? bad(`nothing has been heard of it for ${found.age.toFixed(0)} s`) : found.value;
    };
    return {
      polls: [
        {
          gives,
          every: EVERY,
          talk: looks(),
          read(m: Told): Values<Kinds> {
            const values = channels.map((c) => [c.channel, measured(m, c.name, c.measure)] as const);
            return { ready: m.troubles[''] === undefined, ...Object.fromEntries(values.filter(([, v]) => v !== undefined)) };
          },
          example: [
            {
              n: 1,
              say: 'turn',
              write: '',
              values: Object.fromEntries(
                all.map((p) => [p.name, Object.fromEntries(p.gives.map(([, m]) => [m, { value: 0.25, age: 0.1 }]))]),
              ),
              troubles: {},
            },
            { ready: true, ...Object.fromEntries(channels.map((c) => [c.channel, 0.25])) },
          ],
        },
      ],
    };
  },
});
