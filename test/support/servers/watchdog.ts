/**
 * A process that outlives the tests': when theirs is gone, however it went, it ends a server by SIGQUIT and removes the
 * folder of its data, in which the server has written down its process id.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'

/**
 * For a shell, which takes a twentieth of what a process of Node does. NATS writes its process id without the end of a
 * line, which `read` reports as a failure. Files may appear while the folder goes.
 */
const program = `
  cat > /dev/null
  read -r pid < "$1/$2"
  [ -n "$pid" ] && kill -CONT "$pid" && kill -QUIT "$pid"
  for wait in 0.2 0.5 1 2; do
    sleep $wait
    rm -rf "$1" && break
  done`

export class Watchdog {
  readonly #process: ChildProcess

  /** @param file in the folder, with the process id in its first line */
  constructor(folder: string, file: string) {
    this.#process = spawn('sh', ['-c', program, 'watchdog', folder, file], {
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
