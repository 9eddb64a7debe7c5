/** The simulators of a rig on a clock of the recording's time: recorded bytes go in, and what each says in answer is told from the rest. */
import { type Decoder, Fault } from '../../protocols/protocol.ts';
import type { Catalogue } from '../catalogue.ts';
import type { VirtualClock } from '../clock.ts';
import type { AnyProtocol } from '../instrument.ts';
import { paced } from '../links/simulated.ts';
import type { Rig } from '../rig.ts';
import { addressOf, simulatedRig } from '../rig-open.ts';
import { adapted, isBuilt, modelOf, type Wire, wires } from '../rig-wires.ts';
import { errorOf, formOf } from './against-form.ts';
import type { Recorded } from './player.ts';
import { unhex } from './tape.ts';

/** A recorded question on its way to a simulator. */
export interface Asking {
  readonly x: Recorded;
  /** An answer is expected. */
  readonly expected: boolean;
  /** What the recorded bytes ask, as the protocol reads them; nothing where it cannot. */
  readonly questions: readonly unknown[];
  /** Of a message: what is answered. */
  answer?: { readonly m: unknown };
  /** What was said in its place: a message that is no answer to it, or bytes that are none (a Fault). */
  other?: { readonly m: unknown };
  /** Nothing more is to come. */
  over: boolean;
}

export interface DevicesOptions {
  readonly rig: Rig;
  readonly catalogue: Catalogue;
  readonly clock: VirtualClock;
  readonly seed: number;
  /** A message that answers nothing, of a link; true where it belongs to a stream of somebody there. `t` in microseconds since 1970. */
  readonly unasked: (link: string, m: unknown, t: number, name: string | undefined) => boolean;
}

interface End {
  readonly link: string;
  readonly protocol: AnyProtocol;
  /** Seconds. */
  readonly within: number;
  readonly send: (asking: Asking, bytes: Uint8Array) => void;
}

const EMPTY = new Uint8Array(0);
const LOOK = 0.005; // seconds between two looks for a late answer
const LATEST = 5; // seconds that a late answer is waited for at most

export class Devices {
  readonly #options: DevicesOptions;
  /** instrument/role */
  readonly #ends = new Map<string, End>();
  /** Link -> questions whose answer may still come. */
  readonly #open = new Map<string, Asking[]>();
  readonly #closing: (() => void)[] = [];

