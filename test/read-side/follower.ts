/**
 * A process that does nothing but follow a SQLite store: it says each position, leaves behind the one that is its
 * argument, and stops nothing.
 */
import { sqlite } from '../../src/store/sqlite/index.ts'
import { say } from '../../src/testing/crash/told-program.ts'
import { startRows } from '../support/read-side/pots.ts'

const [path, last] = process.argv.slice(2) as [string, string]
const pots = await startRows({ store: sqlite(path), pollIntervalMs: 20 })
for await (const { position } of pots.events()) {
  say(position)
  if (position === Number(last)) break
}
