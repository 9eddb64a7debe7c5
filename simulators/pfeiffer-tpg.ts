import { ACK, ENQ, NAK, pfeifferTpg } from '../protocols/pfeiffer-tpg.ts';
import { options, simulator, word } from '../src/simulator.ts';
import { type Bench, bench } from './worlds/bench.ts';

const MODELS = ['261', '262', '361', '362', '366'] as const;
type Model = (typeof MODELS)[number];

/** What hangs on an input: its name as TID gives it (26x, 36x), its range in mbar, and whether SEN switches it. */
interface Kind {
  readonly ids: readonly [string, string];
  readonly range: readonly [number, number];
  readonly switched: boolean;
}
const KINDS: Readonly<Record<string, Kind>> = {
  full: { ids: ['PKR', 'PKR'], range: [5e-9, 1000], switched: true },
  pirani: { ids: ['TPR', 'TPR/PCR'], range: [5e-4, 1000], switched: false },
  cold: { ids: ['IKR9', 'IKR'], range: [2e-9, 1e-2], switched: true },
  linear: { ids: ['CMR', 'CMR/APR'], range: [0.1, 1100], switched: false },
  none: { ids: ['noSEn', 'noSENSOR'], range: [0, 0], switched: false },
};
interface Gauge {
  kind: string;
  on: boolean;
  /** mbar where it sits. */
  mbar: number;
  /** A sensor that is broken (3) or cannot be identified (6). */
  broken: 0 | 3 | 6;
}
interface State {
  readonly name: string;
  readonly model: Model;
  readonly gauges: Gauge[];
  unit: number;
  readonly last: { mnemonic: string; error: string };
}

/** mbar of one of the units, by their numbers; 5 of the 36x is volts. */
const MBAR = [1, 1.01325 * (1000 / 760), 0.01, 1.01325 / 760, 1] as const;
const VOLTS = 5;
const OK = '0000';
const SYNTAX = '0001';
const PARAMETER = '0010';

const family = (s: State): 0 | 1 => (s.model.startsWith('2') ? 0 : 1);
const kindOf = (g: Gauge): Kind => KINDS[g.kind] ?? KINDS.none;
const units = (s: State): number => (family(s) === 0 ? 3 : 6);

/** "0,1.2345E-05": logarithmic gauges have three digits that mean something, and zeros behind them. */
function measured(s: State, w: Bench, g: Gauge, n: number): string {
  const { range, ids } = kindOf(g);
  const none = family(s) === 0 ? '2.0000E-02' : '+0.0000E+00';
  const shown = (status: number, mbar: number): string => {
    const value = s.unit === VOLTS ? 6.8 + 0.6 * Math.log10(mbar) : mbar / (MBAR[s.unit] ?? 1);
    const [mantissa = '', exponent = '0'] = value.toExponential(ids[0] === 'CMR' ? 4 : 2).split('e');
    const power = Number(exponent);
    const digits = `${mantissa.padEnd(mantissa.startsWith('-') ? 7 : 6, '0')}E${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`;
    return `${status},${family(s) === 1 && !digits.startsWith('-') ? '+' : ''}${digits}`;
  };
  if (g.kind === 'none') return `5,${none}`;
  if (g.broken !== 0) return `${g.broken},${none}`;
  if (!g.on) return `4,${none}`;
  const mbar = g.mbar * (1 + 0.01 * w.noise(`${s.name} ${n}`));
  return mbar < range[0] ? shown(1, range[0]) : mbar > range[1] ? shown(2, range[1]) : shown(0, mbar);
}

/** The data that a mnemonic makes ready; undefined where this unit does not know it. */
function data(mnemonic: string, s: State, w: Bench): string | undefined {
  const list = (of: (g: Gauge, n: number) => string): string => s.gauges.map(of).join(',');
  const [, one] = /^PR(\d)$/.exec(mnemonic) ?? [];
  if (one !== undefined) {
    const g = s.gauges[Number(one) - 1];
    return g && measured(s, w, g, Number(one));
  }
  switch (mnemonic) {
    case 'PRX':
      return s.gauges.length > 1 ? list((g, i) => measured(s, w, g, i + 1)) : undefined;
    case 'UNI':
      return String(s.unit);
    case 'SEN':
      return list((g) => (!kindOf(g).switched ? '0' : g.on ? '2' : '1'));
    case 'TID':
      return list((g) => (g.broken === 6 ? (family(s) === 0 ? 'noid' : 'noIDENT') : kindOf(g).ids[family(s)]));
    case 'ERR':
      return s.last.error;
    case 'PNR':
      return family(s) === 0 ? '302-510-D' : '010300';
    case 'AYT':
      return family(s) === 1 ? `TPG ${s.model},PTG28290,44998061,010300,010100` : undefined;
    default:
      return undefined;
  }
}

/** Sets, where there are parameters; the error word. */
function set(mnemonic: string, given: readonly string[], s: State): string {
  if (mnemonic === 'UNI') {
    if (given.length !== 1) return SYNTAX;
    if (!/^\d$/.test(given[0] ?? '') || Number(given[0]) >= units(s)) return PARAMETER;
    s.unit = Number(given[0]);
    return OK;
  }
  if (mnemonic !== 'SEN' || given.length !== s.gauges.length) return SYNTAX;
  if (!given.every((one) => /^[012]$/.test(one))) return PARAMETER;
  s.gauges.forEach((g, i) => {
    if (given[i] !== '0' && kindOf(g).switched) g.on = given[i] === '2';
  });
  return OK;
}

function answer(ask: string, s: State, w: Bench): readonly string[] {
  if (ask === ENQ) return [(s.last.mnemonic === '' ? undefined : data(s.last.mnemonic, s, w)) ?? s.last.error];
  const [mnemonic = '', ...given] = ask.toUpperCase().replace(/ /g, '').split(',');
  const error = data(mnemonic, s, w) === undefined ? SYNTAX : given.length === 0 ? OK : set(mnemonic, given, s);
  if (mnemonic !== 'ERR' || error !== OK) s.last.error = error;
  s.last.mnemonic = error === OK ? mnemonic : '';
  return [error === OK ? ACK : NAK];
}

const HANGS: Readonly<Record<Model, readonly string[]>> = {
  261: ['full', 'none'],
  262: ['full', 'pirani'],
  361: ['full'],
  362: ['full', 'pirani'],
  366: ['full', 'pirani', 'cold', 'linear', 'pirani', 'pirani'],
};
const PLACES: Readonly<Record<string, number>> = { full: 2.4e-6, pirani: 3.1e-2, cold: 2.6e-6, linear: 45, none: 0 };

/** Total-pressure gauges on a controller of Pfeiffer's; the factory's unit is mbar (26x) or hPa (36x). */
export default simulator({
  options: options<{ readonly simulated: Model }>({ simulated: word('model', MODELS, '362') }),
  links: { main: pfeifferTpg() },
  world: bench,
  state: ({ simulated: model = '362' }: { readonly simulated?: Model }, name: string): State => ({
    ...{ name, model, unit: model.startsWith('2') ? 0 : 4, last: { mnemonic: '', error: OK } },
    gauges: HANGS[model].map((kind) => ({ kind, on: kind !== 'none', mbar: PLACES[kind] ?? 0, broken: 0 })),
  }),
  answer: { main: answer },
  think: 0.01,
});
