/** Safe orders over links of the guardian's own: a terminator, the safe talk, and its readback, repeated until it shows. */
import { concat } from '../../protocols/protocol.ts';
import type { Catalogue } from '../catalogue.ts';
import type { Clock } from '../clock.ts';
import { type Exchange, exchange, ORDER, SAFE } from '../exchange.ts';
import type { Actors, AnyProtocol, Body, Links, Poll } from '../instrument.ts';
import { type Link, wrapped } from '../link.ts';
import { tunnelLink } from '../links/tunnel.ts';
import { actor, here } from '../talk.ts';
import { begun, runTalk } from '../talk-run.ts';
import type { Prepared, PreparedCarrier } from './armed.ts';
import type { MakeSafe, Unsafe } from './guardian.ts';

interface Placed {
  readonly body: Body<Links>;
  readonly roles: Readonly<Record<string, Exchange>>;
  readonly actors: Actors<Links>;
  readonly within: number;
}

export interface SafePorts {
  readonly catalogue: Catalogue;
  readonly clock: Clock;
  /** Opens an address at once and unlocked. */
  readonly open: (address: string) => Link;
}

const REPEAT = 0.1;
const FIRST_ANSWER = 0.25; // seconds: who does not answer by then is asked again, with twice as long, up to the model's own time-out

export function safeMaker(ports: SafePorts): MakeSafe {
  const { catalogue, clock } = ports;
  return (outputs, within, done) => {
    const exchanges = new Map<string, Exchange>();
    const left = new Map<string, string>(outputs.map((p) => [p.name, 'no answer']));
    let over = false;

    const finish = (): void => {
      if (over) return;
      over = true;
      giveUp();
      for (const e of exchanges.values()) e.close();
      done([...left].map(([name, why]): Unsafe => ({ name, why })));
    };
    const giveUp = clock.after(within, finish);

    /** An instrument's exchanges by role, on links opened once each; behind a tunnel, those of its carrier first. */
    const open = (p: PreparedCarrier, name: string, carriers: Prepared['carriers']): Placed | string => {
      const model = catalogue.instruments.get(p.model);
      if (!model) return `no driver ${p.model}`;
      const options: unknown = model.options.parse(p.options);
      const languages = model.links(options) as Readonly<Record<string, AnyProtocol>>; // role -> language
      const proofs = model.proof(options) as Readonly<Record<string, never>>;
      const body = model.body(options, p.id) as Body<Links>;
      const roles: Record<string, Exchange> = {};
      for (const [role, address] of Object.entries(p.links)) {
        const known = exchanges.get(address);
        let e = known;
        if (!e) {
          const protocol = languages[role];
          const link = openThrough(address, carriers);
          if (typeof link === 'string') return link;
          e = exchange(afresh(link, protocol.resync), protocol, clock);
          exchanges.set(address, e);
        }
        roles[role] = e;
        e.join({ instrument: name, role, proof: proofs[role], pace: 0, within: model.within, trusted() {} });
      }
      const actors = Object.fromEntries(Object.keys(roles).map((role) => [role, actor(role)])) as Actors<Links>; // one per role
      return { body, roles, actors, within: model.within };
    };
    const openThrough = (address: string, carriers: Prepared['carriers']): Link | string => {
      const [, name, at] = /^gpib:([^/]+)\/(.*)$/.exec(address) ?? [];
      if (name === undefined || at === undefined) return ports.open(address);
      const carrier = carriers[name] ? open(carriers[name], name, carriers) : `no adapter ${name}`;
      if (typeof carrier === 'string') return carrier;
      const { body, roles, actors, within: longest } = carrier;
      return tunnelLink(
        { name, acquired: { state: { is: 'running' }, tunnel: body.tunnel, actors }, roles, within: longest },
        at,
        clock,
        'hardware',
      );
    };

    for (const p of outputs) {
      let placed: Placed | string;
      try {
        placed = open(p, p.instrument, p.carriers);
      } catch (error) {
        placed = error instanceof Error ? error.message : String(error); // one that cannot be opened must not keep the others from it
      }
      if (typeof placed === 'string') {
        left.set(p.name, placed);
        continue;
      }
      const { body, roles, actors } = placed;
      const command = body.commands?.[p.command];
      const readback = command?.readback;
      const poll = body.polls?.find((one) => readback && readback.channel in one.gives) as Poll<Links> | undefined; // polls of these links
      if (!command) {
        left.set(p.name, `no command ${p.command}`);
        continue;
      }
      const safe: unknown = command.safe === true && command.takes === 'nothing' ? undefined : command.safe;
      let patience = FIRST_ANSWER;
      const running = () => ({ instrument: p.instrument, roles, within: Math.min(placed.within, patience), clock });
      const confirm = (): void => {
        if (over) return;
        if (!poll || !readback) {
          left.set(p.name, 'nothing reads it back');
          clock.after(REPEAT, attempt);
          return;
        }
        runTalk(
          begun(() => poll.talk(actors)),
          { ...running(), by: 'guardian:readback', urgency: ORDER },
          (outcome) => {
            if (over) return;
            if (outcome.ok && shows(poll, outcome.value, readback, safe, p.index)) {
              left.delete(p.name);
              if (left.size === 0) finish();
              return;
            }
            left.set(p.name, outcome.ok ? `${readback.channel} is not at its safe value` : outcome.why);
            clock.after(REPEAT, attempt);
          },
        );
      };
      const attempt = (): void => {
        if (over) return;
        if (!Object.values(roles).every((e) => e.isUp)) left.set(p.name, 'its link does not open');
        // A command's own type is lost in the list of commands; `safe` is a value of it.
        const talk = begun(() => command.talk(actors, safe as never, p.index ?? 0, here));
        runTalk(talk, { ...running(), by: `guardian:${p.command}`, urgency: SAFE }, () => {
          confirm();
          patience *= 2;
        });
      };
      attempt();
    }
    if (left.size === 0) finish();
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
