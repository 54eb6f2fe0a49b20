/**
 * A folder in memory for the temporary files of a run. What is written there needs no disk, which makes the quick run a
 * fifth shorter on the same processors. A process that is killed loses nothing there either; only the power must stay
 * on. There is such a folder on Linux, if enough of it is free and programs may run from it.
 */
import {
  accessSync,
  chmodSync,
  constants,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  statSync,
} from 'node:fs'
import { freemem } from 'node:os'
import { join } from 'node:path'

const root = '/dev/shm'
const prefix = 'mneme-tests-'
/** What a run needs at most, several times over. */
const freeBytesMin = 2 ** 31
/** A run makes files all the time, so an older folder was left behind by one that was killed. */
const leftBehindMs = 3_600_000

/** Lets temporary files of this process and its children lie in memory until it ends. @returns where, if it can be */
export function filesInMemory(): string | undefined {
  if (process.env['TMPDIR'] !== undefined || !isGood()) return undefined
  removeLeftBehind()
  const folder = mkdtempSync(join(root, prefix))
  // As everybody's temporary folder is: a server may run as another user.
  chmodSync(folder, 0o1777)
  process.env['TMPDIR'] = folder
  process.on('exit', () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }))
  return folder
}

function isGood(): boolean {
  try {
    accessSync(root, constants.W_OK)
    const { bavail, bsize } = statfsSync(root)
    if (Math.min(bavail * bsize, freemem()) < freeBytesMin) return false
    const options = readFileSync('/proc/mounts', 'utf8').match(/^\S+ \/dev\/shm tmpfs (\S+)/m)?.[1]
    return options !== undefined && !options.split(',').includes('noexec')
  } catch {
    return false
  }
}

function removeLeftBehind(): void {
  for (const name of readdirSync(root)) {
    const folder = join(root, name)
    try {
      if (!name.startsWith(prefix) || Date.now() - statSync(folder).mtimeMs < leftBehindMs) continue
      rmSync(folder, { recursive: true, force: true })
    } catch {
      // Somebody else's, or just removed.
    }
  }
}
