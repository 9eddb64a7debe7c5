/** Drivers and simulators in the user's own rig folder: nobody forks the program to add an instrument. */
import { readdir } from 'node:fs/promises';
import { register } from 'node:module';
import { extname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Catalogue } from './catalogue.ts';
import type { Instrument } from './instrument.ts';
import type { Message } from './rig-yaml.ts';
import type { Simulator } from './simulator.ts';

/**
 * The catalogue with what lies in FOLDER/drivers and FOLDER/simulators (.js files, by file name) beside the program's own.
 * What could not be loaded is said; a model of the program's is not replaced in silence but refused.
 */
export async function withUserDrivers(
  catalogue: Catalogue,
  folder: string,
): Promise<{ readonly catalogue: Catalogue; readonly messages: readonly Message[] }> {
  const messages: Message[] = [];
  const instruments = new Map(catalogue.instruments);
  const simulators = new Map(catalogue.simulators);
  await add(folder, 'drivers', instruments, isInstrument, messages);
  await add(folder, 'simulators', simulators, isSimulator, messages);
  return { catalogue: { instruments, simulators }, messages };
}

async function add<T>(
  folder: string,
  kind: 'drivers' | 'simulators',
  to: Map<string, T>,
  is: (value: unknown) => value is T,
  messages: Message[],
): Promise<void> {
  const place = resolve(folder, kind);
  const names = (await readdir(place).catch(() => [])).sort();
  const say = (name: string, text: string, line = 1, column = 1): void => {
    messages.push({ file: join(place, name), line, column, text });
  };
  const own = new Set(to.keys());
  for (const name of names) {
    const [, model, ending] = /^([^.]+)\.(m?js|m?ts)$/.exec(name) ?? [];
    if (model === undefined || ending === undefined) continue;
    if (ending.endsWith('ts')) {
      if (!names.includes(`${model}.js`))
        say(name, `TypeScript is not run here: compile it to ${model}.js beside it (npx tsc --module nodenext ${name})`);
      continue;
    }
    if (own.has(model)) {
      say(name, `${model} is among the program's own ${kind}; give the file another name`);
      continue;
    }
    try {
      resolveOwnName();
      const module = (await import(pathToFileURL(join(place, name)).href)) as { readonly default?: unknown }; // checked below
      if (is(module.default)) to.set(model, module.default);
      else
        say(
          name,
          kind === 'drivers'
            ? 'the default export must be what instrument({ ... }) gives'
            : 'the default export must be what simulator({ ... }) gives',
        );
    } catch (error) {
      const [line, column] = whereIn(error, name);
      say(name, error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error), line, column);
    }
  }
}

const has = (value: unknown, ...names: readonly string[]): boolean =>
  value !== null && typeof value === 'object' && names.every((name) => name in value);

const isInstrument = (value: unknown): value is Instrument =>
  has(value, 'model', 'source', 'options', 'links', 'proof', 'identify', 'body');
const isSimulator = (value: unknown): value is Simulator => has(value, 'options', 'links', 'state', 'world', 'answer', 'think');

/** Line and column of an error in a file, from the stack that it carries. */
function whereIn(error: unknown, name: string): readonly [number, number] {
  const stack = error instanceof Error ? String(error.stack) : '';
  const at = stack.indexOf(`/${name}:`);
  const [, line, column] = (at >= 0 && /:(\d+)(?::(\d+))?/.exec(stack.slice(at))) || [];
  return [Number(line ?? 1), Number(column ?? 1)];
}

let registered = false;

/** A driver anywhere on the disk says `import ... from 'bridgman/instrument'` and means this very program. */
function resolveOwnName(): void {
  if (registered) return;
  registered = true;
  const ending = extname(import.meta.filename);
  const hook = `export function resolve(name, context, next) {
    const [, own, protocol] = /^bridgman\\/(?:(instrument|simulator|units)|protocols\\/([\\w-]+))$/.exec(name) ?? [];
    const file = own ? './' + own : protocol ? '../protocols/' + protocol : undefined;
    return next(file ? new URL(file + ${JSON.stringify(ending)}, ${JSON.stringify(import.meta.url)}).href : name, context);
  }`;
  register(`data:text/javascript,${encodeURIComponent(hook)}`);
}
