/**
 * The small file that says what a directory is and which version of the format it has. It is the first thing that is
 * written into a new store and the first that is read; a version that this program does not know is refused.
 */
import { StoreError } from '../../domain/error.ts'
import { type Disk, replaceFile, writeFully } from './disk.ts'
import { firstPositionOf } from './segments.ts'
import { corrupt } from './trouble.ts'

const formatName = 'format.json'
const format = 'mneme file store'
/** The newest version of the format that this program writes and reads. */
const formatVersion = 1

/** @throws StoreError `STORE_TOO_NEW`, `STORE_CORRUPT`, or what the disk threw */
export async function checkFormat(disk: Disk, directory: string): Promise<void> {
  const text = await disk.readText(`${directory}/${formatName}`)
  if (text === undefined) return create(disk, directory)
  const found = parse(text)
  if (found?.format !== format || !Number.isSafeInteger(found.version)) {
    throw corrupt(directory, `${directory}/${formatName}`, 'it does not say that this is a file store of mneme')
  }
  if (found.version > formatVersion) {
    throw new StoreError('STORE_TOO_NEW', { store: directory, version: found.version, known: formatVersion })
  }
}

async function create(disk: Disk, directory: string): Promise<void> {
  const segment = (await disk.list(directory)).find((name) => firstPositionOf(name) !== undefined)
  if (segment !== undefined) {
    throw corrupt(directory, `${directory}/${formatName}`, `it is missing, though there is a log (${segment})`)
  }
  const text = `${JSON.stringify({ format, version: formatVersion })}\n`
  await replaceFile(disk, directory, formatName, (file) => writeFully(file, Buffer.from(text), 0))
}

function parse(text: string): { readonly format: unknown; readonly version: number } | undefined {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
