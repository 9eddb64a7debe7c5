/** The calibrations that there are, and which of them fits a spectrum. Pure: what is learnt makes a new ledger. */

import type { SpectralFrame, Table } from './calibration.ts';
import type { CalibrationRecord } from './calibration-record.ts';
import { spectrumOf, tableOf } from './files.ts';

/** The bytes of the files that a record names. */
export interface CalibrationFiles {
  readonly data?: Uint8Array;
  readonly dark?: Uint8Array;
  readonly radiance?: Uint8Array;
}

/** A record whose files have been read, ready to be used. */
export interface LedgerRecord {
  readonly record: CalibrationRecord;
  readonly frame?: SpectralFrame;
  /** The lamp's own dark. */
  readonly dark?: SpectralFrame;
  readonly radiance?: Table;
}

export interface NotPrepared {
  readonly wrong: string;
  /** The file that it is wrong with. */
  readonly of: keyof CalibrationFiles | 'record';
}

/** Reads the files of a record, all frames of one averaged. Never throws for what they hold. */
export function prepared(record: CalibrationRecord, files: CalibrationFiles): LedgerRecord | NotPrepared {
  const frame = files.data && spectrumOf(files.data, 'mean');
  if (typeof frame === 'string') return { wrong: frame, of: 'data' };
  const dark = files.dark && spectrumOf(files.dark, 'mean');
  if (typeof dark === 'string') return { wrong: dark, of: 'dark' };
  const radiance = files.radiance && tableOf(files.radiance);
  if (typeof radiance === 'string') return { wrong: radiance, of: 'radiance' };
  if (record.calibration !== 'wavelength' && !frame) return { wrong: `a ${record.calibration} calibration needs its data`, of: 'data' };
  const columns = record.region.columns;
  if (frame && columns !== undefined && frame.columns !== columns)
    return { wrong: `the record speaks of ${columns} columns, and its data has ${frame.columns}`, of: 'data' };
  if (frame && record.region.rows && record.region.rows[1] >= frame.rows && frame.counted !== false)
    return { wrong: `the record speaks of rows up to ${record.region.rows[1]}, and its data has ${frame.rows}`, of: 'data' };
  if (frame && dark && (dark.rows !== frame.rows || dark.columns !== frame.columns))
    return { wrong: `the dark has ${dark.rows} x ${dark.columns} pixels, the lamp ${frame.rows} x ${frame.columns}`, of: 'dark' };
  return { record, ...(frame ? { frame } : {}), ...(dark ? { dark } : {}), ...(radiance ? { radiance } : {}) };
}
