/**
 * What tests install once and keep: in `MNEME_CACHE`, else in the user's cache folder. Several test processes may want
 * the same thing at once: the first one takes a lock and makes it in a folder aside, which is then renamed into place;
 * the others wait. A lock that is too old, or whose process has ended, was left behind.
 */
import { access, mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'

const lockAgeMsMax = 900_000
const namedMsMax = 5000
const pollMs = 200

const cacheFolder = (): string =>
  process.env['MNEME_CACHE'] ?? join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'mneme')

export const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  )

/** Where something of this name lies, if it has been installed. */
export async function findInstalled(name: string): Promise<string | undefined> {
  const folder = join(cacheFolder(), name)
  return (await exists(folder)) ? folder : undefined
}

/**
 * The folder with something of this name, which should tell its version. Made by `make` in an empty folder if there is
 * none yet; what is made must not depend on where it lies.
 */
export async function installed(name: string, make: (folder: string) => Promise<void>): Promise<string> {
  const cache = cacheFolder()
  const folder = join(cache, name)
  const lock = `${folder}.lock`
  await mkdir(cache, { recursive: true })
  while (!(await exists(folder))) {
    if (await takeLock(lock)) {
      try {
        if (!(await exists(folder))) await makeIn(cache, name, folder, make)
      } finally {
        await rm(lock, { force: true })
      }
    } else {
      await setTimeout(pollMs)
    }
  }
  return folder
}

/** The lock is a file that names the process that has it. A process that ended has left its lock behind. */
async function takeLock(lock: string): Promise<boolean> {
  const taken = await writeFile(lock, `${process.pid}`, { flag: 'wx' }).then(
    () => true,
    () => false,
  )
  if (taken) return true
  const [owner, made] = await Promise.all([readFile(lock, 'utf8').catch(() => ''), stat(lock).catch(() => undefined)])
  if (made === undefined) return false
  const ageMs = Date.now() - made.mtimeMs
  // A lock that was just made may not name its process yet.
  const isLeftBehind = ageMs > lockAgeMsMax || (ageMs > namedMsMax && !isAlive(Number(owner)))
  if (isLeftBehind) await rm(lock, { recursive: true, force: true })
  return false
}

function isAlive(pid: number): boolean {
  try {
    return pid > 0 && process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

async function makeIn(
  cache: string,
  name: string,
  folder: string,
  make: (folder: string) => Promise<void>,
): Promise<void> {
  const fresh = await mkdtemp(join(cache, `${name}.new-`))
  try {
    await make(fresh)
    await rename(fresh, folder)
  } finally {
    await rm(fresh, { recursive: true, force: true })
  }
}
