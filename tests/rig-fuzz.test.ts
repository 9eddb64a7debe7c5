import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { loadRig } from '../src/rig.ts';
import { methods, models } from './fixtures/rigs/models.ts';

const scratch = mkdtempSync(join(tmpdir(), 'rig-fuzz-'));
afterAll(() => rmSync(scratch, { recursive: true }));
const good = readFileSync(resolve(import.meta.dirname, 'fixtures/rigs/good.yaml'), 'utf8');
writeFileSync(join(scratch, 'lamp.txt'), '600 1\n700 2\n');

type Slip = (text: string) => string;
const at = fc.nat(good.length);
const inLines =
  (n: number, change: (line: string) => string[]): Slip =>
  (text) =>
    text
      .split('\n')
      .flatMap((line, i, all) => (i === n % all.length ? change(line) : [line]))
      .join('\n');
const slip: fc.Arbitrary<Slip> = fc.oneof(
  at.map((n) => inLines(n, () => [])),
  at.map((n) => inLines(n, (line) => [line, line])),
  fc.tuple(at, fc.integer({ min: -4, max: 4 })).map(([n, by]) => inLines(n, (line) => [by > 0 ? ' '.repeat(by) + line : line.slice(-by)])),
  at.map(
    (i): Slip =>
      (text) =>
        text.slice(0, i) + text.slice(i + 1, i + 2) + text.slice(i, i + 1) + text.slice(i + 2),
  ),
  at.map(
    (i): Slip =>
      (text) =>
        text.slice(0, i) + text.slice(i + 1),
  ),
  fc
    .tuple(
      at,
      fc.constantFrom(...':,[]{}"\'&*!|>%@`#?-~\t\n\r0.', '<<: ', '__proto__: ', '- ', 'null', '\u0000', '\ud800', '1e999', '.nan'),
    )
    .map(
      ([i, piece]): Slip =>
        (text) =>
          text.slice(0, i) + piece + text.slice(i),
    ),
  fc.tuple(at, at).map(
    ([i, j]): Slip =>
      (text) =>
        text.slice(0, i) + text.slice(j, j + 12) + text.slice(i),
  ),
  at.map(
    (i): Slip =>
      (text) =>
        text.slice(0, i),
  ),
);

test('however a rig is mistyped, it is either right or told where it is wrong', async () => {
  const file = join(scratch, 'rig.yaml');
  let told = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(slip, { minLength: 1, maxLength: 3 }), async (slips) => {
      const text = slips.reduce((t, change) => change(t), good);
      writeFileSync(file, text);
      const loaded = await loadRig(file, models, methods);
      if (loaded.ok) expect(structuredClone(loaded.rig)).toEqual(loaded.rig);
      else expect(loaded.messages.length).toBeGreaterThan(0);
      const lines = text.split(/\r\n|\n|\r/).length;
      for (const m of loaded.ok ? loaded.warnings : loaded.messages) {
        told++;
        expect(m.line).toBeGreaterThanOrEqual(1);
        expect(m.line).toBeLessThanOrEqual(lines);
        expect(m.column).toBeGreaterThanOrEqual(1);
        expect(m.text).not.toMatch(/\n|^\s*at |\bundefined\b|\[object|TypeError|Cannot read|fault in the driver|NaN/);
      }
    }),
    { numRuns: 200 },
  );
  expect(told).toBeGreaterThan(100);
});
