/** `bridgman trip-test`: every interlock of a rig tripped with every fault of its inputs, on simulators. */
import { writeFile } from 'node:fs/promises';
import { type Catalogue, catalogue as known, nearest } from '../catalogue.ts';
import { methods } from '../methods.ts';
import { loadRig, printed, type Rig } from '../rig.ts';
import { withUserDrivers } from '../rig-drivers.ts';
import { counts, failureLines, faultWords, footnotes, matrix, summary, worst } from '../trip-table.ts';
import { casesOf, type TripResult, tripTest } from '../trip-test.ts';
import { type Command, EXIT, guarded, type Io, parse, Usage } from './command.ts';
import { columns } from './table.ts';

const HELP = `Examples:
  bridgman trip-test rigs/demo --simulate
  bridgman trip-test rigs/demo --simulate --interlock laser-cooling
  bridgman trip-test rigs/demo --simulate --json trips.json

bridgman trip-test RIG --simulate [--interlock NAME] [--seed N] [--json FILE]

Switches on the outputs of each interlock on simulators, breaks each of its inputs with each fault
(a value past its limit, no answer, a stuck value, garbled replies, an unplugged link, no number,
another unit), and prints in how many milliseconds of simulated time the safe orders went. A fault
fails when an output is not safe in time, when the interlock does not latch or does not refuse, and
when the outputs cannot be switched on again afterwards.

  --simulate         needed: on real instruments it would switch the outputs on
  --interlock NAME   this one alone
  --seed N           another run of the same simulators (otherwise 1)
  --json FILE        the results as JSON, into FILE; "-" prints them in place of the table

Exit code 0: nothing failed; 1: something failed; 2: wrong arguments; 4: the rig is wrong.
What it does not prove: docs/trip-test.md.
`;

export const tripTestCommand: Command = {
  name: 'trip-test',
  summary: 'trip every interlock with every fault of its inputs, on simulators',
  help: HELP,
  run: (args, io) =>
    guarded('trip-test', io, async () => {
      const { options, flags, rest } = parse(args, {
        simulate: 'boolean',
        interlock: 'string',
        seed: 'string',
        json: 'string',
        help: 'boolean',
      });
      if (flags.has('help')) {
        io.out(HELP);
        return EXIT.ok;
      }
      const [path, ...others] = rest;
      if (path === undefined) throw new Usage('a rig is wanted: bridgman trip-test RIG --simulate');
      if (others.length > 0) throw new Usage(`one rig at a time, not also ${others.join(' ')}`);
      if (!flags.has('simulate'))
        throw new Usage('it switches every output on that an interlock guards, so it runs on simulators alone: add --simulate');
      const seed = options.seed === undefined ? 1 : Number(options.seed);
      if (!Number.isSafeInteger(seed) || seed < 0) throw new Usage(`--seed must be a whole number from 0, not "${options.seed}"`);
      return tested(path, { seed, interlock: options.interlock, json: options.json }, io);
    }),
};

interface Wanted {
  readonly seed: number;
  readonly interlock?: string;
  readonly json?: string;
}

async function tested(path: string, { seed, interlock, json }: Wanted, io: Io): Promise<number> {
  const shipped = await known();
  const loaded = await loadRig(path, shipped, methods);
  if (!loaded.ok) {
    for (const message of loaded.messages) io.err(`${printed(message)}\n`);
    return EXIT.rig;
  }
  for (const message of loaded.warnings) io.err(`${printed(message)} (warning)\n`);
  const { rig } = loaded;
  const names = (rig.interlocks ?? []).map((one) => one.name);
  if (names.length === 0) {
    io.out(`rig ${rig.name} has no interlocks: there is nothing to trip\n`);
    return EXIT.ok;
  }
  if (interlock !== undefined && !names.includes(interlock)) {
    const near = nearest(interlock, names);
    throw new Usage(`the rig has no interlock "${interlock}"${near ? `; did you mean ${near}?` : `; it has ${names.join(', ')}`}`);
  }
  const { catalogue } = await withUserDrivers(shipped, rig.folder);
  const results = trip(rig, catalogue, { seed, interlock }, io);
  const data = `${JSON.stringify({ rig: rig.name, seed, ...counts(results), results: results.map(asData) }, null, 2)}\n`;
  if (json === '-') io.out(data);
  else {
    io.out(shown(results));
    if (json !== undefined) {
      try {
        await writeFile(json, data);
      } catch (error) {
        io.err(`bridgman trip-test: ${json} could not be written: ${error instanceof Error ? error.message : String(error)}\n`);
        return EXIT.failed;
      }
    }
  }
  return counts(results).failed === 0 ? EXIT.ok : EXIT.failed;
}

function trip(rig: Rig, catalogue: Catalogue, options: { seed: number; interlock?: string }, io: Io): readonly TripResult[] {
  const all = casesOf(rig, options).length;
  const watched = process.stderr.isTTY === true;
  const results: TripResult[] = [];
  if (watched) io.err(`0 of ${all}`);
  for (const result of tripTest(rig, catalogue, options)) {
    results.push(result);
    if (watched) io.err(`\r\x1b[K${results.length} of ${all}: ${result.interlock}, ${result.input}, ${faultWords(result.fault)}`);
  }
  if (watched) io.err('\r\x1b[K');
  return results;
}

function shown(results: readonly TripResult[]): string {
  const failures = failureLines(results);
  return [
    columns(matrix(results)),
    '\n',
    ...footnotes(results).map((line) => `${line}\n`),
    ...(failures.length === 0 ? [] : ['\n', ...failures.map((line) => `FAIL ${line}\n`)]),
    '\n',
    `${summary(results)}\n`,
  ].join('');
}

/** Times in seconds; `worst` in ms as the table has it. */
const asData = (result: TripResult): unknown => ({ ...result, worst: worst(result) ?? null });
