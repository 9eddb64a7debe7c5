import { type DenkoviAsk, type DenkoviTell, denkovi, relayBit } from '../protocols/denkovi.ts';
import { type Field, options, Refused, simulator } from '../src/simulator.ts';
import { type Dac, dac } from './worlds/dac.ts';
import { type Beam, PART_KINDS, type PartGiven, type PartKind } from './worlds/optics.ts';

/** A part of the optics that a relay moves: in while the relay is on. */
interface Moved extends PartGiven {
  readonly relay: number;
}
interface Options {
  readonly echo: boolean;
  readonly parts: Readonly<Record<string, Moved>>;
  readonly safe_off?: unknown;
  readonly safe_on?: unknown;
}
interface State {
  readonly echo: boolean;
  readonly parts: Readonly<Record<string, Moved>>;
  /** Relay 1 in the highest of 16 bits; all are off when the board is switched on. */
  relays: number;
}

const TRAVEL = 0.05; // s from one end to the other
const BEAMS: readonly Beam[] = ['up', 'down', 'gauge', 'laser'];

function answer(q: DenkoviAsk, s: State): readonly DenkoviTell[] {
  if (q.do === 'ask') return [{ relays: s.relays }];
  if (q.do === 'set') s.relays = q.relays;
  else if (q.do === 'all') s.relays = q.on ? 0xffff : 0;
  else s.relays = q.on ? s.relays | relayBit(q.relay) : s.relays & ~relayBit(q.relay);
  return s.echo ? [{ echo: q }] : [];
}

/** One entry of `parts`, or what is wrong with it. */
function moved(name: string, yaml: unknown): Moved | Refused {
  const { relay, kind, beams, transmission, slope, shows, ...more } = { ...(yaml as Readonly<Record<string, unknown>> | undefined) }; // read key by key below
  const [unknown] = Object.keys(more);
  if (unknown !== undefined)
    return new Refused(`"${unknown}" of ${name} is not known; a part has relay, kind, beams, transmission, slope, shows`);
  if (!(typeof relay === 'number' && Number.isInteger(relay) && relay >= 1 && relay <= 16))
    return new Refused(`${name} needs a relay from 1 to 16`);
  const found: PartKind | undefined = PART_KINDS.find((k) => k === kind);
  if (!found) return new Refused(`the kind of ${name} must be one of ${PART_KINDS.join(', ')}`);
  const wanted: readonly unknown[] = Array.isArray(beams) ? beams : [];
  const given = BEAMS.filter((beam) => wanted.includes(beam));
  if (given.length !== wanted.length) return new Refused(`the beams of ${name} must be a list of ${BEAMS.join(', ')}`);
  const number = (n: unknown): number | undefined => (typeof n === 'number' && Number.isFinite(n) ? n : undefined);
  return {
    ...{ relay, kind: found, beams: given, transmission: number(transmission), slope: number(slope) },
    shows: shows === 'lamp' || shows === 'dark' ? shows : undefined,
  };
}
const parts: Field<Readonly<Record<string, Moved>>> = {
  about: 'parts of the optics that relays move: NAME: { relay: 3, kind: shutter, beams: [up] } (otherwise none)',
  of(yaml = {}) {
    if (yaml === null || typeof yaml !== 'object') return new Refused('must be parts by their names');
    const all: Record<string, Moved> = {};
    for (const [name, one] of Object.entries(yaml)) {
      const part = moved(name, one);
      if (part instanceof Refused) return part;
      all[name] = part;
    }
    return all;
  },
};
const theirs: Field<unknown> = { about: "the driver's own", of: (yaml) => yaml };

/** A board of 16 relays; what is no command is not heard. Parts of the world's optics follow their relays in 50 ms. */
export default simulator({
  options: options<Options>({
    echo: {
      about: 'it repeats the commands that set (true | false, otherwise true)',
      of: (yaml = true) => (typeof yaml === 'boolean' ? yaml : new Refused('must be true or false')),
    },
    parts,
    safe_off: theirs,
    safe_on: theirs,
  }),
  links: { main: denkovi() },
  state: ({ echo = true, parts: all = {} }: Partial<Options>): State => ({ echo, parts: all, relays: 0 }),
  world: dac,
  answer: { main: answer },
  tick(s, w: Dac, _t, dt) {
    for (const [name, given] of Object.entries(s.parts)) {
      const part = w.optics.part(name, given);
      const to = (s.relays & relayBit(given.relay)) === 0 ? 0 : 1;
      part.in += Math.max(-dt / TRAVEL, Math.min(dt / TRAVEL, to - part.in));
    }
  },
  think: 0.002,
});
