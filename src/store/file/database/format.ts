/**
 * The small file that says what a directory is and which version of the format it has. It is written first into a new
 * store, and read first. A version that this program does not know is refused.
 */
import { StoreError } from '../../../domain/error.ts'
import { type Disk, replaceFile, writeFully } from './disk.ts'
import { corrupt } from './failure.ts'
import { firstPositionOf } from './segment-name.ts'

const formatName = 'format.json'
const format = 'mneme file store'
/** The version of the format that this program writes and reads. */
const formatVersion = 2

/**
 * Reads the format. That needs no lock, because the file never changes.
 *
 * @returns the id of the log, which no other log has, or `undefined` if there is no store yet
 * @throws StoreError `STORE_TOO_NEW`, `STORE_TOO_OLD`, `STORE_CORRUPT`, or an error of the disk
 */
export async function readFormat(disk: Disk, directory: string): Promise<string | undefined> {
  const text = await disk.readText(`${directory}/${formatName}`)
  if (text === undefined) return undefined
  const found = parse(text)
  if (found?.format !== format || !Number.isSafeInteger(found.version)) {
    throw corrupt(directory, `${directory}/${formatName}`, 'it does not say that this is a file store of mneme')
  }
  if (found.version !== formatVersion) {
    const facts = { store: directory, version: found.version, known: formatVersion }
    throw new StoreError(found.version > formatVersion ? 'STORE_TOO_NEW' : 'STORE_TOO_OLD', facts)
  }
  if (typeof found.log === 'string') return found.log
  throw corrupt(directory, `${directory}/${formatName}`, 'it does not say which log this is')
}

/**
 * Reads the format, or writes it into a new store. The caller has the lock. Returns the id of the log.
 *
 * @param newId makes an id that no other log has
 */
export async function readOrMakeFormat(disk: Disk, directory: string, newId: () => string): Promise<string> {
  const log = await readFormat(disk, directory)
  if (log !== undefined) return log

  const segment = (await disk.list(directory)).find((name) => firstPositionOf(name) !== undefined)
  if (segment !== undefined) {
    throw corrupt(directory, `${directory}/${formatName}`, `it is missing, although there is a log (${segment})`)
  }
  const made = newId()
  const text = `${JSON.stringify({ format, version: formatVersion, log: made })}\n`
  await replaceFile(disk, directory, formatName, (file) => writeFully(file, Buffer.from(text), 0))
  return made
}

interface Format {
  readonly format: unknown
  readonly version: number
  readonly log: unknown
}

function parse(text: string): Format | null | undefined {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