  constructor(options: DevicesOptions) {
    const { rig, catalogue, clock, seed } = options;
    this.#options = options;
    const simulated = simulatedRig(rig, catalogue, clock, seed);
    const { wires: plain, tunnels } = wires(rig, catalogue);
    for (const wire of [...plain, ...tunnels]) {
      this.#open.set(wire.key, []);
      const there = isBuilt(wire) ? wire.users : wire.users.filter(({ instrument }) => simulated.device(instrument.name));
      if (there.length === 0) continue;
      if (wire.users[0].protocol.readout !== undefined) this.#readout({ ...wire, users: there }, (w) => simulated.open(w, () => {}));
      else for (const user of there) this.#device(wire, user, simulated);
    }
    this.#closing.push(() => {
      for (const { name } of rig.instruments) simulated.device(name)?.close();
    });
  }

  #within(instrument: Wire['users'][number]['instrument']): number {
    return adapted(modelOf(this.#options.catalogue, instrument), instrument).within;
  }

  /** A fast stream, with its readout process in the same process: only messages tell what is an answer. */
  #readout(wire: Wire, open: ReturnType<typeof simulatedRig>['open']): void {
    const { clock } = this.#options;
    const link = open(wire);
    if (!link) return;
    const [{ protocol }] = wire.users;
    const decode = protocol.tells.decoder();
    const heard = link.arrivals.subscribe(({ bytes, name }) => {
      for (const m of decode(bytes)) if (!(m instanceof Fault)) this.#late(wire.key, protocol, m, clock.now(), name);
    });
    this.#closing.push(() => {
      heard.unsubscribe();
      link.close();
    });
    for (const { instrument, role } of wire.users)
      this.#ends.set(`${instrument.name}/${role}`, {
        link: wire.key,
        protocol,
        within: this.#within(instrument),
        send: (asking, bytes) => {
          if (asking.expected) this.#opened(wire.key).push(asking);
          else asking.over = true;
          link.write(bytes, asking.expected);
        },
      });
  }

  /**
   * One role of one device. A simulator answers so long after a question as it says that it thinks (simulate.ts): what it says in that moment
   * is its answer, whatever else is asked meanwhile. Some answer later, by themselves: then the protocol tells, as it does on a wire.
   */
  #device(wire: Wire, { instrument, role, protocol }: Wire['users'][number], { device }: ReturnType<typeof simulatedRig>): void {
    const { clock, catalogue } = this.#options;
    const port = device(instrument.name)?.ports[role];
    if (!port) return;
    const think = catalogue.simulators.get(instrument.model)?.think ?? 0;
    const baud = baudOf(wire.address);
    const out = paced(clock, baud);
    let decoder: Decoder<unknown> = protocol.tells.decoder();
    let now: { readonly said: { readonly m: unknown; readonly name?: string }[]; any: boolean } | undefined;
    const heard = port.says.subscribe(({ bytes, name }) => {
      if (now) now.any = true;
      for (const m of decoder(bytes)) {
        if (now) now.said.push({ m, ...(name === undefined ? {} : { name }) });
        else if (!(m instanceof Fault)) this.#late(wire.key, protocol, m, clock.now(), name);
      }
    });
    this.#closing.push(() => heard.unsubscribe());
    const send = (asking: Asking, bytes: Uint8Array): void =>
      out(bytes, () => {
        if (protocol.apart === undefined) for (const before of [...this.#opened(wire.key)]) this.#end(wire.key, before);
        if (asking.expected) this.#opened(wire.key).push(asking);
        clock.after(think, () => {
          now = { said: [], any: false };
        });
        port.receive(bytes);
        clock.after(think, () => {
          const { said = [], any = false } = now ?? {};
          now = undefined;
          if (said.length === 0 && any) {
            for (const m of decoder(EMPTY)) said.push({ m });
            decoder = protocol.tells.decoder();
          }
          this.#said(wire.key, protocol, asking, said);
        });
      });
    this.#ends.set(`${instrument.name}/${role}`, { link: wire.key, protocol, within: this.#within(instrument), send });
  }

  #opened(link: string): Asking[] {
    return this.#open.get(link) ?? [];
  }

  #said(link: string, protocol: AnyProtocol, asking: Asking, said: readonly { readonly m: unknown; readonly name?: string }[]): void {
    const fitting = said.filter(({ m }) => !(m instanceof Fault) && answers(protocol, m, asking));
    asking.answer = fitting.length > 1 ? (fitting.find(({ m }) => alike(protocol, m, asking)) ?? fitting[0]) : fitting[0];
    for (const { m, name } of said) {
      if (fitting.some((one) => one.m === m)) continue;
      if (m instanceof Fault || !this.#options.unasked(link, m, this.#options.clock.now(), name)) asking.other ??= { m };
    }
    if (asking.answer || asking.other || !asking.expected) this.#end(link, asking);
  }

  /** Nobody asked this just now: a late answer, or a stream's. */
  #late(link: string, protocol: AnyProtocol, m: unknown, t: number, name: string | undefined): void {
    const asking = this.#opened(link).find((one) => answers(protocol, m, one));
    if (asking) {
      asking.answer = { m };
      this.#end(link, asking);
    } else this.#options.unasked(link, m, t, name);
  }

  #end(link: string, asking: Asking): void {
    asking.over = true;
    const open = this.#opened(link);
    const at = open.indexOf(asking);
    if (at >= 0) open.splice(at, 1);
  }

  /** Puts a question to be asked at its recorded time; undefined where there is no simulator for it. */
  ask(x: Recorded): Asking | undefined {
    const end = this.#ends.get(`${x.instrument}/${x.role}`);
    if (!end) return undefined;
    const { clock } = this.#options;
    const bytes = unhex(x.sent);
    const decode = end.protocol.asks.decoder();
    const questions = [...decode(bytes), ...decode(EMPTY)].filter((q) => !(q instanceof Fault));
    const asking: Asking = { x, expected: x.reply !== undefined || x.fault !== undefined, questions, over: false };
    clock.after((x.asked - clock.now()) / 1e6, () => end.send(asking, bytes));
    return asking;
  }

  /** Lets time pass until the answer is there, or cannot come any more. */
  settle(asking: Asking): void {
    const { clock } = this.#options;
    const { x } = asking;
    const end = this.#ends.get(`${x.instrument}/${x.role}`);
    const until = x.asked + Math.min(end?.within ?? 0, LATEST) * 1e6;
    while (!asking.over && clock.now() < until) clock.advance(Math.min(LOOK, (until - clock.now()) / 1e6));
    if (end) this.#end(end.link, asking);
  }

  protocolOf({ instrument, role }: Recorded): AnyProtocol | undefined {
    return this.#ends.get(`${instrument}/${role}`)?.protocol;
  }

  close(): void {
    for (const close of this.#closing) close();
  }
}

const answers = (protocol: AnyProtocol, m: unknown, { questions }: Asking): boolean =>
  questions.length === 0 || questions.some((q) => protocol.fits(m, q) === 'answer');

/** Of several answers, the one that was taken then: a question may be put in two forms, one of which is refused. */
function alike(protocol: AnyProtocol, m: unknown, { x }: Asking): boolean {
  const then = messageOf(protocol, x.reply ?? '');
  return errorOf(then) === errorOf(m) && formOf(then).shape === formOf(m).shape;
}

function baudOf(text: string): number | undefined {
  const address = addressOf(text);
  return address.kind === 'serial' || address.kind === 'simulated' ? address.baud : undefined;
}

/** The one message that bytes are; a Fault where they are none. */
export function messageOf(protocol: AnyProtocol, text: string): unknown {
  const bytes = unhex(text);
  const decode = protocol.tells.decoder();
  const all = [...decode(bytes), ...decode(EMPTY)];
  return all.length === 1 ? all[0] : (all.find((m) => m instanceof Fault) ?? new Fault('not one message', bytes));
}
