/**
 * Allows one writer: the directory belongs to the process that made the lock with the highest number. A lock is a
 * folder that appears together with its contents, and never under an existing number. Of two processes that want the
 * same number, only one therefore gets it. A process takes the next number only if the owner of the highest one has let
 * go or has certainly ended (also by kill -9). Letting go marks the folder and leaves it; the next owner removes it.
 * Numbers therefore only rise, and a process that looked too late finds a higher number than its own and gives way.
 *
 * If it is in doubt whether an owner has ended, it counts as running. A person who knows better removes the folder. An
 * owner checks its lock before it writes, and stops if the lock is gone.
 */
import { StoreError } from '../../../domain/error.ts'
import { type Disk, writeFully } from './disk.ts'
import { troubleOf } from './failure.ts'
import { checkInPlace, type HeldFile, hold } from './in-place.ts'
import type { LifeSocket } from './life-socket.ts'
import { type Machine, thisMachine } from './machine.ts'
import type { Life, ProcessIdentity } from './process-identity.ts'

interface Owner extends ProcessIdentity {
  /** Distinguishes this lock from others of the same process. */
  readonly token: string
  /** The identity of the lock's folder. It is different in a copy of the store. */
  readonly folder: string
}

/** A lock as it was found. */
interface FoundLock {
  readonly path: string
  /** `undefined` if it cannot be read. */
  readonly owner: Owner | undefined
  readonly life: Life | 'released'
}

const namePattern = /^lock-(\d{9})$/
const pathOf = (directory: string, number: number): string => `${directory}/lock-${String(number).padStart(9, '0')}`
const [ownerName, socketName, releasedName] = ['owner.json', 'life.socket', 'released']
/**
 * What a power failure may leave of an owner's line: nothing, its beginning, or holes in it. A lock has its name only
 * after the whole line was written.
 */
