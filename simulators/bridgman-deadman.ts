import { type DeadmanAsk, type DeadmanTell, deadman, type Outcome, type Reset, type Trip } from '../protocols/deadman.ts';
import { options, simulator, whole, word } from '../src/simulator.ts';
import { type Hutch, hutch } from './worlds/hutch.ts';

const INPUTS = ['door', 'button', 'key'] as const;
type Input = (typeof INPUTS)[number];
const LETTERS: Readonly<Record<Input, string>> = { door: 'D', button: 'B', key: 'K' };

const CONTACT = ['closed', 'open'] as const;
type Contact = (typeof CONTACT)[number];
interface Options extends Readonly<Record<Input, Contact>> {
  readonly unit: number;
  /** The inputs that make the board trip, as letters; "-" for none. */
  readonly trips: string;
}

const TRIPPING = ['DBK', 'DB', 'DK', 'BK', 'D', 'B', 'K', '-'] as const;

interface State {
  readonly unit: number;
  readonly trips: string;
  /** The contacts wired to this board; what the world has open is open here, too. */
  readonly contact: Record<Input, boolean>;
  /** What the board takes them for, and for how many looks they have differed from that. */
  readonly closed: Record<Input, boolean>;
  readonly differs: Record<Input, number>;
  relay: boolean;
  shutter: boolean;
  /** ms; 0 is off. */
  timeout: number;
  /** Seconds of the world. */
  fed: number;
  began: number;
  trip: Trip;
  reset: Reset;
  /** Set by a test: the board begins anew with its next tick. */
  restart: Reset | undefined;
}

/** docs/deadman.md, "Inputs" and "Questions". */
const OPEN_FOR = 5;
const CLOSED_FOR = 50;
const SHORTEST = 200;
const LONGEST = 10_000;
const EPSILON = 1e-9; // of the world's seconds, which are sums

const ms = (seconds: number): number => Math.floor(seconds * 1000 + 1e-6);
const tripping = (s: State): readonly Input[] => INPUTS.filter((name) => s.trips.includes(LETTERS[name]));

function off(s: State): void {
  s.relay = false;
  s.shutter = false;
  s.timeout = 0;
}

function trip(s: State, why: Trip): void {
  off(s);
  s.trip = why;
}

function begin(s: State, cause: Reset, t: number): void {
  trip(s, 'reset');
  s.reset = cause;
  s.began = t;
  for (const name of INPUTS) {
    s.closed[name] = false;
    s.differs[name] = 0;
  }
}

function look(s: State, w: Hutch, name: Input): void {
  const closed = s.contact[name] && w[name];
  s.differs[name] = closed === s.closed[name] ? 0 : s.differs[name] + 1;
  if (s.differs[name] < (closed ? CLOSED_FOR : OPEN_FOR)) return;
  s.closed[name] = closed;
  s.differs[name] = 0;
}

/** What the board does by itself. */
function watch(s: State, t: number): void {
  if (s.timeout === 0) return;
  const open = tripping(s).find((name) => !s.closed[name]);
  if (open) trip(s, open);
  else if (t - s.fed >= s.timeout / 1000 - EPSILON) trip(s, 'heartbeat');
}

function arm(s: State, value: number, t: number): Outcome {
  if (value === 0) {
    off(s);
    return 'ok';
  }
  if (value < SHORTEST || value > LONGEST) return 'range';
  if (tripping(s).some((name) => !s.closed[name])) return 'input';
  s.timeout = value;
  s.fed = t;
  s.trip = 'none';
  return 'ok';
}

const notArmed = (s: State): Outcome => (s.trip === 'none' ? 'disarmed' : 'tripped');

function setOutput(s: State, name: 'relay' | 'shutter', value: number): Outcome {
  if (value > 1) return 'range';
  if (value === 1 && s.timeout === 0) return notArmed(s);
  s[name] = value === 1;
  return 'ok';
}

function obey({ word: what, value }: DeadmanAsk, s: State, t: number): Outcome {
  switch (what) {
    case 'who':
    case 'state':
      return value === undefined ? 'ok' : 'range';
    case 'feed':
      if (value !== undefined) return 'range';
      if (s.timeout === 0) return notArmed(s);
      s.fed = t;
      return 'ok';
    case 'timeout':
      return value === undefined ? 'range' : arm(s, value, t);
    case 'relay':
    case 'shutter':
      return value === undefined ? 'range' : setOutput(s, what, value);
    default:
      return 'unknown';
  }
}

function answer(q: DeadmanAsk, s: State, _w: Hutch, t: number): readonly DeadmanTell[] {
  watch(s, t);
  const outcome = obey(q, s, t);
  const trips = INPUTS.map((name) => (s.trips.includes(LETTERS[name]) ? LETTERS[name] : '-')).join('');
  return [
    {
      n: q.n ?? 0,
      word: q.word,
      outcome,
      ...s.closed,
      relay: s.relay,
      shutter: s.shutter,
      timeout: s.timeout,
      left: Math.max(0, s.timeout - ms(t - s.fed)),
      trip: s.trip,
      uptime: ms(t - s.began) % 2 ** 32,
      reset: s.reset,
      ...(q.word === 'who' ? { more: `deadman 1 ${s.unit} ${trips}` } : {}),
    },
  ];
}

const contact = (about: string) => word(about, CONTACT, 'closed');

/** The dead-man board, switched on a second before the world began. Written from docs/deadman.md. */
export default simulator({
  options: options<Options>({
    unit: whole('number of the board', 1, 99, 1),
    trips: word('the inputs that make it trip: D door, B button, K key', TRIPPING, 'DBK'),
    door: contact('contact of the door'),
    button: contact('contact of the wall button'),
    key: contact('contact of the key'),
  }),
  links: { main: deadman() },
  state: ({ unit = 1, trips = 'DBK', ...given }: Partial<Options>): State => {
    const contacts = (): Record<Input, boolean> => ({
      door: given.door !== 'open',
      button: given.button !== 'open',
      key: given.key !== 'open',
    });
    return {
      unit,
      trips,
      contact: contacts(),
      closed: contacts(),
      differs: { door: 0, button: 0, key: 0 },
      relay: false,
      shutter: false,
      timeout: 0,
      fed: 0,
      began: -1,
      trip: 'reset',
      reset: 'power',
      restart: undefined,
    };
  },
  world: hutch,
  answer: { main: answer },
  tick(s, w, t) {
    if (s.restart) {
      begin(s, s.restart, t);
      s.restart = undefined;
    }
    for (const name of INPUTS) look(s, w, name);
    watch(s, t);
  },
});
