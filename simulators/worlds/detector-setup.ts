/** What a rig says of the detector's world: the box, its liquid, its channels, and what shines into it. Lengths in centimetre, energies in MeV. */
import type { Loading } from '../../src/derive/lithium.ts';
import { asRefused, declared, type Field, Part, Refused } from '../../src/simulator.ts';
import { CHANNELS, MAPS, type MapName } from './detector-light.ts';
import type { Vector } from './detector-random.ts';

export const KINDS = ['ibd', 'pairs', 'cf252', 'ambe', 'co60', 'na22', 'cs137', 'gammas', 'neutrons', 'muons', 'led'] as const;
export type Kind = (typeof KINDS)[number];

export interface Source {
  readonly kind: Kind;
  /**
   * Per second: interactions (ibd), pairs, fissions, neutrons of AmBe, decays, particles that enter the box (gammas, neutrons, muons),
   * flashes.
   */
  readonly rate: number;
  /** Where it stands; interactions and pairs without a place happen anywhere in the box, other sources stand in its middle. */
  readonly at: Vector | undefined;
  /** Unit vector: the flight of the antineutrinos, or from the positron to its neutron. */
  readonly direction: Vector;
  /** Mean way of the neutron along its first flight (ibd) or along `direction` (pairs), and one sigma of its diffusion on each axis. */
  readonly displacement: number;
  readonly spread: number;
  /** Kinetic energies of the positrons of pairs, uniform between. */
  readonly energy: readonly [number, number];
  /** Photoelectrons per channel of a flash. */
  readonly pe: number;
  /** Seconds of the world from and until which it is there. */
  readonly from: number;
  readonly until: number;
}

export const FAULTS = ['dead', 'hot', 'doubled'] as const;
/** A channel that goes wrong at a time in seconds of the world: no signal, single photoelectrons without end, twice the gain. */
export interface ChannelFault {
  readonly channel: number;
  readonly does: (typeof FAULTS)[number];
  readonly from: number;
}

export interface Setup {
  readonly box: Vector;
  readonly map: MapName;
  /** Channels that see the box, of all boards together: a multiple of 16. */
  readonly tubes: number;
  /** Of light, centimetre. */
  readonly attenuation: number;
  readonly scattered: number;
  readonly loading: Loading;
  /** Photoelectrons per MeVee of all channels together, in the middle of the box, and its relative change per hour. */
  readonly light: number;
  readonly drift: number;
  /** Relative sigma of the channels' gains and of their light yields. */
  readonly unlike: number;
  /** MeVee of alpha and triton together: from memory, about what PROSPECT quotes; each liquid has its own. */
  readonly quenched: number;
  /** Shares of light in the slow component. */
  readonly slow_light: number;
  readonly slow_heavy: number;
  readonly sources: readonly Source[];
  readonly faults: readonly ChannelFault[];
}

/** The unit vector at these angles in degrees: theta from +z, phi from +x. */
export function pointing(theta: number, phi: number): Vector {
  const [t, p] = [(theta * Math.PI) / 180, (phi * Math.PI) / 180];
  return [Math.sin(t) * Math.cos(p), Math.sin(t) * Math.sin(p), Math.cos(t)];
}

/** Displacement: 1.5 to 2 cm are quoted (from memory). */
export const SOURCE: Omit<Source, 'kind'> = {
  rate: 1,
  at: undefined,
  direction: pointing(70, 50),
  displacement: 1.8,
  spread: 2.5,
  energy: [0.5, 5],
  pe: 1,
  from: 0,
  until: Number.POSITIVE_INFINITY,
};

