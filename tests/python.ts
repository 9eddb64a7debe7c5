/** Other people's drivers and readers in Python, as Debian installs them: tests that need one are skipped where it is absent. */
import { execFileSync } from 'node:child_process';

/** Debian's own, which has Debian's modules. */
export const PYTHON = '/usr/bin/python3';

/** Whether all of these modules can be imported, such as 'pymeasure, pyvisa'. */
export function hasModules(names: string): boolean {
  try {
    execFileSync(PYTHON, ['-c', `import ${names}`], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
