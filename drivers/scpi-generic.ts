import { errorEntry, programUnits, scpi } from '../protocols/scpi.ts';
import { decimal } from '../protocols/text.ts';
import {
  type Actors,
  asRefused,
  bad,
  type Command,
  declared,
  type Here,
  instrument,
  type Kind,
  type Measured,
  NoReply,
  options,
  type Part,
  type Poll,
  poll,
  Refused,
  readbackOf,
  type Scale,
  type Schema,
  type Shown,
  type Talk,
  terminator,
} from '../src/instrument.ts';
import { show } from '../src/units.ts';

type L = { readonly main: ReturnType<typeof scpi> };

/** What a text means. Throws where it cannot be an answer at all: the line is distrusted then, having no checksum. */
type Read = (text: string) => Measured<Kind>;
interface Channel extends Shown {
  readonly ask: string;
  /** The part of the reply that is meant. */
  readonly cut: (reply: string) => string;
  readonly read: Read;
  readonly example: string | undefined;
  readonly span?: readonly [number, number];
}
interface Order {
  readonly name: string;
  readonly send: string;
  /** The text in the place of {value}, or why there is none. */
  readonly write: (value: unknown) => { readonly text: string } | string;
  readonly facts: Omit<Command<L>, 'talk'>;
}
interface Identify {
  readonly ask: string;
  /** How the reply begins; undefined: four fields, as IEEE 488.2 has it. */
  readonly is: string | undefined;
}
interface Options {
  readonly terminator: string;
  readonly identify: Identify;
  readonly channels: readonly Channel[];
  readonly commands: readonly ((channels: readonly Channel[]) => Order)[];
  readonly errors: string | undefined;
}

const LIKE = `"{ ask: 'READ?', unit: V, example: '+1.25E-06' }"`;
const ORDER_LIKE = `"{ send: 'RANGE {value}', takes: V, limits: [0, 100] }"`;
const MOST = 20; // entries of an error queue that are read at once

const good = (value: number | boolean | string): Measured<Kind> => ({ quality: 'good', value }) as Measured<Kind>; // of the kind beside it

/** A question, which ends each of its headers with "?": nothing else may be asked for, since asking must change nothing. */
function question(part: Part, like: string): string {
  const text = part.text(like);
  const order = programUnits(text).find((unit) => !unit.query);
  if (order || text.trim() === '') part.wrong(`"${text}" is no question: what is asked ends its header with "?", such as ${like}`);
  return text;
}

/** Words by the text that the instrument says: "{ '0': idle, '1': busy }", or a list of words that it says itself. */
function wordsOf(part: Part): ReadonlyMap<string, string> {
  const { yaml } = part;
  const all: readonly (readonly [string, unknown])[] = Array.isArray(yaml)
    ? yaml.map((word: unknown) => [String(word), word] as const)
    : Object.entries(yaml !== null && typeof yaml === 'object' ? yaml : {});
  if (all.length === 0) part.wrong(`must be written as "{ '0': idle, '1': busy }" or "[MAX, LIN]"`);
  return new Map(
    all.map(([text, word]): [string, string] => {
      if (typeof word !== 'string' || word === '') return part.at(text).wrong('must be a word, such as idle');
      return [text.trim(), word];
    }),
  );
}

/** The field, and in it what stands between `prefix` and `suffix`. */
function cutting(part: Part): (reply: string) => string {
  const field = part.at('field').given ? part.at('field').whole(1, 1000) : undefined;
  const separator = part.at('separator').text('","', ',');
  const prefix = part.at('prefix').given ? part.at('prefix').text('"T1 "') : '';
  const suffix = part.at('suffix').given ? part.at('suffix').text('"VDC"') : '';
  return (reply) => {
    const fields = field === undefined ? [reply] : reply.split(separator);
    const whole = fields[(field ?? 1) - 1];
    if (whole === undefined)
      throw new Error(`"${reply}" has ${fields.length} fields with "${separator}" between them, and field ${field} is wanted`);
    const text = whole.trim();
    const inner = text.startsWith(prefix.trimStart()) ? text.slice(prefix.trimStart().length) : undefined;
    if (inner === undefined) throw new Error(`"${text}" does not begin with "${prefix}"`);
    if (!inner.endsWith(suffix.trimEnd())) throw new Error(`"${text}" does not end with "${suffix}"`);
    return inner.slice(0, inner.length - suffix.trimEnd().length).trim();
  };
}

const BEYOND = /^[+-]?9\.9(?:0*E\+?37|10*E\+?37)$/i; // infinity and "not a number" (SCPI-1999 vol. 1, 7.2.1.4 and 7.2.1.5)

