/**
 * The subjects of the store. Below the prefix, the first token says what a message is:
 *
 *     mneme.e.<aggregate>.<id>                the events of a stream, in the log
 *     mneme.r.<projection>.c                  a projection's checkpoint
 *     mneme.r.<projection>.k.<build>.<key>    a row
 *     mneme.r.<projection>.w.<token>.<part>   rows of a large step, written ahead
 *     mneme.s.<aggregate>.<id>.<sequence>     a snapshot
 *     mneme.l.<name>, mneme.v.<stream>        a lease, a reservation
 *
 * Names and ids become tokens: letters, digits, `-` and `_` stay, every other byte of UTF-8 becomes `=` and two hex
 * digits. A subject has to fit in a line of NATS's protocol. A long name therefore becomes `~` and its SHA-256, and is
 * read from the message.
 */
import { createHash } from 'node:crypto'
import type { StreamId } from '../../../domain/stream.ts'

/** The longest token that is written out. */
const tokenLengthMax = 200

/** A name or an id as a token of a subject. */
export function tokenOf(name: string): string {
  if (/^[\w-]+$/.test(name) && name.length <= tokenLengthMax) return name
  let token = ''
  for (const byte of Buffer.from(name)) {
    const character = String.fromCharCode(byte)
    token += /[\w-]/.test(character) ? character : `=${byte.toString(16).padStart(2, '0')}`
    if (token.length > tokenLengthMax) return `~${createHash('sha256').update(name).digest('hex')}`
  }
  return token
}

/** The name that became a token, or undefined if only its message says it. */
export function nameOf(token: string): string | undefined {
  if (token.startsWith('~')) return undefined
  if (!token.includes('=')) return token
  const bytes = token.replace(/=(..)/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
  return Buffer.from(bytes, 'latin1').toString()
}

/** The last token of a subject. */
export const lastTokenOf = (subject: string): string => subject.slice(subject.lastIndexOf('.') + 1)

export class Subjects {
  readonly prefix: string

  constructor(prefix: string) {
    this.prefix = prefix
  }

  /** Every event. */
  get events(): string {
    return `${this.prefix}.e.>`
  }

  /** Everything that is not an event. */
  get state(): readonly string[] {
    return ['r', 's', 'l', 'v'].map((kind) => `${this.prefix}.${kind}.>`)
  }

  /** Where processes tell each other that the log has grown. Nothing keeps these messages. */
  get hints(): string {
    return `${this.prefix}.hint`
  }

  stream({ aggregate, id }: StreamId): string {
    return `${this.prefix}.e.${tokenOf(aggregate)}.${tokenOf(id)}`
  }

  aggregate(aggregate: string): string {
    return `${this.prefix}.e.${tokenOf(aggregate)}.*`
  }

  snapshots({ aggregate, id }: StreamId): string {
    return `${this.prefix}.s.${tokenOf(aggregate)}.${tokenOf(id)}`
  }

  lease(name: string): string {
    return `${this.prefix}.l.${tokenOf(name)}`
  }

  get reservations(): string {
    return `${this.prefix}.v.*`
  }

  reservation({ aggregate, id }: StreamId): string {
    return `${this.prefix}.v.${tokenOf(JSON.stringify([aggregate, id]))}`
  }

  projection(projection: string): string {
    return `${this.prefix}.r.${tokenOf(projection)}`
  }
}
