/** What is asked of the dead-man board and of its simulator alike, line by line. */
import { crc16ccitt, type DeadmanTell, deadman } from '../protocols/deadman.ts';
import { Fault, fromLatin1 } from '../protocols/protocol.ts';
import { uniform } from '../src/simulator.ts';
import { asked, type Board, type Contact } from './firmware-board.ts';

/** The answers in a text. */
export const tells = (said: string): readonly DeadmanTell[] =>
  deadman()
    .tells.decoder()(fromLatin1(said))
    .filter((m): m is DeadmanTell => !(m instanceof Fault));

/** What both boards must say alike to the last letter. */
export const exact = ({ left, uptime, ...rest }: DeadmanTell) => ({ ...rest, running: left > 0, up: uptime > 0 });

/** Sends a line (its checksum is added where it has none) and gives the answers of the next 30 ms. */
export async function ask(board: Board, text: string): Promise<readonly DeadmanTell[]> {
  const before = board.said.length;
  const body = text.slice(1);
  const checksum = crc16ccitt(fromLatin1(body)).toString(16).toUpperCase().padStart(4, '0');
  board.inject(text.endsWith('\n') ? text : `${text}*${checksum}\n`);
  await board.run(0.03);
  return tells(board.said.slice(before));
}

export type Act = string | { readonly run: number } | { readonly run: number; readonly contact: Contact; readonly closed: boolean };

/** What is asked of both boards: each rule of docs/deadman.md once, and then many things by chance. */
export function script(): readonly Act[] {
  const fixed: readonly Act[] = [
    ':1 who',
    ':2 state',
    ':3 state 1',
    ':4 feed 1',
    ':5 timeout',
    ':6 relay',
    ':7 relay 2',
    ':8 nonsense',
    ':9 verylongword',
    ':65535 state',
    ':65536 state',
    ':99999 state',
    ':123456 state',
    ':007 state',
    ': state',
    ':1  state',
    ':1 state ',
    ':1 STATE',
    ':1 timeout 00500',
    ':2 timeout 100000',
    ':3 timeout -5',
    ':4 relay 1',
    ':5 relay 01',
    ':6 timeout 99999',
    ':7 timeout 199',
    ':8 timeout 10000',
    ':9 timeout 10001',
    ':1 state*0000\n',
    ':1 state\n',
    ':\n',
    ':*\n',
    ':*FFFF\n',
    ':1 state*d2bd\n',
    `:12 sta${asked(13, 'state')}`,
    `${asked(14, 'state').replace('\n', '\r\n')}`,
    `${asked(15, 'state')}${asked(16, 'feed')}`,
    ':1 abcdefgh 12345678901234567890\n',
  ];
  const words = ['who', 'state', 'feed', 'feed', 'feed', 'timeout 200', 'timeout 600', 'timeout 0', 'timeout 50', 'relay 1', 'relay 0'];
  const more = [...words, 'shutter 1', 'shutter 0', 'relay 1', 'shutter 1', 'feed 3', 'bogus', 'relay 7'];
  const contacts = ['door', 'button', 'key'] as const;
  const chance = Array.from({ length: 250 }, (_, n): Act => {
    const u = uniform(11, 'act', n);
    const v = uniform(11, 'which', n);
    if (u < 0.7) return `:${n} ${more[Math.floor(v * more.length)]}`;
    if (u < 0.85) return { run: 0.004 + 0.002 * Math.floor(150 * v) };
    // Well over and well under what counts as open and closed.
    const contact = contacts[Math.floor(v * contacts.length)];
    return { contact, closed: uniform(11, 'closed', n) < 0.75, run: uniform(11, 'long', n) < 0.5 ? 0.1 : 0.02 };
  });
  return [...fixed, ...chance];
}
