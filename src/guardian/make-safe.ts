/** Safe orders over links of the guardian's own: a terminator, the safe talk, and its readback, repeated until it shows. */
import type { Catalogue } from '../catalogue.ts';
import type { Clock } from '../clock.ts';
import { type Exchange, exchange, ORDER, SAFE } from '../exchange.ts';
import type { Actors, AnyProtocol, Body, Links, Poll } from '../instrument.ts';
import type { Link } from '../link.ts';
import { actor, here } from '../talk.ts';
import { runTalk } from '../talk-run.ts';
import type { Prepared } from './armed.ts';
import type { MakeSafe, Unsafe } from './guardian.ts';

export interface SafePorts {
  readonly catalogue: Catalogue;
  readonly clock: Clock;
  /** Opens an address at once and unlocked; undefined where nothing outside can be reached (a simulator in the host's process). */
  readonly open: (address: string, protocol: AnyProtocol, prepared: Prepared) => Link | undefined;
}

const REPEAT = 0.1;

export function safeMaker(ports: SafePorts): MakeSafe {
  const { catalogue, clock } = ports;
  return (outputs, within, done) => {
    const exchanges = new Map<string, Exchange>();
    const links: Link[] = [];
    const left = new Map<string, string>(outputs.map((p) => [p.name, 'no answer']));
    let over = false;

    const finish = (): void => {
      if (over) return;
      over = true;
      for (const e of exchanges.values()) e.close();
      done([...left].map(([name, why]): Unsafe => ({ name, why })));
    };
    clock.after(within, finish);

    for (const p of outputs) {
      const model = catalogue.instruments.get(p.model);
      const options: unknown = model?.options.parse(p.options);
      if (!model) {
        left.set(p.name, `no driver ${p.model}`);
        continue;
      }
      const languages = model.links(options) as Readonly<Record<string, AnyProtocol>>; // role -> language
      const body = model.body(options, p.id) as Body<Links>;
      const proofs = model.proof(options) as Readonly<Record<string, never>>;
      const roles: Record<string, Exchange> = {};
      let outside = true;
      for (const [role, address] of Object.entries(p.links)) {
        const protocol = languages[role];
        const known = exchanges.get(address);
        if (known) {
          roles[role] = known;
          continue;
        }
        const link = ports.open(address, protocol, p);
        if (!link) {
          outside = false;
          break;
        }
        links.push(link);
        // Half a question of the host's may lie in the instrument's buffer: what ends it goes first.
        const resync = protocol.resync;
        if (resync) link.up.subscribe((up) => up && link.write(resync));
        roles[role] = exchange(link, protocol, clock);
        exchanges.set(address, roles[role]);
      }
      if (!outside) {
        left.delete(p.name); // it died with the host
        continue;
      }
      for (const [role, e] of Object.entries(roles)) {
        e.join({ instrument: p.instrument, role, proof: proofs[role], pace: 0, within: model.within, trusted() {} });
      }
      const actors = Object.fromEntries(Object.keys(roles).map((role) => [role, actor(role)])) as Actors<Links>; // one per role
      const command = body.commands?.[p.command];
      const readback = command?.readback;
      const poll = body.polls?.find((one) => readback && readback.channel in one.gives) as Poll<Links> | undefined; // polls of these links
      if (!command) {
        left.set(p.name, `no command ${p.command}`);
        continue;
      }
      const safe: unknown = command.safe === true && command.takes === 'nothing' ? undefined : command.safe;
      const running = { instrument: p.instrument, roles, within: Math.min(model.within, 0.25), clock };
      const confirm = (): void => {
        if (over || !poll || !readback) return;
        runTalk(poll.talk(actors), { ...running, by: 'guardian:readback', urgency: ORDER }, (outcome) => {
          if (over) return;
          if (outcome.ok && shows(poll, outcome.value, readback, safe, p.index)) {
            left.delete(p.name);
            if (left.size === 0) finish();
            return;
          }
          left.set(p.name, outcome.ok ? `${readback.channel} is not at its safe value` : outcome.why);
          clock.after(REPEAT, attempt);
        });
      };
      const attempt = (): void => {
        if (over) return;
        if (!Object.values(roles).every((e) => e.isUp)) {
          left.set(p.name, 'its link does not open');
          clock.after(0.005, attempt);
          return;
        }
        // A command's own type is lost in the list of commands; `safe` is a value of it.
        const talk = command.talk(actors, safe as never, p.index ?? 0, here);
        runTalk(talk, { ...running, by: `guardian:${p.command}`, urgency: SAFE }, () => confirm());
      };
      attempt();
    }
    if (left.size === 0) finish();
  };
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
