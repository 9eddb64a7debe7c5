/** Puts a calibration into the rig's folder: data first, then its record, each whole or not at all, and nothing in the place of another. */
import { link, mkdir, open, unlink } from 'node:fs/promises';
import { join } from 'node:path';

export interface NewFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

const isCode = (error: unknown, code: string): boolean => error instanceof Error && 'code' in error && error.code === code;

/**
 * Writes the files in their order and gives undefined, or a sentence; then nothing of them is there that was not there before. A file that
 * is there already with the same name is never touched: that is a sentence, too.
 */
export async function writeNew(folder: string, files: readonly NewFile[]): Promise<string | undefined> {
  const made: string[] = [];
  const failed = (error: unknown): string =>
    `the calibration cannot be written to ${folder} (${error instanceof Error ? error.message : error})`;
  try {
    await mkdir(folder, { recursive: true });
  } catch (error) {
    return failed(error);
  }
  try {
    for (const { name, bytes } of files) {
      const path = join(folder, name);
      await whole(path, bytes);
      made.push(path);
    }
    const place = await open(folder, 'r');
    try {
      await place.sync();
    } finally {
      await place.close();
    }
    return undefined;
  } catch (error) {
    for (const path of made.reverse()) await unlink(path).catch(() => undefined);
    return isCode(error, 'EEXIST') ? `there is a file of that name already in ${folder}` : failed(error);
  }
}

/** Written beside, synced, and then given its name, which must be free. */
async function whole(path: string, bytes: Uint8Array): Promise<void> {
  const beside = `${path}.${process.pid}.new`;
  const file = await open(beside, 'wx');
  try {
    try {
      await file.writeFile(bytes);
      await file.datasync();
    } finally {
      await file.close();
    }
    await link(beside, path);
  } finally {
    await unlink(beside).catch(() => undefined);
  }
}
