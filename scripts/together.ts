/**
 * Puts files of tests together, some into each process. A process takes 0.2 s to start and to load the library, and
 * then runs code that is not compiled yet: together, files of tests on every store need half of the processor's time,
 * and small files two fifths. Tests on a server share it too. Only files whose text shows that nothing of theirs
 * reaches another file are put together. A run of named files, and the full run, give each file a process of its own.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

/**
 * What a file has a process of its own for: it uses the process or starts another one, changes what all see, has hooks
 * that would be those of all files, kills or stops a server, measures, or is a simulation, which is large.
 */
const ownProcess = new RegExp(
  [
    /\bprocess\.(?!ts\b)\w|child_process|worker_threads|\bspawn|crash\b|serverKinds|toolsPlace|endThreads|killRounds/,
    /\b(mock|globalThis|console|gc|createServer|AsyncLocalStorage|control)\b|async_hooks/,
    /(?<![.\w])(before|after|beforeEach|afterEach)\(/,
    /\b(performance|startTimer|elapsedMs|simulate|explore)\b|event-?loop/i,
  ]
    .map(({ source }) => source)
    .join('|'),
  'i',
)

const comments = /\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*$/gm

/** So many files are in a process at most. If its process fails as a whole, these are not run. */
export const filesMax = 12

/** What is run: files, and modules that import several. */
export interface Together {
  readonly files: readonly string[]
  /** The files that each of those modules imports. */
  readonly parts: ReadonlyMap<string, readonly string[]>
}

/** Puts small files together, those of a folder first, in modules that are there until this process ends. */
export function together(files: readonly string[]): Together {
  const small = files.filter((file) => !ownProcess.test(readFileSync(file, 'utf8').replace(comments, ''))).sort()
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
