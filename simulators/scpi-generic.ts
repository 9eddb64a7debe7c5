import { scpi } from '../protocols/scpi.ts';
import { decimal } from '../protocols/text.ts';
import { asRefused, declared, options, type Part, Refused, type Scale, type Schema, simulator, terminator } from '../src/simulator.ts';
import { type Bench, bench } from './worlds/bench.ts';

type Value = number | boolean | string;

/** How a value is written in the instrument's text, and read from it. */
interface Text {
  readonly of: (value: Value, like: string) => string;
  readonly value: (text: string) => Value | undefined;
  /** A value as it is written in the rig. */
  readonly given: (part: Part) => Value;
}
interface Shown {
  readonly name: string;
  readonly ask: string;
  readonly example: string | undefined;
  readonly field: number | undefined;
  readonly separator: string;
  readonly prefix: string;
  readonly suffix: string;
  readonly text: Text;
}
interface Taken {
  readonly before: string;
  readonly after: string;
  readonly text: Text | undefined;
  readonly limits: readonly [number, number] | undefined;
  readonly shownBy: string | undefined;
}
interface Options {
  readonly terminator: string;
  readonly identify: { readonly ask: string; readonly says: string };
  readonly channels: readonly Shown[];
  readonly commands: readonly Taken[];
  readonly errors: string | undefined;
  readonly values: Readonly<Record<string, Part>>;
  readonly says: string | undefined;
}
interface State {
  readonly options: Partial<Options>;
  /** What was set or is shown other than in the examples. */
  readonly values: Record<string, Value>;
  readonly queue: string[];
}

const QUEUE = 10;

function number(scale: Scale): Text {
  return {
    of: (value, like) => {
      const n = scale.number(Number(value));
      const text = /e/i.test(like) ? n.toExponential(6) : String(Number(n.toPrecision(7)));
      return like.startsWith('+') && !text.startsWith('-') ? `+${text}` : text;
    },
    value: (text) => (Number.isNaN(decimal(text)) ? undefined : scale.si(decimal(text))),
    given: (part) => part.amount(scale),
  };
}
function words(yaml: unknown): Text {
  const pairs: readonly (readonly [string, string])[] = Array.isArray(yaml)
    ? yaml.map((word) => [String(word), String(word)] as const)
    : Object.entries((yaml ?? {}) as Readonly<Record<string, unknown>>).map(([text, word]) => [text, String(word)] as const); // the driver has read it
  return {
    of: (value) => pairs.find(([, word]) => word === value)?.[0] ?? String(value),
    value: (text) => pairs.find(([one]) => one === text)?.[1],
    given: (part) => (pairs.length === 0 ? part.text('"idle"') : part.word(pairs.map(([, word]) => word))),
  };
}
function flag(part: Part): Text {
  const [on, off] = [part.at('on').text('"1"', '1'), part.at('off').text('"0"', '0')];
  return {
    of: (value) => (value === true ? on : off),
    value: (text) => (text === on ? true : text === off ? false : undefined),
    given: (one) => one.flag(),
  };
}

function shown(name: string, part: Part): Shown {
  const plain = (key: string): string => (part.at(key).given ? part.at(key).text('"T1 "') : '');
  const kind = part.at('kind').yaml;
  return {
    name,
    ask: part.at('ask').text('"READ?"'),
    example: part.at('example').given ? part.at('example').text('"1.0"') : undefined,
    field: part.at('field').given ? part.at('field').whole(1, 1000) : undefined,
    separator: part.at('separator').text('","', ','),
    prefix: plain('prefix').trimStart(),
    suffix: plain('suffix').trimEnd(),
    text:
      kind === 'flag' || part.at('on').given || part.at('off').given
        ? flag(part)
        : kind === 'state' || part.at('words').given
          ? words(part.at('words').yaml)
          : number(part.scale()),
  };
}

function taken(part: Part): Taken {
  const [before = '', after = ''] = part.at('send').text('"RANGE {value}"').split('{value}');
  const takes = part.at('takes').yaml;
  const { yaml } = part.at('readback');
  const shownBy = typeof yaml === 'string' ? yaml : part.at('readback').at('channel').yaml;
  const base = { before, after, limits: undefined, shownBy: typeof shownBy === 'string' ? shownBy : undefined };
  if (!part.at('send').text('"RANGE"').includes('{value}')) return { ...base, text: undefined };
  if (takes === 'flag') return { ...base, text: flag(part) };
  if (takes === 'state' || part.at('words').given) return { ...base, text: words(part.at('words').yaml) };
  const scale = part.scale('takes');
  return { ...base, text: number(scale), limits: part.at('limits').range(scale) };
}

