/** A session as one NeXus file: an NXentry for each line of the rig, with its instruments, what is derived, and what was said. */
import { basename, resolve } from 'node:path';
import type { Reading } from '../reading.ts';
import { Hdf5 } from './hdf5.ts';
import { iso } from './iso.ts';
import { groupNames } from './names.ts';
import { Entries, type Entry } from './nexus-entry.ts';
import type { GoodTrace } from './nexus-frame.ts';
import { Events } from './nexus-hits.ts';
import { Log } from './nexus-log.ts';
import { plotOf } from './nexus-plot.ts';
import { Traces } from './nexus-trace.ts';
import { rigLines } from './rig-lines.ts';
import type { Sink } from './sink.ts';
import { Bytes } from './table.ts';
import type { Found, Item, RigText } from './walk.ts';

/** All that stands in one place: a channel's log, or its frames, or its hits. */
export interface Channel {
  readonly name: string;
  readonly entry: Entry;
  readonly log?: Log;
  readonly traces?: Traces;
  readonly events?: Events;
}

const MOST_NOTES = 1000; // those that have a group of their own

/** A new file at `path`; memory is bounded. Throws Hdf5Error for what the library cannot write. */
export async function nexusSink(path: string, session: string): Promise<Sink> {
  const file = await Hdf5.create(resolve(path));
  const channels = new Map<string, Channel>();
  const names = new Map<string, (name: string) => string>();
  const journals = new Map<string, Bytes>();
  const files = new Set<string>();
  let waiting: { readonly path: string; readonly bytes: Uint8Array; readonly t: number }[] = [];
  let entries: Entries | undefined;
  let notes = 0;

  file.attributes('/', { NX_class: 'NXroot', creator: 'bridgman' });

  /** Of the first rig that is told; a session without one has a single entry. */
  const begun = (t: number, rig?: RigText): Entries => {
    if (entries) return entries;
    entries = new Entries(file, rigLines(rig), rig, basename(resolve(session)), t);
    for (const one of waiting) keep(one.path, one.bytes, one.t);
    waiting = [];
    return entries;
  };
  const unique = (group: string, name: string): string => {
    const give = names.get(group) ?? groupNames();
    names.set(group, give);
    return `${group}/${give(name)}`;
  };
  const keep = (name: string, bytes: Uint8Array, t: number): void => {
    if (files.has(name) || !entries) return;
    files.add(name);
    const group = unique(entries.calibrations(), basename(name));
    file.group(group, 'NXnote', { local_name: name });
    file.put(`${group}/file_name`, name);
    file.put(`${group}/type`, /\.(ya?ml|json|txt|csv)$/.test(name) ? 'text/plain' : 'application/octet-stream');
    file.put(`${group}/date`, iso(t));
    if (bytes.length > 0) file.put(`${group}/data`, Uint8Array.from(bytes));
  };
  const place = (name: string, from: string, made: boolean): { readonly entry: Entry; readonly path: (name: string) => string } => {
    const [owner = from, ...rest] = from.split('.');
    const entry = begun(0).of(owner);
    const group = entry.place(owner, made);
    const index = name.slice(from.length);
    return { entry, path: (more) => unique(group, `${rest.join('_') || owner}${index}${more}`) };
  };
  const scalar = (key: string, name: string, reading: Reading, tail: string): void => {
    let channel = channels.get(key);
    if (!channel) {
      const { entry, path } = place(name, reading.from, reading.made !== undefined);
      channel = { name, entry, log: new Log(file, path(tail), reading, name, begun(reading.t).began) };
      channels.set(key, channel);
      entry.learn(channel, reading);
    }
    channel.log?.add(reading);
  };

  return {
    take(item: Item) {
      if (item.kind === 'rig') begun(item.t, item.rig);
      else if (item.kind === 'file') {
        // Files come just before the rig, as they are of one time.
        if (entries) keep(item.path, item.bytes, item.t);
        else waiting.push({ path: item.path, bytes: item.bytes, t: item.t });
      } else if (item.kind === 'reading') {
        const { name, reading } = item;
        begun(reading.t);
        if (reading.kind !== 'trace') scalar(`${name} ${reading.kind}`, name, reading, '');
        else if (reading.quality === 'bad') scalar(`${name} bad`, name, reading, '_bad');
        else {
          let channel = channels.get(name);
          if (!channel) {
            const { entry, path } = place(name, reading.from, reading.made !== undefined);
            const traces = new Traces(file, (n) => path(n === 1 ? '' : `_${n}`), name, begun(reading.t).began);
            channel = { name, entry, traces };
            channels.set(name, channel);
          }
          if (!channel.traces?.add(reading as GoodTrace)) return 'frame of yet another form'; // its kind and quality say so
        }
      } else if (item.kind === 'hits') {
        begun(item.t);
        let channel = channels.get(item.name);
        if (!channel) {
          const { entry, path } = place(item.name, item.name, false);
          channel = { name: item.name, entry, events: new Events(file, path(''), item.name, begun(item.t).began) };
          channels.set(item.name, channel);
        }
        channel.events?.add(item.block, item.t);
      } else if (item.kind === 'said') {
        const at = begun(item.t);
        let journal = journals.get(item.topic);
        if (!journal) {
          const group = `${at.journal()}/${item.topic.replaceAll('-', '_')}`;
          file.group(group, 'NXnote', { local_name: item.topic });
          file.put(`${group}/type`, 'application/jsonl; charset=utf-8');
          file.put(`${group}/description`, `${item.topic}: one JSON object a line, times in microseconds since 1970`);
          journal = new Bytes(file, `${group}/data`);
          journals.set(item.topic, journal);
        }
        journal.add(`${item.json}\n`);
        if (item.topic === 'notes' && notes++ < MOST_NOTES) at.note(item.json, notes);
      }
      return undefined;
    },
    async end(found: Found) {
      const all = [...channels.values()];
      const at = begun(found.began ?? 0);
      file.flush(true); // links are made to what is there
      for (const { log, traces } of all) {
        log?.end();
        for (const stack of traces?.stacks ?? []) stack.end();
      }
      at.end(all, found);
      const first = at.all.map(
        (entry) =>
          [
            entry,
            plotOf(
              file,
              entry,
              all.filter((one) => one.entry === entry),
            ),
          ] as const,
      );
      const plotted = first.find(([, plot]) => plot) ?? first[0];
      if (plotted) file.attributes('/', { default: plotted[0].name });
      const cut = all.reduce(
        (n, { log, traces }) => n + (log?.cut ?? 0) + (traces?.stacks ?? []).reduce((m, stack) => m + stack.cut, 0),
        0,
      );
      if (cut > 0) file.attributes('/', { cut_texts: cut });
      file.close();
    },
  };
}
