/** Runs the program `mneme` as a user does: as a process, in a folder of its own, on a real store. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import type { TestContext } from 'node:test'
import { root } from '../../../scripts/package.ts'
import { leftOut } from '../size.ts'
import { type Ended, runEach } from './kept-program.ts'

export interface RunOptions {
  /** What the program reads. Nothing by default. */
  readonly input?: string
  readonly env?: Readonly<Record<string, string>>
}

/** A folder with a configuration for the bank with transfers, and the program in it. */
export interface Place {
  readonly folder: string
  /** Runs the program to its end. A quick run starts no process for it if it needs neither input nor environment. */
  mneme(args: readonly string[], options?: RunOptions): Promise<Ended>
  /** Runs the program several times, in the process of all such runs. It tells errors and results as always. */
  each(runs: readonly (readonly string[])[]): Promise<readonly Ended[]>
  /** Runs an export or import, which kills its process at a position (`killed-run.ts`). */
  killedRun(what: 'export' | 'import', database: string, file: string, position: number): Promise<Ended>
  /** Starts the program. */
  start(args: readonly string[], env?: Readonly<Record<string, string>>): ChildProcess
}

const program = join(root, 'tools/src/cli/main.ts')
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
    async mneme(args, { input, env } = {}) {
      const needsProcess = leftOut === undefined || input !== undefined || env !== undefined
      return needsProcess ? ended(start(args, env), input ?? '') : (await runEach(folder, [args]))[0]!
    },
    killedRun: (what, database, file, position) =>
      ended(started(killedRun, [what, database, file, String(position)]), ''),
    each: (runs) => runEach(folder, runs),
  }
}

/** What a run printed, with each time and each folder replaced, because they differ from run to run. */
export const settled = (printed: string, folder: string): string =>
  printed.replaceAll(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g, 'TIME').replaceAll(folder, 'FOLDER')
