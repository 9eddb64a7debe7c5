/** Who plays: the instruments of a rig, each with today's driver, and their links as the recording has them. */
import type { Catalogue } from '../catalogue.ts';
import type { Clock } from '../clock.ts';
import type { Reading } from '../reading.ts';
import type { Trouble } from '../recorder/session-read.ts';
import type { Rig } from '../rig.ts';
import { adapted, modelOf, parsed, wires } from '../rig-wires.ts';
import { type Numbering, Player } from './player.ts';
import { Schedule } from './schedule.ts';
import { Tape } from './tape.ts';

/** One link: what came on it, where its talks began, and whom its unasked messages are for. */
export interface Line {
  readonly tape: Tape;
  readonly schedule: Schedule;
  readonly users: readonly { readonly player: Player; readonly role: string }[];
}

export interface Seat {
  readonly player: Player;
  /** By role. */
  readonly lines: ReadonlyMap<string, Line>;
}

export interface Seating {
  /** By the instruments' names. */
  readonly seats: ReadonlyMap<string, Seat>;
  readonly lines: readonly Line[];
}

export interface SeatingOptions {
  readonly folder: string;
  readonly rig: Rig;
  readonly catalogue: Catalogue;
  readonly clock: Clock;
  /** `doubt`: why it is not judged. */
  readonly reading: (r: Reading, doubt: string | undefined) => void;
  readonly onTrouble: (trouble: Trouble) => void;
}

export function seated({ folder, rig, catalogue, clock, reading, onTrouble }: SeatingOptions): Seating {
  const seats = new Map<string, Seat & { readonly lines: Map<string, Line> }>();
  const numbering = new Map<string, Numbering>();
  for (const placed of rig.instruments) {
    const model = adapted(modelOf(catalogue, placed), placed);
    const roles = Object.fromEntries(
      Object.entries(placed.links).map(([role, { wire }]) => {
        const known = numbering.get(wire) ?? { offset: 0 };
        numbering.set(wire, known);
        return [role, known] as const;
      }),
    );
    const player = new Player({
      name: placed.name,
      model,
      options: parsed(model, placed),
      numbering: roles,
      clock,
      origin: 'simulator', // until the recording tells: what is simulated must not pass for measured
      reading,
    });
    seats.set(placed.name, { player, lines: new Map() });
  }
  const lines: Line[] = [];
  const { wires: plain, tunnels } = wires(rig, catalogue);
  for (const wire of [...plain, ...tunnels]) {
    const users = wire.users.flatMap(({ instrument, role }) => {
      const seat = seats.get(instrument.name);
      return seat ? [{ player: seat.player, role }] : [];
    });
    const line = { tape: new Tape(folder, wire.key, wire.users[0].protocol, onTrouble), schedule: new Schedule(), users };
    for (const { player, role } of users) seats.get(player.name)?.lines.set(role, line);
    lines.push(line);
  }
  return { seats, lines };
}
