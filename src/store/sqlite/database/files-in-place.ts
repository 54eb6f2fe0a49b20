/**
 * Notices that the files of a store were deleted or replaced while they were open. The next process that opens the
 * store would not find what is written to such a file. The files at the paths are compared with those at the time of
 * opening, which takes some microseconds. Nothing is opened here, because closing a file would release SQLite's locks
 * on it.
 */
import { statSync } from 'node:fs'
import { Failure } from './failure.ts'
import { logPathOf } from './log-path.ts'

/** An identity for each file, or undefined for one that did not exist. */
export type Identities = readonly (string | undefined)[]

export class FilesInPlace {
  readonly identities: Identities
  /** The database and its write-ahead log. SQLite can rebuild its third file from these. */
  readonly #paths: readonly string[]

  /** @param identities the identities at the time of opening; without them they are read now */
  constructor(path: string, identities?: Identities) {
    this.#paths = [path, logPathOf(path)]
    this.identities = identities ?? this.#paths.map(identityOf)
  }

  /** The file that is no longer in place. */
  findMoved(): string | undefined {
    return this.#paths.find((path, i) => {
      const known = this.identities[i]
      return known !== undefined && identityOf(path) !== known
    })
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
    // A file that cannot be checked counts as missing.
    return undefined
  }
}
