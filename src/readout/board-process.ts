/**
 * johnny-five in a process of its own: its catalogue of parts over a board that the host owns. What it writes is handed to the host one
 * question at a time, and what the host hands back is all that it hears; the process has no port.
 */
import { EventEmitter } from 'node:events';
import { createRequire } from 'node:module';
import { type FirmataCommand, firmata, isAnswered } from '../../protocols/firmata.ts';
import {
  type ChildAsk,
  type ChildPart,
  type ChildTell,
  type ChildValue,
  firmataChild,
  fromHex,
  toHex,
} from '../../protocols/firmata-child.ts';
import { Fault } from '../../protocols/protocol.ts';

// Neither library has types of its own; what is used of them is written down here.
interface Component extends EventEmitter {
  readonly [property: string]: unknown;
}
type Five = { readonly Board: new (options: object) => EventEmitter } & Readonly<Record<string, new (options: object) => Component>>;
type Io = EventEmitter & { readonly isReady: boolean };

const EVERY = 100; // ms between two looks at what reports by itself on a wire of its own
const MOST = 256; // commands that may wait for the host
const TRIES = 5;

/** What a part of johnny-five measures, in SI. */
const MEASURES: Readonly<Record<string, readonly (readonly [name: string, of: (c: Component) => unknown])[]>> = {
  thermometer: [['temperature', (c) => c.kelvin]],
  hygrometer: [['humidity', (c) => Number(c.relativeHumidity) / 100]],
  barometer: [['pressure', (c) => Number(c.pressure) * 1000]],
  altimeter: [['altitude', (c) => c.meters]],
  light: [['level', (c) => c.level]],
  multi: [
    ['temperature', (c) => (c.thermometer as Component | undefined)?.kelvin],
    ['humidity', (c) => Number((c.hygrometer as Component | undefined)?.relativeHumidity) / 100],
    ['pressure', (c) => Number((c.barometer as Component | undefined)?.pressure) * 1000],
  ],
};

interface Part {
  readonly given: ChildPart;
  readonly component: Component;
  /** What it speaks to: "i2c 118", "analog 0". */
  readonly sources: ReadonlySet<string>;
  begun: boolean;
}

const sourceOf = (c: FirmataCommand): string | undefined =>
  c.do === 'i2c' ? `i2c ${c.address}` : c.do === 'report analog' ? `analog ${c.channel}` : undefined;
