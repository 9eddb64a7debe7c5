/** Two instruments of one model on one line, and links of the wrong kind: what is said of them is what is wrong with them. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { catalogue } from '../src/catalogue.ts';
import { methods } from '../src/methods.ts';
import { loadRig, type Message, printed } from '../src/rig.ts';

const known = await catalogue();

async function messages(instruments: string): Promise<readonly string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'bridgman-shared-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'rig.yaml'), `rig: r\ninstruments:\n${instruments}`);
  const loaded = await loadRig(folder, known, methods);
  const said = (m: Message): string => printed(m).replace(/^.*rig\.yaml:/, '');
  return loaded.ok ? loaded.warnings.map((m) => `warning: ${said(m).replace(/^[\d:]+ /, '')}`) : loaded.messages.map(said);
}

test('supplies whose question is two messages speak one language, and their replies do not say whose they are', async () => {
  const supply = (name: string, address: number): string =>
    `  ${name}: { model: tdk-genesys, link: serial:/dev/ttyS2, options: { address: ${address}, shared: true }, leases: { output: unused, voltage: unused, current: unused } }\n`;
  expect(await messages(supply('a', 6))).toEqual([]);
  expect(await messages(supply('a', 6) + supply('b', 7))).toEqual([
    '4:34: serial:/dev/ttyS2 is used by a already, and replies of tdk-genesys do not say whose they are: give it a link of its own',
  ]);
});

test('two controllers on one Modbus line are taken, with and without a transaction number', async () => {
  for (const framing of ['rtu', 'tcp']) {
    const oven = (name: string, unit: number): string =>
      `  ${name}: { model: eurotherm-2000, link: tcp:10.0.0.1:502, options: { unit: ${unit}, framing: ${framing} }, leases: { setpoint: unused } }\n`;
    expect(await messages(oven('a', 1) + oven('b', 2))).toEqual([]);
  }
});

test('a link of another kind than the model speaks over is refused, and what may lose something is warned of', async () => {
  const pace = (link: string): string => `  gas: { model: druck-pace, link: "${link}", leases: { control: unused } }\n`;
  expect(await messages(pace('tcp:10.0.0.1:5025'))).toEqual([]);
  expect(await messages(pace('folder:shots'))).toEqual([expect.stringContaining('druck-pace speaks over a line')]);
  expect(await messages(pace('udp:10.0.0.1:5025'))).toEqual([
    expect.stringContaining('warning: druck-pace is made for a serial line or TCP'),
  ]);
  const camera = (link: string): string => `  camera: { model: princeton-spe, link: "${link}" }\n`;
  expect(await messages(camera('folder:shots'))).toEqual([]);
  expect(await messages(camera('serial:/dev/ttyS0'))).toEqual([expect.stringContaining('speaks in whole datagrams or files')]);
});