/** A handful of events per second. */
export const SETUP: Setup = {
  box: [32, 32, 32],
  map: 'walls',
  tubes: CHANNELS,
  attenuation: 150,
  scattered: 0.3,
  loading: { density: 0.98, fraction: 0.001, hydrogen: 5.5e22 },
  light: 800,
  drift: 0,
  unlike: 0.05,
  quenched: 0.53,
  slow_light: 0.2,
  slow_heavy: 0.38,
  sources: [
    { ...SOURCE, kind: 'ibd', rate: 0.2 },
    { ...SOURCE, kind: 'gammas', rate: 4 },
    { ...SOURCE, kind: 'neutrons', rate: 0.2 },
    { ...SOURCE, kind: 'muons', rate: 0.5 },
  ],
  faults: [],
};

const CM = { written: 'cm', unit: 'm' } as const;
const cm = (part: Part, otherwise: number): number => (part.given ? 100 * part.amount(CM) : otherwise);

/** A bare number is 1/s. */
const RATE = { written: '1/s', unit: '1/s' } as const;

function positive(part: Part, value: number, zero = false): number {
  return value > 0 || (zero && value === 0) ? value : part.wrong(`must be above zero${zero ? ' or zero' : ''}`);
}
const share = (part: Part, otherwise: number): number => {
  const value = part.number(otherwise);
  return value >= 0 && value <= 1 ? value : part.wrong('must be from 0 to 1');
};

/** What stands at a place in a list; a slip in it is told with its place, counted from 0. */
function element<T>(part: Part, all: readonly unknown[], i: number, each: (one: Part) => T): T {
  const read = asRefused(() => each(new Part(all[i])));
  return read instanceof Refused ? part.wrong(`${i}: ${read.why}`) : read;
}

function three<T>(part: Part, like: string, each: (one: Part) => T): readonly [T, T, T] {
  const { yaml } = part;
  if (!Array.isArray(yaml) || yaml.length !== 3) return part.wrong(`must be three numbers such as ${like}`);
  const at = (i: number): T => element(part, yaml, i, each);
  return [at(0), at(1), at(2)];
}

function direction(part: Part, otherwise: Vector): Vector {
  if (!part.given) return otherwise;
  const { yaml } = part;
  if (Array.isArray(yaml)) {
    const [x, y, z] = three(part, '[0.6, 0.72, 0.34]', (one) => one.number());
    const long = Math.hypot(x, y, z);
    return long > 0 ? [x / long, y / long, z / long] : part.wrong('must not be zero');
  }
  part.only(['theta', 'phi'], '"{ theta: 70 deg, phi: 50 deg }" or [x, y, z]');
  const degrees = (one: Part): number => (one.amount({ written: 'deg', unit: 'rad' }) * 180) / Math.PI;
  return pointing(degrees(part.at('theta')), degrees(part.at('phi')));
}

const SOURCE_KEYS = ['kind', 'rate', 'at', 'direction', 'displacement', 'spread', 'energy', 'pe', 'from', 'until'] as const;
const SOURCE_LIKE = '"{ kind: cf252, rate: 5, at: [20 cm, 0 cm, 0 cm] }"';

function source(part: Part): Source {
  part.only(SOURCE_KEYS, SOURCE_LIKE);
  const at = part.at('at');
  const energy = part.at('energy');
  const time = (one: Part, otherwise: number): number =>
    one.given ? positive(one, one.amount({ written: 's', unit: 's' }), true) : otherwise;
  return {
    kind: part.at('kind').word(KINDS),
    rate: part.at('rate').given ? positive(part.at('rate'), part.at('rate').amount(RATE), true) : SOURCE.rate,
    at: at.given ? three(at, '[20 cm, 0 cm, 0 cm]', (one) => cm(one, 0)) : undefined,
    direction: direction(part.at('direction'), SOURCE.direction),
    displacement: cm(part.at('displacement'), SOURCE.displacement),
    spread: positive(part.at('spread'), cm(part.at('spread'), SOURCE.spread), true),
    energy: energy.given ? energies(energy) : SOURCE.energy,
    pe: positive(part.at('pe'), part.at('pe').number(SOURCE.pe), true),
    from: time(part.at('from'), SOURCE.from),
    until: time(part.at('until'), SOURCE.until),
  };
}

