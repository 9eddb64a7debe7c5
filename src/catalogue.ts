/** Finds drivers and simulators by file name: adding an instrument touches two files and nothing else. */
import { readdir } from 'node:fs/promises';
import { extname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Instrument } from './instrument.ts';
import type { Simulator } from './simulator.ts';

export interface Catalogue {
  readonly instruments: ReadonlyMap<string, Instrument>;
  readonly simulators: ReadonlyMap<string, Simulator>;
}

const root = resolve(import.meta.dirname, '..');
// From source under a test runner the folders hold .ts, from the build .js beside .d.ts.
const ending = extname(import.meta.filename);

async function load<T>(folder: string): Promise<ReadonlyMap<string, T>> {
  const names = (await readdir(resolve(root, folder))).filter((n) => n.endsWith(ending) && !n.endsWith('.d.ts')).sort();
  const found = await Promise.all(
    names.map(async (name) => {
      const module = (await import(pathToFileURL(resolve(root, folder, name)).href)) as { readonly default: T }; // the convention of these folders
      return [name.slice(0, -ending.length), module.default] as const;
    }),
  );
  return new Map(found);
}

export async function catalogue(): Promise<Catalogue> {
  const [instruments, simulators] = await Promise.all([load<Instrument>('drivers'), load<Simulator>('simulators')]);
  return { instruments, simulators };
}

/** The names nearest to a mistyped one, for "did you mean". */
export function nearest(name: string, known: Iterable<string>): string | undefined {
  let best: string | undefined;
  let least = Math.max(2, Math.floor(name.length / 3)) + 1;
  for (const candidate of known) {
    const distance = edits(name.toLowerCase(), candidate.toLowerCase());
    if (distance < least) {
      least = distance;
      best = candidate;
    }
  }
  return best;
}

function edits(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
    row = next;
  }
  return row[b.length];
}
