/** The spectrum of a pressure gauge as its fit takes it. */
import type { Reading } from '../reading.ts';
import type { Rows, SpectralFrame } from './calibration.ts';
import type { OpticalPath } from './calibration-record.ts';
import type { LedgerRecord } from './ledger.ts';
import { axisFor, type LedgerState, wantedFor, withRecord } from './ledger-spectrum.ts';
import { frameOfTrace } from './temperature.ts';

/** Parameters of a gauge that takes its wavelengths from the ledger. */
interface WithLedger {
  readonly calibration: true | undefined;
  readonly path: OpticalPath | undefined;
  readonly rows: Rows | undefined;
}

/** A fit's frame, with the wavelengths of the ledger where the rig wants them, and the id of the record they are from. */
export function frameFor(
  state: LedgerState,
  spectrum: Extract<Reading<'trace'>, { readonly quality: 'good' | 'suspect' }>,
  inputs: Readonly<Record<string, Reading | undefined>>,
  p: WithLedger,
): { readonly frame: SpectralFrame | string; readonly used?: readonly string[] } {
  if (!p.calibration) return { frame: frameOfTrace(spectrum.value) };
  const wanted = wantedFor(spectrum, inputs, p.path ?? {}, p.rows);
  if (typeof wanted === 'string') return { frame: wanted };
  const found = axisFor(state, wanted);
  return 'refused' in found ? { frame: found.refused } : { frame: frameOfTrace(spectrum.value, found.axis), used: [found.id] };
}
/** A gauge learns calibrations where the rig wants them. */
export const learns = (state: LedgerState, record: LedgerRecord, p: WithLedger): LedgerState =>
  p.calibration ? withRecord(state, record, p.rows) : state;
