/** A rig with one calibration in the place of all others of its kind and channel. */
import type { LedgerRecord } from '../derive/ledger.ts';
import type { Rig } from '../rig.ts';
import { isAuto, type RigCalibration, readCalibrations } from '../rig-calibrations.ts';

export interface Chosen {
  readonly rig: Rig;
  /** Those that came while the rig ran are learnt where they are of another kind or channel. */
  readonly learns: (one: LedgerRecord) => boolean;
}

const FROM_THE_BEGINNING = { from: 0 };

/** A lamp and a response take each other's place. */
const kindOf = ({ calibration }: { readonly calibration: string }): string => (calibration === 'response' ? 'lamp' : calibration);

/** `folders`: where calibrations are looked for beside the rig's own. A sentence where there is none of this id, or nothing takes it. */
export async function withCalibration(rig: Rig, id: string, folders: readonly string[]): Promise<Chosen | string> {
  const found = new Map<string, RigCalibration>();
  for (const one of rig.calibrations ?? []) found.set(one.record.id, one);
  for (const folder of folders)
    for (const one of (await readCalibrations(folder)).calibrations) if (!found.has(one.record.id)) found.set(one.record.id, one);
  const chosen = found.get(id);
  if (!chosen) {
    const known = [...found.values()].map(({ record }) => `${record.id} (${record.calibration} of ${record.of})`);
    return `there is no calibration ${id}; ${known.length === 0 ? 'the rig has none' : `there are ${known.join(', ')}`}`;
  }
  const { record } = chosen;
  const wants = rig.derive.some((d) => isAuto(d) && Object.values(d.inputs)[0]?.from.replace(/\[\d+\]$/, '') === record.of);
  if (!wants) return `no derivation of the rig takes calibrations of ${record.of} from the ledger ("calibration: auto")`;
  const others = (rig.calibrations ?? []).filter(({ record: one }) => one.of !== record.of || kindOf(one) !== kindOf(record));
  return {
    // It may have been taken after the session: it is to hold for it all the same.
    rig: { ...rig, calibrations: [...others, { ...chosen, record: { ...record, valid: FROM_THE_BEGINNING } }] },
    learns: ({ record: one }) => one.of !== record.of || kindOf(one) !== kindOf(record),
  };
}
