/** What can be wrong with the opening of a link or a server; lost connections are states of a link and no errors. */
export type LinkErrorCode = 'LINK_NOT_STREAM' | 'LINK_ADDRESS' | 'LINK_LISTEN' | 'LINK_NO_SOCAT' | 'LINK_PTY';

export class LinkError extends Error {
  readonly code: LinkErrorCode;
  constructor(code: LinkErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'LinkError';
    this.code = code;
  }
}
