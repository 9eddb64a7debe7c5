/** A process that writes one NeXus file and ends. */
import { SessionError } from '../recorder/session-error.ts';
import { type ExportOptions, Unexported, written } from './export.ts';
import { Hdf5Error } from './hdf5.ts';
import type { FromNexus } from './nexus-child.ts';

process.once('message', (options: ExportOptions) => {
  const answer = (m: FromNexus): void => {
    process.send?.(m, () => process.exit());
  };
  written(options, options.target).then(
    (report) => answer({ is: 'done', report }),
    (error: unknown) => {
      const why = error instanceof Error ? error.message : String(error);
      if (error instanceof Unexported) answer({ is: 'failed', of: 'asked', why });
      else if (error instanceof SessionError) answer({ is: 'failed', of: 'session', why });
      else
        answer({ is: 'failed', of: error instanceof Hdf5Error || (error instanceof Error && 'code' in error) ? 'system' : 'program', why });
    },
  );
});
process.on('SIGINT', () => {}); // of the terminal: whoever started this one ends it
process.once('disconnect', () => process.exit(1)); // nobody waits for it
