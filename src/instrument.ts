/** How an instrument is declared: one file per model under drivers/, and nothing else to touch. */
import type { Protocol } from '../protocols/protocol.ts';
import type { Given, Kind, Kinds, Of, Values } from './reading.ts';
import type { Actor, Asker, Here, Talk } from './talk.ts';
import { Refused } from './talk.ts';

export { Fault } from '../protocols/protocol.ts';
export { asRefused, declared, Part, readbackOf, type Scale, type Shown } from './declared.ts';
export type { Given, Kind, Kinds, Measured, Of, Trace, Values } from './reading.ts';
export { bad } from './reading.ts';
export type { Actor, Asker, Here, Talk } from './talk.ts';
export { answered, drained, Garbled, NoReply, patiently, Refused } from './talk.ts';

// A protocol's messages are of any type; they are inferred back by QOf and MOf where they are used.
// biome-ignore lint/suspicious/noExplicitAny: variance of a generic container, see the line above
export type AnyProtocol = Protocol<any, any>;
/** role ('main', 'control', 'data') -> language */
export type Links = Readonly<Record<string, AnyProtocol>>;
export type QOf<P> = P extends Protocol<infer Q, infer _M> ? Q : never;
export type MOf<P> = P extends Protocol<infer _Q, infer M> ? M : never;
export type Askers<L extends Links> = { readonly [R in keyof L]: Asker<QOf<L[R]>, MOf<L[R]>> };
export type Actors<L extends Links> = { readonly [R in keyof L]: Actor<QOf<L[R]>, MOf<L[R]>> };

/** What is known of a reply beside its content. Times in microseconds since 1970. */
export interface Came {
  readonly asked: number;
  readonly t: number;
  /** A file's name, where the link carries files. */
  readonly name?: string;
}

/** A question whose answer no other question can give. After a fault it is asked, and all that comes before its answer is dropped. */
export interface Proof<Q, M> {
  /** n is fresh for each question: put it into the question where the instrument echoes it. */
  readonly ask: (n: number) => Q;
  readonly is: (m: M, n: number) => boolean;
  /** True when `is` recognises n itself: then one answer is proof. */
  readonly fresh?: boolean;
}

export interface Poll<L extends Links, O extends Kinds = Kinds, M = unknown> {
  readonly gives: O;
  /** Seconds between questions, on an absolute grid. */
  readonly every: number;
  readonly talk: (ask: Askers<L>) => Talk<M>;
  readonly read: (m: M, came: Came) => Values<O>;
  /** A reply as the manual prints it and what it means in SI: required, because nothing else catches a wrong unit. */
  readonly example: readonly [M, Values<O>];
  /** The readings that are physically possible, per channel in SI: one outside is bad. */
  readonly span?: { readonly [N in keyof O]?: readonly [number, number] };
  /** Of a state: all the words that it may be, so that a condition on a mistyped one is refused. */
  readonly words?: { readonly [N in keyof O]?: readonly string[] };
  /** Resolution per channel in SI; it sets the decimals written to InfluxDB. */
  readonly resolution?: { readonly [N in keyof O]?: number };
  /** Channels that count what comes by chance, since some beginning: their standard deviation is the square root. */
  readonly counts?: readonly (keyof O)[];
  /** Channels that chance makes otherwise each time, without a bar that says how much: they are not held against those of a simulator. */
  readonly chance?: readonly (keyof O)[];
}

/** What an instrument sends by itself. */
export interface Stream<O extends Kinds = Kinds, M = unknown> {
  readonly gives: O;
  readonly takes: (m: M) => boolean;
  readonly read: (m: M, came: Came) => Values<O>;
  readonly example: readonly [M, Values<O>];
  /** Channels that count what comes by chance, since some beginning: their standard deviation is the square root. */
  readonly counts?: readonly (keyof O)[];
  /** Channels that chance makes otherwise each time, without a bar that says how much: they are not held against those of a simulator. */
  readonly chance?: readonly (keyof O)[];
  /** Longest silence in seconds before the channels turn bad; absent: silence is normal. */
  readonly silence?: number;
}

export type Takes = Exclude<Kind, 'trace'> | 'nothing';
export interface Readback {
  readonly channel: string;
  /** Seconds in which the channel must show the value, and by how much it may differ (SI). */
  readonly within: number;
  readonly by: number;
  /** What the channel must show for a value, where that is not the value itself. */
  readonly shows?: (value: number | boolean | string | undefined) => number | boolean | string;
}
export interface Command<L extends Links = Links, K extends Takes = Takes> {
  readonly takes: K;
  /** For an indexed command: how many indices there are. */
  readonly count?: number;
  readonly limits?: readonly [number, number];
  /** For a state: the words it may be. */
  readonly words?: readonly string[];
  /** Its value may carry an uncertainty, "12 um +- 1 um": it is a measured one. */
  readonly uncertain?: boolean;
  readonly talk: (act: Actors<L>, value: K extends Kind ? Of<K> : undefined, index: number, here: Here) => Talk<void>;
  readonly readback?: Readback;
  /** The next n readings of this channel are from before the order: dropped. */
  readonly renews?: Readonly<Record<string, number>>;
  /** The value that is safe: its presence makes the command hazardous, and the rig must give it a lease. */
  readonly safe?: K extends Kind ? Of<K> : true;
  /** One line for people: what the order does. */
  readonly about?: string;
}

