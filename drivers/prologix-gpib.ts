import { type PrologixAsk, prologix } from '../protocols/prologix.ts';
import { fromLatin1, latin1 } from '../protocols/protocol.ts';
import { type Field, instrument, NoReply, options, poll, Refused } from '../src/instrument.ts';

type L = { readonly main: ReturnType<typeof prologix> };
interface Options {
  /** Seconds that an instrument on the bus may take to answer. */
  readonly within: number;
}

const VERSION = /prologix|ar488|gpib.*(version|ver\b)/i;
const LONGEST_READ = 3000; // ms, Prologix GPIB-USB manual, ++read_tmo_ms
const VER: PrologixAsk = ['++ver'];

const seconds: Field<number> = {
  about: 'seconds that an instrument on the bus may take to answer (0.1 to 60, otherwise 0.8)',
  of(yaml) {
    const value = yaml ?? 0.8;
    return typeof value === 'number' && value >= 0.1 && value <= 60
      ? value
      : new Refused(`must be a number of seconds from 0.1 to 60, not ${JSON.stringify(value)}`);
  },
};

/**
 * GPIB adapter (Prologix GPIB-ETHERNET, GPIB-USB, AR488): the link `gpib:NAME/ADDRESS` of instruments on its bus, ADDRESS being 0 to 30
 * or primary:secondary. Slower instruments than `within` need it longer, and so their own time-out. All that a transaction needs is set in that transaction, in one write; connecting sets nothing.
 */
export default instrument<L, Options, { readonly version: string }>({
  model: 'Prologix-type GPIB adapter',
  source: 'pymeasure adapters/prologix.py; InstrumentKit gpib_communicator.py; epics-modules/asyn drvPrologixGPIB',
  proven: 'third-party driver',
  options: options<Options>({ within: seconds }),
  links: { main: prologix() },
  proof: { main: { ask: () => VER, is: (m) => VERSION.test(m) } },
  *identify(ask) {
    const version = (yield* ask.main.ask(VER)).trim();
    return VERSION.test(version) ? { version } : new Refused(`"${version}" is no adapter of the Prologix kind`);
  },
  body: ({ within }) => ({
    polls: [
      poll<L, { version: 'state' }>({
        ask: VER,
        every: 10,
        gives: { version: 'state' },
        read: (m) => ({ version: m.trim() }),
        example: [
          'Prologix GPIB-ETHERNET Controller version 01.06.06.00\r',
          { version: 'Prologix GPIB-ETHERNET Controller version 01.06.06.00' },
        ],
      }),
    ],
    *tunnel(act, address, bytes, reply) {
      const bus = /^(\d+)(?::(\d+))?$/.exec(address);
      if (!bus) throw new NoReply(`"${address}" is no GPIB address: 0 to 30, or primary:secondary`);
      const addr = bus[2] === undefined ? `++addr ${bus[1]}` : `++addr ${bus[1]} ${bus[2]}`;
      // The adapter adds the terminator of the bus (++eos) by itself.
      const data = fromLatin1(latin1(bytes).replace(/(\r\n|\r|\n)$/, ''));
      const lines: PrologixAsk = ['++mode 1', '++auto 0', addr, data];
      if (!reply) {
        yield* act.main.send(lines);
        return undefined;
      }
      // The adapter gives up before we do, so that a silent instrument does not keep it from the others.
      const patience = Math.min(LONGEST_READ, Math.round(within * 800));
      const answer = yield* act.main.exchange([...lines, `++read_tmo_ms ${patience}`, '++read eoi'], within);
      return fromLatin1(`${answer}\n`);
    },
  }),
});
