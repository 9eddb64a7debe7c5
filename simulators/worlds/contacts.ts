/** What is wrong with the contacts of the simulated sample, as a rig says it, so that a person can see what each fault looks like. */
import { whole, word } from '../../src/simulator.ts';
import type { Dac } from './dac.ts';

const CONTACTS = ['sound', 'open current', 'open voltage', 'swapped leads'] as const;

export interface Contacts {
  readonly contact: (typeof CONTACTS)[number];
  readonly contact_after: number;
}

/** Options of a simulator that drives the sample. */
export const CONTACT_OPTIONS = {
  contact: word('the contacts of the sample: what is wrong with them', CONTACTS, 'sound'),
  contact_after: whole('seconds after which that happens', 0, 86_400, 0),
};

/** Makes it so from its time on; sound ones are left as they are. */
export function spoil(w: Dac, { contact, contact_after }: Contacts, t: number): void {
  if (contact === 'sound' || t < contact_after) return;
  if (contact === 'swapped leads') w.probe.faults.swapped = true;
  else w.probe.faults.open = contact === 'open current' ? 'current' : 'voltage';
}
