/** One part while it is being written: whole chunks, confirmed by fdatasync, ended whole or given up at the last confirmed byte. */
import { join } from 'node:path';
import { McapFile } from './mcap-file.ts';
import type { Channels, Sealed } from './mcap-write.ts';
import { type Disk, type DiskFile, writeAll } from './part-disk.ts';
import { PART_RECORD, partMetadata, partName } from './part-name.ts';

export class PartFile {
  readonly name: string;
  readonly path: string;
  /** On the clock of the writer. */
  readonly opened: number;
  readonly #handle: DiskFile;
  readonly #file: McapFile;
  #confirmed = 0;
  #bare = true;

  private constructor(name: string, path: string, opened: number, handle: DiskFile, file: McapFile) {
    this.name = name;
    this.path = path;
    this.opened = opened;
    this.#handle = handle;
    this.#file = file;
  }

  /**
   * Makes the file, writes its head, syncs it and the folder. `ended` names parts given up before, which readers then read only so
   * far. Where this fails the file is removed again, or where not even that can be done named in `ended`; the error is thrown.
   */
  static async open(options: {
    readonly disk: Disk;
    readonly folder: string;
    readonly series: string;
    readonly number: number;
    readonly channels: Channels;
    readonly ended: Map<string, number>;
    readonly now: () => number;
  }): Promise<PartFile> {
    const { disk, folder, series, number, channels, ended, now } = options;
    const name = partName(series, number);
    const path = join(folder, `${name}.mcap`);
    const handle = await disk.create(path, true);
    const part = new PartFile(name, path, now(), handle, new McapFile(channels));
    try {
      const head = part.#file.head(PART_RECORD, partMetadata(series, number, { ended }));
      await writeAll(handle, head, 0);
      await part.sync();
      await disk.syncFolder(folder);
      return part;
    } catch (error) {
      await handle.close().catch(() => undefined);
      await disk.remove(path).catch(() => ended.set(name, 0));
      throw error;
    }
  }

  /** Bytes up to here are on the disk, as far as the disk can be believed. */
  get confirmed(): number {
    return this.#confirmed;
  }

  /** No chunk is confirmed: nothing is lost with this file. */
  get bare(): boolean {
    return this.#bare;
  }

  /** Whether this chunk and the summary still fit into `limit` bytes; the first chunk always does. */
  fits(bytes: number, limit: number): boolean {
    return this.#file.empty || this.#file.position + bytes + this.#file.tail <= limit;
  }

  /** After an error here or in `sync` the part is to be given up: what was not confirmed belongs into another. */
  async write(sealed: Sealed): Promise<void> {
    const at = this.#file.position;
    await writeAll(this.#handle, sealed.bytes, at);
    this.#file.append(sealed);
  }

  async sync(): Promise<void> {
    await this.#handle.datasync();
    this.#confirmed = this.#file.position;
    this.#bare = this.#file.empty;
  }

  /** Writes the summary and closes: a whole MCAP file. Where there is no room for the summary the part stays as `giveUp` leaves it. */
  async end(): Promise<boolean> {
    try {
      const at = this.#file.position;
      await writeAll(this.#handle, this.#file.end(), at);
      await this.#handle.datasync();
      await this.#handle.close();
      return true;
    } catch {
      await this.giveUp();
      return false;
    }
  }

  /** Cuts off what was not confirmed, as well as the disk still lets us, and closes. Never throws. */
  async giveUp(): Promise<void> {
    await this.#handle.truncate(this.#confirmed).catch(() => undefined);
    await this.#handle.close().catch(() => undefined);
  }
}