const unfinished = /^$|^\{[^\n]*$|\0/
/** The number of tries before giving up. Each lost try means that another process won. */
const triesMax = 100
/** The number of tries to mark a lock as free. If all fail, only this process knows it until it ends. */
const releaseTriesMax = 3

export interface Lock {
  /** The lock that was taken over, if its owner had ended without letting go. */
  readonly takenOver: { readonly owner: string; readonly token: string } | undefined
  /** Distinguishes this lock from every other one. */
  readonly token: string
  /** @throws StoreError `STORE_HALTED` if it was removed or replaced */
  check(): Promise<void>
  release(): Promise<void>
}

/** @throws StoreError `STORE_LOCKED`, `STORE_READ_ONLY`, `STORE_FULL`, `STORE_UNAVAILABLE` */
export async function lock(disk: Disk, directory: string, machine: Machine = thisMachine): Promise<Lock> {
  try {
    for (let tries = 0; tries < triesMax; tries++) {
      const taken = await tryLock(disk, directory, machine)
      if (taken !== undefined) return taken
    }
  } catch (cause) {
    throw troubleOf(directory, 'locking it', cause)
  }
  throw new StoreError('STORE_LOCKED', { store: directory, owner: 'other processes, which keep taking it' })
}

/** Returns `undefined` if another process was faster. */
async function tryLock(disk: Disk, directory: string, machine: Machine): Promise<Lock | undefined> {
  const numbers = await lockNumbers(disk, directory)
  const highest = numbers.at(-1)
  const before =
    highest === undefined ? undefined : await findLock(disk, directory, pathOf(directory, highest), machine)
  if (before !== undefined) checkFree(directory, before)
  const own = (highest ?? 0) + 1
  const held = await claim(disk, pathOf(directory, own), machine)
  if (held === undefined) return undefined
  try {
    if (!(await isHighest(disk, directory, own))) {
      await letGo(held)
      await disk.removeTree(held.path)
      return undefined
    }
    for (const number of numbers) await disk.removeTree(pathOf(directory, number))
  } catch (error) {
    await release(disk, held, machine).catch(() => undefined)
    throw error
  }
  const dead = before?.life === 'ended' ? before.owner : undefined
  return {
    takenOver: dead && { owner: nameOf(dead), token: dead.token },
    token: held.token,
    check: () => checkInPlace(disk, directory, held.file),
    release: async () => {
      try {
        await release(disk, held, machine)
      } catch (cause) {
        throw troubleOf(directory, 'closing', cause)
      }
    },
  }
}

/** @throws StoreError `STORE_LOCKED` */
function checkFree(store: string, { path, owner, life }: FoundLock): void {
  if (life === 'released' || life === 'ended') return
  const name = owner === undefined ? 'an owner that cannot be read' : nameOf(owner)
  if (life === 'running') throw new StoreError('STORE_LOCKED', { store, owner: name })
  throw new StoreError('STORE_LOCKED', { store, owner: name, doubt: path })
}

async function lockNumbers(disk: Disk, directory: string): Promise<readonly number[]> {
  const numbers = (await disk.list(directory)).flatMap((name) => {
    const digits = namePattern.exec(name)?.[1]
    return digits === undefined ? [] : [Number(digits)]
  })
  return numbers.sort((a, b) => a - b)
}

/** A listing may miss entries that are renamed or made meanwhile, so it counts only if two in a row are equal. */
async function isHighest(disk: Disk, directory: string, own: number): Promise<boolean> {
  const once = await lockNumbers(disk, directory)
  const again = await lockNumbers(disk, directory)
  return once.at(-1) === own && again.at(-1) === own
}

/**
 * A lock, and whether its owner runs. A lock in a copy of a store has no effect, because it belongs to the original.
 * Returns `undefined` for a lock that a power failure left without content or with a part of it: the process that made
 * it has ended.
 */
async function findLock(disk: Disk, directory: string, path: string, machine: Machine): Promise<FoundLock | undefined> {
  const text = (await disk.readText(`${path}/${ownerName}`)) ?? ''
  const owner = parsed(text)
  if (owner === undefined && unfinished.test(text)) return undefined
  if ((await disk.kindOf(`${path}/${releasedName}`)) !== 'none') return { path, owner, life: 'released' }
  if (owner !== undefined && machine.letGo.has(owner.token)) return { path, owner, life: 'released' }
  if (owner === undefined) return { path, owner, life: 'unknown' }
  const isLocal = () => disk.isLocal(directory)
  const isCopy = (await isLocal()) && owner.folder !== (await disk.identityOf(path))
  if (isCopy) return { path, owner, life: 'released' }
  const askSocket = () => machine.ask(`${path}/${socketName}`)
  return { path, owner, life: await machine.lifeOf(owner, { isLocal, askSocket }) }
}

function parsed(text: string): Owner | undefined {
  try {
    const found = JSON.parse(text) as Partial<Owner> | null
    const isOwner =
      Number.isSafeInteger(found?.pid) &&
      typeof found?.host === 'string' &&
      typeof found.token === 'string' &&
      typeof found.folder === 'string'
    return isOwner ? (found as Owner) : undefined
  } catch {
    return undefined
  }
}

interface Made {
  readonly path: string
  readonly token: string
  readonly socket: LifeSocket | undefined
}

interface Held extends Made {
  /** Kept open, so that no other file can get its identity. */
  readonly file: HeldFile
}

/** Makes a complete lock with its open socket. Returns `undefined` if the number is taken. */
async function claim(disk: Disk, path: string, machine: Machine): Promise<Held | undefined> {
  const token = machine.newId()
  const made = `${path}.${token}.new`
  let socket: LifeSocket | undefined
  try {
    await disk.makeTree(made)
    const folder = (await disk.identityOf(made)) ?? ''
    const file = await disk.open(`${made}/${ownerName}`, 'create')
    try {
      const owner: Owner = { ...machine.thisProcess(), token, folder }
      await writeFully(file, Buffer.from(`${JSON.stringify(owner)}\n`), 0)
    } finally {
      await file.close()
    }
    socket = await machine.listen(`${made}/${socketName}`)
    const isOwn = await disk.renameNew(made, path)
    // A file server may have renamed it, although it reported a failure.
    if (isOwn || (await tokenOf(disk, path)) === token) {
      const name = `${path}/${ownerName}`
      return { path, token, socket, file: await hold(name, await disk.open(name, 'read')) }
    }
    await disk.removeTree(made)
    await socket?.close()
    return undefined
  } catch (error) {
    // It may have been made anyway.
    await release(disk, { path, token, socket }, machine).catch(() => undefined)
    await disk.removeTree(made).catch(() => undefined)
    throw error
  }
}

/** Lets go of a lock, and marks it as free if it still exists. If that fails, it is free for this process alone. */
async function release(disk: Disk, held: Made | Held, machine: Machine): Promise<void> {
  try {
    await markAsFree(disk, held)
    await letGo(held)
  } catch (error) {
    await letGo(held)
    machine.letGo.add(held.token)
    throw error
  }
}

async function markAsFree(disk: Disk, { path, token }: Made): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      if ((await tokenOf(disk, path)) !== token) return
      const mark = await disk.open(`${path}/${releasedName}`, 'create')
      await mark.close()
      // The socket is no longer needed, and many programs cannot copy it.
      return await disk.remove(`${path}/${socketName}`)
    } catch (error) {
      if (tries === releaseTriesMax) throw error
    }
  }
}

async function letGo(held: Made | Held): Promise<void> {
  await held.socket?.close()
  if ('file' in held) await held.file.file.close().catch(() => undefined)
}

async function tokenOf(disk: Disk, path: string): Promise<string | undefined> {
  return parsed((await disk.readText(`${path}/${ownerName}`)) ?? '')?.token
}

const nameMax = 200
const nameOf = ({ pid, host }: ProcessIdentity): string => `process ${pid} on ${host.slice(0, nameMax)}`
