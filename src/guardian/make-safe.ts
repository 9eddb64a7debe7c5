/** Safe orders over links of the guardian's own: a terminator, the safe talk, and its readback, repeated until it shows. */
import { concat } from '../../protocols/protocol.ts';
import type { Catalogue } from '../catalogue.ts';
import type { Clock } from '../clock.ts';
import { type Exchange, exchange, ORDER, SAFE } from '../exchange.ts';
import type { Actors, AnyProtocol, Body, Command, Links, Poll } from '../instrument.ts';
import { type Link, wrapped } from '../link.ts';
import { tunnelLink } from '../links/tunnel.ts';
import { actor, here } from '../talk.ts';
import { begun, runTalk } from '../talk-run.ts';
import type { Prepared, PreparedCarrier } from './armed.ts';

export interface Unsafe {
  readonly name: string;
  readonly why: string;
  /** The monotonic second at which its first safe order was tried; absent while it waits for its turn. */
  readonly asked?: number;
}

/** Safe orders that are under way. They are repeated until they have been read back, or until they are ended. */
export interface Securing {
  /** What has not been read back yet, and why. */
  readonly left: readonly Unsafe[];
  end(): void;
}

export interface SafeMaker {
  /**
   * Makes outputs safe over links of the guardian's own, in their order: the next ones' first bytes go when those before them are read back
   * or have had 0.25 s; repeats go on beside each other. `safe` is called, later, for each one that has been read back.
   */
  begin(outputs: readonly Prepared[], safe: (name: string) => void): Securing;
  /** Opens the links of all that is under way anew: who held them is gone. */
  afresh(): void;
}

export interface SafePorts {
  readonly catalogue: Catalogue;
  readonly clock: Clock;
  /** Opens an address at once and unlocked. */
  readonly open: (address: string) => Link;
}

const REPEAT = 0.1;
const UNPLACED = 1; // seconds until an output that could not even be asked is tried again
const STEP = 0.25; // seconds that one place in the order gets before the next one begins all the same
const RESEND = 1; // seconds until a safe order that was not answered is given again while its readback waits for the instrument to be trusted
const TRUST = 3; // the same where it was answered, and from then on: each time puts off the trust, which takes two seconds at most
const PATIENT = 1; // seconds at most that a repeat waits for another output's readback on the same link
const FIRST_ANSWER = 0.25; // seconds: who does not answer by then is asked again, with twice as long, up to the model's own time-out

interface Placed {
  readonly body: Body<Links>;
  readonly roles: Readonly<Record<string, Exchange>>;
  readonly actors: Actors<Links>;
  readonly within: number;
}

/** One output until it has been read back. */
interface Task {
  /** Forgets what it has asked; `begin` begins anew. */
  halt(): void;
  begin(): void;
  end(): void;
}

