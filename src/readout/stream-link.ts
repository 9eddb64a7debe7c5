/** The host's side of a fast stream: a link whose packets are what its readout process says (protocols/readout.ts). */
import { BehaviorSubject, Subject } from 'rxjs';
import type { Clock } from '../clock.ts';
import type { Arrival, Link } from '../link.ts';
import type { BuilderOptions } from './builder.ts';
import { supervised } from './child.ts';
import type { ReaderPlan } from './reader.ts';

/** Where a readout process writes: the session's folder is shared, its parts have names of their own. */
export interface SessionPlace {
  readonly folder: string;
  /** The order in which raw series stop when room goes out, of all series of the rig. */
  readonly rawOrder: readonly string[];
}

export interface StreamOptions {
  /** The wire's name in the rig. */
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly plan: ReaderPlan;
  /** Without one nothing is recorded. */
  readonly session?: SessionPlace;
  /** Its hits are wanted by who builds events of several boards. */
  readonly feeds?: boolean;
}

/** Events of several boards. */
export interface BuildOptions extends Pick<BuilderOptions, 'boards' | 'hold' | 'physics'> {
  readonly name: string;
}

export type ToStream =
  | { readonly is: 'begin'; readonly options: StreamOptions }
  | { readonly is: 'build'; readonly options: BuildOptions }
  /** Where the hits of a board are to be had. */
  | { readonly is: 'feed'; readonly board: number; readonly port: number }
  | { readonly is: 'ask'; readonly bytes: Uint8Array }
  | { readonly is: 'reopen' }
  | { readonly is: 'end' };
export type FromStream =
  | { readonly is: 'tell'; readonly bytes: Uint8Array }
  | { readonly is: 'up'; readonly now: boolean }
  | { readonly is: 'feeds'; readonly port: number }
  | { readonly is: 'told'; readonly text: string };

/** What the readout process does, once it has been told. */
export interface Begun {
  ask(bytes: Uint8Array): void;
  reopen(): void;
  /** Where the hits of a board are to be had. */
  feed?(board: number, port: number): void;
  end(): Promise<void>;
}

export const LOOK = 1; // seconds between two looks
const ENTRY = 'stream-process.js';
export const SERVE = 'serve-stream';

const ending = new Set<Promise<void>>();

/** Resolves when every readout process of this one that was told to end has ended its parts, or after so many seconds. */
export async function streamsEnded(clock: Clock, within: number): Promise<void> {
  const late = new Promise<void>((done) => clock.after(within, done));
  await Promise.race([Promise.all(ending), late]);
}

interface ProcessOptions {
  readonly name: string;
  readonly told?: (text: string) => void;
  /** What the process is told first, each time that it is started. */
  readonly begin: () => readonly ToStream[];
  /** Where it gives its hits; nowhere once it has ended. */
  readonly feeds?: (port: number | undefined) => void;
}

/** A readout process as a link: started again with growing delay when it ends. */
function processLink({ name, told, begin, feeds }: ProcessOptions, clock: Clock): { readonly link: Link; send(m: ToStream): boolean } {
  const arrivals = new Subject<Arrival>();
  const up = new BehaviorSubject(false);
  let closed = false;

  const heard = (m: FromStream): void => {
    if (closed) return;
    if (m.is === 'tell') arrivals.next({ bytes: m.bytes, t: clock.now(), mono: clock.mono() });
    else if (m.is === 'told') told?.(m.text);
    else if (m.is === 'feeds') feeds?.(m.port);
    else if (m.now !== up.value) up.next(m.now);
  };
  const child = supervised(
    {
      entry: ENTRY,
      word: SERVE,
      what: `${name}: the process that reads it`,
      ...(told ? { told } : {}),
      heard: (m) => heard(m as FromStream), // sent by the child's half, stream-process.ts
      begun(send) {
        for (const m of begin()) send(m);
      },
      lost() {
        feeds?.(undefined);
        if (up.value) up.next(false);
      },
    },
    clock,
  );
  const send = (m: ToStream): boolean => child.send(m);
  const link: Link = {
    framing: 'packets',
    origin: 'hardware',
    arrivals,
    up,
    write: (bytes) => up.value && send({ is: 'ask', bytes: Uint8Array.from(bytes) }),
    reopen: () => void send({ is: 'reopen' }),
    close() {
      if (closed) return;
      closed = true;
      child.close();
      const mine = child.process;
      if (mine?.connected) {
        const gone = new Promise<void>((done) => mine.once('exit', () => done()));
        ending.add(gone);
        void gone.then(() => ending.delete(gone));
        send({ is: 'end' });
      }
      if (up.value) up.next(false);
      arrivals.complete();
      up.complete();
    },
  };
  return { link, send };
}

type Told = Pick<ProcessOptions, 'told' | 'feeds'>;

/** Real: in a process of its own. `feeds` is told where its hits are to be had, where they are wanted. */
export function streamLink({ told, feeds, ...options }: Omit<StreamOptions, 'feeds'> & Told, clock: Clock): Link {
  const plain: StreamOptions = { ...options, ...(feeds ? { feeds: true } : {}) };
  const begin = (): readonly ToStream[] => [{ is: 'begin', options: plain }];
  return processLink({ name: options.name, begin, ...(told ? { told } : {}), ...(feeds ? { feeds } : {}) }, clock).link;
}

/** Real: events of several boards, built in a process of its own. `feed` says where the hits of a board are to be had from now on. */
export function buildLink(
  { told, ...options }: BuildOptions & Pick<Told, 'told'>,
  clock: Clock,
): { readonly link: Link; feed(board: number, port: number): void } {
  const ports = new Map<number, number>();
  const begin = (): readonly ToStream[] => [
    { is: 'build', options },
    ...[...ports].map(([board, port]) => ({ is: 'feed' as const, board, port })),
  ];
  const { link, send } = processLink({ name: options.name, begin, ...(told ? { told } : {}) }, clock);
  return {
    link,
    feed(board, port) {
      ports.set(board, port);
      send({ is: 'feed', board, port });
    },
  };
}
