/** Changes messages of a session's parts in place, as no damage could: each chunk's checksum is that of its new bytes. */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { CHUNK_HEAD, MAGIC, OP, RECORD_HEAD } from '../src/recorder/mcap-write.ts';

const decoder = new TextDecoder();

/** `edit` is called with each message of the parts whose names begin so, and may change its bytes. Gives how many chunks changed. */
export async function tamper(
  folder: string,
  series: string,
  edit: (topic: string, bytes: Uint8Array, t: number) => boolean,
): Promise<number> {
  let changed = 0;
  for (const name of (await readdir(folder)).filter((one) => one.startsWith(series) && one.endsWith('.mcap')).sort()) {
    const bytes = new Uint8Array(await readFile(join(folder, name)));
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const topics = new Map<number, string>();
    for (let at = MAGIC.length; at + RECORD_HEAD <= bytes.length; ) {
      const end = at + RECORD_HEAD + Number(view.getBigUint64(at + 1, true));
      if (bytes[at] === OP.chunk) {
        let mine = false;
        for (let inner = at + CHUNK_HEAD; inner < end; ) {
          const from = inner + RECORD_HEAD;
          const to = from + Number(view.getBigUint64(inner + 1, true));
          if (bytes[inner] === OP.channel)
            topics.set(view.getUint16(from, true), decoder.decode(bytes.subarray(from + 8, from + 8 + view.getUint32(from + 4, true))));
          if (bytes[inner] === OP.message) {
            const t = Number(view.getBigUint64(from + 6, true) / 1000n);
            if (edit(topics.get(view.getUint16(from, true)) ?? '', bytes.subarray(from + 22, to), t)) mine = true;
          }
          inner = to;
        }
        if (mine) {
          view.setUint32(at + RECORD_HEAD + 24, crc32(bytes.subarray(at + CHUNK_HEAD, end)), true);
          changed++;
        }
      }
      if (end <= at) break;
      at = end;
    }
    await writeFile(join(folder, name), bytes);
  }
  return changed;
}
