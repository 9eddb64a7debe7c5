/** A session as one point in the measurement `sessions`: never a tag, because each start of the program would make new series. */
import type { Lines } from './line.ts';
import { tagValue } from './line-text.ts';

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
