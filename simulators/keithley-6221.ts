import { scpi } from '../protocols/scpi.ts';
import { options, simulator, terminator, word } from '../src/simulator.ts';
import { CONTACT_OPTIONS, type Contacts, spoil } from './worlds/contacts.ts';
import { dac } from './worlds/dac.ts';
import { source, sourceAnswer, sourceTick } from './worlds/keithley-source.ts';

interface Options extends Contacts {
  readonly terminator: string;
  readonly line: '50' | '60';
  readonly nanovoltmeter: 'there' | 'absent';
  readonly meter?: unknown;
  readonly relay_wait?: unknown;
}
const driven = { about: "the driver's own", of: (yaml: unknown) => yaml };

/**
 * A current source across the current contacts. At its relay is the 2182A that the rig links there (gpib:NAME/relay), else one of its own
 * unless it is said to be absent.
 */
export default simulator({
  options: options<Options>({
    terminator: terminator('LF'),
    line: word('Hz of the mains', ['50', '60'] as const, '60'),
    nanovoltmeter: word('a 2182A at the relay, where the rig declares none', ['there', 'absent'] as const, 'there'),
    ...CONTACT_OPTIONS,
    meter: driven,
    relay_wait: driven,
  }),
  links: ({ terminator: end = '\n' }: Partial<Options>) => ({
    main: scpi({ ask: ['\n', '\r\n', '\r'], tell: end, max: 1 << 20, eightBit: true }),
  }),
  state: ({ line = '60', nanovoltmeter = 'there', contact = 'sound', contact_after = 0 }: Partial<Options>, name: string) => ({
    ...source(name, line === '50' ? 50 : 60, nanovoltmeter === 'there'),
    contact,
    contact_after,
  }),
  world: dac,
  answer: { main: sourceAnswer },
  tick(s, w, t) {
    spoil(w, s, t);
    sourceTick(s, w, t);
  },
});