function numberRead(scale: Scale, absent: readonly string[]): Read {
  return (text) => {
    if (BEYOND.test(text)) return bad(`the instrument says "${text}": overload, or no number`);
    if (absent.includes(text)) return bad(`the instrument says "${text}"`);
    const n = decimal(text);
    if (Number.isNaN(n)) throw new Error(`"${text}" is no number, such as "+1.25E-06"`);
    return good(scale.si(n));
  };
}

function stateRead(words: ReadonlyMap<string, string> | undefined): Read {
  const all = [...(words ?? [])].map(([text, word]) => (text === word ? `"${text}"` : `"${text}" (${word})`)).join(', ');
  return (text) => {
    if (!words) return text === '' ? bad('the instrument says nothing') : good(text);
    const word = words.get(text);
    return word === undefined ? bad(`"${text}" is none of ${all}`) : good(word);
  };
}

function flagRead(part: Part): Read {
  const texts = (key: 'on' | 'off', plain: readonly string[]) => (part.at(key).given ? [part.at(key).text('"1"')] : plain);
  const [on, off] = [texts('on', ['1', 'ON', '+1']), texts('off', ['0', 'OFF', '+0'])];
  return (text) => {
    if (on.includes(text) || off.includes(text)) return good(on.includes(text));
    return bad(`"${text}" is neither "${on[0]}" nor "${off[0]}"`);
  };
}

const CHANNEL = ['ask', 'every', 'field', 'separator', 'prefix', 'suffix', 'example', 'means', 'kind'];
const NUMBER = ['unit', 'scale', 'offset', 'span', 'absent'];

function channel(name: string, part: Part): Channel {
  const told = part.only([...CHANNEL, ...NUMBER, 'words', 'on', 'off'], LIKE).at('kind');
  const kind = told.word(
    ['number', 'state', 'flag'] as const,
    part.at('words').given ? 'state' : part.at('on').given || part.at('off').given ? 'flag' : 'number',
  );
  const strange = { number: ['words', 'on', 'off'], state: [...NUMBER, 'on', 'off'], flag: [...NUMBER, 'words'] };
  for (const key of strange[kind]) if (part.at(key).given) part.at(key).wrong(`has no meaning for a ${kind}`);
  const scale = kind === 'number' ? part.scale() : undefined;
  const words = kind === 'state' && part.at('words').given ? wordsOf(part.at('words')) : undefined;
  const absent = part.at('absent').yaml ?? [];
  const isTexts = (all: unknown): all is readonly string[] => Array.isArray(all) && all.every((one) => typeof one === 'string');
  if (!isTexts(absent)) return part.at('absent').wrong('must be a list of texts that mean "no value", such as ["OVLD"]');
  const example = part.at('example').given ? part.at('example').text(`'+1.25E-06'`) : undefined;
  const one: Channel = {
    name,
    ask: question(part.at('ask'), '"READ?"'),
    every: part.at('every').seconds(1),
    cut: cutting(part),
    kind: scale?.unit ?? (kind === 'flag' ? 'flag' : 'state'),
    read: scale ? numberRead(scale, absent) : kind === 'flag' ? flagRead(part) : stateRead(words),
    example,
    ...(words ? { words: [...new Set(words.values())] } : {}),
    ...(scale && part.at('span').given ? { span: part.at('span').range(scale) } : {}),
  };
  return example === undefined ? one : read(part, one, example, scale);
}

/** What the channel makes of a reply, or why nothing. */
function meaning(one: Channel, reply: string): number | boolean | string | { readonly why: string } {
  try {
    const m = one.read(one.cut(reply));
    if (m.quality === 'bad') return m;
    const { value } = m;
    if (typeof value === 'number' && one.span && !(value >= one.span[0] && value <= one.span[1]))
      return { why: `${said(one, value)} is outside of its span` };
    return typeof value === 'object' ? { why: 'it is no value' } : value;
  } catch (error) {
    return { why: error instanceof Error ? error.message : String(error) };
  }
}
const said = ({ kind }: Shown, value: number | boolean | string): string =>
  typeof value === 'number' ? show(value, kind as Scale['unit']) : typeof value === 'boolean' ? (value ? 'on' : 'off') : value; // numbers have a unit

