import { board, encodeAsk, type FirmataAsk, type FirmataCommand } from './firmata-asks.ts';
import { END } from './firmata-bytes.ts';
import { encodeTell, type FirmataTell, host } from './firmata-tells.ts';
import type { Protocol } from './protocol.ts';

export { type FirmataAsk, type FirmataCommand, I2C_MODES, type I2cMode } from './firmata-asks.ts';
export { LONGEST_SYSEX, MODES, type Mode } from './firmata-bytes.ts';
export type { Capability, FirmataTell } from './firmata-tells.ts';

/** Whether a board answers this command. */
export const isAnswered = (c: FirmataCommand): boolean => answers({ say: 'sysex', command: 0, data: [] }, c) !== undefined;

/** Whether this is the command's answer; undefined where it has none. */
function answers(m: FirmataTell, c: FirmataCommand): boolean | undefined {
  switch (c.do) {
    case 'version':
    case 'firmware':
    case 'capabilities':
    case 'mapping':
      return m.say === c.do;
    case 'pin state':
      return m.say === 'pin state' && m.pin === c.pin;
    case 'report port':
      return c.on ? m.say === 'port' && m.port === c.port : undefined;
    case 'report analog':
      return c.on ? m.say === 'analog' && m.channel === c.channel : undefined;
    case 'i2c':
      // A read without register is answered with register 0.
      return c.mode === 'read' ? m.say === 'i2c' && m.address === c.address && (c.data.length < 2 || m.register === c.data[0]) : undefined;
    default:
      return undefined;
  }
}

const BY_ITSELF: readonly FirmataTell['say'][] = ['version', 'firmware', 'port', 'analog', 'string', 'i2c', 'sysex'];

/**
 * Firmata 2.5, both roles. A question is a list of commands in one write, and its answer that of the last: to switch reporting of a port
 * on is answered at once with the port's state (StandardFirmata since 2.4), so that `mode` and `report port` are one question.
 * Nothing tells two answers of one kind apart.
 */
export function firmata(): Protocol<FirmataAsk, FirmataTell> {
  return {
    // A board that holds an unfinished sysex hears nothing else until this.
    resync: Uint8Array.of(END),
    asks: { encode: encodeAsk, decoder: board },
    tells: { encode: encodeTell, decoder: host },
    fits(m, q) {
      const last = q.at(-1);
      if (last && answers(m, last)) return 'answer';
      return BY_ITSELF.includes(m.say) ? 'unasked' : 'late';
    },
  };
}
