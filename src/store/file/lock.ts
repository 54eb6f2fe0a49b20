/**
 * One writer: the directory belongs to whoever made the lock file of the highest number. A file is made with its whole
 * content or not at all, and never for a number that exists, so of two processes that want the same number one gets it.
 * A number is taken only when the owner of the highest one has let go or has ended (also by kill -9). Letting go leaves
 * the file, marked; it is removed by the next owner. So numbers only rise, and somebody who was slow to look finds
 * a higher number than his own and gives way.
 */
import { StoreError } from '../../domain/error.ts'
import type { Disk } from './disk.ts'
import { isRunning, type ProcessIdentity, thisProcess } from './process-identity.ts'
import { troubleOf } from './trouble.ts'

interface LockFile extends ProcessIdentity {
  /** Tells this lock from another of the same process. */
  readonly token: string
  readonly released?: boolean
}

const namePattern = /^lock-(\d{9})$/
const pathOf = (directory: string, number: number): string => `${directory}/lock-${String(number).padStart(9, '0')}`
/** Tries before giving up: each lost one means that somebody else won. */
const triesMax = 100
/** Tries to let go: what stays locked stays so until this process ends. */
const releaseTriesMax = 3

export interface Lock {
  /** Whose lock was taken over, if its owner had ended without letting go. */
  readonly takenOver: string | undefined
  release(): Promise<void>
}

/** @throws StoreError `STORE_LOCKED`, `STORE_READ_ONLY`, `STORE_FULL`, `STORE_UNAVAILABLE` */
export async function lock(disk: Disk, directory: string): Promise<Lock> {
  try {
    for (let tries = 0; tries < triesMax; tries++) {
      const taken = await tryLock(disk, directory)
      if (taken !== undefined) return taken
    }
  } catch (cause) {
    throw troubleOf(directory, 'locking it', cause)
  }
  throw new StoreError('STORE_LOCKED', { store: directory, owner: 'others who keep taking it' })
}

/** `undefined` if somebody else was faster. */
async function tryLock(disk: Disk, directory: string): Promise<Lock | undefined> {
  const numbers = await lockNumbers(disk, directory)
  const highest = numbers.at(-1) ?? 0
  const before = await readLock(disk, pathOf(directory, highest))
  if (before !== undefined && !before.released && isRunning(before)) {
    throw new StoreError('STORE_LOCKED', { store: directory, owner: ownerOf(before) })
  }
  const own = highest + 1
  const content: LockFile = { ...thisProcess(), token: crypto.randomUUID() }
  try {
    if (!(await disk.claim(pathOf(directory, own), `${JSON.stringify(content)}\n`))) return undefined
    if (!(await isHighest(disk, directory, own))) {
      await disk.remove(pathOf(directory, own))
      return undefined
    }
    for (const number of numbers) await disk.remove(pathOf(directory, number))
  } catch (error) {
    // The file may have been made all the same.
    const made = await readLock(disk, pathOf(directory, own)).catch(() => undefined)
    if (made?.token === content.token) await release(disk, directory, own, content).catch(() => undefined)
    throw error
  }
  const takenOver = before === undefined || before.released ? undefined : ownerOf(before)
  return { takenOver, release: () => release(disk, directory, own, content) }
}

async function lockNumbers(disk: Disk, directory: string): Promise<readonly number[]> {
  const numbers = (await disk.list(directory)).flatMap((name) => {
    const digits = namePattern.exec(name)?.[1]
    return digits === undefined ? [] : [Number(digits)]
  })
  return numbers.sort((a, b) => a - b)
}

/** A listing may miss what is renamed or made while it is taken, so it is believed when it says the same twice. */
async function isHighest(disk: Disk, directory: string, own: number): Promise<boolean> {
  const once = await lockNumbers(disk, directory)
  const again = await lockNumbers(disk, directory)
  return once.at(-1) === own && again.at(-1) === own
}

/** `undefined` for no file, and for one that a power failure left without its content: nobody runs who wrote it. */
async function readLock(disk: Disk, path: string): Promise<LockFile | undefined> {
  try {
    const found = JSON.parse((await disk.readText(path)) ?? 'null') as LockFile | null
    return typeof found?.pid === 'number' && typeof found.host === 'string' ? found : undefined
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

async function release(disk: Disk, directory: string, number: number, content: LockFile): Promise<void> {
  const path = pathOf(directory, number)
  for (let tries = 1; ; tries++) {
    try {
      await disk.remove(`${path}.released`)
      await disk.claim(`${path}.released`, `${JSON.stringify({ ...content, released: true })}\n`)
      return await disk.rename(`${path}.released`, path)
    } catch (error) {
      if (tries === releaseTriesMax) throw error
    }
  }
}

const ownerOf = ({ pid, host }: ProcessIdentity): string => `process ${pid} on ${host}`
