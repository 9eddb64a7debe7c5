/** Orders: one wanted action with exactly one outcome. Limits before bytes, deadlines, readback; a safe order waits for nothing. */
import type { Acquired } from './acquire.ts';
import type { Clock } from './clock.ts';
import type { OrderEntry, OrderOutcome, OrderValue } from './entry.ts';
import { type Exchange, ORDER, SAFE } from './exchange.ts';
import { GIVEN_UP } from './exchange-job.ts';
import type { Command } from './instrument.ts';
import { readbacks, type Waiting } from './readback.ts';
import type { Reading } from './reading.ts';
import { here, type Talk } from './talk.ts';
import { begun, runTalk } from './talk-run.ts';
import { show } from './units.ts';

export interface OrderRequest {
  readonly by: string;
  readonly instrument: string;
  readonly command: string;
  readonly index?: number;
  readonly value?: OrderValue;
  /** One sigma of a value entered by hand, in its unit. */
  readonly sigma?: number;
  /** Seconds after which it must not be carried out any more. */
  readonly deadline?: number;
  /** A safe order that may wait for its turn: at an orderly end nothing burns. */
  readonly orderly?: boolean;
}

export interface Target {
  readonly acquired: Acquired;
  readonly roles: Readonly<Record<string, Exchange>>;
  readonly within: number;
  readonly limits: Readonly<Record<string, readonly [number, number]>>;
}

/** What stands between a hazardous order and its bytes. */
export interface Guard {
  /** A reason why this order may not go, or undefined. Not asked for safe values. */
  refuse(instrument: string, command: string, index: number | undefined, hazardous: boolean): string | undefined;
  /** Arms the lease; `armed` is called when every keeper has confirmed (`first`: it was not armed before), or with the reason why not. */
  arm(instrument: string, command: string, index: number | undefined, armed: (why: string | undefined, first: boolean) => void): void;
  /** The output is back at its safe value, read back. */
  released(instrument: string, command: string, index: number | undefined): void;
  /** A hazardous order, or a safe one, has not ended well: make it safe where it is on. */
  doubtful(instrument: string, command: string, index: number | undefined, why: string): void;
  /** Says why changing orders given before now must not go on (a gap in the main loop). */
  void(since: number): string | undefined;
}

export interface Orders {
  place(request: OrderRequest, done: (order: OrderEntry) => void): void;
  /** An order that is carried out by other orders (a ramp): its intent is recorded, and its end is told by whoever carries it out. `unit`: of what
   *  is no command of an instrument. */
  open(request: OrderRequest, done: (order: OrderEntry) => void, unit?: string): (outcome: OrderOutcome, why?: string) => void;
  /** Why an order can never be carried out: unknown, outside of its limits, without its index. */
  unfit(request: OrderRequest): string | undefined;
  /** Ends an order that could not be understood. */
  refuse(request: OrderRequest, why: string, done: (order: OrderEntry) => void): void;
  /** Ends all that has no outcome yet; nothing is sent after it. */
  close(why: string): void;
  /** Readings come by here, for readback. */
  see(reading: Reading): void;
  readonly waiting: number;
}

interface Unfinished {
  readonly base: OrderEntry;
  readonly end: (outcome: OrderOutcome, why?: string) => void;
  /** Its talk has begun. */
  going: boolean;
  /** Ends it because a safe order was given for its output, while it waits to be read back. */
  overtake?: () => void;
}

/** An order's turn; it calls back when it has ended. */
type Work = (next: () => void) => void;

interface Late {
  readonly outcome: 'expired' | 'refused';
  readonly why: string;
}

const DEADLINE = 30;
const TRUST = 3; // seconds that a safe order which was answered gets to be read back: after it the link is not trusted for two at most
const UNANSWERED = 0.1; // seconds until a safe order that was not answered is given again
const OVERTAKEN = 'a safe order was given after it';
const LOST = /^(link down|no answer|garbled|given up|closed)/; // how a question ends whose bytes have gone

