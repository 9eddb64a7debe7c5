/** What a run needs around the laboratory: its clock, its processes, its locks, and the signature at its end. */
import { fork } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, realClock, TIME_LINE, timeLine } from '../clock.ts';
import { folderKey, socketKey, takeLocks } from '../guardian/lock.ts';
import type { ArmedRecord } from '../guardian/record.ts';
import { user } from '../local.ts';
import { replaceFile } from '../recorder/replace-file.ts';
import type { Rig } from '../rig.ts';
import { addressOf } from '../rig-open.ts';

const SIGN_WAIT = 2; // seconds for the record of armed outputs to be signed off

/** Ends with the run: none of its timers may keep the program from its end. */
export function runClock(): { readonly clock: Clock; end(): void } {
  delete process.env[TIME_LINE]; // this run begins one
  const plain = realClock();
  const timers = new Set<() => void>();
  const clock: Clock = {
    ...plain,
    after(seconds, work) {
      const cancel = plain.after(seconds, () => {
        timers.delete(cancel);
        work();
      });
      timers.add(cancel);
      return () => {
        timers.delete(cancel);
        cancel();
      };
    },
  };
  return {
    clock,
    end() {
      for (const cancel of timers) cancel();
    },
  };
}

/** A process of this program, on the time line of the run. */
export const child = (file: string, clock: Clock, out: 'inherit' | 'ignore', err: 'inherit' | 'pipe') =>
  fork(join(import.meta.dirname, file), [], {
    serialization: 'advanced',
    stdio: ['ignore', out, err, 'ipc'],
    execArgv: ['--max-semi-space-size=2'],
    env: { ...process.env, ...timeLine(clock) },
  });

/** What this run alone may have: its name among the sockets, and the instruments of its folder. Throws LocalError with who has it. */
export async function locks(rig: Rig, socket: string, simulate: boolean, session: () => string | undefined): Promise<{ release(): void }> {
  const addresses = rig.instruments.flatMap((i) => Object.values(i.links).map(({ address }) => address));
  const real = !simulate && addresses.some((address) => addressOf(address).kind !== 'simulated');
  const since = new Date().toISOString();
  return takeLocks([socketKey(socket), ...(real ? [await folderKey(rig.folder)] : [])], () => ({
    rig: rig.name,
    pid: process.pid,
    user: user(),
    since,
    session: session(),
  }));
}

/** By the recorder, or without it where it cannot: nothing is on any more that a hung disk could keep from being made safe. */
export async function signOff(
  record: ArmedRecord,
  kept: readonly string[],
  file: string,
  clock: Clock,
  tell: (text: string) => void,
): Promise<void> {
  const late = (): Promise<string> => new Promise((done) => clock.after(SIGN_WAIT, () => done('the disk does not answer')));
  const why = await Promise.race([new Promise<string | undefined>((done) => record.sign(kept, done)), late()]);
  if (why === undefined || record.text === undefined) return;
  const again = await Promise.race([
    replaceFile(file, record.text).then(
      () => undefined,
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    ),
    late(),
  ]);
  if (again !== undefined) tell(`the record of armed outputs could not be signed off (${again}): the next start will ask for it`);
}

/** Is there a file? Rejects where that cannot be told. */
export const there = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return false;
      throw error;
    },
  );
