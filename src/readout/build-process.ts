/** Events of several boards in a process of its own: the hits come from the processes that read the boards. */
import { readout } from '../../protocols/readout.ts';
import { type Clock, every } from '../clock.ts';
import { asked } from './asks.ts';
import { type Builder, builder } from './builder.ts';
import { feedClient } from './feed-server.ts';
import { type Begun, type BuildOptions, type FromStream, LOOK } from './stream-link.ts';

const AGAIN = 0.2; // seconds after which a board that could not be reached is tried again
const language = readout({});

export function build(options: BuildOptions, clock: Clock, say: (m: FromStream) => void): Begun | string {
  const { name, boards, hold, physics } = options;
  const made = builder({ boards, hold, physics, begin: clock.now() });
  if (typeof made === 'string') return made;
  const stop = every(clock, LOOK, () => {
    const t = clock.now();
    say({ is: 'tell', bytes: language.tells.encode({ say: 'values', t, values: made.look(t) }) });
  });
  const feeds = boards.map((board, i) => taking(made, i, clock, (text) => say({ is: 'told', text: `${name}: ${board.name}: ${text}` })));
  const questions = asked(made, clock);
  say({ is: 'up', now: true });
  return {
    ask(bytes) {
      for (const answer of questions(bytes)) say({ is: 'tell', bytes: answer() });
    },
    reopen() {},
    feed: (board, port) => feeds[board]?.at(port),
    async end() {
      stop();
      for (const feed of feeds) feed.close();
    },
  };
}

/** The hits of one board, from the port where they are to be had now. */
function taking(to: Builder, board: number, clock: Clock, told: (text: string) => void): { at(port: number): void; close(): void } {
  let said: string | undefined;
  const tell = (text: string): void => {
    if (text !== said) told(text);
    said = text;
  };
  let hangUp = (): void => {};
  let cancel = (): void => {};
  const start = (port: number): void => {
    hangUp();
    hangUp = feedClient(port, {
      begun: () => tell('its hits come'),
      hits: (block, zero, t) => to.hits(board, block, zero, t),
      state: (state, t) => to.state(board, state, t),
      over(why) {
        tell(`its hits do not come: ${why}`);
        to.gone(board, clock.now());
        cancel = clock.after(AGAIN, () => start(port));
      },
    });
  };
  const close = (): void => {
    cancel();
    hangUp();
  };
  return {
    at(port) {
      close();
      to.gone(board, clock.now());
      start(port);
    },
    close,
  };
}
