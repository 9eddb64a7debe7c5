/** The entries of a NeXus file and the groups in them that hold channels. */
import type { Reading } from '../reading.ts';
import type { Hdf5 } from './hdf5.ts';
import { iso } from './iso.ts';
import { groupNames } from './names.ts';
import type { Channel } from './nexus.ts';
import type { RigLines } from './rig-lines.ts';
import type { Found, RigText } from './walk.ts';

const SHARED = 'laboratory';

/** What an entry has beside what is derived. */
const FIELDS = ['title', 'entry_identifier', 'start_time', 'end_time', 'duration', 'program_name', 'experiment_description'];
const OURS = [...FIELDS, 'instrument', 'sample', 'data', 'journal', 'calibrations'];

/** Models that are lasers, and those that are detectors whatever they give. */
const LASERS = new Set(['ipg-ylr']);
const DETECTORS = new Set(['ocean-obp', 'princeton-spe', 'sitcp-board', 'sitcp-digitizer', 'vme-easiroc', 'caen-wavedump', 'abcd-events']);

/** What a fit of a method is a fit of: a formula, and the names of its channels that are its parameters. */
const FITS: Readonly<Record<string, { readonly title: string; readonly formula: string; readonly parameters: readonly string[] }>> = {
  'planck-ml': {
    title: "Planck's law with a constant emissivity, maximum likelihood of the counts",
    formula: 'factor * response(wavelength) * 2 h c^2 / (wavelength^5 * (exp(h c / (wavelength k temperature)) - 1))',
    parameters: ['temperature', 'factor'],
  },
  ruby: {
    title: 'the ruby doublet: two pseudo-Voigt lines on a background',
    formula: 'pseudo_voigt(wavelength; line, width) + ratio * pseudo_voigt(wavelength; second_line, width) + background',
    parameters: ['line', 'second_line', 'split', 'width', 'ratio'],
  },
  samarium: {
    title: 'the 0-0 line of SrB4O7:Sm2+: a pseudo-Voigt line on a background',
    formula: 'pseudo_voigt(wavelength; line, width) + background',
    parameters: ['line', 'width'],
  },
};

export interface Entry {
  readonly name: string;
  /** The group of an instrument, or of what is derived under this name. */
  place(owner: string, made: boolean): string;
  /** Tells of a new channel. */
  learn(channel: Channel, reading: Reading): void;
}

/** One entry for each line; with several, what is of none or of more than one is in `laboratory`. */
export class Entries {
  readonly began: number;
  readonly all: Entry[] = [];
  readonly #file: Hdf5;
  readonly #lines: RigLines;
  readonly #rig: RigText | undefined;
  readonly #names = groupNames();
  readonly #byLine = new Map<string, Entry>();
  readonly #first: Entry;

  constructor(file: Hdf5, lines: RigLines, rig: RigText | undefined, session: string, began: number) {
    this.began = began;
    this.#file = file;
    this.#lines = lines;
    this.#rig = rig;
    const several = lines.lines.length > 1;
    const names = several ? [...lines.lines, SHARED] : [lines.lines[0] ?? 'entry'];
    for (const name of names) {
      const entry = this.#entry(this.#names(name), session);
      this.all.push(entry);
      this.#byLine.set(name, entry);
    }
    this.#first = this.#byLine.get(SHARED) ?? this.all[0] ?? this.#entry('entry', session);
  }

  /** Where a channel of this instrument or derivation stands. */
  of(owner: string): Entry {
    const lines = this.#lines.of(owner);
    return lines.length === 1 && lines[0] !== undefined ? (this.#byLine.get(lines[0]) ?? this.#first) : this.#first;
  }

  #entry(name: string, session: string): Entry {
    const file = this.#file;
    const rig = this.#rig;
    const path = file.group(`/${name}`, 'NXentry');
    file.put(`${path}/title`, `${rig?.name ?? 'a rig that is not said'}, session ${rig?.session || session}`);
    file.put(`${path}/entry_identifier`, rig?.session || session);
    file.put(`${path}/start_time`, iso(this.began));
    file.put(`${path}/program_name`, 'bridgman', { version: rig?.version ?? '' });
    if (this.#lines.about !== '') file.put(`${path}/experiment_description`, this.#lines.about);
    const instrument = file.group(`${path}/instrument`, 'NXinstrument');
    file.put(`${instrument}/name`, rig?.name ?? 'not said');
    if (rig && rig.yaml !== '') {
      const note = file.group(`${instrument}/rig`, 'NXnote', { local_name: 'rig.yaml' });
      file.put(`${note}/type`, 'application/yaml');
      file.put(`${note}/file_name`, 'rig.yaml');
      file.put(`${note}/data`, new TextEncoder().encode(rig.yaml));
    }
    const groups = new Map<string, string>();
    const inInstrument = groupNames();
    for (const taken of ['name', 'rig', 'beam']) inInstrument(taken);
    const inEntry = groupNames();
    for (const taken of OURS) inEntry(taken);
    return {
      name,
      place: (owner, made) => {
        const known = groups.get(owner);
        if (known !== undefined) return known;
        const placed = this.#lines.instruments.get(owner);
        const group =
          placed || !made
            ? `${instrument}/${inInstrument(owner)}`
            : `${path}/${inEntry(OURS.includes(owner) ? `${owner}_derived` : owner)}`;
        groups.set(owner, group);
        if (placed || !made) this.#instrument(group, owner);
        else this.#derived(group, owner);
        return group;
      },
      learn: (channel, reading) => this.#learn(path, channel, reading),
    };
  }

  #instrument(group: string, owner: string): void {
    const file = this.#file;
    const { model = '', link = '' } = this.#lines.instruments.get(owner) ?? {};
    const nxClass = LASERS.has(model) ? 'NXsource' : DETECTORS.has(model) ? 'NXdetector' : 'NXcollection';
    file.group(group, nxClass, { local_name: owner });
    if (nxClass === 'NXsource') {
      file.put(`${group}/name`, owner);
      file.put(`${group}/type`, 'Laser');
    } else if (model !== '') file.put(`${group}/${nxClass === 'NXdetector' ? 'description' : 'model'}`, model);
    if (model !== '') file.attributes(group, { model, ...(link === '' ? {} : { link }) });
  }

