/** A session as one point in the measurement `sessions`: never a tag, because each start of the program would make new series. */
import { basename } from 'node:path';
import type { Lines } from './line.ts';
import { tagValue } from './line-text.ts';
import type { McapMessage } from './mcap-read.ts';

export interface SessionPoint {
  readonly rig: string;
  /** The session folder's name. */
  readonly session: string;
  readonly version: string;
  /** Microseconds since 1970; `ended` is added to the same point at the end. */
  readonly began: number;
  readonly ended?: number;
}

const quoted = (text: string): string => `"${text.replace(/[\\"]/g, '\\$&').replaceAll('\n', ' ')}"`;

export function sessionLine(p: SessionPoint): Lines {
  const fields = [
    `session=${quoted(p.session)}`,
    `version=${quoted(p.version)}`,
    ...(p.ended === undefined ? [] : [`ended=${Math.round(p.ended)}i`]),
  ];
  const bytes = new TextEncoder().encode(`sessions,rig=${tagValue(p.rig)} ${fields.join(',')} ${Math.round(p.began)}000\n`);
  return { bytes, starts: [0, bytes.length] };
}

/** What a session's first message says of it. The folder's name stands in where the message has none: it may have another name by now. */
export function sessionOf(folder: string, { t, bytes }: Pick<McapMessage, 't' | 'bytes'>): SessionPoint {
  const { name, session, version } = JSON.parse(new TextDecoder().decode(bytes)) as { name?: string; session?: string; version?: string }; // written by recorder.ts
  return { rig: name ?? '', session: session ?? basename(folder), version: version ?? 'unknown', began: t };
}
