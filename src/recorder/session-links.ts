/** The links that a session has bytes of, and the instruments of its rig that talk on them. */
import { parse } from 'yaml';
import { wireTopic } from './session-count.ts';
import { chunksFrom, listParts } from './session-read.ts';

export interface SessionLink {
  readonly link: string;
  readonly series: string;
  /** Of the rig as it was, as far as it can be understood. */
  readonly instruments: readonly string[];
}

/** `NAME stream` are the bytes that a readout process has read; they have come in. */
export const streamTopic = (topic: string): string | undefined =>
  topic.endsWith(' stream') ? topic.slice(0, -' stream'.length) : undefined;

const record = (value: unknown): Record<string, unknown> =>
  value !== null && typeof value === 'object' ? (value as Record<string, unknown>) : {}; // an object, as was seen

function leaves(value: unknown): readonly string[] {
  if (typeof value === 'string') return [value];
  return value !== null && typeof value === 'object' ? Object.values(value).flatMap(leaves) : [];
}

/** Each raw series is looked into up to its first bytes of a link. */
export async function sessionLinks(folder: string): Promise<readonly SessionLink[]> {
  const found = new Map<string, { link: string; series: string }>();
  const series = new Set((await listParts(folder)).map((part) => part.series));
  for (const one of series) {
    if (one === 'slow') continue;
    search: for await (const { messages } of chunksFrom(folder, undefined, { series: one, ended: true })) {
      for (const { topic } of messages) {
        const link = streamTopic(topic) ?? wireTopic(one, topic)?.link;
        if (link === undefined) continue;
        found.set(one, { link, series: one });
        break search;
      }
      if (messages.length > 0) break; // not of a link
    }
  }
  const said = series.has('slow') ? await rigOf(folder) : {};
  const shared = record(said.links);
  const wires = Object.entries(record(said.instruments)).map(([name, instrument]) => {
    const { link, links } = record(instrument);
    return { name, wires: [...leaves(link), ...leaves(links)].map((wire) => leaves(shared[wire])[0] ?? wire) };
  });
  return [...found.values()].map((one) => ({
    ...one,
    instruments: wires.filter((i) => i.wires.some((wire) => wire === one.link || wire.startsWith(`${one.link}?`))).map((i) => i.name),
  }));
}

/** The rig's text as data; empty where it is not there, or is none. */
async function rigOf(folder: string): Promise<Record<string, unknown>> {
  for await (const { messages } of chunksFrom(folder, undefined, { ended: true })) {
    const rig = messages.find((m) => m.topic === 'rig');
    if (!rig) continue;
    try {
      const { yaml } = record(JSON.parse(new TextDecoder().decode(rig.bytes)));
      return typeof yaml === 'string' ? record(parse(yaml)) : {};
    } catch {
      return {};
    }
  }
  return {};
}
