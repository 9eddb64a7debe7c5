/** Where the items of a session go. */
import { open } from 'node:fs/promises';
import type { Found, Item } from './walk.ts';

export interface Sink {
  /** A word for what the form cannot hold ("no point"); it is counted under this word. */
  take(item: Item): Promise<string | undefined> | string | undefined;
  end(found: Found): Promise<void>;
  /** Names of files by channel, where there is more than one. */
  readonly files?: Readonly<Record<string, string>>;
}

export interface ByteFile {
  write(bytes: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

/** A new file; the bytes are written to the last one, or the error of the system is thrown. */
export async function byteFile(path: string): Promise<ByteFile> {
  const file = await open(path, 'wx');
  return {
    async write(bytes) {
      for (let at = 0; at < bytes.length; ) at += (await file.write(bytes, at)).bytesWritten;
    },
    close: () => file.close(),
  };
}