const outputOf = ({ instrument, command, index }: Pick<OrderEntry, 'instrument' | 'command' | 'index'>): string =>
  `${instrument}.${command}[${index ?? ''}]`;

export function orders(targets: ReadonlyMap<string, Target>, clock: Clock, guard: Guard, emit: (order: OrderEntry) => void): Orders {
  let ids = 0;
  let closed: string | undefined;
  const chains = new Map<string, Work[]>();
  const readback = readbacks(clock);
  const unfinished = new Set<Unfinished>();
  /** Output -> the last safe order given for it: what was ordered before is void. */
  const lastSafe = new Map<string, number>();
  /** Output -> safe orders for it that have not ended, and what waits for their end. */
  const safes = new Map<string, { count: number; readonly then: (() => void)[] }>();

  /** A loop: thousands of orders that a stop has made void end at once. */
  const follow = (queue: Work[]): void => {
    let waits = false;
    while (!waits && queue.length > 0) {
      waits = true;
      let inside = true;
      queue[0](() => {
        queue.shift();
        waits = false;
        if (!inside) follow(queue);
      });
      inside = false;
    }
  };

  const chain = (instrument: string, work: Work): void => {
    const queue = chains.get(instrument) ?? [];
    chains.set(instrument, queue);
    queue.push(work);
    if (queue.length === 1) follow(queue);
  };

  /** The order's first entry, and its one end. */
  const begin = (request: OrderRequest, command: Command | undefined, done: (order: OrderEntry) => void, unit?: string): Unfinished => {
    const { instrument, command: name, index, value } = request;
    const base: OrderEntry = {
      id: ++ids,
      t: clock.now(),
      by: request.by,
      instrument,
      command: name,
      ...(index === undefined ? {} : { index }),
      ...(value === undefined ? {} : { value }),
      ...(request.sigma === undefined ? {} : { sigma: request.sigma }),
      ...(command && command.takes !== 'nothing' ? { unit: command.takes } : unit === undefined ? {} : { unit }),
    };
    let ended = false;
    const end = (outcome: OrderOutcome, why?: string): void => {
      if (ended) return;
      ended = true;
      const order: OrderEntry = { ...base, outcome, ...(why === undefined ? {} : { why }), ended: clock.now() };
      unfinished.delete(open);
      emit(order);
      done(order);
    };
    const open: Unfinished = { base, end, going: false };
    unfinished.add(open);
    return open;
  };

  const place: Orders['place'] = (request, done) => {
    const { instrument, command: name, index, value } = request;
    const target = targets.get(instrument);
    const commands = target?.acquired.commands ?? {};
    const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
    const open = begin(request, command, done);
    const { base, end } = open;
    if (closed !== undefined) {
      end('refused', closed);
      return;
    }
    if (!target || !command) {
      end('refused', whyUnknown(targets, request));
      return;
    }
    const wrong = unfit(command, request, target.limits[name]);
    if (wrong) {
      end('refused', wrong);
      return;
    }
    const hazardous = command.safe !== undefined;
    const safe = hazardous && (value === command.safe || command.safe === true);
    const { state } = target.acquired;
    if (!safe && state.is !== 'running') {
      // Whoever is at the other end now has not said who it is.
      end('refused', state.is === 'refused' ? state.why : `${instrument} is ${state.is}: ${state.why}`);
      return;
    }
    const output = outputOf(base);
    /** Whether the safe one is read back decides then what is to be done. */
    const overtaken = (): boolean => hazardous && (lastSafe.get(output) ?? 0) > base.id;
    const refused = (): string | undefined => (overtaken() ? OVERTAKEN : guard.refuse(instrument, name, index, hazardous));
    const why = safe ? undefined : refused();
    if (why) {
      end('refused', why);
      return;
    }
    emit(base);
    const until = clock.mono() + (request.deadline ?? DEADLINE);
    const given = clock.mono();
    if (safe) {
      lastSafe.set(output, base.id);
      open.going = true;
      for (const one of [...unfinished]) if (outputOf(one.base) === output) one.overtake?.();
      const pending = safes.get(output) ?? { count: 0, then: [] };
      safes.set(output, pending);
      pending.count++;
      carryOut(
        target,
        command,
        request,
        request.orderly ? ORDER : SAFE,
        undefined,
        () => undefined,
        (outcome, why) => {
          if (outcome === 'done') guard.released(instrument, name, index);
          else if (outcome !== 'sent') guard.doubtful(instrument, name, index, why ?? outcome);
          end(outcome, why);
          if (--pending.count > 0) return;
          safes.delete(output);
          for (const go of pending.then) go();
        },
      );
      return;
    }
    // Asked again just before its bytes go: much may have happened since it was given.
    const late = (): Late | undefined => {
      if (closed !== undefined) return { outcome: 'refused', why: closed };
      const gap = guard.void(given) ?? (clock.mono() > until ? 'its deadline passed before it could be sent' : undefined);
      if (gap) return { outcome: 'expired', why: gap };
      const now = refused();
      return now ? { outcome: 'refused', why: now } : undefined;
    };
    chain(instrument, (next) => {
      const finish = (outcome: OrderOutcome, why?: string): void => {
        end(outcome, why);
        next();
      };
      const go = (first: boolean): void => {
        open.going = true;
        carryOut(target, command, request, ORDER, open, late, (outcome, why, unsent) => {
          if (hazardous && unsent) {
            if (first) guard.released(instrument, name, index);
          } else if (hazardous && outcome !== 'done' && !overtaken()) guard.doubtful(instrument, name, index, why ?? outcome);
          finish(outcome, why);
        });
      };
      const turn = (): void => {
        const expired = late();
        const before = hazardous ? safes.get(output) : undefined;
        if (expired) finish(expired.outcome, expired.why);
        // The readback of a safe order that was given before must not end its lease.
        else if (before) before.then.push(turn);
        else if (!hazardous) go(false);
        else
          guard.arm(instrument, name, index, (why, first) => {
            if (why) finish('refused', why);
            else go(first);
          });
      };
      turn();
    });
  };

  /** Bytes, then readback. `end` is called once; `unsent`: nothing that changes anything has gone. */
  const carryOut = (
    target: Target,
    command: Command,
    request: OrderRequest,
    urgency: typeof ORDER | typeof SAFE,
    open: Unfinished | undefined,
    late: () => Late | undefined,
    end: (outcome: OrderOutcome, why?: string, unsent?: boolean) => void,
  ): void => {
    const { acquired } = target;
    const value = command.takes === 'nothing' ? undefined : request.value;
    for (const [channel, n] of Object.entries(command.renews ?? {})) acquired.void(channel, n);
    const began = clock.now();
    let over = false;
    let under = false;
    let waiting: Waiting | undefined;
    let cancel = (): void => {};
    const ended = (outcome: OrderOutcome, why?: string, unsent?: boolean): void => {
      over = true;
      cancel();
      end(outcome, why, unsent);
    };
    // The value has been checked against `takes`; a command's own type is lost in the list of commands.
    const talk = (): Talk<unknown> =>
      begun(() =>
        command.talk(acquired.actors, value as never, request.index ?? 0, {
          ...here,
          order: { by: request.by, sigma: request.sigma },
        }),
      );
    /** A safe order whose bytes or answer were lost, or after which the output is still on, is given again until its readback is over. */
    const attempt = (): void => {
      if (over || under || closed !== undefined) return;
      under = true;
      cancel();
      runTalk(
        talk(),
        {
          instrument: request.instrument,
          by: `order:${request.command}`,
          urgency,
          roles: target.roles,
          within: target.within,
          clock,
          give: (values) => acquired.give(values),
          void: () => late()?.why,
        },
        (outcome) => {
          under = false;
          if (over) return;
          if (!outcome.ok && urgency !== SAFE) {
            const stopped = late();
            const { why, changed } = outcome;
            if (stopped?.why === why && !changed) {
              ended(stopped.outcome, why, true);
              return;
            }
            const lost = changed && (outcome.garbled || stopped?.why === why || LOST.test(why));
            ended(lost ? 'unknown' : 'failed', lost ? `${why}: whether it was carried out is not known` : why, !changed);
            return;
          }
          const shown = command.readback;
          if (!shown) {
            ended(outcome.ok ? 'sent' : 'unknown', outcome.ok ? 'the instrument has no readback for it' : outcome.why);
            return;
          }
          if (waiting) acquired.refresh(shown.channel);
          else {
            const { leave } = (waiting = readback.await({
              acquired,
              command,
              request,
              since: began,
              contrary: urgency === SAFE ? attempt : () => {},
              end: ended,
            }));
            if (open)
              open.overtake = () => {
                leave();
                if (!over) ended('failed', OVERTAKEN);
              };
          }
          // Given once more it would put off the trust without which nothing is read back, its own and that of others on its link.
          if (urgency === SAFE && outcome.ok) waiting.renew(TRUST);
          // One that another safe order on its link has cut short has gone: two that cut each other short must not go on so.
          if (!over && !outcome.ok) cancel = clock.after(outcome.why === GIVEN_UP ? target.within : UNANSWERED, attempt);
        },
      );
    };
    attempt();
  };

  return {
    place,
    open(request, done, unit) {
      const commands = targets.get(request.instrument)?.acquired.commands ?? {};
      const one = begin(request, Object.hasOwn(commands, request.command) ? commands[request.command] : undefined, done, unit);
      emit(one.base);
      return one.end;
    },
    unfit(request) {
      const target = targets.get(request.instrument);
      const commands = target?.acquired.commands ?? {};
      const command = Object.hasOwn(commands, request.command) ? commands[request.command] : undefined;
      return target && command ? unfit(command, request, target.limits[request.command]) : whyUnknown(targets, request);
    },
    refuse: (request, why, done) => begin(request, undefined, done).end('refused', why),
    close(why) {
      closed = why;
      for (const { end, going } of [...unfinished]) {
        if (going) end('unknown', `${why}: whether it was carried out is not known`);
        else end('refused', why);
      }
    },
    see: readback.see,
    get waiting() {
      return [...chains.values()].reduce((n, q) => n + q.length, 0);
    },
  };
}

