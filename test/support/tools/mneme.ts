/** Runs the program `mneme` as a user does: as a process, in a folder of its own, on a real store. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import type { TestContext } from 'node:test'
import { root } from '../../../scripts/package.ts'

/** How a run ended, and what it printed. */
export interface Ended {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

export interface RunOptions {
  /** What the program reads. Nothing by default. */
  readonly input?: string
  readonly env?: Readonly<Record<string, string>>
}

/** A folder with a configuration for the bank with transfers, and the program in it. */
export interface Place {
  readonly folder: string
  /** Runs the program to its end. */
  mneme(args: readonly string[], options?: RunOptions): Promise<Ended>
  /** Runs the program several times, in one process. It tells errors and results as always. */
  each(runs: readonly (readonly string[])[]): Promise<readonly Ended[]>
  /** Runs an export or import, which kills its process at a position (`killed-run.ts`). */
  killedRun(what: 'export' | 'import', database: string, file: string, position: number): Promise<Ended>
  /** Starts the program. */
  start(args: readonly string[], env?: Readonly<Record<string, string>>): ChildProcess
}

const program = join(root, 'tools/src/cli/main.ts')
const severalRuns = join(import.meta.dirname, 'several-runs.ts')
const killedRun = join(import.meta.dirname, 'killed-run.ts')

async function ended(child: ChildProcess, input: string): Promise<Ended> {
  child.stdin!.on('error', () => {})
  child.stdin!.end(input)
  const [out, err, [code]] = await Promise.all([
    text(child.stdout!),
    text(child.stderr!),
    once(child, 'close') as Promise<[number | null]>,
  ])
  return { code, out, err }
}

/**
 * Makes a folder in which the program finds a domain and a store.
 *
 * @param store the code that makes the store, after the imports of all stores
 */
export async function toolsPlace(t: TestContext, store: string = "sqlite('bank.db')"): Promise<Place> {
  const folder = await mkdtemp(join(tmpdir(), 'mneme-tools-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const at = (path: string) => JSON.stringify(join(root, path))
  const name = /^\w+/.exec(store)![0]
  const config = `
    import { defineConfig } from ${at('tools/src/index.ts')}
    import { TransferBank } from ${at('examples/transfer/bank.ts')}
    import { ${name} } from ${at(`src/store/${name}/index.ts`)}
    export const config = defineConfig({ domain: TransferBank, store: ${store} })
  `
  await writeFile(join(folder, 'mneme.config.ts'), config)
  const started = (file: string, args: readonly string[], env: RunOptions['env'] = {}) => {
    const { NODE_TEST_CONTEXT: _, FORCE_COLOR: __, ...own } = process.env
    return spawn(process.execPath, [file, ...args], { cwd: folder, env: { ...own, ...env } })
  }
  const start: Place['start'] = (args, env) => started(program, args, env)
  return {
    folder,
    start,
    mneme: (args, { input = '', env } = {}) => ended(start(args, env), input),
    killedRun: (what, database, file, position) =>
      ended(started(killedRun, [what, database, file, String(position)]), ''),
    async each(runs) {
      const { out, err } = await ended(started(severalRuns, [JSON.stringify(runs)]), '')
      const [outs, errs] = [out.split('\0'), err.split('\0')]
      const codes = JSON.parse(outs.pop()!) as readonly number[]
      return codes.map((code, i) => ({ code, out: outs[i]!, err: errs[i]! }))
    },
  }
}

/** What a run printed, with each time and each folder replaced, because they differ from run to run. */
export const settled = (printed: string, folder: string): string =>
  printed.replaceAll(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g, 'TIME').replaceAll(folder, 'FOLDER')
