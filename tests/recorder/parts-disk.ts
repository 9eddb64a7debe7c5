/** A disk in memory that can be short, full, faulty and hung, and whose content can be laid into a folder and read. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { Disk, DiskFile } from '../../src/recorder/part-disk.ts';

export type Call = 'makeFolder' | 'list' | 'create' | 'remove' | 'syncFolder' | 'free' | 'write' | 'datasync' | 'truncate' | 'close';

/** What one call meets: an error's code, a promise to wait for, or at most so many bytes taken by a write. */
export type Fate = string | Promise<void> | number | undefined;

interface Stored {
  bytes: Uint8Array;
  /** What a loss of power would leave. */
  durable: Uint8Array;
}

export class TestDisk implements Disk {
  readonly files = new Map<string, Stored>();
  readonly calls: string[] = [];
  capacity = Number.POSITIVE_INFINITY;
  most = 0;
  #open = 0;
  fate: (call: Call, name: string, bytes: number) => Fate = () => undefined;

  async #meet(call: Call, name: string, bytes = 0): Promise<number> {
    this.calls.push(`${call} ${name}`);
    this.#open++;
    this.most = Math.max(this.most, this.#open);
    try {
      await Promise.resolve();
      const fate = this.fate(call, name, bytes);
      if (typeof fate === 'string') throw Object.assign(new Error(`${fate}: ${call} ${name}`), { code: fate });
      if (typeof fate === 'object') await fate;
      return typeof fate === 'number' ? fate : Number.POSITIVE_INFINITY;
    } finally {
      this.#open--;
    }
  }

  get used(): number {
    return [...this.files.values()].reduce((n, { bytes }) => n + bytes.length, 0);
  }
  async makeFolder(folder: string): Promise<void> {
    await this.#meet('makeFolder', basename(folder));
  }
  async list(folder: string): Promise<readonly string[]> {
    await this.#meet('list', basename(folder));
    return [...this.files.keys()];
  }
  async remove(path: string): Promise<void> {
    await this.#meet('remove', basename(path));
    this.files.delete(basename(path));
  }
  async syncFolder(folder: string): Promise<void> {
    await this.#meet('syncFolder', basename(folder));
  }
  async free(folder: string): Promise<number> {
    await this.#meet('free', basename(folder));
    return Math.max(0, this.capacity - this.used);
  }
  async create(path: string, exclusive: boolean): Promise<DiskFile> {
    const name = basename(path);
    await this.#meet('create', name);
    if (exclusive && this.files.has(name)) throw Object.assign(new Error(`EEXIST: ${name}`), { code: 'EEXIST' });
    const stored: Stored = { bytes: new Uint8Array(), durable: new Uint8Array() };
    this.files.set(name, stored);
    return {
      write: async (bytes, position) => {
        const most = await this.#meet('write', name, bytes.length);
        const room = this.capacity - this.used + Math.max(0, stored.bytes.length - position);
        if (room <= 0) throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
        const taken = bytes.subarray(0, Math.min(most, room));
        const after = new Uint8Array(Math.max(stored.bytes.length, position + taken.length));
        after.set(stored.bytes);
        after.set(taken, position);
        stored.bytes = after;
        return taken.length;
      },
      datasync: async () => {
        await this.#meet('datasync', name);
        stored.durable = stored.bytes;
      },
      truncate: async (length) => {
        await this.#meet('truncate', name);
        stored.bytes = stored.bytes.slice(0, length);
      },
      close: async () => {
        await this.#meet('close', name);
      },
    };
  }

  /** Lays the files into a folder of the real disk for `use`; `durable`: as a loss of power would leave them. */
  async laid<T>(use: (folder: string) => Promise<T>, durable = false): Promise<T> {
    const folder = await mkdtemp(join(tmpdir(), 'session-'));
    try {
      for (const [name, stored] of this.files) await writeFile(join(folder, name), durable ? stored.durable : stored.bytes);
      return await use(folder);
    } finally {
      await rm(folder, { recursive: true });
    }
  }
}
