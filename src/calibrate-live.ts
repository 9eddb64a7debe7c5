/** A calibration that comes to a running rig as texts and bytes: checked as one that is read from the rig's folder. */
import type { LedgerRecord } from './derive/ledger.ts';
import { prepared } from './derive/ledger.ts';
import { CALIBRATION_FOLDER, idOf, recordOf, sha256 } from './rig-calibrations.ts';
import { readSheet } from './rig-yaml.ts';

/** Files by their names, base64. */
export interface CalibrationSent {
  readonly by: string;
  /** Of the record's file. */
  readonly name: string;
  readonly text: string;
  readonly files: Readonly<Record<string, string>>;
}

export interface CalibrationHeard {
  readonly ready: LedgerRecord;
  /** By their path below the rig's folder. */
  readonly files: Readonly<Record<string, Uint8Array>>;
}

/** What derivations take of it, or a sentence that says what is wrong with it. */
export function heardCalibration({ name, text, files }: CalibrationSent): CalibrationHeard | string {
  const bytes = new TextEncoder().encode(text);
  const sheet = readSheet(name, bytes);
  const record = sheet.value === undefined ? undefined : recordOf(sheet);
  const [first] = sheet.errors;
  if (!record || first) return first ? `${name}:${first.line}: ${first.text}` : `${name} is no record`;
  if (record.id !== idOf(record)) return `${name}: what it says has the id ${idOf(record)}, not ${record.id}`;
  const radiance = record.lamp && 'radiance' in record.lamp ? record.lamp.radiance : undefined;
  const found: Record<string, Uint8Array> = {};
  const kept: Record<string, Uint8Array> = { [`${CALIBRATION_FOLDER}/${name}`]: bytes };
  for (const [part, named] of Object.entries({ data: record.data, dark: record.dark, radiance })) {
    if (!named) continue;
    const sent = Object.hasOwn(files, named.file) ? files[named.file] : undefined;
    if (sent === undefined) return `the file ${named.file} of ${name} was not sent`;
    const own = new Uint8Array(Buffer.from(sent, 'base64'));
    if (sha256(own) !== named.sha256) return `the file ${named.file} is not the one that ${name} names: its sha256 differs`;
    found[part] = own;
    kept[`${CALIBRATION_FOLDER}/${named.file}`] = own;
  }
  const ready = prepared(record, found);
  return 'wrong' in ready ? `${name}: ${ready.wrong}` : { ready, files: kept };
}
