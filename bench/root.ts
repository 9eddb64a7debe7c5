/** Where the project lies. */
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

/** The project's root, from the source as well as from dist/. */
export function root(): string {
  let folder = import.meta.dirname;
  while (!existsSync(join(folder, 'rigs/demo/rig.yaml'))) {
    if (dirname(folder) === folder) throw new Error('rigs/demo is not beside this program');
    folder = resolve(folder, '..');
  }
  return folder;
}