/** What goes on at the same time shares its links: two talkers on one port would spoil each other's replies. */
export function safeMaker(ports: SafePorts): SafeMaker {
  const { clock } = ports;
  const tasks = new Set<Task>();
  /** Who waits for a readback, on which links. */
  const confirming = new Map<Task, readonly Exchange[]>();
  let pool = opened(ports);
  const idle = (): void => {
    if (tasks.size > 0) return;
    pool.close();
    pool = opened(ports);
  };

  /** Gives the safe order, reads it back, and so on. */
  const task = (p: Prepared, told: (why: string | undefined) => void): Task => {
    let turn = 0; // what was asked before links were opened anew is no business of now
    let patience = FIRST_ANSWER;
    let placed: Placed | string | undefined;
    let cancel = (): void => {};
    let over = false;
    let repeatFrom: number | undefined;
    const mine: Task = {
      halt() {
        turn++;
        cancel();
        confirming.delete(mine);
      },
      begin() {
        repeatFrom = undefined;
        placed = undefined;
        patience = FIRST_ANSWER;
        attempt();
      },
      end() {
        over = true;
        mine.halt();
        tasks.delete(mine);
      },
    };
    const again = (why: string, seconds = REPEAT): void => {
      told(why);
      repeatFrom = clock.mono() + seconds;
      cancel = clock.after(seconds, attempt);
    };
    const place = (): Placed | string => {
      try {
        return pool.place(p, p.instrument, p.carriers);
      } catch (error) {
        return error instanceof Error ? error.message : String(error); // one that cannot be opened must not keep the others from it
      }
    };
    /** `answered`: the talk came to its end. */
    const give = ({ body, roles, actors, within }: Placed, done: (answered: boolean) => void): void => {
      const command = body.commands?.[p.command];
      if (!command) return;
      // A command's own type is lost in the list of commands; `safe` is a value of it.
      const talk = begun(() => command.talk(actors, safeOf(command) as never, p.index ?? 0, here));
      runTalk(
        talk,
        { instrument: p.instrument, roles, within: Math.min(within, patience), clock, by: `guardian:${p.command}`, urgency: SAFE },
        (outcome) => done(outcome.ok),
      );
    };
    const confirm = (there: Placed, command: Command, answered: boolean): void => {
      const { body, roles, actors, within } = there;
      const { readback } = command;
      const poll = body.polls?.find((one) => readback && readback.channel in one.gives) as Poll<Links> | undefined; // polls of these links
      if (!poll || !readback) {
        again('nothing reads it back');
        return;
      }
      const now = turn;
      told('no answer');
      // Until an instrument that was silent is trusted again some time may pass: its safe order does not wait for that.
      const resend = (): void => {
        give(there, () => {});
        cancel = clock.after(TRUST, resend);
      };
      const tunnel = Object.keys(p.carriers).length > 0; // there the adapter has to be trusted again, too
      cancel = clock.after(answered || tunnel ? TRUST : Math.max(RESEND, within), resend);
      confirming.set(mine, Object.values(roles));
      runTalk(
        begun(() => poll.talk(actors)),
        { instrument: p.instrument, roles, within: Math.min(within, patience), clock, by: 'guardian:readback', urgency: ORDER },
        (outcome) => {
          if (now !== turn) return;
          cancel();
          confirming.delete(mine);
          if (outcome.ok && shows(poll, outcome.value, readback, safeOf(command), p.index)) {
            mine.end();
            told(undefined);
            idle(); // after those who come next have begun on the same links
          } else again(outcome.ok ? `${readback.channel} is not at its safe value` : outcome.why);
        },
      );
    };
    const attempt = (): void => {
      if (over) return;
      placed ??= place();
      const there = placed;
      const command = typeof there === 'string' ? undefined : there.body.commands?.[p.command];
      if (typeof there === 'string' || !command) {
        placed = undefined;
        again(typeof there === 'string' ? there : `no command ${p.command}`, UNPLACED);
        return;
      }
      const links = Object.values(there.roles);
      // A repeat that breaks into another output's readback would keep that one from ever being read.
      const others = [...confirming].some(([other, theirs]) => other !== mine && theirs.some((e) => links.includes(e)));
      if (repeatFrom !== undefined && others && clock.mono() - repeatFrom < PATIENT) {
        cancel = clock.after(REPEAT / 5, attempt);
        return;
      }
      if (!links.every((e) => e.isUp)) told('its link does not open');
      const now = turn;
      give(there, (answered) => {
        if (now !== turn) return;
        if (links.every((e) => e.isUp)) confirm(there, command, answered);
        else again('its link does not open');
        patience *= 2;
      });
    };
    tasks.add(mine);
    attempt();
    return mine;
  };

  const afresh = (): void => {
    for (const one of tasks) one.halt();
    pool.close();
    pool = opened(ports);
    for (const one of [...tasks]) one.begin();
  };

  const begin: SafeMaker['begin'] = (outputs, safe) => {
    const left = new Map<string, { why: string; asked?: number }>(outputs.map((p) => [p.name, { why: 'no answer' }]));
    const turns = inTurns(outputs);
    const own: Task[] = [];
    let over = false;
    let cancel = (): void => {};
    const next = (): void => {
      cancel();
      const turn = turns.shift();
      if (over || !turn) return;
      if (turns.length > 0) cancel = clock.after(STEP, next);
      for (const { name } of turn) left.set(name, { why: 'no answer', asked: clock.mono() });
      for (const p of turn) own.push(task(p, (why) => heard(p.name, why)));
    };
    const heard = (name: string, why: string | undefined): void => {
      if (why !== undefined) {
        left.set(name, { ...left.get(name), why });
        return;
      }
      left.delete(name);
      if (![...left.values()].some((other) => other.asked !== undefined)) next();
      safe(name);
    };
    next();
    return {
      get left() {
        return [...left].map(([name, state]): Unsafe => ({ name, ...state }));
      },
      end() {
        over = true;
        cancel();
        for (const one of own) one.end();
        idle();
      },
    };
  };
  return { begin, afresh };
}

