/** SPE files as packets: one file is one message, whether it can be read or not. */
import type { Protocol } from './protocol.ts';
import { readSpe, type Spe, type SpeFault } from './spe.ts';

export interface SpeFile {
  /** The file's name, where the message knows it. */
  readonly name?: string;
  /** The file as it is. */
  readonly bytes: Uint8Array;
  /** What it holds, or why that cannot be read: damaged files are news too. */
  readonly read: Spe | SpeFault;
}

/** Nothing is ever asked of a folder. An empty file is a message, too. */
export function speFile(): Protocol<undefined, SpeFile> {
  return {
    framing: 'packets',
    asks: { encode: () => new Uint8Array(0), decoder: () => () => [] },
    tells: { encode: (m) => m.bytes, decoder: () => (bytes) => [{ bytes, read: readSpe(bytes) }] },
    fits: () => 'unasked',
    apart: 'question',
  };
}
