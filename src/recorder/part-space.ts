/**
 * Room on the disk. A file `reserve` in the session's folder holds real blocks for the slow parts: when the disk is full it is
 * given up for them. Raw streams stop before: the first in the rig's order below `rawFree` free bytes, each next one lower.
 */
import { join } from 'node:path';
import { type Disk, type DiskFile, diskCode, isFull, writeAll } from './part-disk.ts';

const BLOCK = 1 << 20;
const LOOK_EVERY = 1000; // ms
const MARGIN = 1 << 20; // free bytes beyond the reserve before it is made, where no limit for raw streams asks for more

export class Space {
  readonly #disk: Disk;
  readonly #folder: string;
  readonly #reserve: number;
  readonly #rawFree: number;
  #file: DiskFile | undefined;
  #held = 0;
  #making = false;
  #lookAt = Number.NEGATIVE_INFINITY;
  #released = false;
  free: number | undefined;

  constructor(options: { readonly disk: Disk; readonly folder: string; readonly reserve: number; readonly rawFree: number }) {
    this.#disk = options.disk;
    this.#folder = options.folder;
    this.#reserve = options.reserve;
    this.#rawFree = options.rawFree;
  }

  /** The slow parts live on what was the reserve. */
  get released(): boolean {
    return this.#released;
  }
  /** Bytes kept back right now. */
  get kept(): number {
    return this.#held;
  }

  due(now: number): boolean {
    return this.#making || now >= this.#lookAt;
  }
  /** Something has gone wrong with room: look at once. */
  look(): void {
    this.#lookAt = Number.NEGATIVE_INFINITY;
  }

  /** One step: looks at the free space, or makes one more block of the reserve. Never throws; an error leaves things as they were. */
  async step(now: number): Promise<void> {
    if (this.#making) return this.#makeMore();
    this.#lookAt = now + LOOK_EVERY;
    try {
      this.free = await this.#disk.free(this.#folder);
    } catch {
      return; // the folder may not be there yet; what cannot be written says so itself
    }
    if (this.free < this.#reserve - this.#held + Math.max(this.#rawFree, MARGIN)) return;
    if (this.#held < this.#reserve) this.#making = true;
    else this.#released = false;
  }

  async #makeMore(): Promise<void> {
    try {
      this.#file ??= await this.#disk.create(join(this.#folder, 'reserve'), false);
      const block = new Uint8Array(Math.min(BLOCK, this.#reserve - this.#held)); // zeros, really written: a hole would reserve nothing
      await writeAll(this.#file, block, this.#held);
      this.#held += block.length;
      if (this.#held < this.#reserve) return;
      await this.#file.datasync();
      this.#released = false;
    } catch (error) {
      if (isFull(diskCode(error))) await this.#drop();
    }
    this.#making = false;
  }

  /** Gives the reserve to the slow parts. True where there was something to give. */
  async release(): Promise<boolean> {
    const some = this.#held > 0;
    this.#making = false;
    this.#released = true;
    await this.#drop();
    return some;
  }

  async #drop(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    this.#held = 0;
    await file?.truncate(0).catch(() => undefined);
    await file?.close().catch(() => undefined);
    if (file) await this.#disk.remove(join(this.#folder, 'reserve')).catch(() => undefined);
  }

  /** Ends with the session: the reserve has no more use. */
  close(): Promise<void> {
    return this.#drop();
  }

  /** Whether a raw stream, `rank` of `count` in the order of stopping, has to stand still. It goes on with a tenth more than it stopped at. */
  blocks(rank: number, count: number, stopped: boolean): boolean {
    if (this.#released) return true;
    const limit = (this.#rawFree * (count - rank)) / count;
    return this.free !== undefined && this.free < (stopped ? 1.1 : 1) * limit;
  }
}
