/**
 * A disk for tests that works like the real one until a call that has to fail. It counts all calls, also those of
 * files. The call with the given number fails before it has an effect, after its effect, or half-way (a write that
 * stops). Calls can also be made to fail by kind. Syncs are counted but not passed on, and durable writes are plain
 * writes, because no test here cuts the power and syncs take nearly all of the time.
 */
import { type Disk, type DiskFile, nodeDisk } from './database/disk.ts'

export type FailureMode = 'before' | 'after' | 'half-way'

export class FailingDisk {
  readonly disk: Disk
  /** The number of calls. Only writes can fail half-way, so then only they count. */
  calls = 0
  /** Whether the call that has to fail has failed. */
  hasFailed = false
  readonly #at: number
  readonly #mode: FailureMode
  /** Kinds of calls that fail from now on, with the system's error code. */
  readonly failing: Map<string, string> = new Map()

  constructor(at: number = Number.POSITIVE_INFINITY, mode: FailureMode = 'before') {
    this.#at = at
    this.#mode = mode
    this.disk = this.#wrap({ ...nodeDisk }, (name, result) =>
      name === 'open' ? this.#wrap(withPlainWrites(result as DiskFile), (_, plain) => plain) : result,
    )
  }

  #wrap<Calls extends Disk | DiskFile>(calls: Calls, finish: (name: string, result: unknown) => unknown): Calls {
    const wrapped: Record<string, unknown> = {}
    for (const [name, call] of Object.entries(calls)) {
      wrapped[name] = async (...parameters: unknown[]) => {
        const result = await this.#call(name, call as (...parameters: unknown[]) => Promise<unknown>, parameters)
        return finish(name, result)
      }
    }
    return wrapped as unknown as Calls
  }

  async #call(
    name: string,
    call: (...parameters: unknown[]) => Promise<unknown>,
    parameters: unknown[],
  ): Promise<unknown> {
    const code = this.failing.get(name)
    if (code !== undefined) throw ioError(code)
    // A file that failed to close would stay open until the test ends.
    if (name === 'close') return call(...parameters)
    const counts = this.#mode !== 'half-way' || name === 'write' || name === 'writeDurably'
    if (counts) this.calls++
    if (name === 'sync' || name === 'syncDirectory') call = async () => undefined
    if (!counts || this.calls !== this.#at) return call(...parameters)
    this.hasFailed = true
    if (this.#mode === 'after') {
      const result = await call(...parameters)
      if (name === 'open') await (result as DiskFile).close()
    }
    if (this.#mode === 'half-way') {
      const [bytes, position] = parameters as [Uint8Array, number]
      await call(bytes.subarray(0, Math.floor(bytes.length / 2)), position)
      throw ioError('ENOSPC')
    }
    throw ioError('EIO')
  }
}

const withPlainWrites = (file: DiskFile): DiskFile => ({ ...file, writeDurably: file.write })

const ioError = (code: string): Error => Object.assign(new Error(`${code}: made to fail by the test`), { code })
