import type { Protocol } from './protocol.ts';
import { type TextOptions, text } from './text.ts';

/** "ROP: 12.3", "EMON", "ERR: ...": the command's word, then a colon and the value where there is one. */
const REPLY = /^\s*([^\s:]+)\s*(?::\s*(.*?))?\s*$/;

const word = (message: string): string => (/^\s*([^\s:]*)/.exec(message)?.[1] ?? '').toUpperCase();

/**
 * IPG laser commands: CR ends a command, CR or CRLF a reply; a reply repeats the command's word, an error begins "ERR:". A reply is
 * the whole text; one with another word belongs to an earlier command. Source: davidgrier/pyfab, QIPGLaser/Ipglaser.py.
 */
export function ipg(options: TextOptions = {}): Protocol<string, string> {
  const either = ['\r', '\r\n'];
  const { asks, tells, resync } = text({ ...options, ask: options.ask ?? either, tell: options.tell ?? either });
  return {
    asks,
    tells,
    resync,
    fits: (reply, question) => (refusal(reply) !== undefined || word(reply) === word(question) ? 'answer' : 'late'),
  };
}

/** What stands after the colon: "ROP: Off" gives "Off". Undefined for an error, or where the command is only repeated. */
export const value = (reply: string): string | undefined => (refusal(reply) === undefined ? REPLY.exec(reply)?.[2] : undefined);

/** The text of an error reply ("ERR: ..."); undefined for every other reply. */
export const refusal = (reply: string): string | undefined => /^\s*ERR:\s*(.*?)\s*$/i.exec(reply)?.[1];
