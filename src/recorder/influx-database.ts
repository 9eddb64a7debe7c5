/** The database itself: made where it is missing, by the influx package. */
import { type After, type Cause, failure, type Target } from './influx-http.ts';

export type Made =
  | { readonly kind: 'made' }
  /** This user may not make databases; it may still be there and writable. */
  | { readonly kind: 'forbidden'; readonly why: string }
  | { readonly kind: 'denied'; readonly why: string }
  | { readonly kind: 'retry'; readonly cause: Cause; readonly why: string };

/** Makes the database of the target unless it is there. Never throws. */
export async function makeDatabase(target: Target, timeout: number, after: After): Promise<Made> {
  let cancel = () => {};
  const late = new Promise<Made>((resolve) => {
    // the package's own time-out does not see an answer that is cut off
    cancel = after(timeout, () => resolve({ kind: 'retry', cause: 'timeout', why: `no answer within ${timeout} s` }));
  });
  try {
    return await Promise.race([ask(target, timeout), late]);
  } finally {
    cancel();
  }
}

async function ask(target: Target, timeout: number): Promise<Made> {
  const { InfluxDB } = await import('influx');
  const { host, port, database, user: username = '', password = '' } = target;
  const protocol = target.secure ? 'https' : 'http';
  const pool = { maxRetries: 0, requestTimeout: timeout * 1000 };
  const client = new InfluxDB({ host, port, protocol, database, username, password, pool });
  let asking = 'show databases';
  try {
    if ((await client.getDatabaseNames()).includes(database)) return { kind: 'made' };
    asking = 'create database';
    await client.createDatabase(database);
    return { kind: 'made' };
  } catch (error) {
    return meaning(error, asking, database);
  }
}

function meaning(error: unknown, asking: string, database: string): Made {
  const { message = '', res } = error as { message?: string; res?: { statusCode?: number } }; // the package's RequestError, or a system error
  const status = res?.statusCode;
  const said = /error occurred: (.*)/s.exec(message)?.[1] ?? message;
  if (status === 401) return { kind: 'denied', why: reason(said) };
  if (status === 403 || /not authorized|authoriz/i.test(said))
    return asking === 'create database'
      ? { kind: 'forbidden', why: `there is no database "${database}", and this user may not make it` }
      : { kind: 'forbidden', why: `this user may not see whether there is a database "${database}"` };
  if (status !== undefined) return { kind: 'retry', cause: 'odd', why: `${asking}: ${reason(said)}` };
  const { cause, why } = failure(error as NodeJS.ErrnoException); // without a status it is a system error or one of the package's own
  return { kind: 'retry', cause: cause === 'odd' ? 'server' : cause, why: `${asking}: ${why}` };
}

/** The "error" of an InfluxDB answer, or the answer's beginning where it has none. */
export function reason(text: string): string {
  try {
    const { error } = JSON.parse(text) as { error?: unknown }; // checked in the next line
    if (typeof error === 'string') return error;
  } catch {
    // not JSON: its text will do
  }
  return text.trim().slice(0, 300);
}
