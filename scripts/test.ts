/**
 * Runs tests: all of them in their quick sizes (`test/support/size.ts`), or those that the arguments name. Each file
 * has a process of its own, but in a quick run of everything small files share some (`together.ts`).
 *
 *     npm test                                        everything that matters, in a few minutes
 *     CI=true npm test                                everything in full
 *     npm test -- sqlite                              the files whose paths have the word
 *     npm test -- src/store/page.test.ts src/kernel   files and folders; globs too
 *     npm test -- 'a conflict'                        the tests whose names have the words
 *     npm test -- --name='^a .* conflict'             the tests whose names match, in all files
 *
 * Words in the names of tests are looked for in the files that contain them, or import a file that does. So no other
 * file runs, and no server starts for it. A name that says `on sqlite` starts no server of another store either.
 *
 * Fails if a test fails, or if there is none. An interrupt ends every process that the tests have started.
 */
import { existsSync, globSync, readFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { run } from 'node:test'
import { parseArgs } from 'node:util'
import { leftOut } from '../test/support/size.ts'
import { endTogether } from './end-together.ts'
import { filesInMemory } from './memory-folder.ts'
import { isEmpty, report } from './test-report.ts'
import { filesMax, together } from './together.ts'

/** A file that takes longer hangs. A process with several files may take so long for each. */
const fileTimeoutMs = 1_200_000
const everywhere = '{src,tools,test,scripts,examples,bench}/**/*.test.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { name: { type: 'string', multiple: true, default: [] } },
})
const patterns: string[] = []
const names = values.name.map((name) => new RegExp(name))
/** What the names of tests were asked to contain. */
const words: string[] = []
for (const given of positionals) {
  if (isPath(given)) patterns.push(...filesOf(given))
  else {
    const files = globSync(everywhere).filter((path) => path.toLowerCase().includes(given.toLowerCase()))
    if (files.length > 0) patterns.push(...files)
    else if (given.includes('/')) patterns.push(given)
    else words.push(given)
  }
}
names.push(...words.map((given) => new RegExp(given.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'), 'i')))
if (positionals.length > 0) process.env['MNEME_TESTS'] ??= 'named'
// Only names of tests were given, or nothing: they may be anywhere. A file that is named and not there is no reason to
// run all others.
const isAnywhere = positionals.every((given) => !isPath(given)) && patterns.length === 0
const files = isAnywhere ? filesWith(words) : patterns
const isEverything = positionals.length === 0 && names.length === 0

// There are many processes. They do not compile all modules again.
process.env['NODE_COMPILE_CACHE'] ??= join(tmpdir(), 'node-compile-cache')

if (isAnywhere && names.length > 0) {
  process.stderr.write(
    `No path has these words: ${positionals.join(', ')}. Looking for tests of such names in ${files.length} files.\n`,
  )
}
endTogether()
const inMemory = leftOut === undefined ? undefined : filesInMemory()
if (inMemory !== undefined) {
  process.stdout.write(`Temporary files are in memory, in ${inMemory}. The full run has them on the disk.\n`)
}
const isQuick = isEverything && leftOut !== undefined
const { files: started, parts } = isQuick ? together(files) : { files, parts: new Map<string, readonly string[]>() }
const events = run({
  files: started,
  // Many tests wait for a disk, a server or a timer, so more files than there are processors keep them busy. In full,
  // several servers run beside them.
  concurrency: leftOut === undefined ? availableParallelism() + 1 : 3 * availableParallelism(),
  timeout: fileTimeoutMs * (isQuick ? filesMax : 1),
  testNamePatterns: names,
  // Whoever names files or tests wants to know which test an error belongs to, and so does the full run.
  execArgv: isQuick ? ['--import', import.meta.resolve('./without-promise-hooks.ts')] : [],
})
let ran = 0
let empty = 0
events.on('test:fail', () => {
  process.exitCode = 1
})
events.on('test:summary', (summary) => {
  if (summary.file === undefined) ran = summary.counts.tests - empty
  else if (isEmpty(summary)) empty++
})
for await (const text of report(events, { files: files.length, isTerminal: process.stdout.isTTY === true, parts })) {
  process.stdout.write(text)
}
if (ran === 0) {
  process.stderr.write('No test was found.\n')
  process.exitCode = 1
}

function isPath(given: string): boolean {
  return /[*{]|\.ts$/.test(given) || existsSync(given)
}

function filesOf(given: string): readonly string[] {
  return globSync(given.endsWith('.ts') ? given : `${given.replace(/\/?(\*\*\/?)?$/, '')}/**/*.test.ts`)
}

/**
 * The files of tests that may have a test whose name has one of the words: all if no words are asked for, and also if
 * no file contains them, since names may be put together.
 */
function filesWith(words: readonly string[]): readonly string[] {
  const all = globSync(everywhere)
  const wanted = words.map((word) => word.toLowerCase())
  const known = new Map<string, { readonly has: boolean; readonly imports: readonly string[] }>()
  const look = (path: string) => {
    const text = existsSync(path) ? readFileSync(path, 'utf8') : ''
    const imports = [...text.matchAll(/from '(\.[^']+)'/g)].map(([, specifier]) => join(dirname(path), specifier!))
    const lower = text.toLowerCase()
    const found = { has: wanted.some((word) => lower.includes(word)), imports }
    known.set(path, found)
    return found
  }
  const reaches = (start: string) => {
    const seen = new Set([start])
    for (const path of seen) {
      const { has, imports } = known.get(path) ?? look(path)
      if (has) return true
      for (const imported of imports) seen.add(imported)
    }
    return false
  }
  const some = all.filter((path) => reaches(path))
  return some.length > 0 ? some : all
}