function energies(part: Part): readonly [number, number] {
  const { yaml } = part;
  if (!Array.isArray(yaml) || yaml.length !== 2) return part.wrong('must be two energies in MeV such as [0.5, 5]');
  const [low, high] = [0, 1].map((i) => element(part, yaml, i, (one) => one.number()));
  return low >= 0 && low <= high && high <= 20 ? [low, high] : part.wrong('must be two energies in MeV that rise, from 0 to 20');
}

function list<T>(part: Part, like: string, each: (one: Part) => T): readonly T[] {
  const { yaml } = part;
  if (!Array.isArray(yaml)) return part.wrong(`must be a list such as - ${like}`);
  return yaml.map((_, i) => element(part, yaml, i, each));
}

/** Each is absent where the rig says nothing: so two devices of one detector say together what it is. */
export type Given = { readonly [N in keyof Setup]: Setup[N] | undefined };

const optional = <T>(about: string, read: (part: Part) => T): Field<T | undefined> =>
  declared(about, (part) => (part.given ? read(part) : undefined));

/** The options of every simulator that looks into the detector. */
export const setupFields: { readonly [N in keyof Given]-?: Field<Given[N]> } = {
  box: optional('sides of the box of scintillator (otherwise 32 cm each)', (part) =>
    three(part, '[32 cm, 32 cm, 32 cm]', (one) => positive(one, cm(one, 0))),
  ),
  map: optional('"walls": a quarter of the channels on each upright wall; "plane": all below (otherwise walls)', (part) => part.word(MAPS)),
  tubes: optional('channels that see the box, of all boards together: a multiple of 16 (otherwise 64)', (part) => {
    const n = part.whole(16, 1024, CHANNELS);
    return n % 16 === 0 ? n : part.wrong(`must be a multiple of 16, not ${n}`);
  }),
  attenuation: optional('length of the light in the liquid (otherwise 150 cm)', (part) => positive(part, cm(part, 0))),
  scattered: optional('share of the light that reaches all channels alike (otherwise 0.3)', (part) => share(part, 0)),
  loading: optional('{ density, fraction, hydrogen }: g/cm3, 6Li by mass, H per cm3 (otherwise 0.98, 0.001, 5.5e22)', (part) => {
    part.only(['density', 'fraction', 'hydrogen'], '"{ fraction: 0.001 }"');
    const { density, fraction, hydrogen } = SETUP.loading;
    return {
      density: positive(part.at('density'), part.at('density').number(density)),
      fraction: share(part.at('fraction'), fraction),
      hydrogen: positive(part.at('hydrogen'), part.at('hydrogen').number(hydrogen)),
    };
  }),
  light: optional('photoelectrons per MeVee in all channels (otherwise 800)', (part) => positive(part, part.number())),
  drift: optional('relative change of the light per hour (otherwise 0)', (part) => part.number()),
  unlike: optional('relative sigma of gains and light yields among the channels (otherwise 0.05)', (part) => share(part, 0)),
  quenched: optional('MeVee of alpha and triton (otherwise 0.53, from memory)', (part) => positive(part, part.number())),
  slow_light: optional('share of slow light of electrons (otherwise 0.2)', (part) => share(part, 0)),
  slow_heavy: optional('share of slow light of protons, alphas, tritons (otherwise 0.38)', (part) => share(part, 0)),
  sources: optional(`list of ${SOURCE_LIKE}; kinds are ${KINDS.join(', ')}`, (part) => list(part, SOURCE_LIKE, source)),
  faults: optional('list of { channel, does: dead, hot or doubled, from }', (part) =>
    list(part, '"{ channel: 12, does: dead, from: 30 s }"', (one) => {
      one.only(['channel', 'does', 'from'], '"{ channel: 12, does: dead, from: 30 s }"');
      const from = one.at('from');
      return {
        channel: one.at('channel').whole(0, 1023),
        does: one.at('does').word(FAULTS),
        from: from.given ? from.amount({ written: 's', unit: 's' }) : 0,
      };
    }),
  ),
};
