/** A calibration that came while the rig ran, from its entry in the session and its files. */
import { basename } from 'node:path';
import { heardCalibration } from '../calibrate-live.ts';
import type { LedgerRecord } from '../derive/ledger.ts';
import type { CalibrationEntry } from '../entry.ts';

/** What derivations took of it then; a sentence where a file of it is missing or damaged. */
export function learntFrom(
  { by, path, id }: Pick<CalibrationEntry, 'by' | 'path' | 'id'>,
  files: Readonly<Record<string, Uint8Array>>,
): LedgerRecord | string {
  const text = files[path];
  if (!text) return `the calibration ${id} (${path}) is not in the session`;
  const heard = heardCalibration({
    by,
    name: basename(path),
    text: new TextDecoder().decode(text),
    files: Object.fromEntries(Object.entries(files).map(([name, bytes]) => [basename(name), Buffer.from(bytes).toString('base64')])),
  });
  return typeof heard === 'string' ? `the calibration ${id}: ${heard}` : heard.ready;
}
