/** One line said to what is simulated on a bench, and its answer; empty where it is silent. */
import type { Bench } from './place.ts';

export const asking =
  (bench: Bench) =>
  (line: string): string => {
    let said = '';
    bench.exchange.submit({
      instrument: bench.units[0].name,
      role: 'main',
      by: 'test',
      q: line,
      reply: line.includes('?'),
      within: 0.5,
      urgency: 1,
      done: (ended) => {
        said = ended.ok && typeof ended.m === 'string' ? ended.m : '';
      },
    });
    bench.clock.advance(1);
    return said;
  };