/** The channel, where its example reads, and as the rig says that it does. */
function read(part: Part, one: Channel, example: string, scale: Scale | undefined): Channel {
  const value = meaning(one, example);
  if (typeof value === 'object') return part.at('example').wrong(value.why);
  const at = part.at('means');
  if (!at.given) return one;
  const right =
    typeof value === 'number' && scale
      ? Math.abs(value - at.amount(scale)) <= 1e-9 * Math.abs(value)
      : value === (typeof value === 'boolean' ? at.flag() : at.yaml);
  return right ? one : at.wrong(`"${example}" reads as ${said(one, value)}`);
}

/** The number as it is sent: at most seven digits, or so many decimals as the rig says. */
const written = (n: number, decimals: number | undefined): string =>
  decimals === undefined ? String(Number(n.toPrecision(7))) : n.toFixed(decimals).replace(/^-(?=[0.]*$)/, '');

function order(name: string, part: Part): (channels: readonly Channel[]) => Order {
  part.only(['send', 'takes', 'limits', 'scale', 'offset', 'decimals', 'words', 'on', 'off', 'safe', 'readback', 'about'], ORDER_LIKE);
  const send = part.at('send').text(`"RANGE {value}"`);
  const takes = part.at('takes').yaml ?? (part.at('words').given ? 'state' : send.includes('{value}') ? undefined : 'nothing');
  if (takes === undefined) return part.at('takes').wrong('is needed: a unit such as "V", flag, or state with "words"');
  const places = send.split('{value}').length - 1;
  if (takes !== 'nothing' && places !== 1) part.at('send').wrong(`must have {value} once, such as "RANGE {value}"`);
  if (takes === 'nothing' && places > 0) part.at('send').wrong('has a {value}, and the command takes nothing');
  if (/[{}]/.test(send.replace('{value}', ''))) part.at('send').wrong('may have {value} in braces and nothing else');
  const safe = part.at('safe');
  const about = part.at('about').about();
  const strange = (keys: readonly string[]): void => {
    for (const key of keys) if (part.at(key).given) part.at(key).wrong(`has no meaning where a command takes ${String(takes)}`);
  };
  const NUMBERS = ['limits', 'scale', 'offset', 'decimals'];
  const more = about === undefined ? {} : { about };
  if (takes === 'nothing') {
    strange([...NUMBERS, 'words', 'on', 'off', 'readback', 'safe']);
    return () => ({ name, send, write: () => ({ text: '' }), facts: { takes, ...more } });
  }
  if (takes === 'flag') {
    strange([...NUMBERS, 'words']);
    const [on, off] = [part.at('on').text('"1"', '1'), part.at('off').text('"0"', '0')];
    const write = (value: unknown) => (typeof value === 'boolean' ? { text: value ? on : off } : 'on or off is needed');
    const low = safe.given ? { safe: safe.flag() as never } : {}; // of this command's kind
    return (channels) => ({ name, send, write, facts: { takes, ...low, ...more, ...readbackOf(part, channels, { kind: 'flag' }) } });
  }
  strange(['on', 'off']);
  if (takes === 'state') {
    strange(NUMBERS);
    const texts = wordsOf(part.at('words'));
    const words = [...texts.values()];
    if (new Set(words).size < words.length) part.at('words').wrong('has one word twice: which text would be sent?');
    const write = (value: unknown) => {
      const [text] = [...texts].find(([, word]) => word === value) ?? [];
      return text === undefined ? `"${String(value)}" is none of ${words.join(', ')}` : { text };
    };
    const low = safe.given ? { safe: safe.word(words) as never } : {}; // of this command's kind
    return (channels) => ({
      name,
      send,
      write,
      facts: { takes, words, ...low, ...more, ...readbackOf(part, channels, { kind: 'state', words }) },
    });
  }
  strange(['words']);
  const scale = part.scale('takes');
  const limits = part.at('limits').range(scale);
  const decimals = part.at('decimals').given ? part.at('decimals').whole(0, 12) : undefined;
  const low = safe.given ? safe.amount(scale) : undefined;
  if (low !== undefined && !(low >= limits[0] && low <= limits[1])) safe.wrong('is outside of the limits');
  const write = (value: unknown) => numberText(value, scale, limits, decimals);
  if (low !== undefined && typeof write(low) === 'string') safe.wrong('cannot be written with so few decimals within the limits');
  const step = decimals === undefined ? 1e-6 * Math.max(Math.abs(limits[0]), Math.abs(limits[1])) : scale.step * 10 ** -decimals;
  const facts = { takes: scale.unit, limits, ...(low === undefined ? {} : { safe: low as never }), ...more }; // of this command's kind
  return (channels) => ({ name, send, write, facts: { ...facts, ...readbackOf(part, channels, { kind: scale.unit, step, scale }) } });
}

