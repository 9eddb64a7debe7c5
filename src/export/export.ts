/** A session as files that other programs open: finds what is wanted, writes it beside the target, and puts it there when it is whole. */
import { rmSync } from 'node:fs';
import { access, mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import type { Trouble } from '../recorder/session-read.ts';
import { type Choice, type ChoiceOptions, choice } from './choice.ts';
import { csvSink } from './csv.ts';
import { lineSink } from './line.ts';
import { byteFile, type Sink } from './sink.ts';
import { type Found, type Item, walk } from './walk.ts';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

export const FORMS = ['nexus', 'csv', 'line'] as const;
export type Form = (typeof FORMS)[number];

export interface ExportOptions extends ChoiceOptions {
  readonly session: string;
  readonly form: Form;
  /** A file, for csv a folder. */
  readonly target: string;
  /** Takes the place of what is there. */
  readonly force?: boolean;
}

export interface Report {
  readonly session: string;
  readonly form: Form;
  readonly target: string;
  /** Microseconds since 1970. */
  readonly began: number | null;
  readonly ended: number | null;
  /** Readings by channel. */
  readonly channels: Readonly<Record<string, number>>;
  readonly hits: number;
  /** Of csv: the file of each channel. */
  readonly files: Readonly<Record<string, string>>;
  readonly bytes: number;
  /** What the form cannot hold, by its word. */
  readonly left: Readonly<Record<string, number>>;
  readonly trouble: readonly Trouble[];
  readonly lost: Readonly<Record<string, number>>;
  readonly strange: number;
  /** Traces of which the numbers are lost. */
  readonly empty: number;
}

/** Why nothing was exported, for the person who asked. */
export class Unexported extends Error {
  readonly code = 'USAGE';
}

/** Writes the target, whole or not at all. Throws Unexported for what the person can mend, a SessionError, or the error of the system. */
export async function exportSession(options: ExportOptions): Promise<Report> {
  const target = resolve(options.target);
  if (`${target}/`.startsWith(`${resolve(options.session)}/`))
    throw new Unexported(`${target} is in the session itself, of which nothing is changed; name another place`);
  await free(options.form, target, options.force === true);
  const partial = join(dirname(target), `.${basename(target)}.${process.pid}.part`);
  await rm(partial, { recursive: true, force: true }); // an earlier process of this number left it
  const stopped = (signal: NodeJS.Signals): void => {
    rmSync(partial, { recursive: true, force: true });
    process.exit(signal === 'SIGINT' ? 130 : 143);
  };
  for (const signal of SIGNALS) process.once(signal, stopped);
  try {
    const report = await (options.form === 'nexus' ? inProcess(options, partial) : written(options, partial));
    await place(options.form, partial, target);
    return { ...report, target: options.target, bytes: await sizeOf(target, report.files) };
  } finally {
    for (const signal of SIGNALS) process.removeListener(signal, stopped);
    await rm(partial, { recursive: true, force: true });
  }
}

async function inProcess(options: ExportOptions, partial: string): Promise<Report> {
  const { nexusProcess } = await import('./nexus-child.ts');
  return nexusProcess({ ...options, target: partial });
}

/** Writes to `target` itself. */
export async function written(options: ExportOptions, target: string): Promise<Report> {
  const wanted = choice(options);
  if (options.form === 'csv') return through(options, wanted, await csvSink(target));
  if (options.form === 'nexus') {
    const { nexusSink } = await import('./nexus.ts');
    return through(options, wanted, await nexusSink(target, options.session));
  }
  const file = await byteFile(target);
  try {
    return await through(options, wanted, lineSink(file, options.channels === undefined || options.channels.length === 0));
  } finally {
    await file.close();
  }
}

async function through(options: ExportOptions, wanted: Choice, sink: Sink): Promise<Report> {
  const found: Found = { began: undefined, ended: undefined, trouble: [], lost: {}, strange: 0, empty: 0 };
  const channels: Record<string, number> = {};
  const left: Record<string, number> = {};
  let hits = 0;
  for await (const item of walk(options.session, wanted, found, options.form !== 'line')) {
    const word = await sink.take(item);
    if (word !== undefined) left[word] = (left[word] ?? 0) + count(item);
    else if (item.kind === 'reading') channels[item.name] = (channels[item.name] ?? 0) + 1;
    else if (item.kind === 'hits') hits += item.block.count;
  }
  const unknown = wanted.unknown();
  if (unknown.length > 0) throw new Unexported(unknown.join('; '));
  await sink.end(found);
  const { began = null, ended = null, trouble, lost, strange, empty } = found;
  const { session, form, target } = options;
  return { session, form, target, began, ended, channels, hits, files: sink.files ?? {}, bytes: 0, left, trouble, lost, strange, empty };
}

const count = (item: Item): number => (item.kind === 'hits' ? item.block.count : 1);

/** Throws Unexported where something is in the way. */
async function free(form: Form, target: string, force: boolean): Promise<void> {
  const parent = dirname(target);
  const above = await stat(parent).catch(() => undefined);
  if (!above?.isDirectory()) throw new Unexported(`there is no folder ${parent} to write to`);
  const there = await stat(target).catch(() => undefined);
  if (!there) return;
  if (form === 'csv') {
    if (!there.isDirectory()) throw new Unexported(`${target} is a file; --to csv writes a folder of files`);
    if (force || (await readdir(target)).length === 0) return;
    throw new Unexported(`${target} is there already and is not empty; name another folder, or --force replaces files of the same names`);
  }
  if (there.isDirectory()) throw new Unexported(`${target} is a folder; --to ${form} writes one file`);
  if (!force) throw new Unexported(`${target} is there already; name another file, or --force replaces it`);
}

/** A folder that is there keeps what else is in it. */
async function place(form: Form, partial: string, target: string): Promise<void> {
  const there =
    form === 'csv' &&
    (await access(target).then(
      () => true,
      () => false,
    ));
  if (!there) return rename(partial, target);
  await mkdir(target, { recursive: true });
  for (const file of await readdir(partial)) await rename(join(partial, file), join(target, file));
}

async function sizeOf(target: string, files: Readonly<Record<string, string>>): Promise<number> {
  const names = Object.values(files);
  const sizes = await Promise.all((names.length > 0 ? names.map((name) => join(target, name)) : [target]).map((path) => stat(path)));
  return sizes.reduce((n, one) => n + (one.isFile() ? one.size : 0), 0);
}
