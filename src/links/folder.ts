/** A folder that files appear in: each new file is one packet. */
import { watch } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { BehaviorSubject, Subject } from 'rxjs';
import type { Clock } from '../clock.ts';
import type { Arrival, Link } from '../link.ts';
import { inWords, plain, type Told } from './reconnecting.ts';

export interface FolderOptions {
  readonly path: string;
  /** Names to take: * and ? stand for any characters and any one; upper and lower case count alike. */
  readonly pattern?: string;
  /** What was there before: 'leave' (unless given) or 'take'. */
  readonly existing?: 'take' | 'leave';
  /** Names that have been taken before. */
  readonly taken?: readonly string[];
  /** Is the file whole? A 'damaged' or 'unknown' one is given when it has not changed for `settle`, one that is not whole after `patience`. */
  readonly complete?: (bytes: Uint8Array, name: string) => boolean | 'damaged' | 'unknown';
  /** Seconds between two looks, where the system tells nothing. */
  readonly every?: number;
  /** Seconds in which a file must not change: 0.1 between two looks; `settle` for one that is damaged or does not say, `patience` for one that is not whole. */
  readonly still?: number;
  readonly settle?: number;
  readonly patience?: number;
  /** Larger files are told and not read. */
  readonly most?: number;
  readonly told?: Told;
}

export interface FolderEvents {
  /** The next file is read when this one has been taken. */
  arrived(arrival: Arrival & { readonly name: string }): void | Promise<void>;
  /** Names that were there before and are left. */
  left(names: readonly string[]): void;
  up(now: boolean): void;
}

export interface Watching {
  /** Looks at once. */
  look(): void;
  close(): void;
}

interface Seen {
  readonly size: number;
  readonly modified: number;
  /** When it was first seen with this size and time, on the monotonic clock. */
  readonly since: number;
  /** What was said of its bytes as they are. */
  verdict?: 'wait' | 'settle' | 'refused' | 'unreadable';
}

const EVERY = 1;
const STILL = 0.1;
const SETTLE = 1;
const PATIENCE = 10;
const MOST = 256 * 1024 * 1024;
const LOOKED_AFTER = 64; // files that have been taken, of which it is seen whether they grow