/** A value that rounding would carry beyond its limits is not sent. */
function numberText(
  value: unknown,
  scale: Scale,
  [lo, hi]: readonly [number, number],
  decimals: number | undefined,
): { readonly text: string } | string {
  if (typeof value !== 'number' || !Number.isFinite(value)) return `${String(value)} is no number`;
  const text = written(scale.number(value), decimals);
  const sent = scale.si(Number(text));
  const slack = decimals === undefined ? 1e-6 * Math.max(Math.abs(lo), Math.abs(hi)) : 1e-9 * Math.max(Math.abs(lo), Math.abs(hi));
  if (value >= lo - slack && value <= hi + slack && sent >= lo - slack && sent <= hi + slack) return { text };
  return `${show(value, scale.unit)} would be sent as ${text}, which is outside of ${show(lo, scale.unit)} to ${show(hi, scale.unit)}`;
}

const identity = declared(
  `question and beginning of its answer, "{ ask: '*IDN?', is: 'ACME,N1' }" (otherwise *IDN?, four fields)`,
  (part): Identify => {
    if (!part.given) return { ask: '*IDN?', is: undefined };
    part.only(['ask', 'is'], `"{ ask: '*IDN?', is: 'ACME,N1' }"`);
    return { ask: part.at('ask').given ? question(part.at('ask'), '"*IDN?"') : '*IDN?', is: part.at('is').text('"ACME,N1"').trim() };
  },
);
const fields = options<Options>({
  terminator: terminator('LF'),
  identify: identity,
  channels: declared('NAME: { ask: QUESTION, unit, example, ... } of each; see docs/rigs.md', (part) =>
    part.named(LIKE).map(([name, one]) => channel(name, one)),
  ),
  commands: declared('NAME: { send: TEXT, takes, ... } of each; see docs/rigs.md', (part) =>
    part.named(ORDER_LIKE).map(([name, one]) => order(name, one)),
  ),
  errors: declared('question for an entry of the error queue, such as SYST:ERR?', (part) =>
    part.given ? question(part, '"SYST:ERR?"') : undefined,
  ),
});

/** Whether a reply is one to the identify question: what the rig says, or four fields of which the first is no number. */
function isIdentity(reply: string, is: string | undefined): boolean {
  if (is !== undefined) return reply.trim().startsWith(is);
  const [maker = '', ...rest] = reply.split(',');
  return rest.length === 3 && Number.isNaN(decimal(maker)) && maker.trim() !== '';
}

/** Every channel's example, its own or that of another channel of the same question. */
const exampleOf = (one: Channel, all: readonly Channel[]): string | undefined =>
  one.example ?? all.find((c) => c.ask === one.ask && c.example !== undefined)?.example;

/** The options one by one, and then what only all of them together can tell. */
const schema: Schema<Options> = {
  fields: fields.fields,
  parse(yaml) {
    const p = fields.parse(yaml);
    if (p instanceof Refused) return p;
    for (const one of p.channels) {
      const example = exampleOf(one, p.channels);
      const at = `channels: ${one.name}: example: `;
      if (example === undefined) return new Refused(`${at}is needed: a reply to ${one.ask} as the manual prints it`);
      const value = meaning(one, example);
      if (typeof value === 'object') return new Refused(`${at}${value.why}`);
      if (isIdentity(example, p.identify.is))
        return new Refused(`${at}"${example}" could be the answer to ${p.identify.ask}: say under "identify" how that begins`);
      if (one.ask === p.identify.ask)
        return new Refused(`channels: ${one.name}: ask: ${one.ask} is the identify question, which no other may repeat`);
    }
    if (p.errors !== undefined && p.channels.some((c) => c.name === 'error'))
      return new Refused('channels: error: is the name of the channel that "errors" gives; another name is needed');
    for (const make of p.commands) {
      const made = asRefused(() => make(p.channels));
      if (made instanceof Refused) return new Refused(`commands: ${made.why}`);
    }
    return p;
  },
};

/** The channels of one question and one period. */
function pollOf(all: readonly Channel[], example: string) {
  const read = (reply: string) => Object.fromEntries(all.map((c) => [c.name, c.read(c.cut(reply))]));
  const meant = all.flatMap((c) => {
    const value = meaning(c, example);
    return typeof value === 'object' ? [] : [[c.name, value] as const];
  });
  return poll<L, Readonly<Record<string, Kind>>>({
    ask: all[0].ask,
    every: all[0].every,
    gives: Object.fromEntries(all.map((c) => [c.name, c.kind])),
    read,
    example: [example, Object.fromEntries(meant)],
    span: Object.fromEntries(all.flatMap((c) => (c.span ? [[c.name, c.span] as const] : []))),
    words: Object.fromEntries(all.flatMap((c) => (c.words ? [[c.name, c.words] as const] : []))),
  });
}

