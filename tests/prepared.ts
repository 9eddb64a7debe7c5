/** What a guardian knows of an output, INSTRUMENT.COMMAND of a toy unless said otherwise. */
import type { Prepared } from '../src/guardian/armed.ts';

export const prepared = (name: string, more: Partial<Prepared> = {}): Prepared => ({
  name,
  instrument: name.split('.')[0] ?? '',
  model: 'toy',
  options: {},
  id: {},
  command: name.split('.')[1] ?? '',
  deadline: 0.5,
  then: 'safe',
  outside: true,
  links: { main: 'simulated' },
  carriers: {},
  ...more,
});