  #derived(group: string, owner: string): void {
    const file = this.#file;
    const method = this.#lines.derivations.get(owner) ?? 'not said';
    const fit = FITS[method];
    file.group(group, fit ? 'NXfit' : 'NXprocess', { local_name: owner, method });
    if (!fit) {
      file.put(`${group}/program`, 'bridgman');
      if (this.#rig) file.put(`${group}/version`, this.#rig.version);
      return;
    }
    file.put(`${group}/label`, owner);
    file.put(`${group}/title`, fit.title);
    const fitted = file.group(`${group}/global_fit_function`, 'NXfit_function');
    file.put(`${fitted}/description`, fit.title);
    file.put(`${fitted}/formula_description`, fit.formula);
    file.group(`${fitted}/fit_parameters`, 'NXparameters');
  }

  /** Parameters of a fit stand below its function, too, and a laser's power in its beam. */
  #learn(entry: string, { log, name }: Channel, { from, made, kind }: Reading): void {
    const [owner = '', channel = ''] = from.split('.');
    if (!log || name !== from) return;
    const file = this.#file;
    const fit = FITS[made?.method ?? ''];
    const parent = log.path.slice(0, log.path.lastIndexOf('/'));
    const parameters = `${parent}/global_fit_function/fit_parameters`;
    if (fit?.parameters.includes(channel) && file.has(`${parent}/global_fit_function`)) file.link(log.path, `${parameters}/${channel}`);
    if (LASERS.has(this.#lines.instruments.get(owner)?.model ?? '') && kind === 'W' && channel === 'output_power') {
      const beam = `${entry}/instrument/beam`;
      if (file.has(beam)) return;
      file.group(beam, 'NXbeam', { local_name: owner });
      file.link(log.path, `${beam}/power`);
    }
  }

  #side(name: string): string {
    const path = `/${this.#first.name}/${name}`;
    if (!this.#file.has(path)) this.#file.group(path, 'NXcollection');
    return path;
  }
  calibrations(): string {
    return this.#side('calibrations');
  }
  journal(): string {
    return this.#side('journal');
  }

  /** A person's note has a group of its own. */
  note(json: string, n: number): void {
    const file = this.#file;
    let read: { readonly t?: unknown; readonly by?: unknown; readonly text?: unknown };
    try {
      read = Object(JSON.parse(json)) as typeof read; // looked at below
    } catch {
      return;
    }
    const group = file.group(`${this.journal()}/note_${n}`, 'NXnote');
    file.put(`${group}/author`, String(read.by ?? ''));
    if (typeof read.t === 'number') file.put(`${group}/date`, iso(read.t));
    file.put(`${group}/type`, 'text/plain');
    file.put(`${group}/description`, String(read.text ?? ''));
  }

  /** What is known only now: times, links from one entry to another, the sample. */
  end(channels: readonly Channel[], { ended, began }: Found): void {
    const file = this.#file;
    for (const entry of this.all) {
      const path = `/${entry.name}`;
      if (ended !== undefined) {
        file.put(`${path}/end_time`, iso(ended));
        file.put(`${path}/duration`, (ended - (began ?? this.began)) / 1e6, { units: 's' });
      }
      this.#sample(
        path,
        channels.filter((one) => one.entry === entry),
      );
    }
    for (const [line, entry] of this.#byLine) {
      if (line === SHARED) continue;
      for (const owner of this.#lines.instruments.keys()) {
        const group = `/${this.#first.name}/instrument/${owner.replaceAll(/\W/g, '_')}`;
        const here = `/${entry.name}/instrument/${owner.replaceAll(/\W/g, '_')}`;
        if (this.#lines.of(owner).includes(line) && entry !== this.#first && file.has(group) && !file.has(here)) file.link(group, here);
      }
    }
  }

  /** The sample, with the temperature that is derived for it as the log of a sensor in its environment. */
  #sample(entry: string, channels: readonly Channel[]): void {
    const file = this.#file;
    const sample = file.group(`${entry}/sample`, 'NXsample');
    file.put(`${sample}/name`, `the sample of ${this.#rig?.name ?? 'a rig that is not said'}`);
    for (const [kind, group, measurement] of [
      ['K', 'temperature_env', 'temperature'],
      ['Pa', 'pressure_env', 'pressure'],
    ] as const) {
      const derived = channels.filter(
        ({ log, name }) => log?.reading.kind === kind && log.reading.made && name.endsWith(`.${measurement}`),
      );
      const best = derived.find(({ name }) => name.startsWith('sample.')) ?? derived[0];
      if (!best?.log) continue;
      const environment = file.group(`${sample}/${group}`, 'NXenvironment');
      file.put(`${environment}/name`, measurement);
      const sensor = file.group(`${environment}/sensor`, 'NXsensor', { local_name: best.name });
      file.put(`${sensor}/name`, best.name);
      file.put(`${sensor}/measurement`, measurement);
      file.link(best.log.path, `${sensor}/value_log`);
    }
  }
}