function whyUnknown(targets: ReadonlyMap<string, Target>, request: OrderRequest): string {
  const target = targets.get(request.instrument);
  if (!target) return `there is no instrument "${request.instrument}"; the rig has ${[...targets.keys()].join(', ')}`;
  if (target.acquired.state.is === 'refused') return target.acquired.state.why;
  const known = Object.keys(target.acquired.commands);
  if (known.length === 0)
    return `${request.instrument} has no commands${target.acquired.state.is === 'running' ? '' : ' (it has not identified itself yet)'}`;
  return `${request.instrument} has no command "${request.command}"; it has ${known.join(', ')}`;
}

function unfit(command: Command, request: OrderRequest, narrower: readonly [number, number] | undefined): string | undefined {
  const { value, index } = request;
  if (command.count !== undefined) {
    if (index === undefined || !Number.isInteger(index) || index < 0 || index >= command.count)
      return `the index must be 0 to ${command.count - 1}`;
  } else if (index !== undefined) return 'this command has no index';
  switch (command.takes) {
    case 'nothing':
      return value === undefined ? undefined : 'this command takes no value';
    case 'flag':
      return typeof value === 'boolean' ? undefined : 'the value must be on or off';
    case 'state':
      if (typeof value !== 'string') return 'the value must be a word';
      return !command.words || command.words.includes(value) ? undefined : `the value must be one of ${command.words.join(', ')}`;
    default: {
      if (typeof value !== 'number' || !Number.isFinite(value)) return `the value must be a number in ${command.takes}`;
      if (value === command.safe) return undefined;
      for (const limits of [command.limits, narrower]) {
        // Written so that a limit that is no number refuses, too.
        if (limits && !(value >= limits[0] && value <= limits[1]))
          return `${show(value, command.takes)} is outside of the limits ${show(limits[0], command.takes)} to ${show(limits[1], command.takes)}`;
      }
      return undefined;
    }
  }
}
