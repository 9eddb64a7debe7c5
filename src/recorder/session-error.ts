/** A mistake in the use of a session, or a folder that is none: the set of codes is closed. */
export class SessionError extends Error {
  readonly code: 'SESSION_CLOSED' | 'SESSION_NO_FOLDER' | 'SESSION_BAD_POSITION';
  constructor(code: SessionError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'SessionError';
    this.code = code;
  }
}
