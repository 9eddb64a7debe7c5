/** What of a rig decides on a calibration: its derivations that take theirs from the ledger, by channel, path, rows and window. */
import { join } from 'node:path';
import { catalogue, nearest } from '../catalogue.ts';
import type { Rows } from '../derive/calibration.ts';
import type { OpticalPath } from '../derive/calibration-record.ts';
import { EMPTY, type Ledger, learnt } from '../derive/ledger.ts';
import { methods } from '../methods.ts';
import { loadRig, printed, type Rig, type RigDerivation, type RigInput } from '../rig.ts';
import { isAuto, ledgerRecord, type RigCalibration, readCalibrations } from '../rig-calibrations.ts';
import { SOURCE } from '../rig-derive.ts';
import { inUnit } from '../rig-read.ts';

/** How light comes to a channel, as the rig tells it. */
export interface View {
  /** Names of the derivations. */
  readonly users: readonly string[];
  readonly constants: OpticalPath;
  /** Name of the entry -> its channel. */
  readonly channels: Readonly<Record<string, RigInput>>;
  readonly rows?: Rows;
  /** Metre. */
  readonly window?: readonly [number, number];
}

export interface RigRead {
  readonly rig: Rig;
  readonly ledger: Ledger;
  readonly calibrations: readonly RigCalibration[];
  /** Of records that cannot be used. */
  readonly doubts: readonly string[];
}

/** The rig with its calibrations as they are now; sentences where it cannot be used. */
export async function readRig(folder: string): Promise<RigRead | readonly string[]> {
  const loaded = await loadRig(join(folder, 'rig.yaml'), await catalogue(), methods);
  if (!loaded.ok) return loaded.messages.map(printed);
  const { calibrations, messages } = await readCalibrations(loaded.rig.folder);
  return { rig: loaded.rig, ledger: calibrations.map(ledgerRecord).reduce(learnt, EMPTY), calibrations, doubts: messages.map(printed) };
}

/** A sentence where the rig has no such channel of an instrument. */
export function channelFault({ instruments }: Rig, channel: string): string | undefined {
  const [, name = ''] = SOURCE.exec(channel) ?? [];
  if (name === '') return `a channel is INSTRUMENT.CHANNEL, such as us.spectrum, not "${channel}"`;
  const names = instruments.map((i) => i.name);
  if (names.includes(name)) return undefined;
  const near = nearest(name, names);
  return `the rig has no instrument "${name}"${near ? `; did you mean ${near}?` : `; there are ${names.join(', ')}`}`;
}

const first = ({ inputs }: RigDerivation): string | undefined => Object.values(inputs)[0]?.from;

/**
 * The one view of a channel, of the derivation that is named, or of all that see it alike; undefined where none takes its calibration from
 * the ledger; a sentence where there are several. Where there is no light its path does not matter.
 */
export function viewOf({ derive }: Rig, channel: string, named?: string, lightless = false): View | string | undefined {
  const users = derive.filter((d) => isAuto(d) && first(d) === channel);
  if (named !== undefined && !users.some((d) => d.name === named)) {
    const names = users.map((d) => d.name).join(', ');
    return `--for: no derivation "${named}" takes the calibration of ${channel} from the ledger${names === '' ? ' (calibration: auto)' : `; there are ${names}`}`;
  }
  if (lightless && users.length > 0) return { users: users.map((d) => d.name), constants: {}, channels: {} };
  const views = users.filter((d) => named === undefined || d.name === named).map(one);
  const kinds = new Map<string, View[]>();
  for (const view of views) {
    const key = JSON.stringify([view.constants, view.rows, view.channels]);
    kinds.set(key, [...(kinds.get(key) ?? []), view]);
  }
  if (kinds.size > 1) {
    const told = [...kinds.values()].map((same) => same.flatMap((v) => v.users).join(' and ')).join(' | ');
    return `${channel} is seen through more than one path or in more than one region (${told}): say which with --for NAME`;
  }
  const [same] = kinds.values();
  const [view] = same ?? [];
  if (!same || !view) return undefined;
  const windows = same.flatMap((v) => (v.window ? [v.window] : []));
  const window =
    windows.length === same.length ? ([Math.min(...windows.map(([a]) => a)), Math.max(...windows.map(([, b]) => b))] as const) : undefined;
  const { window: _, ...rest } = view;
  return { ...rest, users: same.flatMap((v) => v.users), ...(window ? { window } : {}) };
}

const IN_PATH = 'path.';

function one({ name, inputs, params }: RigDerivation): View {
  const channels = Object.fromEntries(
    Object.entries(inputs).flatMap(([key, input]) => (key.startsWith(IN_PATH) ? [[key.slice(IN_PATH.length), input] as const] : [])),
  );
  const { rows, window } = params;
  const ends = Array.isArray(window) ? window.map((v) => inUnit(v, 'm')) : [];
  const [low, high] = ends.flatMap((e) => (typeof e === 'string' ? [] : [e.value]));
  return {
    users: [name],
    // The rig's check has looked at them one by one.
    constants: (params.path ?? {}) as OpticalPath,
    channels,
    ...(Array.isArray(rows) ? { rows: rows as unknown as Rows } : {}),
    ...(low !== undefined && high !== undefined ? { window: [low, high] as const } : {}),
  };
}
