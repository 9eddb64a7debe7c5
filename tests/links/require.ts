/** Whether a program that a test needs is there; where services are required, its absence is a failure. */
import { spawnSync } from 'node:child_process';

export function program(name: string, versionFlag: string): boolean {
  const there = spawnSync(name, [versionFlag], { stdio: 'ignore' }).error === undefined;
  if (!there && process.env.BRIDGMAN_REQUIRE_SERVICES) throw new Error(`${name} is not installed, and BRIDGMAN_REQUIRE_SERVICES is set`);
  return there;
}
