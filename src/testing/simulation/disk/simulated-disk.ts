/**
 * A disk in memory on which one seed decides everything that goes wrong. It keeps apart what programs see and what is
 * durable, as a real disk does behind its cache. At a power failure each write, each change of a length and each name
 * that was not synced is lost or kept on its own, so they may be reordered, and a write may be torn into sectors. Calls
 * fail with EIO and ENOSPC, and writes stop half-way. What a failed sync has lost is not written by a later one: the
 * program still sees it, and the next program does not. `misdirect` lets a write have landed at a wrong place.
 *
 * Whoever mounts it may decide when calls have their effect. What is under way when the program ends has its effect as
 * a whole, in part or not at all.
 */
import { basename, dirname } from 'node:path'
import type { Disk, DiskFile, OpenMode } from '../../../store/file/database/disk.ts'
import type { Random } from '../../random.ts'
import { apply, type Change, type Inode, newInode, survive } from './inode.ts'
import { RecentWrites } from './recent-writes.ts'

/** A program that has the disk. */
interface Program {
  readonly life: number
  readonly timing: Timing | undefined
}

/** Names that are given or taken away in one step, which is not durable yet. */
type Naming = readonly (readonly [path: string, inode: Inode | undefined])[]

export interface DiskFaults {
  /** The probability with which a call fails. */
  readonly fail: number
  /** The power fails at this call, counted from when the rates are set. */
  readonly powerFailsAt: number
}

/** What a copy of a directory has, by the names of its files. */
export type DiskCopy = ReadonlyMap<string, Buffer>

const noFaults: DiskFaults = { fail: 0, powerFailsAt: Number.POSITIVE_INFINITY }
/** Lets a call have its effect, soon or later. `call` says which it is, for a reader. */
export type Timing = (call: string, act: () => void) => void

/** A call to the disk. */
interface DiskCall {
  readonly name: string
  readonly path: string
  readonly args: readonly unknown[]
  readonly effect: () => Promise<unknown>
  readonly inode: Inode | undefined
}

/** What is told of a call. It is put together when somebody reads it. */
interface Traced {
  readonly call: string
  readonly path?: string
  readonly fate?: string
}

/** Calls that a real disk answers at once, from what the system has in memory. */
const atOnce = new Set(['read', 'identity', 'identityOf', 'isLocal', 'kindOf', 'status'])
/** Calls that never fail: without them a test could not tell what the disk holds. */
const certain = new Set(['close', 'identity', 'identityOf', 'isLocal', 'kindOf'])

export class SimulatedDisk {
  readonly #random: Random
  #names = new Map<string, Inode>()
  #durableNames = new Map<string, Inode>()
  #namings: Naming[] = []
  #rates: DiskFaults = noFaults
  #calls = 0
  #inodes = 0
  #clock = 0
  /** Raised with each end of the program. Calls of an earlier one never settle. */
  #life = 0
  #onPowerFailure: () => void = () => undefined
  /** What has not had its effect yet. */
  readonly #underWay = new Set<DiskCall>()
  readonly #recent = new RecentWrites()
  readonly #trace: Traced[] = []
  failures = 0

  constructor(random: Random) {
    this.#random = random
  }

  /** Sets what goes wrong from now on. @returns a promise that settles if the power fails */
  setFaults(rates: Partial<DiskFaults>): Promise<void> {
    this.#rates = { ...noFaults, ...rates }
    this.#calls = 0
    return new Promise((resolve) => {
      this.#onPowerFailure = resolve
    })
  }

  /** The program ends; what it has written is kept. */
  kill(): void {
    this.#trace.push({ call: 'kill' })
    this.#interrupt()
    this.#end()
  }

