/** A process in which the tests of a process run the program `mneme` again and again (`several-runs.ts`). */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'

/** How a run ended, and what it printed. */
export interface Ended {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

const severalRuns = join(import.meta.dirname, 'several-runs.ts')

let started: KeptProgram | undefined

/** Runs the program several times in a folder, one after the other, and after all runs that were asked for before. */
export function runEach(folder: string, runs: readonly (readonly string[])[]): Promise<readonly Ended[]> {
  started ??= new KeptProgram()
  return started.each(folder, runs)
}

class KeptProgram {
  readonly #child: ChildProcess
  readonly #printed = { stdout: '', stderr: '' }
  #last: Promise<unknown> = Promise.resolve()

  constructor() {
    const { NODE_TEST_CONTEXT: _, FORCE_COLOR: __, ...env } = process.env
    const child = spawn(process.execPath, [severalRuns], { env, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] })
    for (const name of ['stdout', 'stderr'] as const) {
      child[name]!.setEncoding('utf8').on('data', (text: string) => {
        this.#printed[name] += text
      })
    }
    this.#child = child
    this.#hold(false)
  }

  each(folder: string, runs: readonly (readonly string[])[]): Promise<readonly Ended[]> {
    const found = this.#last.then(() => this.#each(folder, runs))
    this.#last = found.catch(() => {})
    return found
  }

  async #each(folder: string, runs: readonly (readonly string[])[]): Promise<readonly Ended[]> {
    const child = this.#child
    const ended = new AbortController()
    const { signal } = ended
    this.#hold(true)
    try {
      child.send({ folder, runs })
      const gone = once(child, 'close', { signal }).then(([code]) => {
        started = undefined
        throw new Error(`The program ended with ${code} in the middle of its runs: ${this.#printed.stderr}`)
      })
      const [codes, outs, errs] = await Promise.race([
        Promise.all([
          once(child, 'message', { signal }).then(([codes]) => codes as readonly number[]),
          this.#texts('stdout', runs.length, signal),
          this.#texts('stderr', runs.length, signal),
        ]),
        gone,
      ])
      return codes.map((code, i) => ({ code, out: outs[i]!, err: errs[i]! }))
    } finally {
      ended.abort()
      this.#hold(false)
    }
  }

  /** What so many runs have printed. */
  async #texts(name: 'stdout' | 'stderr', runs: number, signal: AbortSignal): Promise<readonly string[]> {
    for (;;) {
      const texts = this.#printed[name].split('\0')
      if (texts.length > runs) {
        this.#printed[name] = texts.slice(runs).join('\0')
        return texts.slice(0, runs)
      }
      await once(this.#child[name]!, 'data', { signal })
    }
  }

  /** Whether the process of the tests goes on for its sake. */
  #hold(isHeld: boolean): void {
    const { stdout, stderr, channel } = this.#child
    for (const part of [this.#child, stdout, stderr, channel] as { ref(): void; unref(): void }[]) {
      if (isHeld) part.ref()
      else part.unref()
    }
  }
}