/** The example of a question, with the present values in the places of its own. */
function reply(s: State, all: readonly Shown[]): string {
  const first = all.find((one) => one.example !== undefined);
  let text = first?.example ?? '';
  for (const one of all) {
    const value = s.values[one.name];
    if (value === undefined) continue;
    const fields = one.field === undefined ? [text] : text.split(one.separator);
    const at = (one.field ?? 1) - 1;
    const was = (fields[at] ?? '').trim();
    const like = was.slice(one.prefix.length, was.length - one.suffix.length).trim();
    fields[at] = `${one.prefix}${one.text.of(value, like)}${one.suffix}`;
    text = fields.join(one.separator);
  }
  return text;
}

function fail(s: State, entry: string): readonly string[] {
  if (s.options.errors !== undefined && s.queue.length < QUEUE) s.queue.push(entry);
  return [];
}

/** Undefined where the line is not this command. */
function take(s: State, { before, after, text, limits, shownBy }: Taken, line: string): readonly string[] | undefined {
  if (!text) return line === before ? [] : undefined;
  if (!line.startsWith(before) || !line.endsWith(after) || line.length < before.length + after.length) return undefined;
  const value = text.value(line.slice(before.length, line.length - after.length));
  if (value === undefined) return fail(s, '-104,"Data type error"');
  if (
    limits &&
    typeof value === 'number' &&
    !(value >= limits[0] - 1e-6 * Math.abs(limits[0]) && value <= limits[1] + 1e-6 * Math.abs(limits[1]))
  )
    return fail(s, '-222,"Data out of range"');
  if (shownBy !== undefined) s.values[shownBy] = value;
  return [];
}

function answer(line: string, s: State): readonly string[] {
  const { identify, errors, channels = [], commands = [], says } = s.options;
  if (line === (identify?.ask ?? '*IDN?')) return [says ?? identify?.says ?? 'ACME,GENERIC,0001,1.0'];
  if (line === errors) return [s.queue.shift() ?? '0,"No error"'];
  const asked = channels.filter((one) => one.ask === line);
  if (asked.length > 0) return [reply(s, asked)];
  for (const one of commands) {
    const said = take(s, one, line);
    if (said) return said;
  }
  return fail(s, '-113,"Undefined header"');
}

const fields = options<Options>({
  terminator: terminator('LF'),
  identify: declared("the driver's own", (part) => {
    const is = part.at('is').given ? part.at('is').text('"ACME,N1"') : undefined;
    return { ask: part.at('ask').text('"*IDN?"', '*IDN?'), says: is === undefined ? 'ACME,GENERIC,0001,1.0' : `${is},0001,1.0` };
  }),
  channels: declared("the driver's own", (part) => part.named(`"{ ask: 'READ?' }"`).map(([name, one]) => shown(name, one))),
  commands: declared("the driver's own", (part) => part.named(`"{ send: 'RANGE {value}' }"`).map(([, one]) => taken(one))),
  errors: declared("the driver's own", (part) => (part.given ? part.text('"SYST:ERR?"') : undefined)),
  values: declared('what channels show at first, as the rig writes it: "{ voltage: 2 V }" (otherwise their examples)', (part) =>
    Object.fromEntries(part.named('"{ voltage: 2 V }"')),
  ),
  says: declared('the whole answer to the identify question', (part) => (part.given ? part.text('"ACME,N1,0001,1.0"') : undefined)),
});

/** A value that a channel cannot show is told, too. */
const schema: Schema<Options> = {
  fields: fields.fields,
  parse(yaml) {
    const p = fields.parse(yaml);
    if (p instanceof Refused) return p;
    for (const [name, given] of Object.entries(p.values)) {
      const one = p.channels.find((c) => c.name === name);
      if (!one) return new Refused(`values: there is no channel "${name}"; known are ${p.channels.map((c) => c.name).join(', ')}`);
      const value = asRefused(() => one.text.given(given));
      if (value instanceof Refused) return new Refused(`values: ${value.why}`);
    }
    return p;
  },
};

/** An instrument that says what the rig's examples say, until it is ordered otherwise. */
export default simulator({
  options: schema,
  links: ({ terminator: end = '\n' }: Partial<Options>) => ({ main: scpi({ ask: end === '\r\n' ? end : [end, '\r\n'], tell: end }) }),
  state(p: Partial<Options>): State {
    const values: Record<string, Value> = Object.create(null); // a channel may be called "constructor"
    for (const one of p.channels ?? []) {
      const given = p.values && Object.hasOwn(p.values, one.name) ? p.values[one.name] : undefined;
      if (given) values[one.name] = one.text.given(given);
    }
    return { options: p, values, queue: [] };
  },
  world: bench,
  answer: { main: (line: string, s: State, _world: Bench) => answer(line, s) },
});
