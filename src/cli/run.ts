/** `bridgman run`: reads what is wanted, and the rig. */
import { catalogue } from '../catalogue.ts';
import { methods } from '../methods.ts';
import { influxTarget } from '../recorder/influx-http.ts';
import { loadRig, printed } from '../rig.ts';
import { quantity } from '../units.ts';
import { type Command, EXIT, guarded, parse, Usage } from './command.ts';
import { unwritable } from './run-files.ts';
import { laboratory } from './run-laboratory.ts';

const help = `Examples:
  bridgman run rigs/demo --simulate              a laboratory of simulators, until Ctrl-C
  bridgman run rigs/demo --simulate --for 20s --print jsonl > readings.jsonl
  bridgman run my-rig --influx http://localhost:8086/lab
  bridgman run my-rig --summary last.json

Runs a rig: reads its instruments, records every byte, derives, and keeps its outputs safe. Ends with Ctrl-C (outputs are made safe and
read back first; a second Ctrl-C ends at once, outputs safe) or after --for. The space bar, "bridgman stop" and the rig's stop file stop
the outputs, not the run.

Options:
  --simulate          simulators in the place of all instruments
  --seed N            what chance does in the simulators (1): the same seed gives the same world
  --for TIME          ends by itself: 20s, 5min, 72h
  --print jsonl       one reading a line on stdout: t (microseconds since 1970), instrument, channel, index, value (SI), sigma, unit,
                      quality, why, origin
  --summary FILE      writes counts of everything as JSON at the end
  --influx URL        http://[USER:PASSWORD@]HOST[:PORT]/DATABASE, in place of the rig's

Exit codes: 0 ended well; 1 something failed; 2 wrong arguments; 4 the rig is wrong; 5 the host died, or an output was not read back as safe;
130 ended at once by a second Ctrl-C, or by one before anything was opened.
`;

export const run: Command = {
  name: 'run',
  summary: 'runs a rig, with its instruments or with simulators',
  help,
  run: (args, io) =>
    guarded('run', io, async () => {
      const { options, flags, rest } = parse(args, {
        simulate: 'boolean',
        seed: 'string',
        for: 'string',
        print: 'string',
        summary: 'string',
        influx: 'string',
      });
      const [path, ...more] = rest;
      if (path === undefined) throw new Usage('which rig? Name its folder, such as rigs/demo');
      if (more.length > 0) throw new Usage(`one rig at a time, not also ${more.join(' ')}`);
      const seed = options.seed === undefined ? 1 : Number(options.seed);
      if (!Number.isSafeInteger(seed)) throw new Usage(`--seed is a whole number, not "${options.seed}"`);
      if (options.print !== undefined && options.print !== 'jsonl') throw new Usage(`--print knows jsonl, not "${options.print}"`);
      const duration = options.for === undefined ? undefined : seconds(options.for);
      if (options.influx !== undefined) {
        const target = influxTarget(options.influx);
        if (typeof target === 'string') throw new Usage(`--influx: ${target}`);
      }
      const wrong = options.summary === undefined ? undefined : unwritable(options.summary);
      if (wrong !== undefined) throw new Usage(`--summary: ${wrong}`);
      const known = await catalogue();
      const loaded = await loadRig(path, known, methods);
      if (!loaded.ok) {
        for (const message of loaded.messages) io.err(`${printed(message)}\n`);
        return EXIT.rig;
      }
      for (const message of loaded.warnings) io.err(`${printed(message)}: warning\n`);
      return laboratory(loaded.rig, { ...options, seed, duration, simulate: flags.has('simulate') }, io);
    }),
};

function seconds(text: string): number {
  const q = quantity(text);
  if (typeof q === 'string') throw new Usage(`--for: ${q}`);
  if (q.unit !== 's' || q.value <= 0) throw new Usage(`--for is a time such as 20s or 5min, not "${text}"`);
  return q.value;
}
