/** Options of a rig that are tables themselves (channels, commands): read part by part, each slip told where it is and with its cure. */
import type { Field, Readback } from './instrument.ts';
import type { Kind } from './reading.ts';
import { described, hint, isTable } from './rig-read.ts';
import { Refused } from './talk.ts';
import { quantity, type Unit } from './units.ts';

/** Ends the reading of options; `declared` makes a Refused of it. */
class Wrong extends Error {}

/** A unit as it is written in the rig, with the numbers of an instrument made into it: SI = (number * scale + offset) in that unit. */
export interface Scale {
  readonly written: string;
  readonly unit: Unit;
  readonly si: (number: number) => number;
  readonly number: (si: number) => number;
  /** What one of the instrument's numbers is in SI, without sign. */
  readonly step: number;
}

/** One part of an instrument's options, and what is said of it. Its readers give the value, or end the reading with a sentence. */
export class Part {
  readonly yaml: unknown;
  private readonly path: readonly string[];

  constructor(yaml: unknown, path: readonly string[] = []) {
    this.yaml = yaml;
    this.path = path;
  }

  wrong(text: string): never {
    throw new Wrong([...this.path, text].join(': '));
  }
  /** Whether the rig has it. */
  get given(): boolean {
    return this.yaml !== undefined;
  }
  /** The part of this name; one that is not there is not given. */
  at(key: string): Part {
    const own = isTable(this.yaml) && Object.hasOwn(this.yaml, key);
    return new Part(own ? (this.yaml as Readonly<Record<string, unknown>>)[key] : undefined, [...this.path, key]); // a table with this key
  }
  /** A group that may hold these keys and no others. */
  only(known: readonly string[], like: string): this {
    if (!isTable(this.yaml)) this.wrong(`must be written as ${like}, not ${seen(this.yaml)}`);
    for (const key of Object.keys(this.yaml)) if (!known.includes(key)) this.wrong(`there is no "${key}" here${hint(key, known)}`);
    return this;
  }
  /** The members of a group whose names are the rig's own; none where it is not given. */
  named(like: string): readonly (readonly [string, Part])[] {
    if (!this.given) return [];
    if (!isTable(this.yaml)) this.wrong(`must be written as ${like}, not ${seen(this.yaml)}`);
    return Object.keys(this.yaml).map((name) => {
      if (!/^[A-Za-z]\w*$/.test(name)) this.wrong(`"${name}" is no name: it begins with a letter, and has letters, digits and _`);
      return [name, this.at(name)];
    });
  }
  number(otherwise?: number): number {
    const value = this.yaml ?? otherwise;
    return typeof value === 'number' && Number.isFinite(value) ? value : this.wrong(`must be a number, not ${seen(value)}`);
  }
  whole(lo: number, hi: number, otherwise?: number): number {
    const value = this.yaml ?? otherwise;
    if (typeof value === 'number' && Number.isInteger(value) && value >= lo && value <= hi) return value;
    return this.wrong(`must be a whole number from ${lo} to ${hi}, not ${seen(value)}`);
  }
  flag(otherwise?: boolean): boolean {
    const value = this.yaml ?? otherwise;
    if (value === true || value === 'on') return true;
    return value === false || value === 'off' ? false : this.wrong(`must be on or off, not ${seen(value)}`);
  }
  /** Printable characters; `like` shows what would be right. */
  text(like: string, otherwise?: string): string {
    const value = this.yaml ?? otherwise;
    if (typeof value !== 'string' || value === '') return this.wrong(`must be text such as ${like}, not ${seen(value)}`);
    return /^[\x20-\x7e]+$/.test(value) ? value : this.wrong('must be of printable ASCII characters');
  }
  /** One line for people. */
  about(): string | undefined {
    if (this.yaml === undefined || typeof this.yaml === 'string') return this.yaml;
    return this.wrong(`must be text, not ${seen(this.yaml)}`);
  }
  word<W extends string>(words: readonly W[], otherwise?: W): W {
    const value = this.yaml ?? otherwise;
    const found = words.find((w) => w === value);
    if (found !== undefined) return found;
    return this.wrong(
      typeof value === 'string'
        ? `"${value}" is none of ${words.join(', ')}${hint(value, words).replace(/^; known are.*/, '')}`
        : `must be one of ${words.join(', ')}, not ${seen(value)}`,
    );
  }
  /** A time above zero in seconds: "500 ms", or a number of seconds. */
  seconds(otherwise?: number): number {
    const value = this.yaml ?? otherwise;
    if (typeof value === 'number' && value > 0 && Number.isFinite(value)) return value;
    const read = typeof value === 'string' ? quantity(value) : '';
    if (typeof read === 'object' && read.unit === 's' && read.value > 0) return read.value;
    return this.wrong(`must be a time such as "500 ms", not ${seen(value)}`);
  }
  /** A quantity in SI; a number without unit is in the unit as it is written beside it. */
  amount({ written, unit }: Pick<Scale, 'written' | 'unit'>): number {
    const { yaml } = this;
    if (typeof yaml !== 'string' && typeof yaml !== 'number')
      return this.wrong(`must be a quantity such as "${shown(1, written)}", not ${seen(yaml)}`);
    const bare = typeof yaml === 'number' || /^\s*[-+.\deE]+\s*$/.test(yaml);
    const read = quantity(bare ? shown(yaml, written) : yaml);
    if (typeof read === 'string') return this.wrong(read);
    return read.unit === unit ? read.value : this.wrong(`${seen(yaml)} is in ${named(read.unit)}, not in ${named(unit)}`);
  }
  /** A size in SI, such as a tolerance: of temperatures a difference. */
  size({ written, unit }: Pick<Scale, 'written' | 'unit'>): number {
    const { yaml } = this;
    const read = quantity(`0 +- ${typeof yaml === 'number' ? shown(yaml, written) : String(yaml)}`);
    if (typeof read === 'object' && read.unit === unit && read.sigma !== undefined) return read.sigma;
    return this.wrong(`must be a size such as "${shown(1, written)}", not ${seen(yaml)}`);
  }
  /** Two quantities that rise, in SI. */
  range(of: Pick<Scale, 'written' | 'unit'>): readonly [number, number] {
    const { yaml } = this;
    if (!Array.isArray(yaml) || yaml.length !== 2)
      return this.wrong(`must be two quantities such as [${shown(0, of.written)}, ${shown(10, of.written)}], not ${seen(yaml)}`);
    const [lo, hi] = yaml.map((one: unknown) => new Part(one, this.path).amount(of));
    return lo < hi ? [lo, hi] : this.wrong(`must rise, from ${String(yaml[0])} up`);
  }
  /** What `unit`, `scale` and `offset` of this group say; `unit` may stand under another key. */
  scale(key = 'unit'): Scale {
    const at = this.at(key);
    const written = at.yaml === 1 ? '1' : at.yaml;
    if (typeof written !== 'string' || written === '') return at.wrong('is needed: a unit such as "bar", or "1" for a plain number');
    const [zero, one] = [quantity(`0 ${written}`), quantity(`1 ${written}`)];
    if (typeof zero === 'string' || typeof one === 'string') return at.wrong(typeof zero === 'string' ? zero : String(one));
    const size = this.at('scale').number(1);
    if (size === 0) return this.at('scale').wrong('must not be 0');
    const offset = this.at('offset').number(0);
    const factor = one.value - zero.value;
    const step = Math.abs(times(1, size) * factor);
    if (!Number.isFinite(step) || step === 0) return this.at('scale').wrong(`${size} ${written} is no size that can be read`);
    return {
      written,
      unit: one.unit,
      si: (n) => times(times(n, size) + offset, factor) + zero.value,
      number: (si) => over(over(si - zero.value, factor) - offset, size),
      step,
    };
  }
}

