import { scpi } from '../protocols/scpi.ts';
import { options, simulator, terminator, word } from '../src/simulator.ts';
import { dac } from './worlds/dac.ts';
import { meterTick } from './worlds/keithley-meter.ts';
import { meter, meterAnswer } from './worlds/keithley-meter-scpi.ts';

interface Options {
  readonly terminator: string;
  readonly line: '50' | '60';
  readonly measures?: unknown;
  readonly sigma?: unknown;
  readonly every?: unknown;
}
const driven = { about: "the driver's own", of: (yaml: unknown) => yaml };

/** A nanovoltmeter across the voltage contacts: conversions in the world's time, with the noise of its integration time and range. */
export default simulator({
  options: options<Options>({
    // Readers of either end are content with both.
    terminator: terminator('CRLF'),
    line: word('Hz of the mains', ['50', '60'] as const, '60'),
    measures: driven,
    sigma: driven,
    every: driven,
  }),
  links: ({ terminator: end = '\r\n' }: Partial<Options>) => ({ main: scpi({ ask: ['\n', '\r\n', '\r'], tell: end, max: 65_536 }) }),
  state: ({ line = '60' }: Partial<Options>, name: string) => meter(name, line === '50' ? 50 : 60),
  world: dac,
  answer: { main: meterAnswer },
  tick: (m, w, t) => meterTick(m, w, t),
});
