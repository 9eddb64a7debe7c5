/** Which line of a laboratory an instrument belongs to, as far as the rig's derivations say so. */
import { type RigText, table } from './walk.ts';

/** laser_heating, resistivity or detector. */
export type Line = string;

export interface Placed {
  readonly model: string;
  readonly link: string;
}
export interface RigLines {
  /** In the order of the rig. */
  readonly lines: readonly Line[];
  /** Lines of an instrument or derivation. */
  of(name: string): readonly Line[];
  readonly instruments: ReadonlyMap<string, Placed>;
  /** Derivations and their methods. */
  readonly derivations: ReadonlyMap<string, string>;
  readonly about: string;
}

/** Methods that belong to one line alone; pressure is measured on more than one. */
const METHODS: Readonly<Record<string, Line>> = {
  'planck-ml': 'laser_heating',
  'two-sides': 'laser_heating',
  anomaly: 'laser_heating',
  'anomaly-set-point': 'laser_heating',
  delta: 'resistivity',
  'delta-stream': 'resistivity',
  'ac-resistance': 'resistivity',
  'third-harmonic': 'resistivity',
  'joule-heating': 'resistivity',
  'van-der-pauw': 'resistivity',
  'four-terminal': 'resistivity',
  'wiedemann-franz': 'resistivity',
};
const DETECTORS = new Set(['sitcp-digitizer', 'vme-easiroc', 'caen-wavedump', 'abcd-events']);

/** A line has the derivations of its methods, all that goes into them, and what a loop that holds one of them moves. */
export function rigLines(rig: RigText | undefined): RigLines {
  const read = rig?.read ?? {};
  const instruments = new Map(Object.entries(table(read.instruments)).map(([name, placed]) => [name, placedOf(placed)]));
  const derive = Object.entries(table(read.derive)).map(([name, spec]) => [name, table(spec)] as const);
  const known = new Set([...instruments.keys(), ...derive.map(([name]) => name)]);
  const inputs = new Map(derive.map(([name, spec]) => [name, inputsOf(spec, known)]));
  const lines = new Map<string, Set<Line>>();
  const order: Line[] = [];
  const home = new Map(
    derive.flatMap(([name, { method }]) =>
      METHODS[String(method)] === undefined ? [] : [[name, String(METHODS[String(method)])] as const],
    ),
  );
  const join = (name: string, line: Line): void => {
    // Another line may use what one has derived; that does not take it, nor what it was made of, away.
    if ((home.get(name) ?? line) !== line) return;
    const own = lines.get(name) ?? new Set();
    lines.set(name, own);
    if (own.has(line)) return;
    own.add(line);
    if (!order.includes(line)) order.push(line);
    for (const input of inputs.get(name) ?? []) join(input, line);
  };
  for (const [name, line] of home) join(name, line);
  for (const [name, { model }] of instruments) if (DETECTORS.has(model)) join(name, 'detector');
  for (const spec of Object.values(table(read.feedback))) {
    const held = inputsOf({ holds: table(spec).holds }, known).flatMap((name) => [...(lines.get(name) ?? [])]);
    for (const name of inputsOf({ by: table(spec).by }, known)) for (const line of held) join(name, line);
  }
  // What is made of one line alone is of that line, with all that goes into it.
  for (const [name] of derive) {
    const from = new Set((inputs.get(name) ?? []).flatMap((input) => [...(lines.get(input) ?? [])]));
    const [only] = from;
    if (only !== undefined && from.size === 1 && !lines.has(name)) join(name, only);
  }
  return {
    lines: order,
    of: (name) => [...(lines.get(name) ?? [])],
    instruments,
    derivations: new Map(derive.map(([name, { method }]) => [name, String(method)])),
    about: typeof read.about === 'string' ? read.about : '',
  };
}

function placedOf(value: unknown): Placed {
  const { model, link, links } = table(value);
  return { model: String(model ?? ''), link: typeof link === 'string' ? link : Object.values(table(links)).map(String).join(', ') };
}

/** Names before the dot of everything below that looks like instrument.channel. */
function inputsOf(value: unknown, known: ReadonlySet<string>): readonly string[] {
  if (typeof value === 'string') {
    const [name = ''] = value.split('.');
    return value.includes('.') && known.has(name) ? [name] : [];
  }
  if (value === null || typeof value !== 'object') return [];
  return Object.values(value).flatMap((one) => inputsOf(one, known));
}
