/** Detector files as `bridgman analyse` opens them: what they are by their content, and their bytes in pieces. */
import { type FileHandle, open } from 'node:fs/promises';
import { likeAbcd } from '../../protocols/abcd.ts';
import { latin1 } from '../../protocols/protocol.ts';
import { likeWaveDump, type WaveDumpHeader, waveDumpHeader, waveDumpText } from '../../protocols/wavedump.ts';

export type DetectorFormat = 'wavedump' | 'abcd' | 'coincidence-csv' | 'direction-csv';
export interface DetectorFile {
  readonly path: string;
  readonly size: number;
  readonly format: DetectorFormat;
  /** The first header of a WaveDump file. */
  readonly header?: WaveDumpHeader;
}

const HEAD = 65_536;
/** Bytes of one read: what is held of a file does not grow with it. */
export const PIECE = 262_144;

/** The columns by which the two kinds of event lists are known. */
export const CSV_COLUMNS = {
  'coincidence-csv': ['t_ns', 'E_MeVee', 'psd'],
  'direction-csv': ['px_cm', 'py_cm', 'pz_cm', 'dx_cm', 'dy_cm', 'dz_cm'],
} as const;

/** A field without the quotes that some programs put around each. */
export const unquoted = (field: string): string => /^\s*"([^"]*)"\s*$/.exec(field)?.[1] ?? field;
/** The names in the first line of a table, without blanks and quotes around them. */
export const columnNames = (line: string): readonly string[] => line.split(',').map((name) => unquoted(name).trim());

const KNOWN = `Known are WaveDump binary files with headers, ABCD list-mode files, and CSV with the columns ${Object.values(CSV_COLUMNS)
  .map((names) => names.join(','))
  .join(' or ')}.`;

/** Looks at the beginning of a file; a sentence where it cannot be analysed. `wanted` is what the user says that it is. */
export async function detectorFile(path: string, wanted?: 'wavedump' | 'abcd'): Promise<DetectorFile | string> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, 'r');
    const { size, isFolder } = await file.stat().then((s) => ({ size: s.size, isFolder: s.isDirectory() }));
    if (isFolder) return `${path} is a folder; name the files in it`;
    const head = new Uint8Array(HEAD);
    let n = 0;
    for (let got = 1; got > 0 && n < HEAD; n += got) got = (await file.read(head, n, HEAD - n, n)).bytesRead;
    const found = formatOf(head.subarray(0, n));
    if (n === 0) return `${path} is empty`;
    // What is a table by its first line is no binary file, whatever it is called.
    if (wanted !== undefined && found in CSV_COLUMNS) return `${path} is an event list in CSV, not a file of --format ${wanted}`;
    const format = wanted ?? found;
    if (format !== 'wavedump' && format !== 'abcd' && format !== 'coincidence-csv' && format !== 'direction-csv')
      return `${path} ${format}`;
    const header = format === 'wavedump' ? waveDumpHeader(head.subarray(0, n), 0) : undefined;
    return { path, size, format, ...(header ? { header } : {}) };
  } catch (error) {
    return cannot(path, error);
  } finally {
    await file?.close();
  }
}

/** What the system says of a file, as a sentence. */
export function cannot(path: string, error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOENT') return `there is no file ${path}`;
  if (code === 'EACCES') return `${path} may not be read`;
  if (code === 'EISDIR') return `${path} is a folder; name the files in it`;
  return `${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`;
}

function formatOf(head: Uint8Array): string {
  const start = latin1(head.subarray(0, 1024)).replace(/^\u00ef\u00bb\u00bf/, ''); // a byte order mark
  const names = columnNames(start.split(/\r?\n/, 1)[0] ?? '');
  for (const [format, wanted] of Object.entries(CSV_COLUMNS)) if (wanted.every((name) => names.includes(name))) return format;
  if (waveDumpText(start))
    return 'holds waveforms as text; WaveDump writes a file that can be analysed with OUTPUT_FILE_FORMAT BINARY and OUTPUT_FILE_HEADER YES';
  if (/^(\u00ff\u00fe|\u00fe\u00ff)/.test(start)) return 'is text in UTF-16; write it as UTF-8 or plain ASCII';
  if (likeWaveDump(head)) return 'wavedump';
  const abcd = likeAbcd(head);
  switch (abcd) {
    case true:
      return 'abcd';
    case 'short':
      return `has ${head.length} bytes, fewer than one event of any known kind. ${KNOWN}`;
    case 'zeros':
      return 'holds nothing but zeros at its beginning; was it copied whole? Where it is known what it is, --format says so';
    case 'samples':
      return 'looks like samples without headers, which have neither times nor numbers; WaveDump writes them with OUTPUT_FILE_HEADER YES';
    case 'no':
      return `${tableText(start) ?? 'is no file that can be analysed'}. ${KNOWN}`;
  }
}

/** What the first line of a text is, where it can be that of a table. */
function tableText(start: string): string | undefined {
  const line = start.split(/\r\n|\n|\r/, 1)[0] ?? '';
  const by = [',', ';', '\t'].find((mark) => line.includes(mark));
  if (by === undefined || line.length > LINE || !/^[\t\x20-\x7e]+$/.test(line)) return undefined;
  const shown = line.replaceAll('\t', ' ');
  if (!/[\r\n]/.test(start)) return `has the single line "${shown}"`;
  if (!start.includes('\n')) return 'has lines that end with CR alone; they must end with LF or CR LF';
  if (by !== ',') return `has the first line "${shown}": its columns must be parted by commas, and numbers have decimal points`;
  return `has the columns ${columnNames(line).join(', ')} in its first line, and they are none of those that are known`;
}
const LINE = 200; // characters of a line that is shown

/** The bytes of a file from its beginning, PIECE at a time; a piece is overwritten by the next one. */
export async function* pieces(path: string, buffer = new Uint8Array(PIECE)): AsyncGenerator<Uint8Array> {
  const file = await open(path, 'r');
  try {
    for (let at = 0; ; ) {
      const { bytesRead } = await file.read(buffer, 0, buffer.length, at);
      if (bytesRead === 0) return;
      at += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}
