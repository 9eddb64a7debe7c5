/** The loops of a rig on its instruments: where an output is now is what its readback channel shows. */
import type { Acquired } from './acquire.ts';
import type { Clock } from './clock.ts';
import { type Feedbacks, type FeedbackWorld, feedbacks } from './feedback.ts';
import type { FeedbackSpec } from './feedback-spec.ts';
import type { Command } from './instrument.ts';
import type { Orders } from './order.ts';

export function feedbacksOf(
  specs: readonly FeedbackSpec[],
  acquired: ReadonlyMap<string, Acquired>,
  clock: Clock,
  orders: Pick<Orders, 'place' | 'unfit'>,
  on: Pick<FeedbackWorld, 'told' | 'alarm'>,
): Feedbacks {
  const commandOf = ({ instrument, command }: FeedbackSpec): Command | undefined => {
    const commands = acquired.get(instrument)?.commands ?? {};
    return Object.hasOwn(commands, command) ? commands[command] : undefined;
  };
  return feedbacks(specs, clock, {
    ...on,
    place: (request, done) => orders.place(request, done),
    unfit: (request) => orders.unfit(request),
    latest(spec) {
      const readback = commandOf(spec)?.readback;
      if (!readback) return 'it has no readback';
      if (readback.shows) return `${readback.channel} does not show the value itself`;
      const one = acquired.get(spec.instrument);
      const reading = one?.latest(readback.channel, spec.index) ?? one?.latest(readback.channel);
      if (!reading) return `${readback.channel} has not been read yet`;
      if (reading.quality === 'bad') return `${readback.channel}: ${reading.why}`;
      if (reading.quality === 'suspect') return `${readback.channel} is suspect: ${reading.why ?? ''}`;
      return typeof reading.value === 'number' ? { value: reading.value, t: reading.t } : `${readback.channel} is no number`;
    },
    refresh(spec) {
      const readback = commandOf(spec)?.readback;
      if (readback) acquired.get(spec.instrument)?.refresh(readback.channel);
    },
    facts(spec) {
      const command = commandOf(spec);
      const safe: unknown = command?.safe;
      return { resolution: command?.readback?.by ?? 0, ...(typeof safe === 'number' ? { safe } : {}) };
    },
  });
}
