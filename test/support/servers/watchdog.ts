/**
 * A process that outlives the tests': when theirs is gone, however it went, it ends a server by SIGQUIT and removes the
 * folder of its data, in which the server has written down its process id.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'

const program = `
  import { readFileSync, rmSync } from 'node:fs'
  const [folder, file] = process.argv.slice(1)
  process.stdin.resume().on('end', () => {
    try {
      const pid = Number(readFileSync(folder + '/' + file, 'utf8').split('\\n')[0])
      process.kill(pid, 'SIGCONT')
      process.kill(pid, 'SIGQUIT')
    } catch {}
    setTimeout(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }), 200)
  })`

export class Watchdog {
  readonly #process: ChildProcess

  /** @param file in the folder, with the process id in its first line */
  constructor(folder: string, file: string) {
    this.#process = spawn(process.execPath, ['--input-type=module', '-e', program, folder, file], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
    })
    this.#process.unref()
  }

  /** Lets it do now what it is there for. Calling it again does nothing. */
  async dismiss(): Promise<void> {
    if (this.#process.exitCode !== null) return
    this.#process.ref()
    this.#process.stdin!.end()
    await once(this.#process, 'exit')
  }
}
