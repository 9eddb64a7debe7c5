/** From an instrument's declaration and its links to readings: identify, polls on an absolute grid, streams. Gives values, never errors. */
import { type Clock, every } from './clock.ts';
import { type Exchange, ORDER, POLL, type Trust } from './exchange.ts';
import { AFTER_SAFE, GIVEN_UP, type Job } from './exchange-job.ts';
import { giver } from './giving.ts';
import type { Actors, Askers, Body, Came, Command, Instrument, Links, Poll, Proof, Stream } from './instrument.ts';
import { singleOf } from './instrument.ts';
import type { Kind, Kinds, Origin, Reading, Values } from './reading.ts';
import { actor, Refused } from './talk.ts';
import { begun, noLink, runTalk } from './talk-run.ts';

export interface Placed {
  readonly name: string;
  readonly model: Instrument;
  readonly options: unknown;
  readonly roles: Readonly<Record<string, Exchange>>;
  readonly origin: Origin;
}

export type State =
  | { readonly is: 'connecting'; readonly why: string }
  | { readonly is: 'running' }
  | { readonly is: 'silent'; readonly why: string }
  | { readonly is: 'refused'; readonly why: string };

export interface PollStatistics {
  runs: number;
  skipped: number;
  failed: number;
}

export interface Acquired {
  readonly name: string;
  readonly state: State;
  readonly id: unknown;
  readonly commands: Readonly<Record<string, Command>>;
  readonly tunnel: Body<Links>['tunnel'];
  readonly watchdog: Body<Links>['watchdog'];
  /** Statistics per poll, by the poll's name (its channels). */
  readonly polls: ReadonlyMap<string, PollStatistics>;
  /** Channel -> kind, for what the body gives. */
  readonly channels: Readonly<Record<string, Kind>>;
  readonly actors: Actors<Links>;
  /** Readings that an order gives. */
  give(values: Values<Kinds>): void;
  /** Asks the poll that gives this channel at once, beside its grid. */
  refresh(channel: string): void;
  /** The next n readings of a channel are from before an order. */
  void(channel: string, n: number): void;
  latest(channel: string, index?: number): Reading | undefined;
  close(): void;
}

export interface AcquireEvents {
  reading(r: Reading): void;
  /** All readings of one reply have been given: who looks at several of them does so now. */
  replied?(): void;
  state(name: string, state: State): void;
}

export const pollName = (poll: Poll<Links>): string => Object.keys(poll.gives).join('+');

const LATE = 0.25; // seconds by which a poll may be asked late, as host.ts has it for the loop; one of a longer period, by less than that
const OURS = 1; // seconds in which an instrument is proven again after a safe order of ours, or is silent

