/**
 * Whom on a link an answer may be believed of. A key is the narrowest thing by which replies can be told apart: a unit's address, or the
 * link as a whole. One that is distrusted is asked its proof; all that comes before the proof's answer is dropped by the exchange.
 */
import type { Clock } from './clock.ts';
import type { Proof } from './instrument.ts';

export type Trust = { readonly proven: true } | { readonly proven: false; readonly why: string };

export interface Key {
  readonly name: string;
  proof: Proof<unknown, unknown> | undefined;
  /** Time-out of the proof in seconds: patient, because what comes late is what made it necessary. */
  within: number;
  /** proven: may be asked; unproven: the proof is due; settling: answered, waiting for those of earlier proofs; aside: silent, asked ever more rarely. */
  state: 'proven' | 'unproven' | 'settling' | 'aside';
  /** Proofs sent and answers to them since trust was lost. */
  sent: number;
  answers: number;
  failures: number;
  why: string;
  cancel: () => void;
}

export interface TrustOptions {
  /** The longest time in seconds that a reply may come late and still come. */
  readonly latest: number;
  /** Each reply tells its own question: without a proof there is nothing to distrust. */
  readonly exact: boolean;
  /** A key is trusted again, or has been set aside. */
  readonly tell: (key: Key, trust: Trust) => void;
  /** Nobody answers under this key: what waits for it has failed. */
  readonly fail: (key: Key, why: string) => void;
  /** Every key of the link has been set aside. */
  readonly silent: () => void;
  /** Something may be asked now. */
  readonly go: () => void;
}

export interface Trusts {
  named(name: string): Key;
  add(key: Key, proof: Proof<unknown, unknown>, within: number): void;
  distrust(key: Key, why: string): void;
  /** A key whose proof is to be asked now. */
  due(): Key | undefined;
  proves(key: Key, m: unknown, n: number): boolean;
  /** The proof has been answered; it was asked at `mono`. */
  answered(key: Key, mono: number): void;
  /** The answer of an earlier proof, perhaps. */
  late(key: Key, m: unknown, n: number): void;
  /** The proof has not been answered. */
  silent(key: Key): void;
  /** The proof cannot even be asked. */
  unaskable(key: Key, why: string): void;
  down(): void;
  close(): void;
}

const NEVER = (): void => {};
const PATIENCE = 1; // seconds at least
const FIRST_WAIT = 0.5;
const LONGEST_WAIT = 30;
const NOT_YET = 'not asked yet';
const NO_ANSWER = 'no answer to its identify question';

export function trusts(clock: Clock, options: TrustOptions): Trusts {
  const keys = new Map<string, Key>();
  const all: Key[] = []; // the same: looked through for each question

  const trust = (key: Key): void => {
    key.cancel();
    key.cancel = NEVER;
    key.state = 'proven';
    key.sent = 0;
    key.answers = 0;
    key.failures = 0;
    options.tell(key, { proven: true });
    options.go();
  };

  const proves = (key: Key, m: unknown, n: number): boolean => {
    try {
      return key.proof?.is(m, n) === true;
    } catch {
      return false; // a reply of another shape than the driver thought of
    }
  };

  const setAside = (key: Key): void => {
    key.state = 'aside';
    const wait = Math.min(FIRST_WAIT * 2 ** Math.max(0, key.failures - 2), LONGEST_WAIT);
    key.cancel = clock.after(wait, () => {
      key.state = 'unproven';
      options.go();
    });
    if (key.failures >= 2) options.tell(key, { proven: false, why: key.why });
    options.fail(key, key.why);
    const proved = [...keys.values()].filter((k) => k.proof);
    if (proved.every((k) => k.state === 'aside' && k.failures >= 3)) options.silent();
  };

  return {
    proves,
    named(name) {
      let key = keys.get(name);
      if (!key) {
        key = { name, proof: undefined, within: PATIENCE, state: 'proven', sent: 0, answers: 0, failures: 0, why: '', cancel: NEVER };
        keys.set(name, key);
        all.push(key);
      }
      return key;
    },
    add(key, proof, within) {
      key.within = Math.max(key.within, within);
      key.proof = proof;
      key.state = 'unproven';
      key.why = NOT_YET;
    },
    distrust(key, why) {
      if (options.exact && !key.proof) return;
      key.why = why;
      if (key.state === 'aside') return;
      key.cancel();
      key.cancel = NEVER;
      if (key.state === 'proven') {
        key.sent = 0;
        key.answers = 0;
      }
      key.state = 'unproven';
      if (key.proof) return;
      // Nothing can prove it: all that comes within the longest reply time is dropped.
      key.state = 'settling';
      key.cancel = clock.after(options.latest, () => trust(key));
    },
    due() {
      for (const key of all) if (key.state === 'unproven' && key.proof) return key;
      return undefined;
    },
    answered(key, mono) {
      key.answers++;
      key.failures = 0;
      if (key.proof?.fresh || key.answers >= key.sent) {
        trust(key);
        return;
      }
      key.state = 'settling';
      key.cancel = clock.after(Math.max(0, mono + options.latest - clock.mono()), () => trust(key));
    },
    late(key, m, n) {
      if (!proves(key, m, n)) return;
      key.answers++;
      if (key.answers >= key.sent) trust(key);
    },
    silent(key) {
      key.failures++;
      if (key.failures > 1) {
        // Why trust was lost in the first place stays in the reason.
        const first = key.why.startsWith(NO_ANSWER)
          ? key.why.slice(NO_ANSWER.length)
          : key.why && key.why !== NOT_YET
            ? ` (after: ${key.why})`
            : '';
        key.why = `${NO_ANSWER}${first}`;
        setAside(key);
      }
      // After the first time once more at once: one reply may have been lost.
      options.go();
    },
    unaskable(key, why) {
      key.why = why;
      key.failures = Math.max(key.failures, 1) + 1;
      setAside(key);
    },
    down() {
      for (const key of keys.values()) {
        key.cancel();
        key.cancel = NEVER;
        // Who was silent before stays on its growing waits: a link that comes and goes is no answer.
        if (key.state === 'proven') key.failures = 0;
        key.state = key.proof ? 'unproven' : 'proven';
        key.why = 'link down';
      }
    },
    close() {
      for (const key of keys.values()) key.cancel();
    },
  };
}
