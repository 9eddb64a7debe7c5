/** A talk that only asks, answered from a table: what is not in it is silence. */
import { type Asker, NoReply, type Talk } from '../../src/instrument.ts';

export function runAsks<R>(talk: (main: Asker<string, string>) => Talk<R>, answers: Readonly<Record<string, string>>): R {
  const main: Asker<string, string> = {
    // biome-ignore lint/correctness/useYield: answers at once
    *ask(q) {
      const answer = answers[q];
      if (answer === undefined) throw new NoReply('no answer');
      return answer;
    },
  };
  const { done, value } = talk(main).next();
  if (!done) throw new Error('the talk waits for something');
  return value;
}
