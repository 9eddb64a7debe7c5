/** What today's driver gives and asks once it knows its instrument: looked up once, asked for with every exchange and reading. */
import { pollName } from '../acquire.ts';
import { type Body, type Links, type Poll, singleOf } from '../instrument.ts';
import type { Kinds } from '../reading.ts';

/** Of exchanges that a talk of this name made (poll:NAME, order:NAME, identify ...). */
export interface Talked {
  /** Its talks give no readings, and what a tunnel carries is recorded at its own link. */
  readonly silent: boolean;
  readonly poll: Poll<Links> | undefined;
  /** It asks one question. */
  readonly single: boolean;
  /** What it gives today. */
  readonly channels: readonly string[];
}

/** count: it counts what comes by chance. chance: another value each time, without a bar. */
export type Nature = 'count' | 'chance';

const NO_ROLES: readonly string[] = [];

export class PlayerBody {
  readonly #name: string;
  readonly #body: Body<Links> | undefined;
  readonly #talked = new Map<string, Talked>();
  readonly #roles = new Map<string, string[]>();
  /** Every channel; undefined while it is not known which they are. */
  readonly channels: Kinds | undefined;
  /** The roles in which something comes by itself. */
  readonly streaming: readonly string[];
  /** Channels that count what comes by chance, and those that chance makes. */
  readonly natures: ReadonlyMap<string, Nature>;

  constructor(name: string, body: Body<Links> | undefined) {
    this.#name = name;
    this.#body = body;
    const streams = Object.entries(body?.streams ?? {}).map(([role, list]) => [role, list ?? []] as const);
    this.streaming = streams.flatMap(([role, list]) => (list.length > 0 ? [role] : []));
    for (const [role, list] of streams)
      for (const channel of new Set(list.flatMap(({ gives }) => Object.keys(gives)))) {
        const roles = this.#roles.get(channel) ?? [];
        this.#roles.set(channel, roles);
        roles.push(role);
      }
    const declared = [...(body?.polls ?? []), ...streams.flatMap(([, list]) => list)];
    this.natures = new Map(
      declared.flatMap(({ counts = [], chance = [] }) => [
        ...counts.map((name) => [String(name), 'count'] as const),
        ...chance.map((name) => [String(name), 'chance'] as const),
      ]),
    );
    if (!body) return;
    const all: Record<string, Kinds[string]> = { ...body.gives };
    for (const p of body.polls ?? []) Object.assign(all, p.gives);
    for (const [, list] of streams) for (const s of list) Object.assign(all, s.gives);
    this.channels = all;
  }

  /** The roles in which a channel comes by itself. */
  streamRoles(channel: string): readonly string[] {
    return this.#roles.get(channel) ?? NO_ROLES;
  }

  talked(by: string): Talked {
    let known = this.#talked.get(by);
    if (!known) {
      const poll = this.#pollOf(by);
      const channels = poll ? Object.keys(poll.gives).map((channel) => `${this.#name}.${channel}`) : [`${this.#name} (${by})`];
      known = {
        silent: by.startsWith('tunnel:') || /^(watchdog|feed)/.test(by),
        poll,
        single: poll !== undefined && singleOf(poll.talk) !== undefined,
        channels,
      };
      this.#talked.set(by, known);
    }
    return known;
  }

  #pollOf(by: string): Poll<Links> | undefined {
    const [, kind, name] = /^(poll|readback):(.*)$/s.exec(by) ?? [];
    if (kind === undefined || name === undefined) return undefined;
    return this.#body?.polls?.find((p) => (kind === 'poll' ? pollName(p as Poll<Links>) === name : name in p.gives)) as
      | Poll<Links>
      | undefined; // declared for these links
  }
}
