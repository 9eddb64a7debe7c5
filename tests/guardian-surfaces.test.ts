/** The stop on its surfaces, and what systemd hears, on virtual time. */
import { EventEmitter } from 'node:events';
import { describe, expect, test } from 'vitest';
import { virtualClock } from '../src/clock.ts';
import { notify, watchdogOf } from '../src/guardian/notify.ts';
import { stopFile } from '../src/guardian/stop-file.ts';
import { stopKey } from '../src/guardian/stop-key.ts';

/** Promises that have been settled are heard. */
const heard = async (): Promise<void> => {
  for (let i = 0; i < 5; i++) await Promise.resolve();
};

describe('a stop file', () => {
  const bench = () => {
    const clock = virtualClock();
    const looks: { readonly answer: (there: boolean) => void; readonly fail: (why: string) => void }[] = [];
    const said: string[] = [];
    const first = 'forbid: the stop file /r/STOP has not been looked at yet';
    const end = stopFile({
      path: '/r/STOP',
      clock,
      look: () =>
        new Promise((answer, fail) => {
          looks.push({ answer, fail: (why) => fail(new Error(why)) });
        }),
      appeared: (why, first) => said.push(`appeared ${first}: ${why}`),
      forbid: (why) => said.push(`forbid: ${why}`),
      told: (text) => said.push(text),
    });
    /** The look that is outstanding says this; then so much time passes. */
    const answers = async (there: boolean, seconds = 0.2): Promise<void> => {
      looks.at(-1)?.answer(there);
      await heard();
      clock.advance(seconds);
    };
    expect(said.splice(0)).toEqual([first]);
    return { clock, looks, said, end, answers };
  };

  test('stops when it appears, once; forbids while it is there; and again when it comes again', async () => {
    const b = bench();
    await b.answers(false);
    await b.answers(false);
    expect(b.said.splice(0)).toEqual(['forbid: undefined']);
    await b.answers(true);
    const stops = ['forbid: the stop file /r/STOP is there: remove it first', 'appeared false: the stop file /r/STOP has appeared'];
    expect(b.said).toEqual(stops);
    await b.answers(true);
    await b.answers(true);
    expect(b.said.length).toBe(2);
    await b.answers(false);
    expect(b.said.slice(2)).toEqual(['forbid: undefined', 'the stop file /r/STOP is gone']);
    await b.answers(true);
    expect(b.said.slice(4)).toEqual(stops);
  });

  test('there at the start is a stop, too', async () => {
    const b = bench();
    await b.answers(true);
    expect(b.said).toEqual([
      'forbid: the stop file /r/STOP is there: remove it first',
      'appeared true: the stop file /r/STOP was there at the start',
    ]);
  });

  test('looks five times a second, never twice at once: a hung disk is told, and what it says at last counts', async () => {
    const b = bench();
    await b.answers(false);
    await b.answers(false);
    expect(b.said.splice(0)).toEqual(['forbid: undefined']);
    const n = b.looks.length;
    b.clock.advance(60);
    expect(b.looks.length).toBe(n);
    expect(b.said).toEqual(['the stop file /r/STOP cannot be looked at (the disk does not answer): it stops nothing meanwhile']);
    await b.answers(true);
    expect(b.said.slice(1)).toEqual([
      'the stop file /r/STOP can be looked at again',
      'forbid: the stop file /r/STOP is there: remove it first',
      'appeared false: the stop file /r/STOP has appeared',
    ]);
    const more = b.looks.length;
    await b.answers(true, 0.2);
    expect(b.looks.length).toBe(more + 1);
  });

  test('a folder that may not be read is told once; from the start on nothing hazardous goes', async () => {
    const b = bench();
    for (let i = 0; i < 5; i++) {
      b.looks.at(-1)?.fail('EACCES');
      await heard();
      b.clock.advance(0.2);
    }
    expect(b.said).toEqual(['the stop file /r/STOP cannot be looked at (EACCES): nothing hazardous until it can']);
    b.end();
    const n = b.looks.length;
    b.clock.advance(5);
    expect(b.looks.length).toBe(n);
  });
});

describe('the space bar', () => {
  const bench = () => {
    const said: (string | boolean)[] = [];
    const keys = Object.assign(new EventEmitter(), {
      setRawMode: (raw: boolean) => said.push(raw),
      resume: () => said.push('resume'),
      pause: () => said.push('pause'),
    });
    const end = stopKey(keys, { stop: () => said.push('STOP'), interrupt: () => said.push('interrupt') });
    const type = (text: string): void => void keys.emit('data', Buffer.from(text, 'latin1'));
    return { said, type, end };
  };

  test('stops; Ctrl-C interrupts as before; no other key does anything', () => {
    const b = bench();
    expect(b.said).toEqual([true, 'resume']);
    for (let code = 0; code < 256; code++) if (code !== 0x20 && code !== 0x03) b.type(String.fromCharCode(code));
    b.type('q');
    b.type('\x1b[A');
    expect(b.said.length).toBe(2);
    b.type(' ');
    b.type('\x03');
    b.type('ab cd');
    b.type('\x03\x03');
    expect(b.said.slice(2)).toEqual(['STOP', 'interrupt', 'STOP', 'interrupt', 'interrupt']);
  });

  test('the terminal is put back once', () => {
    const b = bench();
    b.end();
    b.end();
    b.type(' ');
    expect(b.said).toEqual([true, 'resume', false, 'pause']);
  });
});

describe('systemd', () => {
  test('READY once; WATCHDOG three times in each interval while the host is heard; at the end whatever the host does', () => {
    const clock = virtualClock();
    const said: string[] = [];
    let silence = 0;
    const n = notify(
      clock,
      (message) => said.push(message),
      30,
      () => silence,
    );
    clock.advance(60);
    expect(said).toEqual([]);
    n.ready();
    n.ready();
    clock.advance(30);
    expect(said).toEqual(['READY=1', 'WATCHDOG=1', 'WATCHDOG=1', 'WATCHDOG=1']);
    silence = 3;
    clock.advance(600);
    expect(said.length).toBe(4);
    silence = 0.1;
    clock.advance(10);
    expect(said.length).toBe(5);
    silence = 100;
    n.ending();
    clock.advance(30);
    expect(said.slice(5)).toEqual(['STOPPING=1', 'WATCHDOG=1', 'WATCHDOG=1', 'WATCHDOG=1']);
    n.close();
    clock.advance(100);
    expect(said.length).toBe(9);
  });

  test('without a watchdog only READY and STOPPING', () => {
    const clock = virtualClock();
    const said: string[] = [];
    const n = notify(
      clock,
      (message) => said.push(message),
      undefined,
      () => 0,
    );
    n.ready();
    clock.advance(1000);
    n.ending();
    expect(said).toEqual(['READY=1', 'STOPPING=1']);
  });

  test('the watchdog of the environment', () => {
    expect(watchdogOf({}, 7)).toBe(undefined);
    expect(watchdogOf({ WATCHDOG_USEC: '30000000' }, 7)).toBe(30);
    expect(watchdogOf({ WATCHDOG_USEC: '30000000', WATCHDOG_PID: '7' }, 7)).toBe(30);
    expect(watchdogOf({ WATCHDOG_USEC: '30000000', WATCHDOG_PID: '8' }, 7)).toBe(undefined);
    for (const word of ['', '0', '-1', 'soon']) expect(watchdogOf({ WATCHDOG_USEC: word }, 7)).toBe(undefined);
  });
});
