/** Tells systemd that the run is up and that guardian and host are well: through a shell of its own, since Node has no datagram sockets of this kind. */
import { spawn } from 'node:child_process';
import { type Clock, every } from '../clock.ts';

export interface Notify {
  ready(): void;
  /** From now on only the guardian's own loop counts. */
  ending(): void;
  close(): void;
}

/** Writes one message such as READY=1. */
export type Say = (message: string) => void;

const SILENT = 2; // seconds without a word from the host's main loop

/**
 * READY=1 when told, then WATCHDOG=1 three times in each watchdog interval while this loop turns and the host has been heard. `silence`:
 * seconds since the host was heard.
 */
export function notify(clock: Clock, say: Say, watchdog: number | undefined, silence: () => number): Notify {
  let up = false;
  let over = false;
  const stop =
    watchdog === undefined
      ? () => {}
      : every(clock, watchdog / 3, () => {
          if (up && (over || silence() < SILENT)) say('WATCHDOG=1');
        });
  return {
    ready() {
      if (up) return;
      up = true;
      say('READY=1');
    },
    ending() {
      if (over) return;
      over = true;
      say('STOPPING=1');
    },
    close: stop,
  };
}

/** Seconds of the watchdog that systemd wants to be fed, from its environment; undefined where it wants none, or another process is meant. */
export function watchdogOf(env: NodeJS.ProcessEnv, pid: number): number | undefined {
  const usec = Number(env.WATCHDOG_USEC);
  if (!(usec > 0) || (env.WATCHDOG_PID !== undefined && Number(env.WATCHDOG_PID) !== pid)) return undefined;
  return usec / 1e6;
}

/**
 * A shell that hands each line to systemd-notify. It is started once, before anything is opened: to start a program takes the disk, and
 * the guardian must not wait for one.
 */
export function systemdShell(told: (text: string) => void): { readonly say: Say; close(): void } {
  const shell = spawn('sh', ['-c', 'trap "" TERM INT HUP; while read -r line; do systemd-notify "$line"; done'], {
    stdio: ['pipe', 'ignore', 'pipe'],
    detached: true, // the terminal's Ctrl-C is not for it
  });
  let lost = false;
  let complained = false;
  const complain = (why: string): void => {
    if (lost || complained) return;
    complained = true;
    told(`systemd may not hear how this run is (${why})`);
  };
  const gone = (why: string): void => {
    complain(why);
    lost = true;
  };
  shell.stderr.on('data', (data: Buffer) => complain(data.toString('utf8').trim()));
  shell.stdin.on('error', () => {}); // told by its exit
  shell.once('error', (error) => gone(error.message));
  shell.once('exit', (code, signal) => gone(signal ?? `exit code ${code}`));
  shell.unref();
  return {
    say(message) {
      // What it has not taken is late already: a pile of old ones would say that we are well when we are not.
      if (!lost && shell.stdin.writableLength === 0) shell.stdin.write(`${message}\n`);
    },
    close() {
      lost = true;
      shell.stdin.end();
    },
  };
}
