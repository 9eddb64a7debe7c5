/** Loaded before the program by bench/gigabit.ts: how late the host's loop is, and how much the reading process works, for as long as both live. */
import { writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';

const RESOLUTION = 5; // ms
const place = process.env.BRIDGMAN_GIGABIT;
const name = basename(process.argv[1] ?? '');
if (place !== undefined && (name === 'host-process.js' || name === 'stream-process.js')) {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION });
  delay.enable();
  const begin = performance.now();
  const late = (percent: number): number => Math.max(0, delay.percentile(percent) / 1e6 - RESOLUTION);
  setInterval(() => {
    const { user, system } = process.cpuUsage();
    const said = {
      p50: late(50),
      p99: late(99),
      max: delay.max / 1e6 - RESOLUTION,
      cpu: (user + system) / 1e3 / (performance.now() - begin),
    };
    writeFileSync(`${place}/${name}.json`, JSON.stringify(said));
  }, 500).unref();
}
