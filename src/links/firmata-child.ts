/** The link to johnny-five's process: supervised, started again with growing delay when it ends. */
import { fork } from 'node:child_process';
import { resolve } from 'node:path';
import type { Clock } from '../clock.ts';
import type { Link } from '../link.ts';
import { plain, reconnecting, type Told } from './reconnecting.ts';

export interface ChildLink extends Link {
  /** The process, while there is one. */
  readonly pid: number | undefined;
}

const ENTRY = 'board-process.js';
const SERVE = 'serve-board'; // as board-process.ts has it, which loads johnny-five's neighbours

/** Lines of JSON to and from the process (protocols/firmata-child.ts). To open it anew is to end the process and start another. */
export function firmataChildLink(clock: Clock, options: { readonly told?: Told; readonly origin?: Link['origin'] } = {}): ChildLink {
  let pid: number | undefined;
  const link = reconnecting(
    (events) => {
      // From source, under a test runner, the child is the built one.
      const entry = import.meta.filename.endsWith('.ts')
        ? resolve(import.meta.dirname, '../../dist/src/readout', ENTRY)
        : resolve(import.meta.dirname, '../readout', ENTRY);
      const child = fork(entry, [SERVE], { serialization: 'advanced', stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
      pid = child.pid;
      child.on('spawn', () => events.opened());
      child.on('message', (bytes) => {
        if (bytes instanceof Uint8Array) events.heard(plain(bytes));
      });
      child.on('error', (error) => events.lost(error.message));
      child.on('exit', (code, signal) => events.lost(`the process has ended (${signal ?? `code ${code}`})`));
      return {
        write(bytes) {
          if (!child.connected) return false;
          child.send(Uint8Array.from(bytes), () => {}); // a child that has just ended is told of by its exit
          return true;
        },
        close() {
          pid = undefined;
          child.removeAllListeners();
          child.on('error', () => {});
          // It may hang: it has no outputs, and nothing of it is to be saved.
          child.kill('SIGKILL');
        },
      };
    },
    clock,
    { name: 'johnny-five', framing: 'stream', told: options.told },
  );
  return {
    ...link,
    origin: options.origin ?? link.origin,
    get pid() {
      return pid;
    },
  };
}
