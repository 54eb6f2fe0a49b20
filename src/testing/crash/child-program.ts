/**
 * A program that a test runs in another process. It is told things line by line. What it prints is read line by line
 * and in order, up to the last whole line before its end, however it ended. A program that does not end in time is
 * killed, and the error says how far it was. Programs end when the process that started them is gone.
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** How a process ended. */
export interface End {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** What it printed as errors. */
  readonly complaints: string
}

const linesRemembered = 5

export class ChildProgram {
  readonly #child: ChildProcessWithoutNullStreams
  readonly #onLine: (line: string) => void
  readonly #newest: string[] = []
  #rest = ''
  #complaints = ''
  #lateMs: number | undefined
  #broken: unknown
  /**
   * Settles when the process is gone and all that it said was heard. Rejects if it took too long, or if hearing a line
   * threw something.
   */
  readonly ended: Promise<End>

  /** @param onLine hears each line; what it throws ends the program and is what `ended` rejects with */
  constructor(program: URL, onLine: (line: string) => void, timeoutMs: number) {
    this.#onLine = onLine
    this.#child = spawn(process.execPath, [fileURLToPath(program)])
    this.#child.stdout.setEncoding('utf8').on('data', (text: string) => this.#hear(text))
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#complaints += text
    })
    // A program that was killed does not listen any more.
    this.#child.stdin.on('error', () => undefined)
    const timer = setTimeout(() => {
      this.#lateMs = timeoutMs
      this.kill()
    }, timeoutMs)
    this.ended = new Promise<End>((resolve, reject) => {
      this.#child.once('error', reject)
      this.#child.once('close', (code, signal) => {
        clearTimeout(timer)
        if (this.#broken !== undefined) reject(this.#broken)
        else if (this.#lateMs !== undefined) reject(new Error(this.#describe(`did not end in ${timeoutMs} ms`)))
        else resolve({ code, signal, complaints: this.#complaints })
      })
    })
    this.ended.catch(() => undefined)
  }

  get pid(): number {
    return this.#child.pid!
  }

  /** Tells the program something, as one line of JSON. */
  send(message: unknown): void {
    this.#child.stdin.write(`${JSON.stringify(message)}\n`)
  }

  /** Ends the process at once, as `kill -9` does. */
  kill(): void {
    this.#child.kill('SIGKILL')
  }

  /** What a program that ended well has left; anything else is an error that says what it complained of. */
  async endedWell(): Promise<void> {
    const { code, signal } = await this.ended
    if (code !== 0) throw new Error(this.#describe(`ended with ${signal ?? `code ${code}`}`))
  }

  #hear(text: string): void {
    const lines = (this.#rest + text).split('\n')
    this.#rest = lines.pop()!
    if (this.#broken !== undefined) return
    try {
      for (const line of lines) {
        if (this.#newest.push(line) > linesRemembered) this.#newest.shift()
        this.#onLine(line)
      }
    } catch (error) {
      this.#broken = error
      this.kill()
    }
  }

  #describe(what: string): string {
    const said = this.#newest.length === 0 ? 'It said nothing.' : `It said last:\n${this.#newest.join('\n')}`
    const complained = this.#complaints === '' ? '' : `\nIt complained:\n${this.#complaints}`
    return `The program ${this.#child.spawnargs.at(-1)} (process ${this.pid}) ${what}. ${said}${complained}`
  }
}
