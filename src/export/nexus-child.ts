/** The side of the program of the process that writes HDF5: it takes what to export, and gives the report. */
import { fork } from 'node:child_process';
import { resolve } from 'node:path';
import { SessionError } from '../recorder/session-error.ts';
import { type ExportOptions, type Report, Unexported } from './export.ts';

export type FromNexus =
  | { readonly is: 'done'; readonly report: Report }
  | { readonly is: 'failed'; readonly of: 'asked' | 'session' | 'system' | 'program'; readonly why: string };

/** The system's word, or the HDF5 library's, on why the file could not be written. */
export class NotWritten extends Error {
  readonly code = 'EIO';
}

const ENTRY = 'nexus-process.js';

/** Writes `options.target` in a process of its own, for the library's memory and its faults are its own. Rejects as exportSession does. */
export function nexusProcess(options: ExportOptions): Promise<Report> {
  // From source, under a test runner, the process is the built one.
  const entry = import.meta.filename.endsWith('.ts')
    ? resolve(import.meta.dirname, '../../dist/src/export', ENTRY)
    : resolve(import.meta.dirname, ENTRY);
  return new Promise((done, failed) => {
    const child = fork(entry, [], { serialization: 'advanced', stdio: ['ignore', 'ignore', 'inherit', 'ipc'], execArgv: [] });
    child.on('message', (m: FromNexus) => {
      if (m.is === 'done') done(m.report);
      else if (m.of === 'asked') failed(new Unexported(m.why));
      else if (m.of === 'session') failed(new SessionError('SESSION_NO_FOLDER', m.why));
      else failed(m.of === 'system' ? new NotWritten(m.why) : new Error(m.why));
    });
    child.on('error', (error) => failed(new NotWritten(`the process that writes HDF5 cannot be started: ${error.message}`)));
    child.on('exit', (code, signal) => failed(new NotWritten(`the process that writes HDF5 has ended (${signal ?? `code ${code}`})`)));
    child.send(options, () => {}); // a child that has just ended is told of by its exit
  });
}
