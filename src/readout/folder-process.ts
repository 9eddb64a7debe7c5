/** A watched folder in a process of its own, because the host does no disk reads: the child's entry, and the link on the host's side. */
import { BehaviorSubject, Subject } from 'rxjs';
import { type Clock, realClock } from '../clock.ts';
import type { Arrival, Link } from '../link.ts';
import { wholeFile } from '../links/complete.ts';
import { type FolderOptions, folderLink, watchFolder } from '../links/folder.ts';
import { supervised } from './child.ts';

export type RemoteOptions = Omit<FolderOptions, 'complete'> & {
  /** Watches in this process; for tests. */
  readonly inProcess?: boolean;
};

export interface RemoteFolder extends Link {
  /** The process that watches, while there is one. */
  readonly pid: number | undefined;
}

type FromChild =
  | { readonly is: 'arrival'; readonly bytes: Uint8Array; readonly t: number; readonly name: string }
  | { readonly is: 'left'; readonly names: readonly string[] }
  | { readonly is: 'up'; readonly now: boolean }
  | { readonly is: 'told'; readonly message: string };
type ToChild = { readonly is: 'watch'; readonly options: RemoteOptions } | { readonly is: 'look' };

const ENTRY = 'folder-process.js';

/** The folder's files as packets. The child is started again when it ends, with growing delay, and no file comes twice. */
export function remoteFolder(options: RemoteOptions, clock: Clock): RemoteFolder {
  if (options.inProcess) return { ...folderLink({ ...options, complete: wholeFile }, clock), pid: undefined };
  const arrivals = new Subject<Arrival>();
  const up = new BehaviorSubject(false);
  const { told, inProcess: _, ...plain } = options;
  const taken = new Set(options.taken);
  let begun = false;
  let closed = false;

  const heard = (m: FromChild): void => {
    if (closed) return;
    switch (m.is) {
      case 'arrival':
        taken.add(m.name);
        arrivals.next({ bytes: m.bytes, t: m.t, mono: clock.mono(), name: m.name });
        return;
      case 'left':
        for (const name of m.names) taken.add(name);
        return;
      case 'up':
        begun = true;
        if (m.now !== up.value) up.next(m.now);
        return;
      case 'told':
        told?.(m.message);
    }
  };

  const child = supervised(
    {
      entry: ENTRY,
      word: WATCH,
      what: `folder:${options.path}: the process that watches it`,
      ...(told ? { told } : {}),
      heard: (m) => heard(m as FromChild), // sent by the child's half of this file
      begun(send) {
        const first: ToChild = { is: 'watch', options: { ...plain, existing: begun ? 'take' : plain.existing, taken: [...taken] } };
        send(first);
      },
      lost() {
        if (up.value) up.next(false);
      },
    },
    clock,
  );

  return {
    framing: 'packets',
    origin: 'hardware',
    arrivals,
    up,
    get pid() {
      return child.process?.pid;
    },
    write: () => false,
    reopen: () => void child.send({ is: 'look' } satisfies ToChild),
    close() {
      if (closed) return;
      closed = true;
      child.close();
      if (child.process?.connected) child.process.disconnect();
      if (up.value) up.next(false);
      arrivals.complete();
      up.complete();
    },
  };
}

const WATCH = 'watch-folder';

/** The child: watches until the host goes away. */
function serveHost(): void {
  const clock = realClock();
  const say = (m: FromChild): Promise<void> =>
    new Promise((done) => {
      if (process.send) process.send(m, undefined, undefined, () => done());
      else done();
    });
  let watching: ReturnType<typeof watchFolder> | undefined;
  process.on('message', (message) => {
    const m = message as ToChild; // sent by remoteFolder alone
    if (m.is === 'look') {
      watching?.look();
      return;
    }
    watching?.close();
    watching = watchFolder({ ...m.options, complete: wholeFile, told: (text) => void say({ is: 'told', message: text }) }, clock, {
      arrived: ({ bytes, t, name }) => say({ is: 'arrival', bytes, t, name }),
      left: (names) => void say({ is: 'left', names }),
      up: (now) => void say({ is: 'up', now }),
    });
  });
  process.on('disconnect', () => process.exit(0));
  // A signal to all processes of a run is for the guardian, which ends them in order.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
}

if (process.argv[2] === WATCH && process.send) serveHost();
