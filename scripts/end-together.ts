/**
 * Ends everything that a run has started when the run is told to end: the processes of test files, the programs that
 * these have started, and the servers, even if their parents are gone. They are recognised by a variable in their
 * environment, which every child inherits.
 */
import { randomUUID } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'

const variable = 'MNEME_TEST_RUN'
const signals = { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 } as const

/** From here on a signal that ends this process ends all that it has started. */
export function endTogether(): void {
  const mark = randomUUID()
  // A run within a run ends with the outer one, and the outer one not with it.
  process.env[variable] = `${process.env[variable] ?? ''} ${mark}`
  for (const [signal, number] of Object.entries(signals)) {
    process.once(signal, () => {
      // A process that is about to start another may have done so since it was looked for.
      for (let tries = 0; tries < 10; tries++) if (endAll(mark) === 0) break
      process.exit(128 + number)
    })
  }
}

/** Ends all processes with the mark but this one. @returns how many there were */
function endAll(mark: string): number {
  const found = marked(mark).filter((pid) => pid !== process.pid)
  for (const pid of found) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // It has ended by itself.
    }
  }
  return found.length
}

/** The processes with the mark, where the platform tells (Linux); elsewhere a terminal tells all of them itself. */
function marked(mark: string): readonly number[] {
  const has = (pid: string) => {
    try {
      return readFileSync(`/proc/${pid}/environ`, 'latin1').includes(mark)
    } catch {
      return false
    }
  }
  try {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name) && has(name))
      .map(Number)
  } catch {
    return []
  }
}
