/** How parts are called, and what each says in its head of the parts before it. */
import { crc32 } from 'node:zlib';
import { Fields, readable } from './mcap-read.ts';
import type { ByteSource } from './mcap-recover.ts';
import { MAGIC, OP, RECORD_HEAD } from './mcap-write.ts';

/** slow-0001, raw-LINK-0001. Series names are safe as file names: see `seriesName`. */
export function partName(series: string, number: number): string {
  return `${series}-${String(number).padStart(4, '0')}`;
}

export interface Named {
  readonly series: string;
  readonly number: number;
  readonly name: string;
}

/** Reads a file's name; undefined where it is no part. */
export function parsePartName(file: string): Named | undefined {
  const [, series, digits] = /^(slow|raw-.+)-(\d{4,9})\.mcap$/s.exec(file) ?? [];
  if (series === undefined || digits === undefined) return undefined;
  return { series, number: Number(digits), name: file.slice(0, -5) };
}

/** The series of a class of data: what a file's name cannot hold in a link's name is written as %XX. */
export function seriesName(klass: string): string {
  return klass.replace(/[^\w.-]/gu, (c) =>
    [...new TextEncoder().encode(c)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''),
  );
}

/** The name of the metadata record that heads each part. */
export const PART_RECORD = 'bridgman.part';

export interface PartHead {
  /** Parts of this series that were given up, each with the offset up to which it holds. */
  readonly ended: ReadonlyMap<string, number>;
}

/** The metadata of a part's head. Its own checksum guards what a damaged offset would lose. */
export function partMetadata(series: string, number: number, { ended }: PartHead): Record<string, string> {
  const said = JSON.stringify({ series, number, ended: Object.fromEntries(ended) });
  return { part: said, crc32: crc32(said).toString(16).padStart(8, '0') };
}

/** Reads the head of a part. A head that is missing, cut or damaged says nothing. */
export async function readPartHead(source: ByteSource): Promise<PartHead> {
  const ended = new Map<string, number>();
  const size = await source.size();
  let at = MAGIC.length;
  for (let n = 0; n < 2; n++) {
    const head = new Fields(await source.read(at, Math.min(RECORD_HEAD, Math.max(0, size - at))));
    const record = readable(() => ({ opcode: head.u8(), length: head.u64() }));
    if (typeof record === 'string' || record.length > 1 << 24 || at + RECORD_HEAD + record.length > size) break;
    if (record.opcode === OP.metadata) {
      const content = new Fields(await source.read(at + RECORD_HEAD, record.length));
      const read = readable(() => ({ name: content.text(), map: content.map() }));
      if (typeof read !== 'string' && read.name === PART_RECORD) said(read.map, ended);
      break;
    }
    at += RECORD_HEAD + record.length;
  }
  return { ended };
}

function said(map: Readonly<Record<string, string>>, ended: Map<string, number>): void {
  const { part = '', crc32: sum } = map;
  if (crc32(part).toString(16).padStart(8, '0') !== sum) return;
  let parsed: unknown;
  try {
    parsed = JSON.parse(part);
  } catch {
    return; // a right checksum over something else: not ours
  }
  if (typeof parsed !== 'object' || parsed === null || !('ended' in parsed)) return;
  for (const [name, offset] of Object.entries(parsed.ended ?? {})) if (typeof offset === 'number') ended.set(name, offset);
}
