import {
  BUILDER_CHANCE,
  BUILDER_COUNTS,
  BUILDER_GIVES,
  READOUT_EXAMPLE,
  type ReadoutPlan,
  type ReadoutTell,
  readout,
  readoutValues,
} from '../protocols/readout.ts';
import { type PhysicsPart, physicsField } from '../src/derive/detector-fields.ts';
import { PHYSICS_CHANCE, PHYSICS_COUNTS, PHYSICS_GIVES, SOURCE_CHANCE, SOURCE_GIVES } from '../src/derive/detector-values.ts';
import { LIGHT_GIVES } from '../src/derive/light-yield.ts';
import {
  type Command,
  declared,
  type Field,
  instrument,
  type Kinds,
  options,
  Refused,
  type Schema,
  type Stream,
  type Values,
  whole,
} from '../src/instrument.ts';

type L = { readonly main: ReturnType<typeof readout> };
interface Options {
  readonly channels: number;
  readonly first_channel: number;
  readonly within: number;
  readonly hold: number;
  readonly offsets: Readonly<Record<string, number>>;
  readonly scale: readonly number[] | undefined;
  readonly physics: PhysicsPart | undefined;
}

const SECONDS = { written: 's', unit: 's' } as const;
const MOST = 65_536; // channels, as hits number them

/** Nanoseconds. */
const time = (about: string, otherwise: number): Field<number> =>
  declared(about, (part) => {
    if (!part.given) return otherwise;
    const value = Math.round(part.amount(SECONDS) * 1e15) / 1e6;
    return value > 0 ? value : part.wrong('must be above 0 s');
  });

const offsets: Field<Readonly<Record<string, number>>> = declared(
  'added to the times of a board, by its name, such as { right: 350 ns }: cables, and counters that do not begin together',
  (part) => {
    if (!part.given) return {};
    const { yaml } = part;
    if (yaml === null || typeof yaml !== 'object' || Array.isArray(yaml)) return part.wrong('is written as { right: 350 ns }');
    return Object.fromEntries(Object.keys(yaml).map((name) => [name, Math.round(part.at(name).amount(SECONDS) * 1e15) / 1e6]));
  },
);

/** A number for all channels, or a list with one for each; how many there are is known with the other options. */
const scale: Field<readonly number[] | undefined> = declared(
  'MeVee for one count of charge: a number for all channels, or a list with one for each; without it there is no energy',
  (part) => {
    if (!part.given) return undefined;
    const list: readonly unknown[] = Array.isArray(part.yaml) ? part.yaml : [part.yaml];
    const good = list.filter((n): n is number => typeof n === 'number' && n > 0 && Number.isFinite(n));
    return good.length === list.length && list.length > 0 ? good : part.wrong('must be a number above 0, or a list of them');
  },
);

/** By channel number of the hits: those before the first have none. */
function scaleOf({ scale: given, channels, first_channel: first }: Options): { readonly slope: readonly number[] } | undefined {
  if (!given) return undefined;
  const own = given.length === 1 ? new Array<number>(channels).fill(given[0] ?? 0) : given;
  return { slope: [...new Array<number>(first).fill(0), ...own] };
}

function planOf(p: Options): ReadoutPlan {
  const by = scaleOf(p);
  return {
    build: { hold: p.hold / 1e9, offsets: p.offsets },
    physics: {
      ...{ channels: p.channels, firstChannel: p.first_channel, within: p.within },
      ...p.physics,
      ...(by ? { scale: by } : {}),
    },
  };
}

function stream(p: Options): Stream<Kinds, ReadoutTell> {
  const gives: Kinds = { ...BUILDER_GIVES, ...PHYSICS_GIVES, ...LIGHT_GIVES, ...(p.physics?.source ? SOURCE_GIVES : {}) };
  const values = (m: ReadoutTell): Values<Kinds> => readoutValues(m, gives) as Values<Kinds>; // as the process gives them; acquire looks at each
  return {
    gives,
    takes: (m) => m.say === 'values',
    read: values,
    counts: [...BUILDER_COUNTS, ...PHYSICS_COUNTS],
    chance: [...BUILDER_CHANCE, ...PHYSICS_CHANCE, ...(p.physics?.source ? SOURCE_CHANCE : [])],
    silence: 5,
    example: [READOUT_EXAMPLE, values(READOUT_EXAMPLE)],
  };
}

const clear: Command<L, 'nothing'> = {
  takes: 'nothing',
  about: 'pairs, spectra and direction begin anew',
  *talk(act) {
    yield* act.main.exchange({ do: 'clear' });
  },
};

const fields = (channels: number): Schema<Options> =>
  options<Options>({
    channels: whole('of all boards together', 1, MOST, 64),
    first_channel: whole('number of the first of them', 0, MOST - 1, 0),
    within: time('hits of all boards that lie within so much of the first are one event (otherwise 200 ns)', 200),
    hold: time('that a board may be behind the others before it is not waited for (otherwise 2 s)', 2e9),
    offsets,
    scale,
    physics: physicsField(channels),
  });

/** The map of the physics is of as many channels as the options say. */
function parse(yaml: unknown): Options | Refused {
  const { channels } = (yaml !== null && typeof yaml === 'object' ? yaml : {}) as { readonly channels?: unknown }; // looked at below
  const read = fields(typeof channels === 'number' ? channels : 64).parse(yaml);
  if (read instanceof Refused || !read.scale || read.scale.length === 1 || read.scale.length === read.channels) return read;
  return new Refused(`scale: ${read.scale.length} numbers for ${read.channels} channels`);
}

/** Events of several boards that share a clock, while data come: what their readout processes find is joined in one of its own. */
export default instrument<L, Options, undefined>({
  model: 'Events of several boards',
  source: 'docs/detector.md: hits of boards that share a clock and are reset together, joined by their times',
  proven: 'manual',
  options: { fields: fields(64).fields, parse },
  links: (p) => ({ main: readout(planOf(p)) }),
  body: (p) => ({ streams: { main: [stream(p)] }, commands: { clear } }),
});