// biome-ignore lint/suspicious/noExplicitAny: polls, streams and commands of different message types stand in one list
type Any = any;
/** The instrument's own watchdog: it makes outputs safe by itself when it has heard nothing from the host for so long. */
export interface Watchdog<L extends Links> {
  /** Its own commands whose outputs it makes safe; the rig may let it hold outputs of other instruments that it is wired to. */
  readonly holds: readonly string[];
  /** Seconds that it can be set to; 0 beside them is off. */
  readonly limits: readonly [number, number];
  readonly set: (act: Actors<L>, seconds: number) => Talk<void>;
  /** The channel (in s) that shows what it is set to, 0 for off. */
  readonly readback: string;
  /** What keeps it quiet, given while every output that it holds has evidence; absent where any question does. */
  readonly feed?: (act: Actors<L>) => Talk<void>;
}
export interface Body<L extends Links> {
  readonly watchdog?: Watchdog<L>;
  readonly polls?: readonly Poll<L, Any, Any>[];
  readonly streams?: { readonly [R in keyof L]?: readonly Stream<Any, Any>[] };
  readonly commands?: Readonly<Record<string, Command<L, Any>>>;
  /** Channels that orders give by `here.give`, beside those of polls and streams. */
  readonly gives?: Kinds;
  /** Readings that are known from the beginning (a value entered in the rig). */
  readonly known?: Values<Kinds>;
  /** What another instrument's link is made of: `gpib:NAME/ADDRESS` carries bytes through the talk of the instrument NAME. */
  readonly tunnel?: (act: Actors<L>, address: string, bytes: Uint8Array, reply: boolean, here: Here) => Talk<Uint8Array | undefined>;
}

/** Options from the rig: an object checked by hand, because its messages are read by people. */
export interface Schema<T> {
  parse(yaml: unknown): T | Refused;
  /** Names and one-line descriptions, for `bridgman instruments` and for "did you mean". */
  readonly fields: Readonly<Record<string, string>>;
}

export interface Instrument<P = Any, L extends Links = Any, Id = Any> {
  readonly model: string;
  /** Where its protocol was learnt, and so how far it is proven. */
  readonly source: string;
  readonly proven: 'manual' | 'third-party driver' | 'hardware';
  readonly options: Schema<P>;
  readonly links: (p: P) => L;
  /** Per role; a role without one has nothing to prove: its replies tell themselves apart, or it is never asked. */
  readonly proof: (p: P) => { readonly [R in keyof L]?: Proof<QOf<L[R]>, MOf<L[R]>> };
  /** Asks only, by type: pins the family, or refuses. */
  readonly identify: (ask: Askers<L>, p: P) => Talk<Id | Refused>;
  readonly body: (p: P, id: Id) => Body<L>;
  /** Seconds that must lie between two questions on its link. */
  readonly pace: number;
  /** Default time-out of a question in seconds. */
  readonly within: number;
}

/** A declaration as it is written; what is left out gets the plain default. */
export interface Declared<P, L extends Links, Id> {
  readonly model: string;
  readonly source: string;
  readonly proven?: 'manual' | 'third-party driver' | 'hardware';
  readonly options?: Schema<P>;
  readonly links: L | ((p: P) => L);
  readonly proof?:
    | { readonly [R in keyof L]?: Proof<QOf<L[R]>, MOf<L[R]>> }
    | ((p: P) => { readonly [R in keyof L]?: Proof<QOf<L[R]>, MOf<L[R]>> });
  readonly identify?: (ask: Askers<L>, p: P) => Talk<Id | Refused>;
  readonly body: (p: P, id: Id) => Body<L>;
  readonly pace?: number;
  readonly within?: number;
}

const call = <A, R>(what: R | ((a: A) => R)): ((a: A) => R) => (typeof what === 'function' ? (what as (a: A) => R) : () => what); // a declaration's parts are objects or functions of the options, never both

/** Declares a model. The default export of every file under drivers/. */
export function instrument<L extends Links, P = Readonly<Record<string, never>>, Id = undefined>(
  d: Declared<P, L, Id>,
): Instrument<P, L, Id> {
  return {
    model: d.model,
    source: d.source,
    proven: d.proven ?? 'third-party driver',
    // Without options P is the empty record, and without identify Id is undefined: the defaults of the type parameters.
    options: d.options ?? (nothing as unknown as Schema<P>),
    links: call(d.links),
    proof: call(d.proof ?? {}),
    identify: d.identify ?? (noIdentity as unknown as Instrument<P, L, Id>['identify']),
    body: d.body,
    pace: d.pace ?? 0,
    within: d.within ?? 1,
  };
}

