/**
 * The other end of `ChildProgram`: what a program uses to listen and to speak. A line is with the other process
 * when `say` returns, so it is heard even if this process is killed in the next instant.
 */
import { writeSync } from 'node:fs'
import { createInterface } from 'node:readline'

const standardOutput = 1
const sleeper = new Int32Array(new SharedArrayBuffer(4))

/** Says one line of JSON, synchronously; where the other process is slow to hear, this one waits for it. */
export function say(message: unknown): void {
  const bytes = Buffer.from(`${JSON.stringify(message)}\n`)
  for (let from = 0; from < bytes.length; ) {
    try {
      from += writeSync(standardOutput, bytes, from)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
      Atomics.wait(sleeper, 0, 0, 1)
    }
  }
}

/** Hears each message that this program is told; when nobody is left to tell it any, it ends. */
export function listen(onMessage: (message: any) => void): void {
  const lines = createInterface({ input: process.stdin })
  lines.on('line', (line) => onMessage(JSON.parse(line)))
  lines.on('close', () => process.exit(1))
}
