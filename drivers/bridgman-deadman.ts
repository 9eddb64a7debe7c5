import { type DeadmanAsk, type DeadmanTell, deadman, RESETS, TRIPS } from '../protocols/deadman.ts';
import { type Actors, bad, type Command, instrument, NoReply, options, poll, Refused, type Talk, whole } from '../src/instrument.ts';

type L = { readonly main: ReturnType<typeof deadman> };
type Gives = {
  readonly door: 'flag';
  readonly button: 'flag';
  readonly key: 'flag';
  readonly shutter: 'flag';
  readonly relay: 'flag';
  readonly armed_timeout: 's';
  readonly time_left: 's';
  readonly trip: 'state';
  readonly uptime: 's';
  readonly reset_cause: 'state';
};

const VERSION = '1'; // of the lines: docs/deadman.md
const TURN = 2 ** 32; // ms after which the uptime begins again at 0
const SLACK = 1; // s by which the uptime may fall behind the host's clock, beside its rate
const RATE = 0.02; // of the board's ceramic resonator, with room to spare

const INPUTS = ['door', 'button', 'key'] as const;

/** Why the board has not done what it was asked; undefined where it has. */
function refusal(m: DeadmanTell, q: DeadmanAsk): string | undefined {
  switch (m.outcome) {
    case 'ok':
      return undefined;
    case 'tripped':
      return `the board has tripped (${m.trip}) and its time-out must be set again first`;
    case 'disarmed':
      return 'the time-out of the board is not set: nothing would switch the output off when the host is gone';
    case 'input': {
      const open = INPUTS.filter((name) => !m[name]);
      return `the time-out of the board cannot be set while an input is open (${open.join(', ')})`;
    }
    case 'range':
      return `the board does not take ${q.value ?? 'nothing'} for "${q.word}"`;
    case 'unknown':
      return `the board does not know "${q.word}"`;
  }
}

function* order(act: Actors<L>, q: DeadmanAsk): Talk<void> {
  const why = refusal(yield* act.main.exchange(q), q);
  if (why !== undefined) throw new NoReply(why);
}

const output = (word: 'relay' | 'shutter', about: string): Command<L, 'flag'> => ({
  takes: 'flag',
  safe: false,
  talk: (act, on) => order(act, { word, value: on ? 1 : 0 }),
  readback: { channel: word, within: 1, by: 0 },
  about,
});

/** Whether the board has begun anew between two answers: its uptime then is behind what the host's clock says it must be. */
function resets(): (uptime: number, t: number) => boolean {
  let last: { readonly uptime: number; readonly t: number } | undefined;
  return (uptime, t) => {
    const before = last;
    last = { uptime, t };
    if (!before) return false;
    const elapsed = (t - before.t) / 1000;
    // Modulo its turn, as a signed number. Ahead is no reset: the host was asleep.
    const ahead = (((uptime - before.uptime - elapsed) % TURN) + 1.5 * TURN) % TURN;
    return ahead - TURN / 2 < -(SLACK * 1000 + RATE * elapsed);
  };
}

/** The dead-man board of firmware/deadman: switches its relay and shutter off when it has not been fed for its time-out. */
export default instrument<L, { readonly unit: number }, { readonly version: string; readonly unit: number; readonly trips: string }>({
  model: 'Bridgman dead-man board',
  source: 'docs/deadman.md and firmware/deadman/deadman.ino, lines of version 1; run on simavr, not on hardware',
  proven: 'manual',
  options: options({ unit: whole('number of the board, UNIT in its sketch', 1, 99, 1) }),
  links: { main: deadman() },
  proof: { main: { ask: (n) => ({ n, word: 'who' }), is: (m, n) => m.word === 'who' && m.n === n % 0x10000, fresh: true } },
  within: 0.7,
  *identify(ask, { unit }) {
    const { more = '' } = yield* ask.main.ask({ word: 'who' });
    const [name, version = '', number = '', trips = ''] = more.split(' ');
    if (name !== 'deadman') return new Refused(`"${more}" is no dead-man board`);
    if (version !== VERSION)
      return new Refused(`the board's lines are of version ${version}, and ${VERSION} is known: flash its sketch anew`);
    if (Number(number) !== unit) return new Refused(`this is the board number ${number}, and number ${unit} is expected (option "unit")`);
    return { version, unit, trips };
  },
  body() {
    const hasBegunAnew = resets();
    return {
      polls: [
        poll<L, Gives>({
          ask: { word: 'state' },
          every: 0.1,
          gives: {
            door: 'flag',
            button: 'flag',
            key: 'flag',
            shutter: 'flag',
            relay: 'flag',
            armed_timeout: 's',
            time_left: 's',
            trip: 'state',
            uptime: 's',
            reset_cause: 'state',
          },
          read(m, came) {
            const { door, button, key, trip, reset } = m;
            const lost = hasBegunAnew(m.uptime, came.t)
              ? bad(`the board has been reset (${reset}): its outputs were off, and what was ordered before is gone`)
              : undefined;
            return {
              door,
              button,
              key,
              shutter: lost ?? m.shutter,
              relay: lost ?? m.relay,
              armed_timeout: m.timeout / 1000,
              time_left: m.left / 1000,
              trip,
              uptime: m.uptime / 1000,
              reset_cause: reset,
            };
          },
          example: [
            {
              n: 18,
              word: 'state',
              outcome: 'ok',
              door: true,
              button: true,
              key: false,
              relay: true,
              shutter: false,
              timeout: 500,
              left: 412,
              trip: 'none',
              uptime: 61234,
              reset: 'power',
            },
            {
              door: true,
              button: true,
              key: false,
              shutter: false,
              relay: true,
              armed_timeout: 0.5,
              time_left: 0.412,
              trip: 'none',
              uptime: 61.234,
              reset_cause: 'power',
            },
          ],
          span: { armed_timeout: [0, 10], time_left: [0, 10] },
          words: { trip: TRIPS, reset_cause: RESETS },
          resolution: { armed_timeout: 0.001, time_left: 0.001, uptime: 0.001 },
        }),
      ],
      commands: {
        relay: output('relay', 'closes the contact in the interlock line of the laser'),
        shutter: output('shutter', 'opens the shutter'),
      },
      watchdog: {
        holds: ['relay', 'shutter'],
        limits: [0.2, 10],
        set: (act, seconds) => order(act, { word: 'timeout', value: Math.round(1000 * seconds) }),
        readback: 'armed_timeout',
        feed: (act) => order(act, { word: 'feed' }),
      },
    };
  },
});