const nothing: Schema<Readonly<Record<string, never>>> = {
  fields: {},
  parse: (yaml) => (yaml === undefined || Object.keys(yaml as object).length === 0 ? {} : new Refused('this instrument takes no options')),
};
// A talk that asks nothing.
// biome-ignore lint/correctness/useYield: it has nothing to ask
function* noIdentity(): Talk<undefined> {
  return undefined;
}

/** A poll of one question on the role 'main'. */
export function poll<L extends Links, O extends Kinds>(p: {
  readonly ask: QOf<L['main']>;
  readonly every: number;
  readonly gives: O;
  readonly read: (m: MOf<L['main']>, came: Came) => Values<O>;
  readonly example: readonly [MOf<L['main']>, Values<O>];
  readonly span?: { readonly [N in keyof O]?: readonly [number, number] };
  readonly words?: { readonly [N in keyof O]?: readonly string[] };
  readonly resolution?: { readonly [N in keyof O]?: number };
}): Poll<L, O, MOf<L['main']>> {
  const { ask, ...rest } = p;
  const talk = (askers: Askers<L>): Talk<MOf<L['main']>> => main<L>(askers).ask(ask);
  singles.set(talk, { q: ask });
  return { ...rest, talk };
}

// By the talk itself: a poll that is copied with another talk is another one.
const singles = new WeakMap<object, { readonly q: unknown }>();

/** The question, where this talk of a poll only asks one on the role 'main': it can be asked without a talk. */
export const singleOf = (talk: Poll<Links>['talk']): { readonly q: unknown } | undefined => singles.get(talk);

// `main` is in every L that uses the sugar: QOf<L['main']> would not have type-checked otherwise.
const main = <L extends Links>(askers: Askers<L>): Asker<QOf<L['main']>, MOf<L['main']>> => askers['main' as keyof L] as never;

/** Options as a plain list of checked fields. `of` gives the value, or a Refused that says what would be right. */
export interface Field<T> {
  readonly about: string;
  readonly of: (yaml: unknown) => T | Refused;
}

export function options<T>(fields: { readonly [N in keyof T]-?: Field<T[N]> }): Schema<T> {
  const names = Object.keys(fields) as (keyof T & string)[]; // the object was made of exactly these keys
  return {
    fields: Object.fromEntries(names.map((n) => [n, fields[n].about])),
    parse(yaml) {
      if (yaml !== undefined && (yaml === null || typeof yaml !== 'object')) return new Refused('options are written as "name: value"');
      const given = (yaml ?? {}) as Record<string, unknown>; // an object, checked above
      for (const name of Object.keys(given)) {
        if (!names.includes(name as keyof T & string)) return new Refused(`there is no option "${name}"; known are ${names.join(', ')}`);
      }
      const out: Partial<T> = {};
      for (const name of names) {
        const value = fields[name].of(given[name]);
        if (value instanceof Refused) return new Refused(`${name}: ${value.why}`);
        out[name] = value;
      }
      return out as T; // every field has been set
    },
  };
}

export const whole = (about: string, lo: number, hi: number, otherwise?: number): Field<number> => ({
  about: `${about} (${lo} to ${hi}${otherwise === undefined ? '' : `, otherwise ${otherwise}`})`,
  of(yaml) {
    const value = yaml ?? otherwise;
    if (typeof value === 'number' && Number.isInteger(value) && value >= lo && value <= hi) return value;
    return new Refused(
      value === undefined
        ? `is needed: a whole number from ${lo} to ${hi}`
        : `must be a whole number from ${lo} to ${hi}, not ${JSON.stringify(value)}`,
    );
  },
});
export const word = <W extends string>(about: string, words: readonly W[], otherwise?: W): Field<W> => ({
  about: `${about} (${words.join(' | ')}${otherwise === undefined ? '' : `, otherwise ${otherwise}`})`,
  of(yaml) {
    const value = yaml ?? otherwise;
    const found = words.find((w) => w === value);
    return found ?? new Refused(`must be one of ${words.join(', ')}${value === undefined ? '' : `, not ${JSON.stringify(value)}`}`);
  },
});
/** A terminator, written as CR, LF or CRLF. */
export const terminator = (otherwise: 'CR' | 'LF' | 'CRLF'): Field<string> => {
  const named = word('end of a line', ['CR', 'LF', 'CRLF'] as const, otherwise);
  return {
    about: named.about,
    of(yaml) {
      const name = named.of(yaml);
      return name instanceof Refused ? name : { CR: '\r', LF: '\n', CRLF: '\r\n' }[name];
    },
  };
};

/** The values of a list channel as one reading per index. */
export type List<K extends Kind> = Extract<Given<K>, readonly unknown[]>;
