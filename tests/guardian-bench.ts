/** A guardian by itself on virtual time, with a host and links that do what a test says. */
import { type VirtualClock, virtualClock } from '../src/clock.ts';
import type { Prepared, ToHost } from '../src/guardian/armed.ts';
import { type Guardian, guardian, type Recorded } from '../src/guardian/guardian.ts';
import type { Unsafe } from '../src/guardian/make-safe.ts';
import { prepared } from './prepared.ts';

/** One round of safe orders, as the guardian has begun it. */
export interface Act {
  readonly at: number;
  readonly names: readonly string[];
  /** Read back now. */
  safe(...names: readonly string[]): void;
  readonly ended: boolean;
}

export interface GuardianBench {
  readonly clock: VirtualClock;
  readonly watch: Guardian;
  readonly sent: ToHost[];
  readonly acts: Act[];
  readonly told: string[];
  readonly kills: number[];
  /** When links were opened anew. */
  readonly afresh: number[];
  arm(name: string, more?: Partial<Prepared>): void;
  /** Beats for so long, naming everything that is armed, or what is given. */
  beat(seconds: number, active?: readonly string[]): void;
}

export function bench(record?: Recorded, clock: VirtualClock = virtualClock()): GuardianBench {
  const sent: ToHost[] = [];
  const acts: Act[] = [];
  const told: string[] = [];
  const kills: number[] = [];
  const afresh: number[] = [];
  const watch = guardian({
    clock,
    host: { send: (m) => sent.push(m), kill: () => kills.push(clock.mono()) },
    maker: {
      begin(outputs, safe) {
        const at = clock.mono();
        const left = new Map(outputs.map(({ name }): [string, Unsafe] => [name, { name, why: 'no answer', asked: at }]));
        let ended = false;
        acts.push({
          at,
          names: outputs.map((o) => o.name),
          safe(...names) {
            for (const name of names) if (left.delete(name)) safe(name);
          },
          get ended() {
            return ended;
          },
        });
        return {
          get left() {
            return [...left.values()];
          },
          end() {
            ended = true;
          },
        };
      },
      afresh: () => afresh.push(clock.mono()),
    },
    record,
    told: (text) => told.push(text),
  });
  return {
    clock,
    watch,
    sent,
    acts,
    told,
    kills,
    afresh,
    arm(name, more) {
      watch.heard({ is: 'prepare', prepared: prepared(name, more) });
      watch.heard({ is: 'arm', name });
    },
    beat(seconds, active) {
      for (let t = 0; t < seconds - 1e-9; t += 0.05) {
        clock.advance(0.05);
        watch.heard({ is: 'beat', active: active ?? [...watch.active] });
      }
    },
  };
}
