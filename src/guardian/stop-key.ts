/** The space bar of the terminal that shows the run. The terminal gives single keys then; Ctrl-C stays what it is. */
import { spawnSync } from 'node:child_process';

/** What is used of a terminal's input. */
export interface Keys {
  readonly isTTY?: boolean;
  setRawMode(raw: boolean): unknown;
  on(event: 'data', heard: (bytes: Uint8Array) => void): unknown;
  on(event: 'error', failed: () => void): unknown;
  off(event: 'data', heard: (bytes: Uint8Array) => void): unknown;
  resume(): unknown;
  pause(): unknown;
}

const SPACE = 0x20;
const CTRL_C = 0x03;

export interface KeyOptions {
  readonly stop: () => void;
  readonly interrupt: () => void;
}

/** Every other key does nothing. Gives a function that puts the terminal back. */
export function stopKey(keys: Keys, options: KeyOptions): () => void {
  const heard = (bytes: Uint8Array): void => {
    if (bytes.includes(SPACE)) options.stop();
    for (const byte of bytes) if (byte === CTRL_C) options.interrupt();
  };
  let on = true;
  const end = (): void => {
    if (!on) return;
    on = false;
    keys.off('data', heard);
    keys.setRawMode(false);
    keys.pause();
  };
  keys.setRawMode(true);
  keys.on('data', heard);
  keys.on('error', () => {}); // a terminal that has been closed tells by SIGHUP
  keys.resume();
  return end;
}

/** How the terminal is set now, in the words of `stty`; undefined where it cannot be told. */
export function terminalNow(): string | undefined {
  const { status, stdout } = spawnSync('stty', ['-g'], { stdio: ['inherit', 'pipe', 'ignore'], encoding: 'utf8' });
  return status === 0 ? stdout.trim() : undefined;
}