  /** The program ends, and what is not durable is lost, in part or as a whole. */
  failPower(): void {
    this.#trace.push({ call: 'power failure' })
    this.#interrupt()
    for (const naming of this.#namings) if (this.#random.chance(0.5)) name(this.#durableNames, naming)
    const inodes = new Set([...this.#names.values(), ...this.#durableNames.values()])
    for (const inode of inodes) {
      for (const change of inode.changes) survive(inode.durable, change, this.#random.fork())
      inode.content.become(inode.durable)
      inode.changes = []
    }
    this.#names = new Map(this.#durableNames)
    this.#namings = []
    this.#end()
  }

  /**
   * A write has landed at a wrong place. Nobody knows it yet.
   *
   * @param endOf up to where a file may be concerned
   * @returns what has happened, for a reader; nothing if there is no write that it could be
   */
  misdirect(endOf: (name: string, length: number) => number = (_, length) => length): string | undefined {
    const files = [...this.#names].filter(([path, { content }]) => !path.includes('/lock-') && content.length > 0)
    const landings = files.map(([path, inode]) => {
      const own = basename(path)
      return { name: own, inode, end: endOf(own, inode.content.length) }
    })
    const told = this.#recent.misdirect(this.#random.fork(), landings)
    if (told !== undefined) this.#trace.push({ call: told })
    return told
  }

  /** Each call, and what was done to it. */
  get trace(): readonly string[] {
    return this.#trace.map(({ call, path = '', fate = '' }) => `${call}${path.replace(/\.[0-9a-f-]{36}/, '')}${fate}`)
  }

  /** Whether a program waits for a call. */
  get isWaitedFor(): boolean {
    return this.#underWay.size > 0
  }

  /** The files of a directory as programs see them, by name. */
  filesIn(directory: string): ReadonlyMap<string, Buffer> {
    const files = [...this.#names].filter(([path]) => dirname(path) === directory)
    return new Map(files.map(([path, { content }]) => [basename(path), content.view]))
  }

  /** The files of a directory become those of a copy, and are durable. @param isOf which files of it, by name */
  putBack(directory: string, copy: DiskCopy, isOf: (name: string) => boolean): void {
    const isBack = (path: string) => dirname(path) === directory && isOf(basename(path))
    this.#namings = this.#namings.filter((naming) => !naming.some(([path]) => isBack(path)))
    for (const names of [this.#names, this.#durableNames]) {
      for (const path of [...names.keys()]) if (isBack(path)) names.delete(path)
    }
    for (const [own, bytes] of copy) {
      if (!isOf(own)) continue
      const inode = this.#inode()
      for (const file of [inode.content, inode.durable]) file.write(bytes, 0)
      for (const names of [this.#names, this.#durableNames]) names.set(`${directory}/${own}`, inode)
    }
  }

  /**
   * The disk as a program sees it that starts now.
   *
   * @param timing decides when calls have their effect; without it they have it at once
   */
  mount(timing?: Timing): Disk {
    const life = this.#life
    const calls: Disk = {
      kindOf: async (path) => {
        if (this.#names.has(path)) return 'file'
        return [...this.#names.keys()].some((each) => each.startsWith(`${path}/`)) ? 'directory' : 'none'
      },
      makeDirectory: async () => undefined,
      list: async (path) => [...new Set(this.#below(path).map((each) => each.slice(path.length + 1).split('/')[0]!))],
      open: async (path, mode) => this.#open({ life, timing }, path, mode),
      readText: async (path) => this.#names.get(path)?.content.view.toString(),
      makeTree: async (path) => this.#name(`${path}/.`, this.#inode()),
      renameNew: async (from, to) => {
        if (this.#below(to).length > 0) return false
        for (const path of this.#below(from)) this.#rename(path, to + path.slice(from.length))
        return true
      },
      removeTree: async (path) => {
        for (const each of this.#below(path)) this.#name(each, undefined)
      },
      isLocal: async () => true,
      identityOf: async (path) => {
        const found = this.#names.get(path) ?? this.#names.get(`${path}/.`)
        return found === undefined ? undefined : `${found.id}`
      },
      rename: async (from, to) => this.#rename(from, to),
      remove: async (path) => this.#name(path, undefined),
      syncDirectory: async (path) => {
        for (const each of this.#namings) if (isIn(path, each)) name(this.#durableNames, each)
        this.#namings = this.#namings.filter((each) => !isIn(path, each))
      },
    }
    return this.#wrap({ life, timing }, calls, '')
  }

  #open(program: Program, path: string, mode: OpenMode): DiskFile {
    if (mode === 'create') {
      const there = this.#names.get(path)
      if (there === undefined) this.#name(path, this.#inode())
      else this.#change(there, { length: 0 })
    }
    const inode = this.#names.get(path)
    if (inode === undefined) throw systemError('ENOENT', path)
    const file: DiskFile = {
      read: async (bytes, position) => inode.content.read(bytes, position),
      write: async (bytes, position) => this.#write(inode, bytes, position),
      writeDurably: async (bytes, position) => {
        // A file's length is durable with its data, so the changes of it before this write are durable too.
        const kept = inode.changes.splice(0, inode.changes.findLastIndex((change) => 'length' in change) + 1)
        const count = this.#write(inode, bytes, position)
        for (const change of [...kept, inode.changes.pop()!]) apply(inode.durable, change)
        return count
      },
      truncate: async (length) => this.#change(inode, { length }),
      sync: async () => {
        for (const change of inode.changes) apply(inode.durable, change)
        inode.changes = []
      },
      status: async () => ({ length: inode.content.length, modifiedAt: inode.modifiedAt }),
      identity: async () => `${inode.id}`,
      close: async () => undefined,
    }
    return this.#wrap(program, file, path, inode)
  }

  #wrap<Calls extends Disk | DiskFile>(program: Program, calls: Calls, path: string, inode?: Inode): Calls {
    const { life, timing } = program
    const wrapped = Object.entries(calls).map(([name, call]) => {
      const run = async (...args: unknown[]) => {
        if (life !== this.#life) return never()
        const effect = () => (call as (...args: unknown[]) => Promise<unknown>)(...args)
        const called: DiskCall = { name, path: path || String(args[0]), args, effect, inode }
        return timing === undefined || atOnce.has(name) ? this.#call(called) : this.#later(called, timing)
      }
      return [name, run]
    })
    return Object.fromEntries(wrapped) as Calls
  }

  #later(call: DiskCall, timing: Timing): Promise<unknown> {
    this.#underWay.add(call)
    return new Promise((resolve, reject) => {
      timing(`${call.name} ${basename(call.path)}`, () => {
        if (this.#underWay.delete(call)) this.#call(call).then(resolve, reject)
      })
    })
  }

  /** The program ends while calls are under way. The system may go on with them, or not. */
  #interrupt(): void {
    for (const { name, args, effect, inode } of this.#underWay) {
      const random = this.#random.fork()
      // What was written may be there for the next program, and not be on the disk yet.
      if (name.startsWith('write') && random.chance(0.5))
        this.#writePart(inode!, args, random.chance(0.5) ? 1 : random.next())
      else if (random.chance(0.5)) effect().catch(() => undefined)
    }
    this.#underWay.clear()
  }

  async #call({ name, path, args, effect, inode }: DiskCall): Promise<unknown> {
    this.#calls++
    const random = this.#random.fork()
    const isLast = this.#calls >= this.#rates.powerFailsAt
    const fails = !certain.has(name) && random.chance(this.#rates.fail)
    this.#trace.push({ call: `${name} `, path, fate: isLast ? ' power fails' : fails ? ' fails' : '' })
    if (isLast) {
      if (name.startsWith('write')) this.#writePart(inode!, args, random.next())
      else if (random.chance(0.5)) await effect().catch(() => undefined)
      this.failPower()
      this.#onPowerFailure()
      return never()
    }
    if (!fails) return effect()
    this.failures++
    if (name.startsWith('write') && random.chance(0.5)) this.#writePart(inode!, args, random.next())
    // The system has given up the data, and does not write it later although it shows it.
    if (name === 'sync' && random.chance(0.5)) {
      inode!.changes = []
      inode!.isGivenUp = true
    }
    throw systemError(random.pick(['EIO', 'ENOSPC']), path)
  }

  /** A part of a write reaches the cache. @param share from 0 to 1 */
  #writePart(inode: Inode, [bytes, position]: readonly unknown[], share: number): void {
    const all = bytes as Uint8Array
    this.#write(inode, all.subarray(0, Math.floor(share * all.length)), position as number)
  }

  #write(inode: Inode, bytes: Uint8Array, at: number): number {
    const change = { at, bytes: Buffer.from(bytes) }
    this.#recent.add(inode, at, change.bytes)
    this.#change(inode, change)
    return bytes.length
  }

  #change(inode: Inode, change: Change): void {
    apply(inode.content, change)
    inode.changes.push(change)
    inode.modifiedAt = ++this.#clock
  }

  #inode(): Inode {
    return newInode(++this.#inodes, ++this.#clock)
  }

  #name(path: string, inode: Inode | undefined): void {
    this.#apply([[path, inode]])
  }

  #apply(naming: Naming): void {
    name(this.#names, naming)
    this.#namings.push(naming)
  }

  #rename(from: string, to: string): void {
    const inode = this.#names.get(from)
    if (inode === undefined) throw systemError('ENOENT', from)
    this.#apply([
      [to, inode],
      [from, undefined],
    ])
  }

  #below(path: string): readonly string[] {
    return [...this.#names.keys()].filter((each) => each.startsWith(`${path}/`))
  }

  #end(): void {
    this.#life++
    for (const inode of this.#names.values()) {
      if (inode.isGivenUp) inode.content.become(inode.durable)
      if (inode.isGivenUp) inode.changes = []
      inode.isGivenUp = false
    }
  }
}

const never = (): Promise<never> => new Promise(() => undefined)

const isIn = (directory: string, [first]: Naming): boolean => dirname(first![0]) === directory

function name(names: Map<string, Inode>, naming: Naming): void {
  for (const [path, inode] of naming) {
    if (inode === undefined) names.delete(path)
    else names.set(path, inode)
  }
}

const systemError = (code: string, path: string): Error => Object.assign(new Error(`${code}: ${path}`), { code })
