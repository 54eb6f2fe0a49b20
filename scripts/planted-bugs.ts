/**
 * Looks for every planted bug from the first seed on, and writes the table of `docs/testing.md`. Run it when scenarios,
 * faults or planted bugs have changed. It takes a few minutes. Threads share the bugs, as many as the machine runs at
 * the same time.
 *
 *     node scripts/planted-bugs.ts            all of them, and writes the table
 *     node scripts/planted-bugs.ts parked     those whose names have the word, and only prints what it finds
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { bugTableOf, withBugTable } from '../test/support/simulation/bug-table.ts'
import type { Found } from '../test/support/simulation/find-bug.ts'
import { plantedBugs } from '../test/support/simulation/planted-bugs.ts'
import { startThread } from './threads.ts'

const [word] = process.argv.slice(2)
const path = new URL('../docs/testing.md', import.meta.url)
const before = bugTableOf(readFileSync(path, 'utf8'))
const names = plantedBugs.map(({ name }) => name).filter((name) => word === undefined || name.includes(word))
const all = new Map<string, Found>()

const waiting = names.values()
const file = new URL('./planted-bug-thread.ts', import.meta.url)
const lookForSome = async () => {
  const { ask, end } = startThread<string, Found | undefined>({ file, inWords: (name) => name })
  // Each takes the next that nobody has taken.
  for (const name of waiting) {
    const found = await ask(name)
    const { seed: seedBefore = 'not found' } = before.get(name) ?? {}
    const what = found === undefined ? 'NOT FOUND' : `seed ${found.seed} of ${found.scenario}: ${found.broken}`
    process.stdout.write(`${name}: ${what} (before: ${seedBefore})\n`)
    if (found !== undefined) all.set(name, found)
  }
  await end()
}
await Promise.all(Array.from({ length: Math.min(availableParallelism(), names.length) }, lookForSome))
if (all.size < names.length) process.exitCode = 1
const table = new Map(names.flatMap((name) => (all.has(name) ? [[name, all.get(name)!]] : [])))
if (word === undefined) writeFileSync(path, withBugTable(readFileSync(path, 'utf8'), table))
