/** The program's version, as its package says. */
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** package.json lies one folder above the sources, two above the build. */
export async function version(): Promise<string> {
  for (let folder = import.meta.dirname; folder !== dirname(folder); folder = dirname(folder)) {
    const text = await readFile(join(folder, 'package.json'), 'utf8').catch(() => undefined);
    if (text !== undefined) return String((JSON.parse(text) as { version?: unknown }).version); // our own package
  }
  return 'unknown';
}
