import { type DenkoviAsk, denkovi, RELAYS, relayBit } from '../protocols/denkovi.ts';
import {
  type Actors,
  type Askers,
  type Command,
  type Field,
  Garbled,
  type Here,
  instrument,
  NoReply,
  options,
  type Poll,
  Refused,
  type Talk,
} from '../src/instrument.ts';

type L = { readonly main: ReturnType<typeof denkovi> };
interface Options {
  readonly safe_off: readonly number[];
  readonly safe_on: readonly number[];
  readonly echo: boolean;
}

const ASK: DenkoviAsk = { do: 'ask' };
const NUMBERS: readonly number[] = Array.from({ length: RELAYS }, (_, i) => i + 1);
const channel = (relay: number): string => `relay_${relay}`;
const flags = (relays: number): Readonly<Record<string, boolean>> =>
  Object.fromEntries(NUMBERS.map((n) => [channel(n), (relays & relayBit(n)) !== 0]));
const turned = (relays: number, relay: number, on: boolean): number => (on ? relays | relayBit(relay) : relays & ~relayBit(relay));

/** The state, of which nothing tells whether it came whole: two readings one after the other must be alike. */
function* read(ask: Askers<L>, within?: number): Talk<number> {
  let before: number | undefined;
  for (let n = 0; n < 4; n++) {
    const m = yield* ask.main.ask(ASK, within);
    const now = 'relays' in m ? m.relays : undefined;
    if (now !== undefined && now === before) return now;
    before = now;
  }
  throw new Garbled('no two readings of the relays were alike');
}

function* send(act: Actors<L>, q: DenkoviAsk, echo: boolean): Talk<void> {
  if (!echo) {
    yield* act.main.send(q);
    return;
  }
  try {
    yield* act.main.exchange(q, 0.3);
  } catch (error) {
    // A board that does not repeat: the readback tells whether it has heard.
    if (!(error instanceof NoReply)) throw error;
  }
}

/**
 * Turns one relay by reading all and setting all, the others as they are. A safe order waits for nobody, so it may come between the reading
 * and the setting of another order: what it has turned stays so.
 */
function turner(echo: boolean) {
  let count = 0;
  const safes = new Map<number, { readonly on: boolean; readonly n: number }>();
  return function* (act: Actors<L>, relay: number, on: boolean, safe: boolean): Talk<void> {
    const began = count;
    if (safe) safes.set(relay, { on, n: ++count });
    let now: number;
    try {
      now = yield* read(act, safe ? 0.2 : undefined);
    } catch (error) {
      if (!safe || !(error instanceof NoReply || error instanceof Garbled)) throw error;
      // The state cannot be read: the board's command for one relay needs none.
      yield* send(act, { do: 'one', relay, on }, echo);
      return;
    }
    for (let seen = -1; seen !== count; ) {
      seen = count;
      let relays = turned(now, relay, on);
      for (const [other, given] of safes) if (given.n > began) relays = turned(relays, other, given.on);
      yield* send(act, { do: 'set', relays }, echo);
    }
  };
}

const numbers = (about: string): Field<readonly number[]> => ({
  about: `${about} (a list of numbers from 1 to ${RELAYS}, otherwise none)`,
  of(yaml = []) {
    const wrong = new Refused(`must be a list of relays from 1 to ${RELAYS}, such as [3, 4]`);
    if (!Array.isArray(yaml)) return wrong;
    const list: readonly unknown[] = yaml;
    const good = list.flatMap((n) => (typeof n === 'number' && NUMBERS.includes(n) ? [n] : []));
    return good.length === list.length && new Set(good).size === good.length ? good : wrong;
  },
});
const schema = options<Options>({
  safe_off: numbers('hazardous relays, which are safe when they are off'),
  safe_on: numbers('hazardous relays, which are safe when they are on'),
  echo: {
    about: 'the board repeats the commands that set (true | false, otherwise true)',
    of: (yaml = true) => (typeof yaml === 'boolean' ? yaml : new Refused('must be true or false')),
  },
});

/**
 * Denkovi boards of 16 relays by serial (9600 8N1) or TCP. Two bytes tell the state and nothing tells who answers: give the board a line of
 * its own. No relay moves on connecting. Relays that are hazardous are named by the options `safe_off` and `safe_on`.
 */
export default instrument<L, Options, Record<string, never>>({
  model: 'Denkovi 16 relays',
  source: 'rojasj84/Laser-Heating denkovi_serial.py; dimss1979/denkovi denkovi.c, after the board manual USB-Relay-16Channels-v3',
  options: {
    fields: schema.fields,
    parse(yaml) {
      const given = schema.parse(yaml);
      const both = given instanceof Refused ? [] : given.safe_off.filter((n) => given.safe_on.includes(n));
      return both.length > 0 ? new Refused(`relay ${both[0]} is in safe_off and in safe_on; one of them is wrong`) : given;
    },
  },
  links: { main: denkovi() },
  pace: 0.005, // the least time between two commands
  within: 0.5,
  proof: { main: { ask: () => ASK, is: (m) => 'relays' in m } },
  *identify(ask) {
    yield* read(ask);
    return {};
  },
  body: ({ safe_off, safe_on, echo }) => {
    const turn = turner(echo);
    const relay = (n: number): Command<L, 'flag'> => {
      const safe = safe_off.includes(n) ? false : safe_on.includes(n) ? true : undefined;
      return {
        takes: 'flag',
        talk: (act, on, _index, here: Here) => here.atomic(turn(act, n, on, on === safe)),
        readback: { channel: channel(n), within: 3, by: 0 },
        ...(safe === undefined ? {} : { safe }),
      };
    };
    const all: Poll<L, Readonly<Record<string, 'flag'>>, number> = {
      every: 0.5,
      gives: Object.fromEntries(NUMBERS.map((n) => [channel(n), 'flag'])),
      talk: (ask) => read(ask),
      read: flags,
      example: [0x8001, { ...flags(0), relay_1: true, relay_16: true }],
    };
    return { polls: [all], commands: Object.fromEntries(NUMBERS.map((n) => [channel(n), relay(n)])) };
  },
});
