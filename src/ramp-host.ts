/** The ramps of a rig on its instruments: where an output is now is what its readback channel shows. */
import type { Acquired } from './acquire.ts';
import type { Clock } from './clock.ts';
import type { Command } from './instrument.ts';
import type { Orders } from './order.ts';
import { type RampSpec, type Ramps, type RampWorld, ramps } from './ramp.ts';
import type { Rig } from './rig.ts';
import { UNITS } from './units.ts';

export function rampsOf(
  rig: Rig,
  acquired: ReadonlyMap<string, Acquired>,
  clock: Clock,
  orders: Pick<Orders, 'place' | 'unfit'>,
  told: (from: string, text: string) => void,
): Ramps {
  const commandOf = (instrument: string, command: string): Command | undefined => {
    const commands = acquired.get(instrument)?.commands ?? {};
    return Object.hasOwn(commands, command) ? commands[command] : undefined;
  };
  const specs = rig.instruments.flatMap((instrument) =>
    Object.entries(instrument.ramps ?? {}).map(
      ([command, ramp]): RampSpec => ({
        instrument: instrument.name,
        command,
        rate: ramp.rate,
        band: ramp.band,
        every: ramp.every,
        get unit() {
          const takes = commandOf(instrument.name, command)?.takes;
          return UNITS.find((unit) => unit === takes) ?? '';
        },
        get safe() {
          const safe: unknown = commandOf(instrument.name, command)?.safe;
          return typeof safe === 'number' ? safe : undefined;
        },
      }),
    ),
  );
  const world: RampWorld = {
    place: (request, done) => orders.place(request, done),
    unfit: (request) => orders.unfit(request),
    latest(instrument, command, index) {
      const readback = commandOf(instrument, command)?.readback;
      if (!readback) return 'it has no readback';
      if (readback.shows) return `${readback.channel} does not show the value itself`;
      const one = acquired.get(instrument);
      const reading = one?.latest(readback.channel, index) ?? one?.latest(readback.channel);
      if (!reading) return `${readback.channel} has not been read yet`;
      if (reading.quality === 'bad') return `${readback.channel}: ${reading.why}`;
      if (reading.quality === 'suspect') return `${readback.channel} is suspect: ${reading.why ?? ''}`;
      return typeof reading.value === 'number' ? { value: reading.value, t: reading.t } : `${readback.channel} is no number`;
    },
    refresh(instrument, command) {
      const readback = commandOf(instrument, command)?.readback;
      if (readback) acquired.get(instrument)?.refresh(readback.channel);
    },
    told,
    change() {},
  };
  return ramps(specs, clock, world);
}
