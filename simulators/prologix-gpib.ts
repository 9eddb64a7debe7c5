import { prologix } from '../protocols/prologix.ts';
import { concat, fromLatin1, latin1 } from '../protocols/protocol.ts';
import { type Beyond, options, simulator, word, world } from '../src/simulator.ts';

interface Options {
  readonly kind: 'ethernet' | 'usb';
}

interface State {
  readonly version: string;
  /** What can be set and asked by the same name. */
  readonly settings: Map<string, string>;
  /** Unread answers by address. */
  readonly waiting: Map<string, Uint8Array>;
}

const VERSIONS = {
  ethernet: 'Prologix GPIB-ETHERNET Controller version 01.06.06.00',
  usb: 'Prologix GPIB-USB Controller version 6.107',
} as const;

/** Name -> value at power-up and what it may be (Prologix GPIB-USB manual, section 8). */
const SETTINGS: Readonly<Record<string, readonly [string, RegExp]>> = {
  addr: ['0', /^([0-9]|[12][0-9]|30)( (9[6-9]|1[01][0-9]|12[0-6]))?$/],
  auto: ['0', /^[01]$/],
  eoi: ['1', /^[01]$/],
  eos: ['0', /^[0-3]$/],
  eot_enable: ['0', /^[01]$/],
  eot_char: ['0', /^\d{1,3}$/],
  lon: ['0', /^[01]$/],
  mode: ['1', /^[01]$/],
  read_tmo_ms: ['200', /^\d{1,5}$/],
  savecfg: ['1', /^[01]$/],
  status: ['0', /^\d{1,3}$/],
};
const SILENT = ['clr', 'ifc', 'llo', 'loc', 'rst', 'trg', 'trigger'];
const UNKNOWN = 'Unrecognized command\r';

const addressOf = (s: State): string => (s.settings.get('addr') ?? '0').replace(' ', ':');

/** What the instrument has to say, as whole lines; with ++eot_enable the character that marks EOI comes behind. */
function read(s: State): readonly string[] {
  const address = addressOf(s);
  const bytes = s.waiting.get(address);
  s.waiting.delete(address);
  if (!bytes) return []; // the adapter gives up after ++read_tmo_ms without a word
  const mark = s.settings.get('eot_enable') === '1' ? String.fromCharCode(Number(s.settings.get('eot_char'))) : '';
  return (latin1(bytes) + mark).replace(/\n$/, '').split('\n');
}

function send(s: State, data: Uint8Array, beyond: Beyond): readonly string[] {
  if (s.settings.get('mode') !== '1') return [];
  const address = addressOf(s);
  // On the bus EOI ends a message, and instruments take LF as well; ++eos 1 is for those that hear CR alone.
  const line = fromLatin1(latin1(data).replace(/[\r\n]+$/, ''));
  const answer = beyond(address, concat(line, Uint8Array.of(s.settings.get('eos') === '1' ? 0x0d : 0x0a)));
  s.waiting.delete(address); // IEEE 488.2, 6.3.2.3: a new message clears an answer that was not read
  if (answer) s.waiting.set(address, answer);
  return s.settings.get('auto') === '1' ? read(s) : [];
}

function command(s: State, text: string): readonly string[] {
  const [head = '', ...rest] = text.slice(2).trim().split(/\s+/);
  const value = rest.join(' ');
  const name = head.toLowerCase();
  const setting = SETTINGS[name];
  if (setting) {
    if (value === '') return [`${s.settings.get(name)}\r`];
    if (!setting[1].test(value)) return [UNKNOWN];
    s.settings.set(name, value);
    return [];
  }
  if (SILENT.includes(name)) {
    if (name === 'clr') s.waiting.delete(addressOf(s));
    return [];
  }
  if (name === 'ver') return [`${s.version}\r`];
  if (name === 'read') return read(s);
  if (name === 'spoll') return [`${s.waiting.has(value === '' ? addressOf(s) : value.replace(' ', ':')) ? 16 : 0}\r`]; // MAV
  if (name === 'srq') return ['0\r'];
  return [UNKNOWN];
}

/** The adapter: instruments of the rig whose link is `gpib:` through it lie behind, each at its address. */
export default simulator({
  options: options<Options>({ kind: word('which adapter it says it is', ['ethernet', 'usb'] as const, 'ethernet') }),
  links: { main: prologix() },
  world: world({ name: 'gpib', tick: 1, make: () => ({ step() {} }) }),
  state: (p: Options): State => ({
    version: VERSIONS[p.kind],
    settings: new Map(Object.entries(SETTINGS).map(([name, [value]]) => [name, value])),
    waiting: new Map(),
  }),
  answer: {
    main: (q, s, _world, _t, beyond) => q.flatMap((line) => (typeof line === 'string' ? command(s, line) : send(s, line, beyond))),
  },
});
