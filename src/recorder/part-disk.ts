/** The few calls through which a session is written: small enough that a test can make a disk short, full, faulty or hung. */
import { mkdir, open, readdir, rm, statfs } from 'node:fs/promises';

export interface DiskFile {
  /** Gives how many bytes were taken: a nearly full disk takes some, without an error. */
  write(bytes: Uint8Array, position: number): Promise<number>;
  datasync(): Promise<void>;
  truncate(length: number): Promise<void>;
  close(): Promise<void>;
}

export interface Disk {
  /** Makes the folder, also where it is there already. */
  makeFolder(folder: string): Promise<void>;
  list(folder: string): Promise<readonly string[]>;
  /** A new file, open for writing; `exclusive`: fails where the name is taken. */
  create(path: string, exclusive: boolean): Promise<DiskFile>;
  remove(path: string): Promise<void>;
  syncFolder(folder: string): Promise<void>;
  /** Bytes that this user may still write. */
  free(folder: string): Promise<number>;
}

export const nodeDisk: Disk = {
  async makeFolder(folder) {
    await mkdir(folder, { recursive: true });
  },
  list: (folder) => readdir(folder),
  async create(path, exclusive) {
    const file = await open(path, exclusive ? 'wx' : 'w');
    return {
      async write(bytes, position) {
        return (await file.write(bytes, 0, bytes.length, position)).bytesWritten;
      },
      datasync: () => file.datasync(),
      truncate: (length) => file.truncate(length),
      close: () => file.close(),
    };
  },
  remove: (path) => rm(path, { force: true }),
  async syncFolder(folder) {
    const handle = await open(folder, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  },
  async free(folder) {
    const { bavail, bsize } = await statfs(folder);
    return bavail * bsize;
  },
};

/** Writes until all bytes are taken. A disk that takes none, without an error, counts as full. */
export async function writeAll(file: DiskFile, bytes: Uint8Array, position: number): Promise<void> {
  let done = 0;
  while (done < bytes.length) {
    const taken = await file.write(done === 0 ? bytes : bytes.subarray(done), position + done);
    if (!(taken > 0)) throw Object.assign(new Error('the disk takes no more bytes'), { code: 'ENOSPC' });
    done += taken;
  }
}

/** The system's code of an error of the disk, such as ENOSPC or EIO. */
export function diskCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'EIO';
}

export const isFull = (code: string): boolean => code === 'ENOSPC' || code === 'EDQUOT';

/** The same disk; `called(true)` before each call to it, `called(false)` when it has answered. */
export function watched(disk: Disk, called: (asked: boolean) => void): Disk {
  const watch = async <T>(call: Promise<T>): Promise<T> => {
    called(true);
    try {
      return await call;
    } finally {
      called(false);
    }
  };
  return {
    makeFolder: (folder) => watch(disk.makeFolder(folder)),
    list: (folder) => watch(disk.list(folder)),
    remove: (path) => watch(disk.remove(path)),
    syncFolder: (folder) => watch(disk.syncFolder(folder)),
    free: (folder) => watch(disk.free(folder)),
    async create(path, exclusive) {
      const file = await watch(disk.create(path, exclusive));
      return {
        write: (bytes, position) => watch(file.write(bytes, position)),
        datasync: () => watch(file.datasync()),
        truncate: (length) => watch(file.truncate(length)),
        close: () => watch(file.close()),
      };
    },
  };
}
