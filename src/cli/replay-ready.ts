/** What every way of replaying a session begins with: its rig, or another one, with the drivers of today and the calibration that is wanted. */
import { dirname, resolve } from 'node:path';
import type { Catalogue } from '../catalogue.ts';
import { methods } from '../methods.ts';
import { type Chosen, withCalibration } from '../replay/choose-calibration.ts';
import { withRecordedFolders } from '../replay/recorded-links.ts';
import { sessionRig } from '../replay/session-rig.ts';
import { loadRig, type Message, printed, type Rig } from '../rig.ts';
import { withUserDrivers } from '../rig-drivers.ts';
import { version } from '../version.ts';
import { EXIT } from './command.ts';

/** One session's end: its code, its words, and the same as data. With `failed` in the data the words are an error's. */
export interface Outcome {
  readonly code: number;
  readonly words: string;
  readonly data: Readonly<Record<string, unknown>>;
}

export function failure(session: string, why: string, code: number = EXIT.failed): Outcome {
  return { code, words: `bridgman replay: ${why}\n`, data: { session, failed: why } };
}

/** `known`: the catalogue with the drivers beside the rig; `head`: a line that says what goes through what. */
export interface Ready extends Chosen {
  readonly known: Catalogue;
  readonly head: string;
}

export interface Through {
  /** Another rig than the session's. */
  readonly rig?: string;
  readonly calibration?: string;
}

const wrong = (messages: readonly Message[]): string => messages.map(printed).join('\n');

/**
 * The rig of the session, or another one, with the calibration that is wanted; an Outcome where that cannot be had. `goes`: through today's
 * program, or against something of it.
 */
export async function ready(session: string, through: Through, known: Catalogue, goes = 'through'): Promise<Ready | Outcome> {
  const now = `${goes} bridgman ${await version()}`;
  let rig: Rig;
  let head: string;
  if (through.rig === undefined) {
    const read = await sessionRig(session, known, methods);
    if (typeof read === 'string') return failure(session, `${session}: ${read}`);
    const { loaded, said, outside } = read;
    if (!loaded.ok) {
      const files = outside.length > 0 ? `\n(files outside of the rig's folder are not laid out again: ${outside.join(', ')})` : '';
      return failure(
        session,
        `${session}: today the rig of the session is refused; name another with --rig\n${wrong(loaded.messages)}${files}`,
        EXIT.rig,
      );
    }
    rig = loaded.rig;
    head = `${session}: rig ${rig.name}, recorded by bridgman ${said.version ?? 'of an unknown version'}, ${now}`;
  } else {
    const loaded = await loadRig(through.rig, known, methods);
    if (!loaded.ok) return failure(session, wrong(loaded.messages), EXIT.rig);
    rig = loaded.rig;
    head = `${session}: ${now} and the rig ${through.rig}`;
  }
  rig = await withRecordedFolders(rig, session);
  const own = dirname(dirname(resolve(session)));
  const { catalogue } = await withUserDrivers(known, through.rig === undefined ? own : rig.folder);
  if (through.calibration === undefined) return { rig, learns: () => true, known: catalogue, head };
  const chosen = await withCalibration(rig, through.calibration, through.rig === undefined ? [own] : [rig.folder, own]);
  return typeof chosen === 'string'
    ? failure(session, chosen)
    : { ...chosen, known: catalogue, head: `${head}, calibration ${through.calibration}` };
}
