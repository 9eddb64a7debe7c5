/** The rig as a session holds it: its text and the files that it names, laid out again in a folder of its own. */
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, isAbsolute, join, normalize, resolve } from 'node:path';
import type { Catalogue } from '../catalogue.ts';
import { readSession } from '../recorder/session-read.ts';
import { type Loaded, loadRig, type Methods } from '../rig.ts';

export interface Said {
  /** Of the program that wrote it. */
  readonly version?: string;
  readonly name?: string;
  readonly yaml?: string;
}

export interface SessionRig {
  readonly loaded: Loaded;
  readonly said: Said;
  /** Files that the rig names by a path outside of its folder: they cannot be laid out again. */
  readonly outside: readonly string[];
}

const decoder = new TextDecoder();
const FILE = 'file ';
const CALIBRATIONS = 'raw-calibrations';

/** What the session says of its rig, and the files of its beginning by their paths. Undefined where the first part is missing. */
export async function rigIn(
  session: string,
): Promise<{ readonly said: Said; readonly files: Readonly<Record<string, Uint8Array>> } | undefined> {
  let said: Said | undefined;
  const files: Record<string, Uint8Array> = {};
  for await (const { topic, bytes, t } of readSession(session, { raw: [CALIBRATIONS] })) {
    if (topic === 'rig' && !said)
      said = { ...(JSON.parse(decoder.decode(bytes)) as Said), began: t } as Said & { began: number }; // written by recorder()
    // What came later was learnt, and has its place among the slow messages.
    else if (topic.startsWith(FILE)) files[topic.slice(FILE.length)] ??= Uint8Array.from(bytes);
    else if (topic === 'calibrations') {
      const { files: learnt } = JSON.parse(decoder.decode(bytes)) as { readonly files: readonly string[] }; // written by session-json.ts
      for (const path of learnt) delete files[path];
    } else if (said && !topic.startsWith('trend-') && topic !== 'rig') break;
  }
  return said && { said, files };
}

/** Reads the rig as it was. The drivers of the user's own are those beside the session today. */
export async function sessionRig(session: string, catalogue: Catalogue, methods: Methods): Promise<SessionRig | string> {
  const found = await rigIn(session);
  if (found?.said.yaml === undefined) return 'its beginning is missing, and with it the rig: name one with --rig';
  const { said, files } = found;
  const place = await mkdtemp(join(tmpdir(), 'bridgman-replay-'));
  try {
    const outside: string[] = [];
    await writeFile(join(place, 'rig.yaml'), found.said.yaml);
    for (const [path, bytes] of Object.entries(files)) {
      if (isAbsolute(path) || normalize(path).startsWith('..')) {
        outside.push(path);
        continue;
      }
      await mkdir(dirname(join(place, path)), { recursive: true });
      await writeFile(join(place, path), bytes);
    }
    const own = dirname(dirname(resolve(session)));
    for (const kind of ['drivers', 'simulators']) await cp(join(own, kind), join(place, kind), { recursive: true }).catch(() => undefined);
    return { loaded: await loadRig(place, catalogue, methods), said, outside };
  } finally {
    await rm(place, { recursive: true, force: true });
  }
}
