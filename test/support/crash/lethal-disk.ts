/**
 * The disk of this machine, watched: it reports how much of each file is durable, and it can end this process by `kill
 * -9` at one of its calls, just before it, just after it, or, in a write, when some of the bytes are written.
 * Everything up to then is done for real.
 */
import { basename } from 'node:path'
import { type Disk, type DiskFile, nodeDisk, type OpenMode } from '../../../src/store/file/database/disk.ts'
import type { LethalCall } from './writer-protocol.ts'

type Call = (...parameters: unknown[]) => Promise<unknown>

export class LethalDisk {
  readonly disk: Disk
  #callsLeft = Number.POSITIVE_INFINITY
  #done = 0
  #counts: (name: string) => boolean = () => true

  /** @param onDurable hears the name of a file and up to which byte it is durable */
  constructor(onDurable: (name: string, length: number) => void) {
    const open = async (path: string, mode: OpenMode) =>
      this.#wrap(watched(await nodeDisk.open(path, mode), (length) => onDurable(basename(path), length)))
    this.disk = this.#wrap({ ...nodeDisk, open })
  }

  /** Counts calls from now on. */
  arm({ of, call, done }: LethalCall): void {
    this.#counts = (name) => of === 'all calls' || name === 'writeDurably'
    this.#callsLeft = call
    this.#done = done
  }

  #wrap<Calls extends Disk | DiskFile>(calls: Calls): Calls {
    const entries = Object.entries(calls).map(([name, call]) => [name, this.#lethal(name, call as Call)])
    return Object.fromEntries(entries) as Calls
  }

  #lethal(name: string, call: Call): Call {
    return async (...parameters) => {
      if (this.#counts(name)) this.#callsLeft--
      return this.#callsLeft === 0 ? this.#end(name, call, parameters) : call(...parameters)
    }
  }

  /** The end comes even if the call would have failed. */
  async #end(name: string, call: Call, parameters: unknown[]): Promise<never> {
    try {
      if (name.startsWith('write')) {
        const [bytes, position] = parameters as [Uint8Array, number]
        await call(bytes.subarray(0, Math.round(bytes.length * this.#done)), position)
      } else if (this.#done >= 0.5) await call(...parameters)
    } finally {
      process.kill(process.pid, 'SIGKILL')
    }
    return new Promise<never>(() => undefined)
  }
}

/** A file that says, after each call that makes something durable, up to which byte it is. */
function watched(file: DiskFile, onDurable: (length: number) => void): DiskFile {
  let durable = 0
  const reach = (length: number): void => {
    durable = length
    onDurable(length)
  }
  return {
    ...file,
    writeDurably: async (bytes, position) => {
      const count = await file.writeDurably(bytes, position)
      if (position <= durable) reach(Math.max(durable, position + count))
      return count
    },
    sync: async () => {
      const { length } = await file.status()
      await file.sync()
      reach(length)
    },
    truncate: async (length) => {
      await file.truncate(length)
      if (length < durable) reach(length)
    },
  }
}
