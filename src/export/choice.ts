/** Which channels and which stretch of time of a session are wanted. */
import { nearest } from '../catalogue.ts';

export interface Choice {
  /** Whether a channel such as laser.output_power or biases.voltage[3] is wanted; remembers that it is there. */
  wants(name: string): boolean;
  /** Microseconds since 1970: from <= t < until. */
  within(t: number): boolean;
  /** A sentence for each pattern that no channel of the session fits. */
  unknown(): readonly string[];
  /** No channel is left out. */
  readonly everything: boolean;
}

export interface ChoiceOptions {
  /** `*` is any letters and `?` one; a name without channel is a whole instrument, one without [index] all its indices. None: all. */
  readonly channels?: readonly string[];
  readonly from?: number;
  readonly until?: number;
}

/** A reading's channel as people write it. */
export const nameOf = ({ from, index }: { readonly from: string; readonly index?: number }): string =>
  index === undefined ? from : `${from}[${index}]`;

const MOST_NAMES = 100_000;

export function choice({ channels = [], from = Number.NEGATIVE_INFINITY, until = Number.POSITIVE_INFINITY }: ChoiceOptions): Choice {
  const patterns = channels.map((text) => ({ text, is: regular(text), found: false }));
  const known = new Map<string, boolean>();
  return {
    everything: patterns.length === 0,
    within: (t) => t >= from && t < until,
    wants(name) {
      const before = known.get(name);
      if (before !== undefined) return before;
      let is = patterns.length === 0;
      for (const pattern of patterns) {
        if (!pattern.is.test(name)) continue;
        pattern.found = true;
        is = true;
      }
      if (known.size < MOST_NAMES) known.set(name, is);
      return is;
    },
    unknown: () =>
      patterns
        .filter(({ found }) => !found)
        .map(({ text }) => {
          const names = new Set([...known.keys()].flatMap((name) => [name, name.replace(/\[.*$/, ''), name.replace(/\..*$/, '')]));
          const near = nearest(text, names) ?? likely(text, names);
          return `this session has no channel "${text}"${near === undefined ? '' : `; did you mean "${near}"?`}`;
        }),
  };
}

function regular(pattern: string): RegExp {
  const text = pattern
    .replace(/[\\^$+.()|{}[\]]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  const tail = pattern.includes('.') || pattern.includes('*') ? '' : '(?:\\..*)?';
  return new RegExp(`^${text}${tail}${pattern.includes('[') ? '' : '(?:\\[\\d+\\])?'}$`, 's');
}

/** A channel of the same name elsewhere, or one that has the word in it. */
function likely(text: string, names: ReadonlySet<string>): string | undefined {
  const word = text.replaceAll(/[*?]/g, '').replace(/^.*\./, '').toLowerCase();
  if (word === '') return undefined;
  const all = [...names].sort();
  return all.find((name) => name.toLowerCase().endsWith(`.${word}`)) ?? all.find((name) => name.toLowerCase().includes(word));
}
