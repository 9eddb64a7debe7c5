/** What arrived on one link, from the session's raw part, message by message as its protocol reads it today. */
import { type Decoder, Fault } from '../../protocols/protocol.ts';
import type { AnyProtocol } from '../instrument.ts';
import type { McapMessage } from '../recorder/mcap-read.ts';
import { seriesName } from '../recorder/part-name.ts';
import { NAMED, namedOf, seriesOf } from '../recorder/session-json.ts';
import { chunksFrom, type Trouble } from '../recorder/session-read.ts';
import { hex, isHex } from './hex.ts';

export { hex, unhex } from './hex.ts';

export interface Told {
  /** When its last byte came, microseconds since 1970. */
  readonly t: number;
  /** Of a packet that has one, such as a file. */
  readonly name?: string;
  /** A message, or a Fault. */
  readonly m: unknown;
  /** Its bytes, where nothing else was in them. */
  readonly raw?: Uint8Array;
}

/** What a topic of the series is to this link. */
interface Topic {
  readonly is: 'heard' | 'named' | 'said' | 'other';
  /** Of this link. */
  readonly mine: boolean;
  expected: number;
}

const TIMES = 1 << 16; // kept of a link that is seldom asked
const EMPTY = new Uint8Array(0);

export class Tape {
  readonly link: string;
  readonly protocol: AnyProtocol;
  /** What has come and has not been taken yet, in its order. */
  readonly waiting: Told[] = [];
  readonly #chunks: AsyncGenerator<{ readonly messages: readonly McapMessage[] }, void, undefined>;
  #messages: readonly McapMessage[] = [];
  #at = 0;
  #over = false;
  #any = false;
  /** The decoder holds nothing. */
  #fresh = true;
  #decoder: Decoder<unknown>;
  /** Places at which bytes are missing, so far; a link of which nothing was recorded is one. */
  holes = 1;
  readonly #topics = new Map<string, Topic>();
  /** When something came, of what has not been asked for yet. */
  #times: number[] = [];

  constructor(folder: string, link: string, protocol: AnyProtocol, onTrouble: (trouble: Trouble) => void) {
    const series = seriesName(seriesOf(link));
    this.link = link;
    this.protocol = protocol;
    this.#chunks = chunksFrom(folder, undefined, {
      series,
      ended: true,
      onTrouble: (trouble) => {
        this.#hole();
        onTrouble(trouble);
      },
    });
    this.#decoder = protocol.tells.decoder();
  }

  /** Reads on to a time, that time included. Resolves at once where that has been read already. */
  pull(t: number): Promise<void> | undefined {
    if (!this.#step(t)) return undefined;
    return this.#pull(t);
  }

  async #pull(t: number): Promise<void> {
    while (this.#step(t)) {
      const { value, done } = await this.#chunks.next();
      if (done) this.#over = true;
      else {
        this.#messages = value.messages;
        this.#at = 0;
      }
    }
  }

  /** Takes what is in memory; true where more must be read to get there. */
  #step(t: number): boolean {
    for (; this.#at < this.#messages.length; this.#at++) {
      const message = this.#messages[this.#at];
      if (message.t > t) return false;
      this.#take(message);
    }
    return !this.#over;
  }

  /** There is no more of it, though there may have been. */
  get spent(): boolean {
    return this.#over && this.holes > 0 && this.waiting.length === 0;
  }

  /** What was half said is never ended. */
  #hole(): void {
    this.holes++;
    this.reset();
  }

  #topic(topic: string): Topic {
    let known = this.#topics.get(topic);
    if (!known) {
      const { link } = this;
      const is = topic === `${link} in` ? 'heard' : topic === `${link} in${NAMED}` ? 'named' : topic === `${link} out` ? 'said' : 'other';
      known = { is, mine: topic.startsWith(`${link} `), expected: 0 };
      this.#topics.set(topic, known);
      if (known.mine && !this.#any) this.holes--; // there is something
      if (known.mine) this.#any = true;
    }
    return known;
  }

  #take(message: McapMessage): void {
    const { t, sequence } = message;
    const topic = this.#topic(message.topic);
    if (topic.mine && sequence > topic.expected) this.#hole();
    topic.expected = sequence + 1;
    if (topic.is === 'heard' || topic.is === 'named') {
      if (this.#times.at(-1) !== t) this.#times.push(t);
      if (this.#times.length > TIMES) this.#times.splice(0, TIMES / 2);
      if (topic.is === 'heard') this.#hear(t, message.bytes);
      else {
        const packet = named(message.bytes);
        for (const m of packet ? this.#decoder(packet.bytes) : []) this.waiting.push({ t, name: packet?.name ?? '', m });
      }
    } else if (topic.is === 'said' && this.protocol.framing !== 'packets') {
      this.#decoder(EMPTY); // a question: what was held is noise
      this.#fresh = true;
    }
  }

  #hear(t: number, bytes: Uint8Array): void {
    const said = this.#decoder(bytes);
    if (this.#fresh && said.length === 1 && !(said[0] instanceof Fault)) this.waiting.push({ t, m: said[0], raw: bytes });
    else for (const m of said) this.waiting.push({ t, m });
    this.#fresh = false;
  }

  /** The link has gone down: what was half said is never ended. */
  reset(): void {
    this.#decoder = this.protocol.tells.decoder();
    this.#fresh = true;
  }

  /**
   * The reply that the exchange says it was; what came before it goes to `unasked`. 'other': the raw bytes of that moment say something
   * else; 'lost': there are none.
   */
  reply(t: number, hex: string, unasked: (told: Told) => void): Told | 'other' | 'lost' {
    const came = this.#came(t);
    const first = this.waiting.at(0);
    if (first?.t === t && isSaid(first, this.protocol, hex)) {
      this.waiting.shift();
      return first;
    }
    const found = this.waiting.findIndex((told) => told.t === t && isSaid(told, this.protocol, hex));
    if (found >= 0) {
      const told = this.waiting[found];
      for (const before of this.waiting.splice(0, found + 1)) if (before !== told) unasked(before);
      return told;
    }
    // What stands in its place is no message of a stream.
    const at = this.waiting.findIndex((told) => told.t === t);
    if (at >= 0) for (const before of this.waiting.splice(0, at + 1).slice(0, -1)) unasked(before);
    return came ? 'other' : 'lost';
  }

  /** Whether something came then; all before that is forgotten. */
  #came(t: number): boolean {
    const times = this.#times;
    if (times.length === 1 && times[0] === t) return true; // the common case
    let came = false;
    let kept = 0;
    for (const time of times) {
      if (time === t) came = true;
      if (time >= t) times[kept++] = time;
    }
    times.length = kept;
    return came;
  }

  async close(): Promise<void> {
    await this.#chunks.return(undefined);
  }
}

/** Undefined where there is no name before the bytes: it is none of ours. */
function named(bytes: Uint8Array): ReturnType<typeof namedOf> | undefined {
  try {
    return namedOf(bytes);
  } catch {
    return undefined;
  }
}

/** The bytes of a message as the exchange records them; of noise, what could not be read. */
export function hexOf({ m }: Told, protocol: AnyProtocol): string {
  try {
    return hex(m instanceof Fault ? m.bytes : protocol.tells.encode(m));
  } catch {
    return ''; // a message that this protocol cannot say: it is no reply that was recorded
  }
}

function isSaid({ m, raw }: Told, protocol: AnyProtocol, text: string): boolean {
  if (raw && isHex(raw, text)) return true;
  try {
    return isHex(m instanceof Fault ? m.bytes : protocol.tells.encode(m), text);
  } catch {
    return text === '';
  }
}
