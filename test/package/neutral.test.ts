/**
 * The parts that are to run anywhere do: bundled for a browser they ask for no module of the platform, and they work in
 * a bare context that has what the web platform has and nothing of Node.
 */
import assert from 'node:assert/strict'
import { existsSync, globSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { createContext, runInContext } from 'node:vm'
import { build } from 'esbuild'
import { consumer } from '../support/package/consumer.ts'

const root = join(import.meta.dirname, '../..')
const hasEntry = existsSync(join(root, 'src/index.ts'))

interface Bundle {
  /** What the bundle leaves for others to provide. */
  readonly external: readonly string[]
  /** The files that it takes in. */
  readonly files: readonly string[]
  /** A script that assigns the exports to `bundle`. */
  readonly script: string
}

async function bundle(contents: string): Promise<Bundle> {
  const { outputFiles, metafile } = await build({
    stdin: { contents, resolveDir: root, sourcefile: 'entry.ts', loader: 'ts' },
    bundle: true,
    platform: 'browser',
    target: 'es2024',
    format: 'iife',
    globalName: 'bundle',
    write: false,
    metafile: true,
    logLevel: 'silent',
    external: ['node:*'],
    alias: { mneme: join(root, 'src/index.ts') },
  })
  const imports = Object.values(metafile.inputs).flatMap((input) => input.imports)
  return {
    external: imports.filter(({ external, path }) => external === true && path !== '<runtime>').map(({ path }) => path),
    files: Object.keys(metafile.inputs),
    script: outputFiles[0]!.text,
  }
}

/** Runs a bundle where there is no process, no require and no module, and gives its exports. */
function runBare(script: string): Record<string, unknown> {
  const { AbortController, AbortSignal, TextDecoder, TextEncoder, URL, clearTimeout, crypto, queueMicrotask } =
    globalThis
  const web = { AbortController, AbortSignal, TextDecoder, TextEncoder, URL, clearTimeout, crypto, queueMicrotask }
  const timers = { setTimeout, setInterval, clearInterval, structuredClone, performance, console }
  const context = createContext({ ...web, ...timers })
  runInContext(`'use strict';${script};globalThis.bundle = bundle`, context)
  return context['bundle'] as Record<string, unknown>
}

/** An entry that takes in every file of a folder, used or not. */
function everythingIn(pattern: string): string {
  return globSync(pattern, { cwd: root })
    .filter((path) => !/\.test(-d)?\.ts$/.test(path))
    .map((path, i) => `export * as part${i} from './${path.replaceAll('\\', '/')}'`)
    .join('\n')
}

describe('on the web platform alone', () => {
  for (const folder of [
    'domain',
    'runtime',
    'store',
    'store/memory',
    'kernel',
    'projection',
    'application',
    'http/client',
  ]) {
    test(`everything in src/${folder} is bundled without a module of Node, and loads`, async () => {
      // The rooms of other stores are theirs.
      const entry = everythingIn(`src/${folder}/${folder === 'store' ? '' : '**/'}*.ts`)
      assert.notEqual(entry, '', `src/${folder} has code`)
      const { external, script } = await bundle(entry)
      assert.deepEqual(external, [])
      assert.ok(Object.keys(runBare(script)).length > 0)
    })
  }

  test('a module of Node would be found', async () => {
    assert.deepEqual((await bundle(`export { join } from 'node:path'`)).external, ['node:path'])
    assert.throws(() => runBare('var bundle = { pid: process.pid }'), /process is not defined/)
  })

  test('the client over HTTP takes in no package, and little of this one', async () => {
    const { files, script } = await bundle(`export { client } from './src/http/client/index.ts'`)
    const foreign = files.filter((path) => !/^src\/(http|domain|runtime)\/|^entry\.ts$/.test(path))
    assert.deepEqual(foreign, [])
    assert.equal(typeof runBare(script)['client'], 'function')
  })

  test('the store in memory stores and reads', async () => {
    const { script } = await bundle(`
      import { commit } from './src/store/commit.ts'
      import { memory } from './src/store/memory/memory.ts'
      import { everything } from './src/store/range.ts'

      export async function run() {
        const store = await memory().open({ warn: () => {}, now: () => 0 })
        const stream = { aggregate: 'account', id: 'ada' }
        const events = [{ type: 'Opened', data: { owner: 'Ada' } }]
        await store.append([commit({ stream, expected: 'none', id: 'first', recordedAt: 0, events })])
        const stored = await store.readStream(stream, everything)
        await store.close()
        return JSON.stringify(stored.map(({ type, sequence, position }) => ({ type, sequence, position })))
      }
    `)
    const { run } = runBare(script) as { readonly run: () => Promise<string> }
    assert.deepEqual(JSON.parse(await run()), [{ type: 'Opened', sequence: 1, position: 1 }])
  })

  test('a domain runs, with its projections', { skip: hasEntry ? false : 'there is no src/index.ts' }, async () => {
    const { external, script } = await bundle(consumer)
    assert.deepEqual(external, [])
    const { run } = runBare(script) as { readonly run: () => Promise<readonly number[]> }
    assert.deepEqual([...(await run())], [70, 70, 70])
  })
})
