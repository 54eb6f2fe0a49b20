/**
 * Puts small files of tests together, some into each process. A process takes 0.2 s to start and to load the library,
 * which is most of what such a file takes: together they need two fifths of the processor's time. Only files whose text
 * shows that nothing of theirs reaches another file are put together. A run of named files, and the full run, give each
 * file a process of its own.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

/**
 * What a file has a process of its own for: it uses the process or starts another one, changes what all see, has hooks
 * that would be those of all files, measures, or is large.
 */
const ownProcess = new RegExp(
  [
    /\b(process|mock|globalThis|console|gc|performance)\b|child_process|worker_threads|\bspawn|crash\b|async_hooks/,
    /servers\/|serverKinds|onEveryStore|toolsPlace|createServer|AsyncLocalStorage|endThreads|event-?loop/i,
    /(?<![.\w])(before|after|beforeEach|afterEach)\(/,
    /\b(sized|killRounds|simulate|explore|storeConformance|storeModel|startTimer|elapsedMs)\b|fast-check/,
  ]
    .map(({ source }) => source)
    .join('|'),
)

/** So many files are in a process at most. If its process fails as a whole, these are not run. */
const filesMax = 12

/** What is run: files, and modules that import several. */
export interface Together {
  readonly files: readonly string[]
  /** The files that each of those modules imports. */
  readonly parts: ReadonlyMap<string, readonly string[]>
}

/** Puts small files together, those of a folder first, in modules that are there until this process ends. */
export function together(files: readonly string[]): Together {
  const small = files.filter((file) => !ownProcess.test(readFileSync(file, 'utf8'))).sort()
  const folder = join(tmpdir(), `mneme-together-${process.pid}`)
  mkdirSync(folder)
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
  const parts = new Map<string, readonly string[]>()
  for (let from = 0; from < small.length; from += filesMax) {
    const some = small.slice(from, from + filesMax).map((file) => resolve(file))
    const module = join(folder, `together-${parts.size + 1}.test.mjs`)
    writeFileSync(module, some.map((file) => `import ${JSON.stringify(pathToFileURL(file).href)}\n`).join(''))
    parts.set(module, some)
  }
  const isSmall = new Set(small)
  return { files: [...parts.keys(), ...files.filter((file) => !isSmall.has(file))], parts }
}
