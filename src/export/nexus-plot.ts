/** What a viewer shows first of an entry: `default` leads to it. */
import type { Kind } from '../reading.ts';
import type { Hdf5 } from './hdf5.ts';
import type { Channel } from './nexus.ts';
import type { Entry } from './nexus-entry.ts';

/** What is derived, in this order, before what was only measured. */
const KINDS: readonly Kind[] = ['K', 'Ω m', 'Ω', 'Pa', 'W/m/K', 'V', 'W'];

const rank = (kind: Kind): number => (KINDS.indexOf(kind) + KINDS.length + 1) % (KINDS.length + 1);

/** Makes the entry's NXdata `data` and its `default`. False where there is nothing that can be drawn. */
export function plotOf(file: Hdf5, { name }: Entry, channels: readonly Channel[]): boolean {
  const entry = `/${name}`;
  const drawn = channels.filter(({ log }) => log && log.finite > 0 && log.reading.kind !== 'flag' && log.reading.kind !== 'state');
  const derived = drawn.filter(({ log }) => log?.reading.made).sort((a, b) => better(a, b));
  const stacks = channels.flatMap(({ traces }) => traces?.stacks ?? []).sort((a, b) => b.frames - a.frames);
  const measured = drawn.filter(({ log }) => !log?.reading.made).sort((a, b) => (b.log?.finite ?? 0) - (a.log?.finite ?? 0));
  const [stack] = stacks;
  const best = derived.find(({ log }) => (log?.finite ?? 0) > 1) ?? (stack ? undefined : (derived[0] ?? measured[0]));
  if (best?.log) {
    const { log } = best;
    const signal = log.path.slice(log.path.lastIndexOf('/') + 1);
    const data = file.group(`${entry}/data`, 'NXdata', { signal, axes: ['time'], time_indices: 0, title: best.name });
    file.link(`${log.path}/value`, `${data}/${signal}`);
    file.link(`${log.path}/time`, `${data}/time`);
    if (log.errors) file.link(`${log.path}/value_errors`, `${data}/${signal}_errors`);
  } else if (stack) file.link(stack.path, `${entry}/data`);
  else return false;
  file.attributes(entry, { default: 'data' });
  return true;
}

function better(a: Channel, b: Channel): number {
  const by = (one: Channel): number => rank(one.log?.reading.kind ?? 'state');
  return (
    by(a) - by(b) ||
    Number(b.name.startsWith('sample.')) - Number(a.name.startsWith('sample.')) ||
    (b.log?.finite ?? 0) - (a.log?.finite ?? 0)
  );
}