/** What the safe talk is given. */
const safeOf = (command: Command): unknown => (command.safe === true && command.takes === 'nothing' ? undefined : command.safe);

/** Those of one place in the order together; those without a place last. */
function inTurns(outputs: readonly Prepared[]): (readonly Prepared[])[] {
  const place = (p: Prepared): number => p.order ?? Number.POSITIVE_INFINITY;
  const places = [...new Set(outputs.map(place))].sort((a, b) => (a < b ? -1 : 1));
  return places.map((one) => outputs.filter((p) => place(p) === one));
}

interface Pool {
  /** An instrument's exchanges by role, on links opened once each; behind a tunnel, those of its carrier first. A sentence where that cannot be. */
  place(p: PreparedCarrier, name: string, carriers: Prepared['carriers']): Placed | string;
  close(): void;
}

function opened({ catalogue, clock, open }: SafePorts): Pool {
  const exchanges = new Map<string, Exchange>();
  const joined = new Set<string>(); // who joins again must prove itself again
  const place: Pool['place'] = (p, name, carriers) => {
    const model = catalogue.instruments.get(p.model);
    if (!model) return `no driver ${p.model}`;
    const options: unknown = model.options.parse(p.options);
    const languages = model.links(options) as Readonly<Record<string, AnyProtocol>>; // role -> language
    const proofs = model.proof(options) as Readonly<Record<string, never>>;
    const body = model.body(options, p.id) as Body<Links>;
    const roles: Record<string, Exchange> = {};
    for (const [role, address] of Object.entries(p.links)) {
      let e = exchanges.get(address);
      if (!e) {
        const protocol = languages[role];
        const link = through(address, carriers);
        if (typeof link === 'string') return link;
        e = exchange(afresh(link, protocol.resync), protocol, clock);
        exchanges.set(address, e);
      }
      roles[role] = e;
      const member = JSON.stringify([address, name, role]);
      if (!joined.has(member)) e.join({ instrument: name, role, proof: proofs[role], pace: 0, within: model.within, trusted() {} });
      joined.add(member);
    }
    const actors = Object.fromEntries(Object.keys(roles).map((role) => [role, actor(role)])) as Actors<Links>; // one per role
    return { body, roles, actors, within: model.within };
  };
  const through = (address: string, carriers: Prepared['carriers']): Link | string => {
    const [, name, at] = /^gpib:([^/]+)\/(.*)$/.exec(address) ?? [];
    if (name === undefined || at === undefined) return open(address);
    const carrier = carriers[name] ? place(carriers[name], name, carriers) : `no adapter ${name}`;
    if (typeof carrier === 'string') return carrier;
    const { body, roles, actors, within } = carrier;
    return tunnelLink({ name, acquired: { state: { is: 'running' }, tunnel: body.tunnel, actors }, roles, within }, at, clock, 'hardware');
  };
  return {
    place,
    close() {
      for (const e of exchanges.values()) e.close();
      exchanges.clear();
    },
  };
}

/** Half a question of the host's may lie in the instrument's buffer: what ends it goes in front of the first bytes, in one write. */
function afresh(link: Link, resync: Uint8Array | undefined): Link {
  if (!resync) return link;
  let first = true;
  link.up.subscribe((up) => {
    if (up) first = true;
  });
  return wrapped(link, {
    write(bytes, reply, safe) {
      const taken = link.write(first ? concat(resync, bytes) : bytes, reply, safe);
      if (taken) first = false;
      return taken;
    },
  });
}

function shows(
  poll: Poll<Links>,
  reply: unknown,
  readback: { readonly channel: string; readonly by: number; readonly shows?: (value: never) => unknown },
  safe: unknown,
  index: number | undefined,
): boolean {
  try {
    const given = poll.read(reply, { asked: 0, t: 0 })[readback.channel];
    const one: unknown = Array.isArray(given) ? given[index ?? 0] : given;
    const value: unknown = one !== null && typeof one === 'object' && 'quality' in one ? ('value' in one ? one.value : undefined) : one;
    const want = readback.shows ? readback.shows(safe as never) : safe; // `shows` takes a value of the command's own type
    return typeof want === 'number' && typeof value === 'number' ? Math.abs(value - want) <= readback.by : value === want;
  } catch {
    return false; // a reply that makes no sense shows nothing
  }
}
