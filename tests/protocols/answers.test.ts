/** A recorded answer as one to a question of today: every language whose frames carry a number, found by itself. */
import { describe, expect, test } from 'vitest';
import { firmataChild } from '../../protocols/firmata-child.ts';
import { modbusRtu } from '../../protocols/modbus-rtu.ts';
import { modbusTcp } from '../../protocols/modbus-tcp.ts';
import { Fault } from '../../protocols/protocol.ts';
import { readout } from '../../protocols/readout.ts';
import { catalogue } from '../../src/catalogue.ts';
import { leastOptions } from '../../src/cli/instruments.ts';
import type { AnyProtocol } from '../../src/instrument.ts';
import { laboratory, rigOf } from '../laboratory.ts';

const known = await catalogue();

interface Case {
  readonly name: string;
  readonly protocol: AnyProtocol;
  readonly sent: Uint8Array;
  readonly reply: Uint8Array;
}

/** Each model whose language has a number: the first question that our host asks its simulator, and the answer. */
const models: readonly Case[] = [...known.instruments].flatMap(([name, model]) => {
  const links = model.links(model.options.parse(leastOptions(model) ?? {})) as Readonly<Record<string, AnyProtocol>>; // role -> language
  if (!known.simulators.has(name) || !Object.values(links).some(({ number, readout }) => number && !readout)) return [];
  const lab = laboratory(rigOf(name, known), known);
  lab.clock.advance(3);
  lab.host.close(0, () => {});
  return Object.entries(links).flatMap(([role, protocol]) => {
    if (!protocol.number || protocol.readout) return [];
    const found = lab.entries.find((e) => e.kind === 'exchange' && e.exchanged.role === role && e.exchanged.reply !== undefined);
    const { sent, reply = new Uint8Array() } = found?.kind === 'exchange' ? found.exchanged : { sent: new Uint8Array() };
    return [{ name: `${name} ${role}`, protocol, sent, reply }];
  });
});

const said = (all: readonly unknown[]): unknown => {
  expect(all).toHaveLength(1);
  expect(all[0]).not.toBeInstanceOf(Fault);
  return all[0];
};

test('every language with a number says which answer is whose', () => {
  for (const model of known.instruments.values()) {
    const links = model.links(model.options.parse(leastOptions(model) ?? {})) as Readonly<Record<string, AnyProtocol>>;
    for (const protocol of Object.values(links))
      expect(protocol.answers !== undefined, model.model).toBe(protocol.number !== undefined || protocol.bare !== undefined);
  }
});

describe('the answer to one question becomes the answer to another', () => {
  test('there are such', () => {
    expect(models.map(({ name }) => name.split(' ')[0])).toEqual(
      expect.arrayContaining(['bridgman-deadman', 'ocean-obp', 'sitcp-board', 'wiener-mpod']),
    );
  });

  test.each(models.map((one) => [one.name, one] as const))('%s', (_, { protocol, sent, reply }) => {
    const q = said(protocol.asks.decoder()(sent));
    const m = said(protocol.tells.decoder()(reply));
    expect(protocol.fits(m, q)).toBe('answer');
    const now: unknown = protocol.number?.(q, 90);
    expect(protocol.fits(m, now)).not.toBe('answer');
    const other = said(protocol.tells.decoder()(protocol.tells.encode(protocol.answers?.(m, now))));
    expect(protocol.fits(other, now)).toBe('answer');
    expect(protocol.tells.encode(protocol.answers?.(other, q))).toEqual(reply);
  });

  test('what the processes of this program say', () => {
    const cleared = readout({});
    const m = cleared.answers?.({ say: 'cleared', n: 1 }, { do: 'clear', n: 5 });
    expect(m).toEqual({ say: 'cleared', n: 5 });
    const values = { say: 'values', t: 1, values: {} } as const;
    expect(cleared.answers?.(values, { do: 'clear', n: 5 })).toEqual(values);
    expect(firmataChild().answers?.({ n: 1, say: 'hello' }, { n: 2, do: 'hello' })).toEqual({ n: 2, say: 'hello' });
  });
});

test('Modbus: an echo brings back what is said today', () => {
  const both: readonly AnyProtocol[] = [modbusRtu(), modbusTcp()];
  for (const protocol of both) {
    const echo = (word: number, id: number) => ({ unit: 3, function: 8, sub: 0, data: [word], id });
    const key = (q: unknown): string => protocol.asks.encode(protocol.bare?.(protocol.number?.(q, 0) ?? q)).join();
    expect(key(echo(1, 1))).toBe(key(echo(2, 2)));
    expect(key({ unit: 3, function: 3, address: 1, count: 2 })).not.toBe(key({ unit: 3, function: 3, address: 2, count: 2 }));
    expect(protocol.answers?.(echo(1, 1), echo(700, 44))).toMatchObject({ data: [700] });
    expect(protocol.fits(protocol.answers?.(echo(1, 1), echo(700, 44)), echo(700, 44))).toBe('answer');
  }
});
