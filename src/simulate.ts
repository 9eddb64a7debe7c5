/** Runs simulators on any clock: one world, its devices, and their ports. */
import { Subject } from 'rxjs';
import { Fault } from '../protocols/protocol.ts';
import { type Clock, every } from './clock.ts';
import type { AnyProtocol } from './instrument.ts';
import type { Beyond, Simulator, World, WorldModel } from './simulator.ts';

export interface Said {
  readonly bytes: Uint8Array;
  readonly name?: string;
}

/** One role of one simulated device: bytes go in, and what it says comes out. */
export interface Port {
  readonly protocol: AnyProtocol;
  receive(bytes: Uint8Array): void;
  /** Answers to `receive`, and what nobody asked for. */
  readonly says: Subject<Said>;
  /** Whoever is connected loses the connection. */
  readonly breaks?: Subject<void>;
  /** One of several talkers, where the device knows them apart: half a question of one is not the beginning of another's. */
  talker?(): Talker;
}

export interface Talker {
  receive(bytes: Uint8Array): void;
  /** Answers to this talker alone. */
  readonly says: Subject<Said>;
}

export interface Device {
  readonly name: string;
  readonly ports: Readonly<Record<string, Port>>;
  readonly state: unknown;
  /** The answer at once, for a device behind another one's tunnel. */
  ask(role: string, bytes: Uint8Array): Uint8Array | undefined;
  close(): void;
}

export interface Universe {
  readonly seed: number;
  /** The world of a model, made once, at the present time. */
  of<W extends World>(model: WorldModel<W>): W;
  /** Brings every world to the clock's present. */
  settle(): void;
  /** What is true in each world: its plain numbers, as `world.field`. For tests and for the comparison at the end of a simulated run. */
  truth(): Readonly<Record<string, number>>;
  device(name: string, simulator: Simulator, options: unknown, behind?: Readonly<Record<string, Device>>): Device;
}

interface Running {
  readonly world: World;
  readonly tick: number;
  readonly devices: ((t: number, dt: number) => void)[];
  ticks: number;
}

const EMPTY = new Uint8Array(0);
const SILENCE = 0.05; // seconds without a byte after which a binary frame that is not whole is given up (Modbus serial line guide: 3.5 characters)

/** All simulated devices of a rig share one universe: the same seed gives the same readings to the last digit. */
export function universe(seed: number, clock: Clock): Universe {
  const began = clock.mono();
  const worlds = new Map<string, Running>();

  const runningOf = (model: WorldModel): Running => {
    let running = worlds.get(model.name);
    if (!running) {
      running = { world: model.make(seed), tick: model.tick, devices: [], ticks: Math.floor((clock.mono() - began) / model.tick + 1e-6) };
      worlds.set(model.name, running);
    }
    return running;
  };

  const advance = (r: Running): void => {
    const until = Math.floor((clock.mono() - began) / r.tick + 1e-6);
    while (r.ticks < until) {
      r.ticks++;
      const t = r.ticks * r.tick;
      for (const device of r.devices) device(t, r.tick);
      r.world.step(r.tick);
    }
  };

  return {
    seed,
    of<W extends World>(model: WorldModel<W>): W {
      const running = runningOf(model as unknown as WorldModel); // a world is kept under its model's name: it comes back as what it was made
      advance(running);
      return running.world as W;
    },
    settle() {
      for (const running of worlds.values()) advance(running);
    },
    truth() {
      const all: Record<string, number> = {};
      for (const [name, running] of worlds) {
        advance(running);
        for (const [field, value] of Object.entries(running.world)) if (typeof value === 'number') all[`${name}.${field}`] = value;
      }
      return all;
    },
    device(name, sim, options, behind = {}) {
      const running = runningOf(sim.world);
      advance(running);
      const links = sim.links(options) as Readonly<Record<string, AnyProtocol>>; // role -> language
      const state: unknown = sim.state(options, name);
      const stops: (() => void)[] = [];
      let closed = false;
      if (sim.tick) running.devices.push((t, dt) => sim.tick?.(state, running.world, t, dt));
      const beyond: Beyond = (address, bytes) => behind[address]?.ask('main', bytes);

      const answers = (role: string, q: unknown): readonly unknown[] => {
        advance(running);
        const answer = sim.answer[role];
        return answer ? answer(q, state, running.world, clock.mono() - began, beyond) : [];
      };

      const port = (role: string, protocol: AnyProtocol): Port => {
        const says = new Subject<Said>();
        const unasked = sim.unasked?.[role];
        if (unasked) {
          stops.push(
            every(clock, unasked.every, () => {
              advance(running);
              for (const m of unasked.say(state, running.world, clock.mono() - began) as readonly unknown[]) say(says, protocol, m);
            }),
          );
        }
        const line = (to: Subject<Said>): Talker => {
          const decoder = protocol.asks.decoder();
          let flush: (() => void) | undefined;
          return {
            says: to,
            receive(bytes) {
              if (closed) return;
              flush?.();
              for (const q of decoder(bytes)) {
                if (q instanceof Fault) continue; // noise: real instruments stay silent
                clock.after(sim.think, () => {
                  if (!closed) for (const m of answers(role, q)) say(to, protocol, m);
                });
              }
              if (protocol.apart === 'unit') flush = clock.after(SILENCE, () => decoder(EMPTY));
            },
          };
        };
        return { protocol, ...line(says), talker: () => line(new Subject<Said>()) };
      };
      const ports = Object.fromEntries(Object.entries(links).map(([role, protocol]) => [role, port(role, protocol)]));
      return {
        name,
        ports,
        state,
        ask(role, bytes) {
          const protocol = links[role];
          const decoded = protocol.asks.decoder()(bytes);
          const parts = decoded.filter((q) => !(q instanceof Fault)).flatMap((q) => answers(role, q).map((m) => protocol.tells.encode(m)));
          return parts.length === 0 ? undefined : Uint8Array.from(parts.flatMap((p) => [...p]));
        },
        close() {
          closed = true;
          for (const stop of stops) stop();
        },
      };
    },
  };
}

function say(says: Subject<Said>, protocol: AnyProtocol, m: unknown): void {
  const name = m !== null && typeof m === 'object' && 'name' in m && typeof m.name === 'string' ? m.name : undefined;
  says.next({ bytes: protocol.tells.encode(m), name });
}
