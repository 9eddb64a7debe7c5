/** What every command of the command line is, and what it shares with the others. */
import { parseArgs } from 'node:util';

export interface Io {
  out(text: string): void;
  err(text: string): void;
}

export interface Command {
  readonly name: string;
  readonly summary: string;
  /** Examples first. */
  readonly help: string;
  /** The exit code, one of EXIT. Never throws for what the arguments or files say. */
  run(args: readonly string[], io: Io): Promise<number>;
}

/** ok; a file or device failed; wrong arguments; understood but refused; the rig is wrong; the host is not there. */
export const EXIT = { ok: 0, failed: 1, usage: 2, refused: 3, rig: 4, host: 5 } as const;

/** What is wrong with the arguments, as a sentence for the person who wrote them. */
export class Usage extends Error {
  readonly code = 'USAGE';
}

type OptionKinds = Readonly<Record<string, 'string' | 'boolean'>>;
export interface Parsed {
  readonly options: Readonly<Record<string, string | undefined>>;
  readonly flags: ReadonlySet<string>;
  readonly rest: readonly string[];
}

/**
 * Reads "--name value", "--name=value" and "--flag"; what looks like a number with a minus sign ("-1bar") is no option. Throws Usage for an
 * unknown or doubled option and for a value that is missing.
 */
export function parse(args: readonly string[], kinds: OptionKinds): Parsed {
  const config = Object.fromEntries(Object.entries(kinds).map(([name, type]) => [name, { type }]));
  const { tokens } = parseArgs({ args: args.map(hidden), options: config, strict: false, allowPositionals: true, tokens: true });
  const options: Record<string, string> = {};
  const flags = new Set<string>();
  const rest: string[] = [];
  for (const token of tokens) {
    if (token.kind === 'positional') rest.push(shown(token.value));
    if (token.kind !== 'option') continue;
    const kind = Object.hasOwn(kinds, token.name) ? kinds[token.name] : undefined;
    if (!kind) throw new Usage(`there is no option ${token.rawName}${suggestion(token.name, Object.keys(kinds))}`);
    if (Object.hasOwn(options, token.name) || flags.has(token.name)) throw new Usage(`${token.rawName} is given twice`);
    if (kind === 'boolean') {
      if (token.value !== undefined) throw new Usage(`${token.rawName} takes no value`);
      flags.add(token.name);
    } else if (token.value === undefined) throw new Usage(`${token.rawName} needs a value`);
    else if (!token.inlineValue && /^--[a-z]/.test(token.value))
      throw new Usage(`${token.rawName} needs a value, and ${token.value} follows it`);
    else options[token.name] = shown(token.value);
  }
  return { options, flags, rest };
}

/** parseArgs takes "-1bar" for a group of one-letter options: a mark that no argument can hold goes before it. */
const MARK = '\0';
const hidden = (arg: string): string => (/^-[.,\d]/.test(arg) ? MARK + arg : arg);
const shown = (arg: string): string => (arg.startsWith(MARK) ? arg.slice(MARK.length) : arg);

/** " (did you mean --window?)", or nothing when no known word is near. */
export function suggestion(word: string, known: readonly string[], prefix = '--'): string {
  const near = known.map((k) => [distance(word, k), k] as const).sort(([a], [b]) => a - b)[0];
  return near && near[0] <= Math.max(1, Math.floor(near[1].length / 3)) ? ` (did you mean ${prefix}${near[1]}?)` : '';
}

/** Edits that turn one word into the other (Levenshtein), swapped neighbours counted as two. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(same, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

/** Runs the body; a Usage becomes its sentence on stderr, with where to read more, and exit code 2. */
export async function guarded(name: string, io: Io, body: () => Promise<number>): Promise<number> {
  try {
    return await body();
  } catch (error) {
    if (!(error instanceof Usage)) throw error;
    io.err(`bridgman ${name}: ${error.message}\nSee "bridgman ${name} --help".\n`);
    return EXIT.usage;
  }
}