/** What stands there, for people: a number that is none is none. */
const seen = (value: unknown): string => (typeof value === 'number' && !Number.isFinite(value) ? 'a number without end' : described(value));
const shown = (value: number | string, written: string): string => (written === '1' ? String(value) : `${value} ${written}`);
const named = (unit: Unit): string => (unit === '1' ? 'a plain number' : unit);

/** The whole number whose inverse this is, as 100 of 0.01: what is divided by it is the nearest number there is. */
const inverse = (factor: number): number | undefined => {
  const n = Math.round(1 / factor);
  return Math.abs(factor) < 1 && Math.abs(n * factor - 1) < 1e-12 ? n : undefined;
};
const times = (value: number, factor: number): number => {
  const n = inverse(factor);
  return n === undefined ? value * factor : value / n;
};
const over = (value: number, factor: number): number => {
  const n = inverse(factor);
  return n === undefined ? value / factor : value * n;
};

/** What is known of a channel that may show what a command has set. */
export interface Shown {
  readonly name: string;
  readonly kind: Kind;
  /** Seconds between two polls. */
  readonly every: number;
  /** Of a state. */
  readonly words?: readonly string[];
  /** Of a number: its resolution in SI. */
  readonly step?: number;
}

/**
 * The readback that a command declares, by name or as "{ channel, within, by }". One with a safe value must have it, and the channel must
 * be able to show what the command sets.
 */
export function readbackOf(
  command: Part,
  channels: readonly Shown[],
  sets: { readonly kind: Kind; readonly step?: number; readonly words?: readonly string[]; readonly scale?: Scale },
): { readonly readback?: Readback } {
  const at = command.at('readback');
  if (!at.given) return command.at('safe').given ? at.wrong('is needed beside "safe": the channel that shows that the output is safe') : {};
  const long = isTable(at.yaml);
  const named = long ? at.only(['channel', 'within', 'by'], '"{ channel: level, within: 5 s }"').at('channel') : at;
  if (channels.length === 0) return named.wrong('there are no channels that could show it');
  const name = named.word(channels.map((c) => c.name));
  const channel = channels.find((c) => c.name === name);
  if (channel?.kind !== sets.kind)
    return named.wrong(`"${name}" shows a ${channel?.kind ?? 'nothing'}, and the command sets a ${sets.kind}`);
  const strange = sets.words?.find((w) => !channel.words?.includes(w));
  if (strange !== undefined && channel.words)
    return named.wrong(`"${name}" never shows "${strange}": it knows ${channel.words.join(', ')}`);
  const by = at.at('by');
  if (by.given && !sets.scale) return by.wrong(`has no meaning for a ${sets.kind}`);
  return {
    readback: {
      channel: name,
      within: at.at('within').seconds(2 * channel.every + 1),
      by: by.given && sets.scale ? by.size(sets.scale) : sets.scale ? 0.6 * ((sets.step ?? 0) + (channel.step ?? 0)) : 0,
    },
  };
}

/** A field of options that is read part by part. What is no slip of the rig's is thrown on. */
export function declared<T>(about: string, read: (part: Part) => T): Field<T> {
  return { about, of: (yaml) => asRefused(() => read(new Part(yaml))) };
}

/** What the reading gives, or the Refused that it ended with: for what only all options together can tell. */
export function asRefused<T>(read: () => T): T | Refused {
  try {
    return read();
  } catch (error) {
    if (error instanceof Wrong) return new Refused(error.message);
    throw error;
  }
}
