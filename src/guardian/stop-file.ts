/** A file whose appearance stops everything: for scripts, other programs and network drives. Nothing hazardous while it is there. */
import { type Clock, every } from '../clock.ts';

export interface StopFileOptions {
  readonly path: string;
  readonly clock: Clock;
  /** Is it there? Rejects with the system's error where that cannot be told. */
  readonly look: (path: string) => Promise<boolean>;
  /** It has appeared, or was there at the first look: then nothing has been switched on yet. */
  readonly appeared: (why: string, first: boolean) => void;
  /** It is there, or has not been looked at yet, with the reason for people; or it is not there. */
  readonly forbid: (why: string | undefined) => void;
  readonly told: (text: string) => void;
}

const EVERY = 0.2; // seconds between two looks
const HUNG = 2; // seconds after which a look that has not come back is told

/** Looks five times a second and has one look outstanding at most: a hung disk must not take all threads. Gives a function that ends it. */
export function stopFile(options: StopFileOptions): () => void {
  const { path, clock, told } = options;
  let there: boolean | undefined;
  let since: number | undefined;
  let hung = false;
  let trouble: string | undefined;
  let over = false;

  const seen = (now: boolean): void => {
    if (over) return;
    if (hung || trouble !== undefined) told(`the stop file ${path} can be looked at again`);
    hung = false;
    trouble = undefined;
    if (now === there) return;
    const first = there === undefined;
    there = now;
    if (now) {
      const why = first ? `the stop file ${path} was there at the start` : `the stop file ${path} has appeared`;
      options.forbid(`the stop file ${path} is there: remove it first`);
      options.appeared(why, first);
    } else {
      options.forbid(undefined);
      if (!first) told(`the stop file ${path} is gone`);
    }
  };
  const failed = (error: unknown): void => {
    const why = error instanceof Error ? error.message : String(error);
    if (over || trouble === why) return;
    trouble = why;
    told(`the stop file ${path} cannot be looked at (${why}): ${meanwhile()}`);
  };
  const meanwhile = (): string => (there === undefined ? 'nothing hazardous until it can' : 'it stops nothing meanwhile');
  const look = (): void => {
    if (since !== undefined) {
      if (!hung && clock.mono() - since > HUNG) {
        hung = true;
        told(`the stop file ${path} cannot be looked at (the disk does not answer): ${meanwhile()}`);
      }
      return;
    }
    since = clock.mono();
    options
      .look(path)
      .then(seen, failed)
      .finally(() => {
        since = undefined;
      });
  };
  options.forbid(`the stop file ${path} has not been looked at yet`);
  look();
  const end = every(clock, EVERY, look);
  return () => {
    over = true;
    end();
  };
}
