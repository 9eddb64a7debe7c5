import { bad, type Command, type Field, instrument, options, Refused, type Takes } from '../src/instrument.ts';
import { type Quantity, quantity, type Unit } from '../src/units.ts';

/** One value that a person enters, in SI. */
interface Entry {
  readonly unit: Unit;
  readonly about?: string;
  readonly limits?: readonly [number, number];
  readonly value?: number;
  readonly sigma?: number;
  readonly by?: string;
}
interface Options {
  readonly values: Readonly<Record<string, Entry>>;
}

const KEYS = ['unit', 'about', 'limits', 'value', 'by'];
const isTable = (yaml: unknown): yaml is Readonly<Record<string, unknown>> =>
  yaml !== null && typeof yaml === 'object' && !Array.isArray(yaml);

/** "12 um +- 1 um" and "12 um +- 500 nm" beside "12 +- 1 um". */
function withSpread(text: string): Quantity | string {
  const [, left = '', right = ''] = /^(.*[^\d\s.eE].*?)(?:\+-|±)(.*)$/.exec(text) ?? [];
  if (left === '') return quantity(text);
  const [value, spread] = [quantity(left), quantity(`0 +- ${right.trim()}`)];
  if (typeof value === 'string') return value;
  if (typeof spread === 'string') return spread;
  if (spread.unit !== value.unit) return `the uncertainty in "${text}" is in ${spread.unit}, the value in ${value.unit}`;
  return { ...value, sigma: spread.sigma };
}

/** A quantity in this unit; a bare number is in the unit as it is written, such as 12 for `unit: um`. */
function amount(yaml: unknown, written: string, unit: Unit): { readonly value: number; readonly sigma?: number } | string {
  if (typeof yaml !== 'string' && typeof yaml !== 'number')
    return `must be a quantity such as "12 ${written}", not ${JSON.stringify(yaml)}`;
  const read = typeof yaml === 'number' ? quantity(`${yaml} ${written === '1' ? '' : written}`) : withSpread(yaml);
  if (typeof read === 'string') return read;
  return read.unit === unit ? read : `${JSON.stringify(yaml)} is in ${read.unit}, not in ${unit}`;
}

function entry(yaml: unknown): Entry | string {
  if (!isTable(yaml)) return 'is written as "{ unit: um, about: thickness, value: 12 um +- 1 um }"';
  const unknown = Object.keys(yaml).find((key) => !KEYS.includes(key));
  if (unknown !== undefined) return `has no "${unknown}"; known are ${KEYS.join(', ')}`;
  const { unit: written, about, limits, value, by } = yaml;
  if (typeof written !== 'string' && written !== 1) return 'needs a unit, such as "um" or "1"';
  const one = quantity(`1 ${String(written)}`);
  if (typeof one === 'string') return one;
  if (about !== undefined && typeof about !== 'string') return 'about must be text';
  if (by !== undefined && typeof by !== 'string') return 'by must be a name';
  const si = (v: unknown) => amount(v, String(written), one.unit);
  let bounds: readonly [number, number] | undefined;
  if (limits !== undefined) {
    if (!Array.isArray(limits) || limits.length !== 2) return `limits must be a pair such as [0 ${written}, 100 ${written}]`;
    const [lo, hi] = limits.map(si);
    if (typeof lo === 'string') return `limits: ${lo}`;
    if (typeof hi === 'string') return `limits: ${hi}`;
    if (!(lo.value < hi.value)) return 'limits must rise';
    bounds = [lo.value, hi.value];
  }
  const known: ReturnType<typeof amount> | undefined = value === undefined ? undefined : si(value);
  if (typeof known === 'string') return `value: ${known}`;
  if (known && bounds && !(known.value >= bounds[0] && known.value <= bounds[1])) return `value: ${String(value)} is outside of its limits`;
  return { unit: one.unit, ...known, ...(about ? { about } : {}), ...(by ? { by } : {}), ...(bounds ? { limits: bounds } : {}) };
}

const values: Field<Options['values']> = {
  about: 'NAME: { unit, about?, limits?, value?, by? } of each value; value may carry its uncertainty, "12 um +- 1 um"',
  of(yaml) {
    if (!isTable(yaml) || Object.keys(yaml).length === 0) return new Refused('is needed: NAME: { unit: um } for each value');
    const out: Record<string, Entry> = {};
    for (const [name, given] of Object.entries(yaml)) {
      if (!/^[A-Za-z]\w*$/.test(name)) return new Refused(`"${name}" is no name: letters, digits and _`);
      const read = entry(given);
      if (typeof read === 'string') return new Refused(`${name} ${read}`);
      out[name] = read;
    }
    return out;
  },
};

/** An entered uncertainty is one of every reading made with the value: no average shrinks it. */
const entered = (name: string, value: number, sigma: number | undefined, by: string | undefined) => ({
  quality: 'good' as const,
  value,
  ...(by === undefined ? {} : { why: `entered by ${by}` }),
  ...(sigma === undefined ? {} : { sigma: { random: 0, shared: { [name]: sigma } } }),
});

/** A person who enters values by hand: sample thickness, a reading from a gauge without a wire. Each is a command and a channel. */
export default instrument<Readonly<Record<string, never>>, Options, undefined>({
  model: 'Values entered by hand',
  source: 'the operator',
  proven: 'manual',
  options: options<Options>({ values }),
  links: {},
  body: ({ values: all }) => {
    const names = Object.entries(all);
    return {
      gives: Object.fromEntries(names.map(([name, { unit }]) => [name, unit])),
      known: Object.fromEntries(
        names.map(([name, { value, sigma, by }]) => [name, value === undefined ? bad('not entered yet') : entered(name, value, sigma, by)]),
      ),
      commands: Object.fromEntries(
        names.map(([name, { unit, limits, about }]): readonly [string, Command<Readonly<Record<string, never>>, Takes>] => [
          name,
          {
            takes: unit,
            uncertain: true,
            about: about ?? `enters ${name} by hand`,
            ...(limits ? { limits } : {}),
            *talk(_act, value, _index, here) {
              if (typeof value === 'number') yield* here.give({ [name]: entered(name, value, here.order?.sigma, here.order?.by) });
            },
          },
        ]),
      ),
    };
  },
});
