/** What the words of CAEN high-voltage supplies mean, by family: names, status bits, spellings of parameters, errors. */
import type { CaenError } from './caen-hv.ts';

export const CAEN_FAMILIES = ['N14xx', 'DT55xx', '803x'] as const;
export type CaenFamily = (typeof CAEN_FAMILIES)[number];

/** Bits of the status word, bit 0 first. N1470 user manual; DT55xxE user manual; 803x user manual, and DT1415ET as dcs-server reads it. */
export const CAEN_STATUS: Readonly<Record<CaenFamily, readonly string[]>> = {
  N14xx: [
    ...['on', 'ramping_up', 'ramping_down', 'over_current', 'over_voltage', 'under_voltage', 'at_max_voltage', 'tripped'],
    ...['over_power', 'over_temperature', 'disabled', 'killed', 'interlocked', 'not_calibrated'],
  ],
  DT55xx: [
    ...['on', 'ramping_up', 'ramping_down', 'over_current', 'over_voltage', 'under_voltage', 'at_max_voltage', 'tripped'],
    ...['over_power', 'temperature_warning', 'over_temperature', 'killed', 'interlocked'],
  ],
  '803x': [
    ...['on', 'ramping_up', 'ramping_down', 'over_current', 'over_voltage', 'under_voltage', 'tripped', 'over_power'],
    ...['temperature_warning', 'over_temperature', 'killed', 'interlocked', 'disabled', 'failed', 'locked', 'at_max_voltage'],
  ],
};
/** What the status is said to be: the first of these that is true, and otherwise off. */
export const CAEN_WORST: readonly string[] = [
  ...['failed', 'not_calibrated', 'killed', 'interlocked', 'tripped', 'over_temperature', 'over_power', 'over_voltage', 'over_current'],
  ...['locked', 'disabled', 'at_max_voltage', 'ramping_up', 'ramping_down', 'under_voltage', 'temperature_warning', 'on'],
];
/** Flags that keep a channel from going on. */
export const CAEN_BLOCKING: readonly string[] = ['failed', 'killed', 'interlocked', 'over_temperature', 'locked', 'disabled'];
/** A flag as words. */
export const caenWords = (flag: string): string => flag.replaceAll('_', ' ');
/** Bits of the board's alarm word; of the 803x they are not documented. */
export const CAEN_ALARMS: Readonly<Record<CaenFamily, readonly string[]>> = {
  N14xx: ['channel 0', 'channel 1', 'channel 2', 'channel 3', 'power fail', 'over power', 'high-voltage clock fail'],
  DT55xx: CAEN_STATUS.DT55xx.map(caenWords),
  '803x': [],
};

/** What an error says, for people. */
export const CAEN_TROUBLE: Readonly<Record<CaenError, string>> = {
  CMD: 'it does not know this command',
  CH: 'it has no such channel',
  PAR: 'it has no such parameter',
  VAL: 'the value is outside of its limits, or not of its format',
  LOC: 'it is in LOCAL mode: its front panel has control; switch it to REMOTE there',
};

/** The family by the name: DT1415ET is one of the 803x by its words. */
export function caenFamily(name: string): CaenFamily | undefined {
  if (/^[A-Z]{1,3}(80\d\d|1415)/i.test(name)) return '803x';
  if (/^[A-Z]{1,3}14\d\d/i.test(name)) return 'N14xx';
  return /^[A-Z]{1,2}55\d\d/i.test(name) ? 'DT55xx' : undefined;
}

/** Spellings by name, the likeliest first; firmware differs. */
export const CAEN_SPELLINGS: Readonly<Record<string, readonly string[]>> = {
  ...{ VSET: ['VSET'], ISET: ['ISET'], VMON: ['VMON'], IMON: ['IMON'], RUP: ['RUP'], RDW: ['RDW', 'RDWN'], TRIP: ['TRIP'] },
  ...{ STAT: ['STAT', 'STATUS'], MAXV: ['MAXV'], PDWN: ['PDWN'], POL: ['POL'] },
};
/** Where the largest setting and the decimals are asked, when there is no INFO. */
export const CAEN_LIMITS: Readonly<Record<string, readonly [readonly string[], readonly string[]]>> = {
  VSET: [['VMAX'], ['VDEC', 'VSDEC']],
  ISET: [['IMAX', 'IMAXH'], ['ISDEC']],
  RUP: [['RUPMAX'], ['RUPDEC']],
  RDW: [['RDWMAX'], ['RDWDEC']],
  TRIP: [['TRIPMAX'], ['TRIPDEC']],
  MAXV: [['MVMAX'], ['MVDEC']],
};
/** V, µA, V/s, V/s, s, V and decimals where the unit does not say them. */
export const CAEN_OTHERWISE: Readonly<Record<string, readonly [number, number]>> = {
  ...{ VSET: [10_000, 1], ISET: [10_000, 2], RUP: [500, 0], RDW: [500, 0], TRIP: [1000, 1], MAXV: [10_000, 0] },
};
