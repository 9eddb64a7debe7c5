/** `bridgman replay SESSION --as instruments`: its options; what is served is in replay-serve.ts. */
import { stat } from 'node:fs/promises';
import { catalogue } from '../catalogue.ts';
import { type Io, type Parsed, Usage } from './command.ts';
import { ready } from './replay-ready.ts';
import { serveRecording } from './replay-serve.ts';
import { interrupted } from './serve-wires.ts';

export const AS = {
  as: 'string',
  strict: 'boolean',
  repeat: 'boolean',
  link: 'string',
  pty: 'string',
  folder: 'string',
  'as-written': 'boolean',
  'one-client': 'boolean',
  write: 'string',
} as const;

const SPEEDS: readonly string[] = ['1', '10'];

/** Whether a recording is to be served. Throws a Usage where only its options stand there. */
export function serves({ options, flags }: Parsed): boolean {
  if (options.as !== undefined) return true;
  for (const name of Object.keys(AS))
    if (options[name] !== undefined || flags.has(name)) throw new Usage(`--${name} belongs to --as instruments`);
  return false;
}

/** Serves until Ctrl-C; gives an exit code of EXIT. Throws a Usage where what is wanted makes no sense. */
export async function served({ options, flags, rest }: Parsed, io: Io, until: () => Promise<unknown> = interrupted): Promise<number> {
  const { as, speed = '1', rig, link, pty, folder, write } = options;
  if (as !== 'instruments') throw new Usage(`--as is followed by "instruments", not "${as}"`);
  const others = ['all', 'calibration', 'influx'].filter((name) => options[name] !== undefined);
  if (flags.has('rebuild')) others.push('rebuild');
  if (others.length > 0) throw new Usage(`--as instruments serves one recording: leave out --${others.join(', --')}`);
  if (!SPEEDS.includes(speed)) throw new Usage(`--speed of a served recording is ${SPEEDS.join(' or ')}, not "${speed}"`);
  const [path, ...more] = rest;
  if (path === undefined) throw new Usage('a session is wanted: bridgman replay SESSION --as instruments');
  if (more.length > 0) throw new Usage(`one session at a time, not also ${more.join(' ')}`);
  const found = await stat(path).catch(() => undefined);
  if (!found?.isDirectory())
    throw new Usage(`there is no folder ${path}; a session is a folder, such as rigs/demo/sessions/2026-11-22T12-56-50Z`);
  const set = await ready(path, rig === undefined ? {} : { rig }, await catalogue());
  if ('code' in set) {
    io.err(set.words);
    return set.code;
  }
  return serveRecording(
    path,
    set,
    {
      strict: flags.has('strict'),
      speed: Number(speed),
      repeat: flags.has('repeat'),
      oneClient: flags.has('one-client'),
      asWritten: flags.has('as-written'),
      json: flags.has('json'),
      ...(link === undefined ? {} : { links: link.split(',').map((name) => name.trim()) }),
      ...(pty === undefined ? {} : { pty }),
      ...(folder === undefined ? {} : { folder }),
      ...(write === undefined ? {} : { write }),
    },
    io,
    until,
  );
}
