/** Packets with names, such as the files of a folder, share one topic, however many there are. */
import { expect, test } from 'vitest';
import type { Entry } from '../../src/entry.ts';
import { NAMED, namedOf, write } from '../../src/recorder/session-json.ts';

/** The messages of an entry, kept. */
function written(entry: Entry) {
  const all: { topic: string; t: number; bytes: Uint8Array }[] = [];
  write(entry, (topic, _, t, bytes) => all.push({ topic, t, bytes: bytes.slice() }));
  return all;
}

const link = 'folder:/data/spectra in March?pattern=*.spe';
const file = (name: string, bytes: Uint8Array) => written({ kind: 'bytes', wire: { link, direction: 'in', t: 5, bytes, name } });

test('a name and its bytes come back as they were', () => {
  for (const name of ['spectrum 1.spe', 'zwei\nZeilen.spe', '"µ".spe', '']) {
    for (const bytes of [new Uint8Array(0), Uint8Array.of(10, 0, 255, 10)]) {
      const [message, ...more] = file(name, bytes);
      expect(more).toEqual([]);
      expect(message).toMatchObject({ topic: `${link} in${NAMED}`, t: 5 });
      expect(namedOf(message?.bytes ?? new Uint8Array(0))).toEqual({ name, bytes });
    }
  }
});

test('a hundred thousand files are one topic, and bytes without name another', () => {
  const topics = new Set<string>();
  for (let i = 0; i < 1e5; i++) for (const m of file(`spectrum-${i}.spe`, Uint8Array.of(1))) topics.add(m.topic);
  for (const m of written({ kind: 'bytes', wire: { link, direction: 'in', t: 5, bytes: Uint8Array.of(1) } })) topics.add(m.topic);
  expect([...topics]).toEqual([`${link} in named`, `${link} in`]);
});
