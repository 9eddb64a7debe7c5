/** Severities in their order, and when an alarm is no alarm. */
import type { AlarmState, Severity } from './entry.ts';

export const SEVERITIES: readonly Severity[] = ['warning', 'alarm', 'critical'];

/** 0 for no alarm, 3 for the worst. */
export const rank = (severity: Severity | undefined): number => (severity === undefined ? 0 : SEVERITIES.indexOf(severity) + 1);

/** Nothing is wrong, nobody is waited for, and nothing is put aside: such a state is told once and then forgotten. */
export const isNormal = (state: AlarmState): boolean => state.now === undefined && !state.unacknowledged && state.shelved === undefined;

/** What the arguments of a command that tells somebody of an alarm may hold in braces. */
export const PLACES = ['name', 'severity', 'text', 'rig', 'guidance'] as const;