/** `*` and `?` as in a shell, nothing else is special. */
export function matcher(pattern: string): (name: string) => boolean {
  const source = pattern
    .replace(/[\\^$.|+()[\]{}]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  const whole = new RegExp(`^${source}$`, 'is');
  return (name) => whole.test(name);
}

/**
 * Gives each new file once, when it is whole and has not changed between two looks, in the order of modification time, then name. Of the
 * last files given, one that has grown since is told and given again.
 * A file that is gone from the folder is forgotten. Reads the disk, one file at a time. Nothing is thrown: what is wrong is told once.
 */
export function watchFolder(options: FolderOptions, clock: Clock, events: FolderEvents): Watching {
  const { path, complete = () => true, still = STILL, settle = SETTLE, patience = PATIENCE, most = MOST } = options;
  const matches = matcher(options.pattern ?? '*');
  const taken = new Set(options.taken);
  const sizes = new Map<string, number>(); // of the last ones given
  const seen = new Map<string, Seen>();
  const troubles = new Map<string, string>();
  let leave = (options.existing ?? 'leave') === 'leave';
  let state: 'new' | 'up' | 'down' = 'new';
  let looking = false;
  let again = false;
  let closed = false;
  let cancel = (): void => {};
  let unwatch: (() => void) | undefined;

  const tell = (about: string, what: string): void => {
    if (troubles.get(about) === what) return;
    troubles.set(about, what);
    options.told?.(`folder:${path}: ${what}`);
  };
  const enter = (next: 'up' | 'down', why: string): void => {
    if (state === next) return;
    state = next;
    options.told?.(`folder:${path}: ${why}`);
    events.up(next === 'up');
  };

  const startWatching = (): void => {
    if (unwatch) return;
    try {
      const watcher = watch(path, { persistent: false }, () => soon());
      unwatch = () => watcher.close();
      watcher.on('error', () => {
        unwatch?.();
        unwatch = undefined;
      });
    } catch {
      unwatch = undefined; // the looks go on without it
    }
  };

  /** What is ready, oldest first. */
  const ready = async (names: readonly string[]): Promise<readonly { name: string; seen: Seen }[]> => {
    const found: { name: string; seen: Seen }[] = [];
    for (const name of names) {
      const given = sizes.get(name);
      if (taken.has(name) && given === undefined) continue;
      try {
        const now = await stat(join(path, name));
        if (!now.isFile() || (given !== undefined && now.size <= given)) continue;
        const before = seen.get(name);
        if (before && before.size === now.size && before.modified === now.mtimeMs) {
          if (clock.mono() - before.since >= still) found.push({ name, seen: before });
        } else seen.set(name, { size: now.size, modified: now.mtimeMs, since: clock.mono() });
      } catch {
        seen.delete(name); // it went between the listing and the look
      }
    }
    return found.sort((a, b) => a.seen.modified - b.seen.modified || (a.name < b.name ? -1 : 1));
  };

  const read = async (name: string, file: Seen): Promise<void> => {
    const age = clock.mono() - file.since;
    if (file.verdict === 'refused' || (file.verdict === 'wait' && age < patience) || (file.verdict === 'settle' && age < settle)) return;
    if (file.size > most) {
      tell(name, `${name} has ${file.size} bytes, more than ${most}: it is not read`);
      file.verdict = 'refused';
      return;
    }
    let bytes: Uint8Array;
    try {
      bytes = plain(await readFile(join(path, name)));
    } catch (error) {
      tell(name, `${name} cannot be read: ${inWords(error)}`);
      file.verdict = 'unreadable';
      return;
    }
    if (closed) return;
    if (bytes.length !== file.size) {
      seen.delete(name); // it grows
      return;
    }
    const whole = complete(bytes, name);
    if (whole !== true && age < (whole === false ? patience : settle)) {
      file.verdict = whole === false ? 'wait' : 'settle';
      return;
    }
    const before = sizes.get(name);
    if (before !== undefined) tell(name, `${name} has grown from ${before} to ${bytes.length} bytes since it was read: it is read again`);
    taken.add(name);
    sizes.delete(name);
    sizes.set(name, bytes.length);
    for (const old of sizes.keys()) if (sizes.size > LOOKED_AFTER) sizes.delete(old);
    seen.delete(name);
    await events.arrived({ bytes, name, t: clock.now(), mono: clock.mono() });
  };

  const once = async (): Promise<void> => {
    let names: readonly string[];
    try {
      names = (await readdir(path)).filter(matches);
    } catch (error) {
      unwatch?.();
      unwatch = undefined;
      leave = false; // what is in a folder that is made later is new
      enter('down', inWords(error));
      return;
    }
    if (closed) return;
    if (leave) {
      for (const name of names) taken.add(name);
      events.left(names);
    }
    leave = false;
    startWatching();
    enter('up', 'watched');
    const there = new Set(names);
    for (const list of [taken, sizes, seen, troubles]) for (const name of list.keys()) if (!there.has(name)) list.delete(name);
    for (const { name, seen: file } of await ready(names)) {
      if (closed) return;
      await read(name, file);
    }
  };

  const look = (): void => {
    if (closed) return;
    if (looking) {
      again = true;
      return;
    }
    cancel();
    looking = true;
    void once().finally(() => {
      looking = false;
      if (closed) return;
      const changing = [...seen.values()].some((s) => s.verdict !== 'refused' && s.verdict !== 'unreadable');
      const wait = again || changing ? still : (options.every ?? EVERY);
      again = false;
      cancel = clock.after(wait, look);
    });
  };
  const soon = (): void => {
    if (closed) return;
    if (looking) again = true;
    else {
      cancel();
      cancel = clock.after(still / 2, look);
    }
  };
  cancel = clock.after(0, look);

  return {
    look,
    close() {
      closed = true;
      cancel();
      unwatch?.();
    },
  };
}

/** `watchFolder` as a link; nothing can be written to it. In production it runs in a process of its own: see remoteFolder. */
export function folderLink(options: FolderOptions, clock: Clock): Link {
  const arrivals = new Subject<Arrival>();
  const up = new BehaviorSubject(false);
  const watching = watchFolder(options, clock, {
    arrived: (arrival) => arrivals.next(arrival),
    left: () => {},
    up: (now) => up.next(now),
  });
  return {
    framing: 'packets',
    origin: 'hardware',
    arrivals,
    up,
    write: () => false,
    reopen: () => watching.look(),
    close() {
      watching.close();
      if (up.isStopped) return;
      if (up.value) up.next(false);
      arrivals.complete();
      up.complete();
    },
  };
}
