/**
 * Looks for every planted bug from the first seed on, and writes the table of `docs/testing.md`. Run it when scenarios,
 * faults or planted bugs have changed. It takes a few minutes.
 *
 *     node scripts/planted-bugs.ts            all of them, and writes the table
 *     node scripts/planted-bugs.ts parked     those whose names have the word, and only prints what it finds
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { bugTableOf, withBugTable } from '../test/support/simulation/bug-table.ts'
import { type Found, findBug } from '../test/support/simulation/find-bug.ts'
import { plantedBugs } from '../test/support/simulation/planted-bugs.ts'

const [word] = process.argv.slice(2)
const path = new URL('../docs/testing.md', import.meta.url)
const before = bugTableOf(readFileSync(path, 'utf8'))
const table = new Map<string, Found>()

for (const bug of plantedBugs) {
  if (word !== undefined && !bug.name.includes(word)) continue
  const found = await findBug(bug)
  const { seed: seedBefore = 'not found' } = before.get(bug.name) ?? {}
  const what = found === undefined ? 'NOT FOUND' : `seed ${found.seed} of ${found.scenario}: ${found.broken}`
  process.stdout.write(`${bug.name}: ${what} (before: ${seedBefore})\n`)
  if (found === undefined) process.exitCode = 1
  else table.set(bug.name, found)
}
if (word === undefined) writeFileSync(path, withBugTable(readFileSync(path, 'utf8'), table))