const inWords = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Answers the host's questions. `now` in milliseconds. */
export function boardChild(now: () => number = () => performance.now()): (q: ChildAsk & { readonly n: number }) => ChildTell {
  const require = createRequire(import.meta.url);
  const { asks, tells } = firmata();
  let end = (): void => {};
  let turn = (_: Extract<ChildAsk, { do: 'turn' }>): Omit<Extract<ChildTell, { say: 'turn' }>, 'n'> => ({
    say: 'turn',
    write: '',
    values: {},
    troubles: { '': 'it has no parts yet' },
  });

  const begin = (wanted: readonly ChildPart[]): void => {
    const decodeAsks = asks.decoder();
    const decodeTells = tells.decoder();
    const queue: FirmataCommand[] = [];
    const repeated = new Map<string, FirmataCommand>();
    const heardAt = new Map<string, number>();
    const troubles: Record<string, string> = { '': 'johnny-five waits for the board' };
    const parts: Part[] = [];
    let open: readonly FirmataCommand[] = [];
    let tries = 0;
    let making: Set<string> | undefined;
    let repeatedAt = 0;

    const write = (c: FirmataCommand): void => {
      const source = sourceOf(c);
      if (source) making?.add(source);
      // A board that reports by itself speaks to the host; here everything is asked, again and again.
      if (c.do === 'i2c' && c.mode === 'read on') repeated.set(`${source} ${c.data.join()}`, { ...c, mode: 'read' });
      else if (c.do === 'i2c' && c.mode === 'stop') {
        for (const key of repeated.keys()) if (key.startsWith(`${source} `)) repeated.delete(key);
      } else if (c.do === 'report analog' || c.do === 'report port') {
        const key = source ?? `port ${c.do === 'report port' ? c.port : 0}`;
        if (c.on) repeated.set(key, c);
        else repeated.delete(key);
      } else if (queue.length < MOST) queue.push(c);
    };
    const transport = Object.assign(new EventEmitter(), {
      write(data: Uint8Array) {
        for (const q of decodeAsks(Uint8Array.from(data))) if (!(q instanceof Fault)) q.forEach(write);
      },
    });
    const { Firmata } = require('firmata-io') as { Firmata: new (transport: object, options: object) => Io }; // as its documentation has it
    const io = new Firmata(transport, { reportVersionTimeout: 1, skipCapabilities: false });

    const make = (five: Five, board: EventEmitter, given: ChildPart): void => {
      const kind = five[given.part.charAt(0).toUpperCase() + given.part.slice(1)];
      const sources = (making = new Set<string>());
      try {
        if (!kind || !MEASURES[given.part]) throw new Error(`johnny-five has no part "${given.part}"`);
        const component = new kind({ ...given.options, board });
        const part: Part = { given, component, sources, begun: false };
        component.on('data', () => {
          part.begun = true;
        });
        component.on('error', (error: unknown) => {
          troubles[given.name] = inWords(error);
        });
        parts.push(part);
      } catch (error) {
        troubles[given.name] = inWords(error);
      } finally {
        making = undefined;
      }
    };
    io.once('ready', () => {
      const five = require('johnny-five') as Five; // as above
      const board = new five.Board({ io, repl: false, debug: false, sigint: false });
      board.on('error', (error: unknown) => {
        troubles[''] = inWords(error);
      });
      board.once('ready', () => {
        delete troubles[''];
        for (const one of wanted) make(five, board, one);
      });
    });
    end = () => {
      for (const { component } of parts) component.removeAllListeners();
      transport.removeAllListeners();
      io.removeAllListeners();
    };

    const heard = (bytes: Uint8Array): void => {
      const [asked] = open.slice(-1);
      for (const m of decodeTells(bytes)) {
        if (m instanceof Fault) continue;
        // A device that is not there is answered for with too few bytes, which the library would take for its own.
        if (m.say === 'i2c' && asked?.do === 'i2c' && m.data.length < (asked.data.at(-1) ?? 0)) {
          for (const { given, sources } of parts)
            if (sources.has(`i2c ${m.address}`)) troubles[given.name] = 'no device answers on the I2C bus';
          continue;
        }
        const source = m.say === 'i2c' ? `i2c ${m.address}` : m.say === 'analog' ? `analog ${m.channel}` : undefined;
        if (source) {
          heardAt.set(source, now());
          for (const { given, sources } of parts) if (sources.has(source)) delete troubles[given.name];
        }
        transport.emit('data', tells.encode(m));
      }
    };
    const valuesOf = ({ given, component, sources, begun }: Part): Readonly<Record<string, ChildValue>> => {
      if (!begun) return {};
      const age = Math.max(0, ...[...sources].map((s) => (now() - (heardAt.get(s) ?? 0)) / 1000));
      return Object.fromEntries(
        (MEASURES[given.part] ?? []).flatMap(([name, of]) => {
          const value = of(component);
          return typeof value === 'number' && Number.isFinite(value) ? [[name, { value, age }] as const] : [];
        }),
      );
    };
    turn = (q) => {
      if (q.failed && open.length > 0 && ++tries < TRIES) queue.unshift(...open);
      else tries = 0;
      if (!q.failed) heard(fromHex(q.heard));
      if (now() - repeatedAt >= EVERY && queue.length === 0) {
        repeatedAt = now();
        queue.push(...repeated.values());
      }
      const last = queue.findIndex(isAnswered);
      open = queue.splice(0, last < 0 ? queue.length : last + 1);
      return {
        say: 'turn',
        write: toHex(asks.encode(open)),
        values: Object.fromEntries(parts.map((part) => [part.given.name, valuesOf(part)])),
        troubles,
      };
    };
  };

  return (q) => {
    switch (q.do) {
      case 'hello':
        return { n: q.n, say: 'hello' };
      case 'begin':
        end();
        begin(q.parts);
        return { n: q.n, say: 'begun' };
      case 'turn':
        return { n: q.n, ...turn(q) };
    }
  };
}

export const SERVE = 'serve-board';

/** The child: answers over the pipe of its parent until that is gone. */
function serveHost(): void {
  const { asks, tells } = firmataChild();
  const decode = asks.decoder();
  const answer = boardChild();
  process.on('message', (bytes) => {
    if (!(bytes instanceof Uint8Array)) return;
    for (const q of decode(bytes)) if (!(q instanceof Fault)) process.send?.(tells.encode(answer({ ...q, n: q.n ?? 0 })));
  });
  process.on('disconnect', () => process.exit(0));
  // A signal to all processes of a run is for the guardian, which ends them in order.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
}

if (process.argv[2] === SERVE && process.send) serveHost();
