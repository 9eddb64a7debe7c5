/** All benches, or those named: `npm run bench -- polls line`. Exit code 1 when a result was wrong; one that is slow is shown as such. */
import { parseArgs } from 'node:util';
import { nearest } from '../src/catalogue.ts';
import { columns } from '../src/cli/table.ts';

interface Result {
  readonly name: string;
  readonly ratio: number;
  readonly goal: number;
  readonly detail: string;
}

const BENCHES: Readonly<Record<string, () => Promise<readonly Result[]>>> = {
  planck: async () => (await import('./planck.ts')).planck(),
  line: async () => (await import('./line.ts')).line(),
  session: async () => (await import('./session.ts')).session(),
  polls: async () => (await import('./polls.ts')).polls(),
  frame: async () => (await import('./frame.ts')).frame(),
};

const verdict = ({ ratio, goal }: Result): string => (Number.isNaN(ratio) ? 'skipped' : ratio >= goal ? 'ok' : 'below');

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({ options: { json: { type: 'boolean', default: false } }, allowPositionals: true });
  for (const name of positionals) {
    if (Object.hasOwn(BENCHES, name)) continue;
    const near = nearest(name, Object.keys(BENCHES));
    process.stderr.write(
      `there is no bench "${name}"${near ? `; did you mean ${near}?` : `; there are ${Object.keys(BENCHES).join(', ')}`}\n`,
    );
    return 2;
  }
  const chosen = positionals.length > 0 ? positionals : Object.keys(BENCHES);
  const results: Result[] = [];
  const wrong: { readonly name: string; readonly why: string }[] = [];
  for (const name of chosen) {
    process.stderr.write(`${name} ...\n`);
    try {
      results.push(...((await BENCHES[name]?.()) ?? []));
    } catch (error) {
      wrong.push({ name, why: error instanceof Error ? error.message : String(error) });
    }
  }
  if (values.json)
    process.stdout.write(`${JSON.stringify({ results: results.map((r) => ({ ...r, verdict: verdict(r) })), wrong }, null, 2)}\n`);
  else {
    const rows = results.map((r) => [r.name, Number.isNaN(r.ratio) ? '-' : r.ratio.toFixed(2), String(r.goal), verdict(r), r.detail]);
    process.stdout.write(columns([['NAME', 'RATIO', 'GOAL', '', 'DETAIL'], ...rows]));
    for (const { name, why } of wrong) process.stdout.write(`${name}: WRONG: ${why}\n`);
  }
  return wrong.length === 0 ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 2;
}
