/** A copy of a rig whose links lead to what is served in the place of its instruments. */
import { mkdir, writeFile } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, resolve } from 'node:path';
import { isAlias, isMap, isScalar, parseDocument } from 'yaml';
import type { Catalogue } from '../catalogue.ts';
import { methods } from '../methods.ts';
import { loadRig, printed, type Rig, type RigFile } from '../rig.ts';
import { EXIT, type Io, Usage } from './command.ts';

export interface Copying {
  readonly rig: Rig;
  readonly known: Catalogue;
  /** Wire -> the address that is served. */
  readonly served: ReadonlyMap<string, string>;
  readonly file: string;
  /** What stands in the place of the instruments, and the command that serves it. */
  readonly what: string;
  readonly command: string;
  /** Files that the rig names are not on the disk: they are written beside the copy. */
  readonly files?: boolean;
}

/** What would make a copy that cannot be read, said before anything is served. */
export function checkCopy(rig: Rig, known: Catalogue, file: string): void {
  if (resolve(file) === rig.file) throw new Usage(`--write ${file} would overwrite the rig itself; give another name`);
  if (dirname(resolve(file)) === rig.folder) return;
  if (rig.instruments.some((i) => !known.instruments.has(i.model)))
    throw new Usage(
      `${rig.name} has drivers of its own, which are found beside it: write the copy there, such as --write ${join(rig.folder, 'served.yaml')}`,
    );
}

interface Change {
  readonly from: number;
  readonly to: number;
  readonly text: string;
}

/** Writes the rig's text with the addresses of served links in the place of its own, and reads it back; an exit code of EXIT. */
export async function copy(copying: Copying, io: Io): Promise<number> {
  const { rig, known, file, command } = copying;
  const name = `bridgman ${command.split(' ')[0]}`;
  try {
    const { text, files } = copied(copying);
    for (const [path, bytes] of files) {
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, bytes);
    }
    await writeFile(file, text);
  } catch (error) {
    if (error instanceof Usage) throw error;
    io.err(`${name}: the copy cannot be written to ${file} (${error instanceof Error ? error.message : error})\n`);
    return EXIT.failed;
  }
  const loaded = await loadRig(file, known, methods);
  if (!loaded.ok) {
    for (const message of loaded.messages) io.err(`${printed(message)}\n`);
    io.err(`${name}: the copy ${file} is not right\n`);
    return EXIT.failed;
  }
  if (rig.influx !== undefined)
    io.err('the copy writes to the InfluxDB of the rig, marked as simulated: give "run" another --influx where that is not wanted\n');
  return EXIT.ok;
}

function copied({ rig, served, file, what, command, files: layOut = false }: Copying): {
  readonly text: string;
  readonly files: ReadonlyMap<string, Uint8Array>;
} {
  const folder = dirname(resolve(file));
  const files = new Map<string, Uint8Array>();
  const changes = new Map<number, Change>();
  const replace = (path: readonly (string | number)[], value: string): void => {
    const range = rangeOf(rig.text, path);
    if (!range) throw new Usage(`--write: ${path.join('.')} is not found in ${rig.file}`);
    const [from, to] = range;
    const change = { from, to, text: JSON.stringify(value) };
    const before = changes.get(from);
    if (before && before.text !== change.text)
      throw new Usage(`--write: ${path.join('.')} is written once for several links (an alias); write each by itself`);
    changes.set(from, change);
  };
  const moved = layOut || folder !== rig.folder;
  const links: readonly (readonly [path: readonly string[], link: Rig['links'][string]])[] = [
    ...Object.entries(rig.links).map(([name, link]) => [['links', name], link] as const),
    ...rig.instruments.flatMap((i) =>
      Object.entries(i.links).map(([role, link]) => {
        const one = ['instruments', i.name, 'link'];
        return [rangeOf(rig.text, one) ? one : ['instruments', i.name, 'links', role], link] as const;
      }),
    ),
  ];
  for (const [path, { wire, address }] of links) {
    const named = path[0] === 'instruments' && Object.hasOwn(rig.links, scalarAt(rig.text, path) ?? '');
    const now = served.get(wire) ?? (moved && address.startsWith('folder:') ? wire : undefined);
    if (!named && now !== undefined) replace(path, now);
  }
  // Sessions of the copy lie beside it, not among those of the real instruments.
  if (moved) {
    for (const d of rig.derive) {
      for (const [steps, given] of filesIn(d.params)) {
        if (isAbsolute(given.path)) continue;
        const path = layOut ? beside(file, given.path) : resolve(rig.folder, given.path);
        if (layOut) files.set(path, given.bytes);
        replace(['derive', d.name, ...steps], path);
      }
    }
  }
  let text = rig.text;
  for (const { from, to, text: now } of [...changes.values()].sort((a, b) => b.from - a.from))
    text = text.slice(0, from) + now + text.slice(to);
  return { text: `# ${rig.name} with ${what} in the place of its instruments (bridgman ${command})\n${text}`, files };
}

/** A file of the rig in a folder named after the copy; one from outside of the rig's folder by its own name. */
function beside(file: string, path: string): string {
  const folder = join(dirname(resolve(file)), `${basename(file).replace(/\.ya?ml$/, '')}-files`);
  return join(folder, path.split('/').includes('..') ? basename(path) : path);
}

/** Every file that parameters name, with where it stands. */
function filesIn(value: unknown, path: readonly string[] = []): readonly (readonly [readonly string[], RigFile])[] {
  if (value === null || typeof value !== 'object' || ArrayBuffer.isView(value)) return [];
  if ('sha256' in value && 'bytes' in value && 'path' in value) return [[path, value as RigFile]]; // as the rig's reader puts it in
  return Object.entries(value).flatMap(([key, one]) => filesIn(one, [...path, key]));
}

/** The node at a path, and where its text stands. What lies behind an alias is found at its anchor; a last alias is replaced itself. */
function nodeAt(text: string, path: readonly (string | number)[]): unknown {
  const doc = parseDocument(text);
  return path.reduce<unknown>((node, step) => {
    const here = isAlias(node) ? node.resolve(doc) : node;
    return isMap(here) ? here.items.findLast((pair) => isScalar(pair.key) && String(pair.key.value) === String(step))?.value : undefined;
  }, doc.contents);
}

function rangeOf(text: string, path: readonly (string | number)[]): readonly [number, number] | undefined {
  const node = nodeAt(text, path);
  return (isScalar(node) || isAlias(node)) && node.range ? [node.range[0], node.range[1]] : undefined;
}

function scalarAt(text: string, path: readonly (string | number)[]): string | undefined {
  const doc = parseDocument(text);
  const node = nodeAt(text, path);
  const value = isAlias(node) ? node.resolve(doc) : node;
  return isScalar(value) && typeof value.value === 'string' ? value.value : undefined;
}
