/** What a host asks of a readout process, and what is answered. */
import { Fault } from '../../protocols/protocol.ts';
import { readout } from '../../protocols/readout.ts';
import type { Clock } from '../clock.ts';

const language = readout({});

/** The questions in these bytes, each as the work that answers it; what is none has no answer. */
export function asked(made: { clear(t: number): void }, clock: Clock): (bytes: Uint8Array) => readonly (() => Uint8Array)[] {
  const decode = language.asks.decoder();
  return (bytes) =>
    decode(bytes).flatMap((q) => {
      if (q instanceof Fault) return [];
      return [
        () => {
          made.clear(clock.now());
          return language.tells.encode({ say: 'cleared', n: q.n ?? 0 });
        },
      ];
    });
}
