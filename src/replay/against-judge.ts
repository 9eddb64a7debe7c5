/** Judges one exchange: the recorded answer beside the simulator's to the same question. */
import { Fault } from '../../protocols/protocol.ts';
import type { AnyProtocol } from '../instrument.ts';
import { type Asking, messageOf } from './against-devices.ts';
import type { Example, Findings } from './against-findings.ts';
import { type Form, formOf, isText, questionOf } from './against-form.ts';
import { type Recorded, shownHex } from './player.ts';
import { hex, hexOf, type Told, unhex } from './tape.ts';

export interface Judged {
  readonly example: Example;
  /** Both answers were to be had, or both silences. */
  readonly compared: boolean;
  /** The simulator's answer, where the driver is to read it in the place of the recorded one. */
  readonly usable?: { readonly m: unknown; readonly hex: string };
  readonly forms?: readonly [Form, Form];
  /** The simulator's is of a form that was not there before. */
  readonly odd?: boolean;
  /** Why it was not compared. */
  readonly skip?: string;
  /** Why the readings of this talk say nothing. */
  readonly spoil?: string;
}

const NOT_WRITTEN = 'not written'; // exchange.ts: its bytes never went
/** Ends that say nothing about the instrument, in the words of exchange.ts. */
const CUT_OFF: readonly string[] = ['link down', NOT_WRITTEN, 'given up for a safe order'];

/** Their talks give readings; a readback is a poll that an order waits for. */
export const isPoll = ({ by }: Pick<Recorded, 'by'>): boolean => /^(poll|readback):/.test(by);
const isIdentity = ({ by }: Recorded): boolean => by === 'identify' || by === 'proof';
/** Whether it goes to the simulator: what a tunnel carries is asked at the instrument behind it. */
export const isAsked = ({ by, fault }: Recorded): boolean => !by.startsWith('tunnel:') && fault !== NOT_WRITTEN;

export class Judge {
  readonly #findings: Findings;

  constructor(findings: Findings) {
    this.#findings = findings;
  }

  /** `told`: the recorded reply, where the raw bytes say more about it; `asking`: absent where there was nobody to ask. */
  exchange(x: Recorded, protocol: AnyProtocol | undefined, told: Told | undefined, asking: Asking | undefined): Judged {
    const { instrument, reply, fault } = x;
    const example: Example = { t: x.asked, question: shownHex(x.sent), ...(reply === undefined ? {} : { recorded: shownHex(reply) }) };
    if (!asking || !protocol) return { example, compared: false, skip: whyNot(x), spoil: 'it was not asked' };
    if (fault !== undefined && CUT_OFF.includes(fault)) return { example, compared: false, skip: `cut off then (${fault})` };
    if (fault !== undefined && x.came !== undefined) return { example, compared: false, skip: 'the recorded answer is noise' };
    if (x.by === 'proof' && reply === undefined)
      return { example, compared: false, skip: 'what came then was no proof, and is not in the exchange' };
    const [key, plain] = keysOf(x, asking, protocol);
    const { answer, other } = asking;
    const said = answer ?? other;
    const both: Example = said ? { ...example, simulator: shownHex(hexOf({ t: 0, m: said.m }, protocol)) } : example;
    const judged = { example: both, compared: true };
    this.#findings.asked(instrument, key, plain, reply !== undefined, said !== undefined, asking.expected, both);
    if (reply === undefined) return judged;
    if (!said) return { ...judged, spoil: 'the simulator did not answer' };
    const recorded = told ? told.m : messageOf(protocol, reply);
    if (!answer) {
      const [a, b] = [formOf(recorded), formOf(said.m)];
      const instead = a.shape === b.shape ? 'it does not fit the question' : `${b.shape} instead of ${a.shape}`;
      this.#findings.strange(instrument, key, plain, `no answer to this question: ${instead}`, both);
      return { ...judged, spoil: 'the simulator answered in another form' };
    }
    const { m } = answer;
    const { how, forms } = this.#findings.compare(instrument, key, plain, recorded, m, isIdentity(x), both);
    if (how === 'error') return { ...judged, spoil: 'one of the two answered with an error' };
    if (!isPoll(x) || recorded instanceof Fault) return judged;
    return { ...judged, usable: { m, hex: hexOf({ t: 0, m }, protocol) }, ...(forms ? { forms } : {}), odd: how === 'odd' };
  }
}

function whyNot({ by, fault }: Recorded): string {
  if (by.startsWith('tunnel:')) return 'what it carries is compared at the instrument behind it';
  return fault === NOT_WRITTEN ? 'its bytes did not go out then' : 'the rig has no such link';
}

/**
 * By what questions belong together: as they are, and without their numbers (orders bear another each time). Where frames carry a number,
 * without that.
 */
function keysOf(x: Recorded, { questions }: Asking, protocol: AnyProtocol): readonly [string, string] {
  let bytes = unhex(x.sent);
  const [q] = questions;
  if (q !== undefined && questions.length === 1) {
    const plain: unknown = protocol.number ? protocol.number(q, 0) : q;
    if (protocol.number) bytes = protocol.asks.encode(plain);
    if (!isText(bytes)) {
      const form = `${x.by}: ${formOf(plain).shape}`;
      return [isRepeated(x) ? `${x.by} (${hex(bytes)})` : form, form];
    }
  }
  if (!isText(bytes)) return [isRepeated(x) ? `${x.by} (${hex(bytes)})` : x.by, x.by];
  const plain = questionOf(bytes, false);
  return [isRepeated(x) ? questionOf(bytes, true) : plain, plain];
}
const isRepeated = (x: Recorded): boolean => isPoll(x) || x.by === 'identify' || /^(watchdog|feed)/.test(x.by);
