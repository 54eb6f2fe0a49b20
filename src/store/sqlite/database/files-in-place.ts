/**
 * Notices that the files of a store were deleted or replaced while they were open: the next process that opens the
 * store would not find what is written to such a file. The files at the paths are compared with those that were there
 * at opening, which costs some microseconds. It opens nothing: closing a file would end the locks that SQLite has on
 * it.
 */
import { statSync } from 'node:fs'
import { Failure } from './failure.ts'

/** What tells each file from another at its path; undefined for one that was not there. */
export type Identities = readonly (string | undefined)[]

/** The database and its write-ahead log. SQLite can rebuild its third file from these. */
const suffixes = ['', '-wal'] as const

export class FilesInPlace {
  readonly identities: Identities
  readonly #path: string

  /** @param identities as they were at opening; if they are not given, this is the opening */
  constructor(path: string, identities: Identities = suffixes.map((suffix) => identityOf(`${path}${suffix}`))) {
    this.#path = path
    this.identities = identities
  }

  /** The file that is not in place any more. */
  findMoved(): string | undefined {
    const at = this.identities.findIndex((known, i) => {
      return known !== undefined && identityOf(`${this.#path}${suffixes[i]!}`) !== known
    })
    return at < 0 ? undefined : `${this.#path}${suffixes[at]!}`
  }

  /** @throws Failure 'moved' */
  check(): void {
    const file = this.findMoved()
    if (file !== undefined) throw new Failure({ kind: 'moved', file })
  }
}

function identityOf(path: string): string | undefined {
  try {
    const found = statSync(path, { bigint: true, throwIfNoEntry: false })
    return found && `${found.dev}:${found.ino}`
  } catch {
    // A file that cannot be looked for is as good as none.
    return undefined
  }
}
