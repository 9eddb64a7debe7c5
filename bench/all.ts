/** All benches, or those named: `npm run bench -- polls line`, `rates 600` for so many seconds. Exit code 1 when a result was wrong; one that is slow is shown as such. */
import { parseArgs } from 'node:util';
import { nearest } from '../src/catalogue.ts';
import { columns } from '../src/cli/table.ts';

interface Result {
  readonly name: string;
  readonly ratio: number;
  readonly goal: number;
  readonly detail: string;
}

/** Some take the seconds that stand behind their name. */
const BENCHES: Readonly<Record<string, (seconds?: number) => Promise<readonly Result[]>>> = {
  planck: async () => (await import('./planck.ts')).planck(),
  line: async () => (await import('./line.ts')).line(),
  session: async () => (await import('./session.ts')).session(),
  polls: async () => (await import('./polls.ts')).polls(),
  pairs: async () => (await import('./pairs.ts')).pairs(),
  physics: async () => (await import('./physics.ts')).physics(),
  frame: async () => (await import('./frame.ts')).frame(),
  waveforms: async () => (await import('./waveforms.ts')).waveforms(),
  gigabit: async (seconds) => (await import('./gigabit.ts')).gigabits(seconds),
  rates: async (seconds) => (await import('./rates.ts')).rates(seconds),
  replay: async (seconds) => (await import('./replay.ts')).replay(seconds),
  'raw-read': async () => (await import('./raw-read.ts')).rawRead(),
};

const verdict = ({ ratio, goal }: Result): string => (Number.isNaN(ratio) ? 'skipped' : ratio >= goal ? 'ok' : 'below');

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({ options: { json: { type: 'boolean', default: false } }, allowPositionals: true });
  const seconds = new Map<string, number>();
  const named = positionals.filter((word, i) => {
    const before = positionals[i - 1];
    if (before === undefined || !/^[1-9]\d*$/.test(word)) return true;
    seconds.set(before, Number(word));
    return false;
  });
  for (const name of named) {
    if (Object.hasOwn(BENCHES, name)) continue;
    const near = nearest(name, Object.keys(BENCHES));
    process.stderr.write(
      `there is no bench "${name}"${near ? `; did you mean ${near}?` : `; there are ${Object.keys(BENCHES).join(', ')}`}\n`,
    );
    return 2;
  }
  const chosen = named.length > 0 ? named : Object.keys(BENCHES);
  const results: Result[] = [];
  const wrong: { readonly name: string; readonly why: string }[] = [];
  for (const name of chosen) {
    process.stderr.write(`${name} ...\n`);
    try {
      results.push(...((await BENCHES[name]?.(seconds.get(name))) ?? []));
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
