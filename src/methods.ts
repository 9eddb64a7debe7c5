/** The methods of derivation by name, and a rig's derivations made ready to run. */
import { createHash } from 'node:crypto';
import { acResistance, thirdHarmonic } from './derive/ac-methods.ts';
import { anomaly, anomalySetPoint } from './derive/anomaly.ts';
import { powerRatio, pressureDifference, temperatureDifference, voltageRatio } from './derive/arithmetic.ts';
import { deltaStream } from './derive/delta-stream.ts';
import type { Derivation } from './derive/derivation.ts';
import { diamondEdge, pressureScale, ruby, samarium, thermalMethod } from './derive/pressure-methods.ts';
import { deltaMethod, fourTerminal, jouleMethod, vanDerPauwMethod, wiedemannFranzMethod } from './derive/resistivity-methods.ts';
import { planckMl } from './derive/temperature.ts';
import { thermocoupleMethod } from './derive/thermocouple-method.ts';
import { twoSides } from './derive/two-sides.ts';
import type { NodeSpec } from './graph.ts';
import type { Rig, RigFile } from './rig.ts';
import { isAuto, ledgerRecord } from './rig-calibrations.ts';
import { Refused } from './talk.ts';

// biome-ignore lint/suspicious/noExplicitAny: methods of different inputs and parameters stand in one list
type AnyMethod = Derivation<any, any, any, any> & { readonly files?: readonly string[] };

const ALL: readonly AnyMethod[] = [
  planckMl,
  thermocoupleMethod,
  twoSides,
  anomaly,
  anomalySetPoint,
  ruby,
  samarium,
  diamondEdge,
  pressureScale,
  thermalMethod,
  deltaMethod,
  deltaStream,
  acResistance,
  thirdHarmonic,
  jouleMethod,
  vanDerPauwMethod,
  fourTerminal,
  wiedemannFranzMethod,
  powerRatio,
  voltageRatio,
  temperatureDifference,
  pressureDifference,
];

export const methods: ReadonlyMap<string, AnyMethod> = new Map(ALL.map((m) => [m.method, m]));

const isFile = (value: unknown): value is RigFile => value !== null && typeof value === 'object' && 'sha256' in value && 'bytes' in value;

/** Every file that the rig's parameters name, by its path. */
export function filesOf(rig: Rig): Readonly<Record<string, RigFile>> {
  const found: Record<string, RigFile> = {};
  const walk = (value: unknown): void => {
    if (isFile(value)) found[value.path] = value;
    else if (value !== null && typeof value === 'object' && !ArrayBuffer.isView(value)) Object.values(value).forEach(walk);
  };
  for (const d of rig.derive) walk(d.params);
  for (const { text, files } of rig.calibrations ?? []) walk([text, files]);
  return found;
}

/** A rig's derivations; throws only for what the rig's check lets not pass. */
export function nodesOf(rig: Rig): readonly NodeSpec[] {
  const calibrations = rig.calibrations ?? [];
  const records = calibrations.map(ledgerRecord);
  return rig.derive.map((d) => {
    const derivation = methods.get(d.method);
    if (!derivation) throw new Error(`${d.name}: no method ${d.method}`);
    const params: unknown = derivation.params.parse(d.params);
    if (params instanceof Refused) throw new Error(`${d.name}: ${params.why}`);
    const auto = isAuto(d);
    const only = Object.entries(d.inputs).flatMap(([name, { is }]) => (is === undefined ? [] : [[name, is]]));
    const hashed = JSON.stringify(
      auto ? [d.params, calibrations.map(({ text }) => text.sha256), ...(only.length > 0 ? [only] : [])] : d.params,
      (_, value: unknown) => (isFile(value) ? value.sha256 : value),
    );
    const calibration = isTable(d.params.calibration) ? Object.values(d.params.calibration).find(isFile) : undefined;
    return {
      name: d.name,
      derivation,
      inputs: d.inputs,
      params,
      parametersId: createHash('sha256').update(hashed).digest('hex').slice(0, 16),
      ...(calibration ? { calibration: calibration.sha256.slice(0, 16) } : {}),
      ...(auto ? { records } : {}),
    };
  });
}

const isTable = (value: unknown): value is Readonly<Record<string, unknown>> => value !== null && typeof value === 'object';
