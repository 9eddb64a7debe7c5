/** Waiting for events of real ports: never for a time. */
import { filter, firstValueFrom, type Observable } from 'rxjs';
import type { Link } from '../../src/link.ts';

export const goes = (link: Link, up: boolean): Promise<boolean> => firstValueFrom(link.up.pipe(filter((now) => now === up)));

/** Resolves when as many bytes have come; begins to listen at once. */
export function bytesFrom(link: Link, count: number): Promise<Uint8Array> {
  const got: number[] = [];
  return new Promise((done) => {
    const heard = link.arrivals.subscribe((a) => {
      got.push(...a.bytes);
      if (got.length < count) return;
      heard.unsubscribe();
      done(Uint8Array.from(got));
    });
  });
}

export const next = <T>(from: Observable<T>): Promise<T> => firstValueFrom(from);
export const text = (bytes: Uint8Array): string => String.fromCharCode(...bytes);
export const ascii = (words: string): Uint8Array => Uint8Array.from(words, (c) => c.charCodeAt(0));