export function acquire(placed: Placed, clock: Clock, on: AcquireEvents): Acquired {
  const { name, model, roles, origin } = placed;
  const askers = Object.fromEntries(Object.keys(roles).map((role) => [role, actor(role)])) as Actors<Links>; // one actor per role of the rig
  const proofs = model.proof(placed.options) as Readonly<Record<string, Proof<unknown, unknown> | undefined>>; // roles of this model
  const trusts: Record<string, Trust> = Object.fromEntries(Object.keys(roles).map((r) => [r, { proven: false, why: 'connecting' }]));
  const statistics = new Map<string, PollStatistics>();
  const statisticsOf = new Map<Poll<Links>, PollStatistics>();
  const stops: (() => void)[] = [];
  let body: Body<Links> | undefined;
  let id: unknown;
  let identity = '';
  let state: State = { is: 'connecting', why: 'not asked yet' };
  let entered = clock.mono();
  let identifying = false;
  let identified = false;
  let closed = false;

  const enter = (next: State): void => {
    if (JSON.stringify(next) === JSON.stringify(state)) return;
    state = next;
    entered = clock.mono();
    on.state(name, state);
  };
  /** Silent for a moment, because a safe order of ours has gone out. */
  const ours = (): boolean =>
    state.is === 'silent' && (state.why === GIVEN_UP || state.why === AFTER_SAFE) && clock.mono() - entered < OURS;

  const giving = giver(name, origin, () => clock.now(), on);
  const { give, giveBad } = giving;

  const doubt = (why: string): void => {
    for (const role of Object.keys(roles)) if (proofs[role]) roles[role].doubt(name, role, why);
  };

  /** Asked again once the instrument is proven again: a safe order of ours on the same link says nothing about what they read. */
  const owed = new Set<() => void>();
  const askOwed = (): void => {
    if (state.is !== 'running' || identifying) return;
    const all = [...owed];
    owed.clear();
    for (const ask of all) ask();
  };

  const runPoll = (poll: Poll<Links>, by: string, urgency: typeof POLL | typeof ORDER, done: (givenUp: boolean) => void): void => {
    const single = singleOf(poll.talk);
    if (single) {
      askSingle(poll, single.q, by, urgency, done);
      return;
    }
    runTalk(
      begun(() => poll.talk(askers as Askers<Links>)),
      {
        instrument: name,
        by,
        urgency,
        roles,
        within: model.within,
        clock,
        give: (values) => give(poll.gives, values, clock.now(), poll.span),
      },
      (outcome) => {
        if (outcome.ok) answered(poll, outcome.value, outcome.came, done);
        else unanswered(poll, outcome.why, outcome.garbled, done);
      },
    );
  };

  /** What runTalk would do with a talk of one question, the common case, without one. */
  const askSingle = (poll: Poll<Links>, q: unknown, by: string, urgency: Job['urgency'], done: (givenUp: boolean) => void): void => {
    if (!roles.main) {
      unanswered(poll, noLink('main'), false, done);
      return;
    }
    roles.main.submit({
      instrument: name,
      role: 'main',
      by,
      q,
      reply: true,
      within: model.within,
      urgency,
      token: undefined,
      void: undefined,
      done(end) {
        if (end.ok) answered(poll, end.m, end.came, done);
        else unanswered(poll, end.why, false, done);
      },
    });
  };

  const answered = (poll: Poll<Links>, m: unknown, came: Came, done: (givenUp: boolean) => void): void => {
    if (closed) return;
    const stat = statisticsOf.get(poll);
    if (stat) stat.runs++;
    read(poll, m, came);
    done(false);
  };

  const unanswered = (poll: Poll<Links>, why: string, garbled: boolean, done: (givenUp: boolean) => void): void => {
    if (closed) return;
    const stat = statisticsOf.get(poll);
    if (stat) {
      stat.runs++;
      stat.failed++;
    }
    const givenUp = why === GIVEN_UP;
    if (!givenUp) {
      if (garbled) doubt(why);
      giveBad(poll.gives, state.is === 'refused' ? state.why : why);
    }
    done(givenUp);
  };

  const read = (
    poll: { gives: Kinds; read: (m: unknown, came: Came) => Values<Kinds>; span?: Poll<Links>['span'] },
    m: unknown,
    came: Came,
  ): void => {
    let values: Values<Kinds>;
    try {
      values = poll.read(m, came);
      if (values === null || typeof values !== 'object') throw new Error('fault in the driver: a reply was read into nothing');
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      doubt(why);
      giveBad(poll.gives, why);
      return;
    }
    // The exchange has already closed the question: distrust goes out before the next one.
    if (give(poll.gives, values, came.t, poll.span)) doubt('a reply that is no value');
  };

  const startPolls = (polls: readonly Poll<Links>[]): void => {
    for (const poll of polls) {
      const by = `poll:${pollName(poll)}`;
      const stat: PollStatistics = statistics.get(pollName(poll)) ?? { runs: 0, skipped: 0, failed: 0 };
      statistics.set(pollName(poll), stat);
      statisticsOf.set(poll, stat);
      let busy = false;
      let due = 0; // ticks that were not asked at their time, and still can be
      const most = Math.max(1, Math.floor(LATE / poll.every + 1e-9));
      const tick = (missed: number): void => {
        const all = due + missed + (busy ? 1 : 0);
        due = Math.min(all, most);
        stat.skipped += all - due;
        if (!busy) begin();
      };
      const begin = (): void => {
        if (ours()) {
          stat.skipped++;
          owed.add(ask);
          return;
        }
        if (identifying) {
          giveBad(poll.gives, 'being identified again');
          return;
        }
        // Who has not identified itself (again) is not asked: it may be another instrument by now.
        if (state.is !== 'running') {
          giveBad(poll.gives, state.why);
          return;
        }
        ask();
      };
      const ask = (): void => {
        if (busy || closed) return;
        busy = true;
        runPoll(poll, by, POLL, (givenUp) => {
          busy = false;
          if (givenUp) {
            owed.add(ask);
            askOwed();
          } else if (due > 0) {
            due--;
            begin();
          }
        });
      };
      stops.push(every(clock, poll.every, tick));
      tick(0);
    }
  };

  const streams = (role: string): readonly Stream[] => body?.streams?.[role] ?? [];
  const heardAt = new Map<Stream, number>();

  const watchSilence = (all: readonly Stream[]): void => {
    for (const stream of all) {
      const longest = stream.silence;
      if (longest === undefined) continue;
      heardAt.set(stream, clock.mono());
      stops.push(
        every(clock, longest, () => {
          if (clock.mono() - (heardAt.get(stream) ?? 0) < longest) return;
          giveBad(stream.gives, Object.values(trusts).every((t) => t.proven) ? `nothing for ${longest} s` : whyNot());
        }),
      );
    }
  };

  const unasked =
    (role: string) =>
    (m: unknown, came: Came): boolean => {
      const stream = streams(role).find((s) => takes(s, m));
      if (!stream) return false;
      heardAt.set(stream, clock.mono());
      if (state.is === 'running') read(stream, m, came);
      return true;
    };

  const takes = (stream: Stream, m: unknown): boolean => {
    try {
      return stream.takes(m);
    } catch {
      return false; // a message of another shape than the driver thought of
    }
  };

  const whyNot = (): string => Object.values(trusts).reduce((why, t) => (t.proven ? why : t.why), 'not connected');

  const identify = (): void => {
    if (identifying || closed) return;
    identifying = true;
    runTalk(
      begun(() => model.identify(askers, placed.options)),
      { instrument: name, by: 'identify', urgency: ORDER, roles, within: model.within, clock },
      (outcome) => {
        identifying = false;
        if (closed) return;
        if (!outcome.ok) {
          enter({ is: 'silent', why: `identify: ${outcome.why}` });
          clock.after(1, () => {
            if (Object.values(trusts).every((t) => t.proven) && !identified) identify();
          });
          return;
        }
        identified = true;
        if (outcome.value instanceof Refused) {
          enter({ is: 'refused', why: outcome.value.why });
          return;
        }
        const now = JSON.stringify(outcome.value) ?? '';
        if (body && now !== identity) {
          enter({ is: 'refused', why: `another instrument answers than before: ${now} instead of ${identity}` });
          return;
        }
        if (!body) {
          id = outcome.value;
          identity = now;
          try {
            body = model.body(placed.options, outcome.value) as Body<Links>; // declared for exactly these links
          } catch (error) {
            enter({ is: 'refused', why: `fault in the driver: ${error instanceof Error ? error.message : String(error)}` });
            return;
          }
          enter({ is: 'running' });
          if (body.gives && body.known) give(body.gives, body.known, clock.now(), undefined);
          startPolls(body.polls ?? []);
          watchSilence(Object.values(body.streams ?? {}).flatMap((list) => list ?? []));
          return;
        }
        enter({ is: 'running' });
        askOwed();
      },
    );
  };

  for (const [role, exchange] of Object.entries(roles)) {
    exchange.join({
      instrument: name,
      role,
      proof: proofs[role],
      pace: model.pace,
      within: model.within,
      unasked: unasked(role),
      trusted(trust) {
        trusts[role] = trust;
        if (!trust.proven) {
          identified = false;
          if (state.is !== 'refused') enter({ is: 'silent', why: trust.why });
          return;
        }
        if (!identified && Object.values(trusts).every((t) => t.proven)) identify();
      },
    });
  }
  if (Object.keys(roles).length === 0) identify();

  return {
    name,
    polls: statistics,
    actors: askers,
    get state() {
      return state;
    },
    get id() {
      return id;
    },
    get commands() {
      return (body?.commands ?? {}) as Readonly<Record<string, Command>>; // declared for these links
    },
    get tunnel() {
      return body?.tunnel;
    },
    get watchdog() {
      return body?.watchdog;
    },
    get channels() {
      const all: Record<string, Kind> = { ...body?.gives };
      for (const p of body?.polls ?? []) Object.assign(all, p.gives);
      for (const list of Object.values(body?.streams ?? {})) for (const s of list ?? []) Object.assign(all, s.gives);
      return all;
    },
    refresh(channel) {
      const poll = body?.polls?.find((p) => channel in p.gives);
      if (poll && state.is === 'running') runPoll(poll as Poll<Links>, `readback:${channel}`, ORDER, () => {});
    },
    give(values) {
      give(body?.gives ?? {}, values, clock.now(), undefined);
    },
    void: giving.void,
    latest: giving.latest,
    close() {
      closed = true;
      for (const stop of stops) stop();
    },
  };
}
