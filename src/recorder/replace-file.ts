/** A small file that is either as it was or as it is now, whatever happens meanwhile. */
import { open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Writes beside, syncs, puts it in the place of the old one, syncs the folder. Rejects with the system's error; the old file is whole then. */
export async function replaceFile(path: string, text: string): Promise<void> {
  const beside = `${path}.new`;
  const file = await open(beside, 'w');
  try {
    await file.writeFile(text);
    await file.datasync();
  } finally {
    await file.close();
  }
  await rename(beside, path);
  const folder = await open(dirname(path), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
