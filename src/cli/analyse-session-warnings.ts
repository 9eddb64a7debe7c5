/** What of a recorded session is lost or suspicious, as sentences. */
import type { HitOrderCounts } from '../derive/hit-order.ts';
import type { Trouble } from '../recorder/session-read.ts';
import type { Recorded, Session, Tape } from './analyse-session.ts';
import { orderWarnings } from './analyse-warnings.ts';

const plural = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`;

const troubled = (path: string, { kind, part, offset, bytes, why }: Trouble): string =>
  kind === 'missing'
    ? `${path}: ${why}`
    : `${path}: ${part} is ${kind === 'cut' ? 'cut' : 'damaged'} at byte ${offset} (${plural(bytes, 'byte')}): ${why}`;

/** Of the session as a whole. */
export function sessionWarnings(session: Session, streams: readonly unknown[]): readonly string[] {
  return [
    ...session.trouble.map((one) => troubled(session.path, one)),
    ...(session.rig === undefined ? [`${session.path}: its beginning is missing, and with it the rig`] : []),
    ...session.conditions.flatMap(({ of, readings, bad }) =>
      readings === 0 ? [`${of} is a condition of the run, and has ${bad > 0 ? `${bad} readings, all bad` : 'no reading in it'}`] : [],
    ),
    ...(streams.length > 1 ? ['times of different streams are compared as if their boards had one clock'] : []),
  ];
}

/** Of one stream: what was lost of the recording now, and on the way to it then. */
export function tapeWarnings(session: Session, stream: Recorded, tape: Tape, order: HitOrderCounts, window: number): readonly string[] {
  const { link, counted } = stream;
  const { lost, strange, begun } = tape.found;
  const said = tape.trouble.map((one) => troubled(session.path, one));
  const kind = tape.from === 'hits' ? 'block' : 'piece';
  if (lost > 0) said.push(`${link}: ${plural(lost, kind)} of the recording ${lost === 1 ? 'is' : 'are'} missing`);
  if (strange > 0) said.push(`${link}: ${plural(strange, 'block')} could not be read`);
  if (begun > 0) said.push(`${link}: its readout process began anew ${plural(begun, 'time')}`);
  const unrecorded = counted.get('unrecorded') ?? 0;
  if (unrecorded > 0) said.push(`${link}: ${plural(unrecorded, 'byte')} that came were not recorded: the disk was too slow or too full`);
  // Of the bytes read once more the source counts by itself; of hits only the readings of then can say it.
  const from = tape.from === 'stream' ? tape.source.counts : undefined;
  const of = (name: 'missing' | 'doubled' | 'late' | 'damaged' | 'junk'): number => from?.[name] ?? counted.get(name) ?? 0;
  if (of('missing') > 0) said.push(`${link}: ${plural(of('missing'), 'frame')} never came, by the numbers of those around them`);
  if (of('damaged') > 0) said.push(`${link}: ${plural(of('damaged'), 'frame')} had a wrong checksum or length`);
  if (of('doubled') > 0) said.push(`${link}: ${plural(of('doubled'), 'frame')} came twice and count once`);
  if (of('late') > 0) said.push(`${link}: ${plural(of('late'), 'frame')} came after later ones and count not`);
  if (of('junk') > 0) said.push(`${link}: ${plural(of('junk'), 'byte')} belonged to no frame`);
  if (from && from.cutOff > 0) said.push(`${link} ends in the middle of a frame: its last ${plural(from.cutOff, 'byte')} were left out`);
  return [...said, ...orderWarnings(link, order, window)];
}
