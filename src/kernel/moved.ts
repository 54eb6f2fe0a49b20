/** The sign that a command belongs to another process. */

/** A command was not decided here, because another process owns its stream. It can be sent there. */
export class Moved extends Error {
  override readonly name = 'Moved'
}