/** Where no channel is declared: who answers, in the same words as at first. */
const named = (ask: string, name: string) =>
  poll<L, { identity: 'state' }>({
    ask,
    every: 10,
    gives: { identity: 'state' },
    read(reply) {
      if (reply.trim() === name) return { identity: name };
      throw new Error(`"${reply}" came for ${ask}, and "${name}" before`);
    },
    example: [name, { identity: name }],
  });

function polls({ channels: all }: Options) {
  const questions = new Map<string, Channel[]>();
  for (const one of all) {
    const key = `${one.every} ${one.ask}`;
    const same = questions.get(key);
    if (same) same.push(one);
    else questions.set(key, [one]);
  }
  return [...questions.values()].map((same) => pollOf(same, exampleOf(same[0], all) ?? ''));
}

/** Entries of the error queue until there are none. */
function* entries(ask: { readonly main: Pick<Actors<L>['main'], 'ask'> }, question: string): Talk<readonly string[]> {
  const all: string[] = [];
  for (let n = 0; n < MOST; n++) {
    const entry = yield* ask.main.ask(question);
    if (errorEntry(entry)?.code === 0) break;
    all.push(entry);
  }
  return all;
}
function spoken(all: readonly string[]): string {
  return all
    .map((entry) => {
      const error = errorEntry(entry);
      if (!error) throw new Error(`"${entry}" is no entry of an error queue, such as -113,"Undefined header"`);
      return `${error.code} ${error.text}`;
    })
    .join('; ');
}
const errorPoll = (question: string): Poll<L, { readonly error: 'state' }, readonly string[]> => ({
  every: 2,
  gives: { error: 'state' },
  talk: (ask) => entries(ask, question),
  read: (all) => ({ error: spoken(all) || 'none' }),
  example: [['-113,"Undefined header"'], { error: '-113 Undefined header' }],
});

/** With an error queue an order is right only when the instrument says nothing of it; what was there before it is read first. */
function* carryOut(act: Actors<L>, here: Here, line: string, errors: string): Talk<void> {
  const before = yield* entries(act, errors);
  if (before.length > 0) yield* here.give({ error: spoken(before) });
  yield* act.main.send(line);
  const after = spoken(yield* entries(act, errors));
  if (after === '') return;
  yield* here.give({ error: after });
  throw new NoReply(`the instrument says ${after}, after "${line}"`);
}

function commandOf({ send, write, facts }: Order, errors: string | undefined): Command<L> {
  return {
    ...facts,
    *talk(act, value, _index, here) {
      const made = write(value);
      if (typeof made === 'string') throw new NoReply(made);
      const line = send.replace('{value}', () => made.text);
      // A safe value waits for no questions: it is read back.
      if (errors === undefined || (facts.safe !== undefined && value === facts.safe)) yield* act.main.send(line);
      else yield* here.atomic(carryOut(act, here, line, errors));
    },
  };
}

/** Any instrument that is asked and told in lines of SCPI, whose channels and commands the rig declares. */
export default instrument<L, Options, { readonly name: string }>({
  model: 'SCPI instrument, as the rig declares it',
  source: 'SCPI-1999 volume 1; IEEE 488.2-1992, 10.14 (*IDN?)',
  proven: 'manual',
  options: schema,
  links: ({ terminator: end }) => ({ main: scpi({ ask: end, tell: end === '\r\n' ? end : [end, '\r\n'] }) }),
  proof: ({ identify: { ask, is } }) => ({
    main: { ask: () => ask, is: (reply) => isIdentity(reply, is) || (ask === '*IDN?' && isIdentity(reply, undefined)) },
  }),
  *identify(ask, { identify: { ask: question, is } }) {
    const name = (yield* ask.main.ask(question)).trim();
    return isIdentity(name, is) ? { name } : new Refused(`"${name}" does not begin with "${is ?? 'MAKER,MODEL,SERIAL,FIRMWARE'}"`);
  },
  body: (p, { name }) => ({
    polls: [
      ...(p.channels.length === 0 ? [named(p.identify.ask, name)] : polls(p)),
      ...(p.errors === undefined ? [] : [errorPoll(p.errors)]),
    ],
    ...(p.errors === undefined ? {} : { gives: { error: 'state' } }),
    commands: Object.fromEntries(p.commands.map((make) => make(p.channels)).map((one) => [one.name, commandOf(one, p.errors)])),
  }),
});
