/** Where a run writes: asked before anything is opened. */
import { accessSync, constants, existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { type Before, before } from '../guardian/record.ts';
import type { Rig } from '../rig.ts';
import type { Io } from './command.ts';

/** A new folder named after the present second, in the rig's sessions folder, or beside the user where that cannot be written. */
export function sessionFolder(rig: Rig, io: Io): string | undefined {
  const stamp = new Date()
    .toISOString()
    .replace(/\.\d+Z$/, 'Z')
    .replaceAll(':', '-');
  const parents = [rig.sessions, resolve('sessions')];
  for (const parent of parents) {
    for (let n = 1; n < 100; n++) {
      const folder = join(parent, n === 1 ? stamp : `${stamp}-${n}`);
      try {
        mkdirSync(parent, { recursive: true });
        mkdirSync(folder);
        if (parent !== rig.sessions) io.err(`bridgman run: the session is written to ${folder}\n`);
        return folder;
      } catch (error) {
        if (error instanceof Error && 'code' in error && error.code === 'EEXIST') continue;
        io.err(`bridgman run: no session can be made in ${parent} (${error instanceof Error ? error.message : error})\n`);
        break;
      }
    }
  }
  io.err('bridgman run: a run needs a place for its session: start it in a folder that you may write to\n');
  return undefined;
}

/** A sentence where the file cannot be written, asked before a run: at its end it would be too late. */
export function unwritable(file: string): string | undefined {
  const there = existsSync(file);
  if (there && statSync(file).isDirectory()) return `${file} is a folder, not a file`;
  try {
    accessSync(there ? file : dirname(resolve(file)), constants.W_OK);
    return undefined;
  } catch (error) {
    return `${file} cannot be written (${error instanceof Error ? error.message : error})`;
  }
}

/** The record of armed outputs lies beside the sessions. */
export const recordFile = (rig: Rig, session: string): string => join(dirname(session), `${rig.name}.armed.json`);

/** Of this start of the machine; elsewhere than on Linux nothing tells one from the next. */
export function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return 'unknown';
  }
}

/** What the last run has left behind. A record that is there and cannot be read counts as not signed off. */
export function lastRecord(file: string): Before {
  try {
    return before(readFileSync(file, 'utf8'), bootId());
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return { words: [], unsettled: [] };
    const why = `the record of armed outputs cannot be read (${error instanceof Error ? error.message : error}): nobody knows what the last run has left on`;
    return { words: [why], unsettled: [{ name: 'record', why }] };
  }
}
