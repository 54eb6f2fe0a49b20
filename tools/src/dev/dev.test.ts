/** `mneme dev`, as a person uses it: files are changed, and broken, while it runs. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { z } from 'zod'
import { root } from '../../../scripts/package.ts'
import { buildPage } from '../../../scripts/page.ts'
import { aggregate, domain, event, memory, projection, type StoreFactory } from '../../../src/index.ts'
import { sqlite } from '../../../src/store/sqlite/index.ts'
import { until } from '../../../test/support/kernel/rig.ts'
import { leftOut } from '../../../test/support/size.ts'
import { toolsPlace } from '../../../test/support/tools/mneme.ts'
import { openInspection } from '../inspection/index.ts'
import type { DevelopmentView } from '../studio/views.ts'
import { CodeChanges } from './code-changes.ts'
import { hashOf } from './loaded-files.ts'
import { statesBy } from './states-by-code.ts'
import { WatchedFiles } from './watched-files.ts'

const Counted = event('Counted', z.object({ n: z.number() }))

/** The same domain with another way to fold. */
const countersWith = (fold: (sum: number, n: number) => number) => {
  const Counter = aggregate('counter', () => ({ sum: 0 }))
    .on(Counted, ({ sum }, { n }) => ({ sum: fold(sum, n) }))
    .command('count', z.object({ n: z.number() }), (_, data) => Counted(data))
  const Sums = projection('sums', () => ({ sum: 0 }))
    .on(Counted, ({ sum }, { n }) => ({ sum: fold(sum, n) }))
    .by(({ stream }) => stream.id)
  return domain({ aggregates: { counter: Counter }, projections: { sums: Sums } })
}
const add = (sum: number, n: number) => sum + n

/** Counters with 1 in a, and 2 and 3 in b. */
async function filled(store: StoreFactory): Promise<StoreFactory> {
  await using counters = await countersWith(add).start({ store })
  await counters.counter('a').count({ n: 1 })
  const { position } = await counters.counter('b').count({ n: 2 })
  await counters.counter('b').count({ n: 3 })
  await counters.sums.get('b', { atLeast: position + 1 })
  return store
}

describe('Changed code', () => {
  const { signal } = new AbortController()

  async function comparing(t: { after(fn: () => unknown): void }, fold: (sum: number, n: number) => number) {
    const store = await filled(memory())
    const { path, remove } = await temporary()
    t.after(remove)
    {
      await using before = await openInspection({ store, domain: countersWith(add) })
      await writeFile(path, JSON.stringify(await statesBy(before, signal)))
    }
    await using after = await openInspection({ store, domain: countersWith(fold), log: { warn() {} } })
    const changes = new CodeChanges()
    await changes.compare(after, path, signal)
    return changes.view()
  }

  test('is shown with the states and rows that differ now', async (t) => {
    const { states, rows } = await comparing(t, (sum, n) => sum + n * (n === 3 ? 10 : 1))
    assert.deepEqual([states!.streams, states!.compared, states!.differing, states!.isOver], [2, 2, 1, true])
    const change = { path: ['sum'], before: 5, after: 32 }
    assert.deepEqual(states!.differences, [{ aggregate: 'counter', id: 'b', sequence: 2, changes: [change], more: 0 }])
    const [{ differing, differences, isOver }] = rows as [DevelopmentView['rows'][number]]
    assert.deepEqual([differing, isOver], [1, true])
    assert.deepEqual(differences, [{ key: 'b', isMissing: false, isGone: false, changes: [change], more: 0 }])
  })

  test('that changes nothing, or fails, is told so', async (t) => {
    const same = await comparing(t, (sum, n) => n + sum)
    assert.deepEqual([same.states!.differing, same.rows[0]!.differing], [0, 0])
    const failing = await comparing(t, (sum, n) => {
      if (n === 3) throw new Error('no threes')
      return sum + n
    })
    const [difference] = failing.states!.differences
    assert.deepEqual([difference!.id, difference!.failure, difference!.changes], ['b', 'At sequence 2: no threes', []])
    assert.match(failing.rows[0]!.left!, /sums/)
  })

  test('is noticed when a file has another content, also one that was missing or is replaced', async (t) => {
    const { folder, remove } = await temporary()
    t.after(remove)
    const [one, two] = ['one.ts', 'two.ts'].map((name) => join(folder, name)) as [string, string]
    await writeFile(one, '1')
    const files = new WatchedFiles()
    t.after(() => files.close())
    files.add([
      [one, hashOf(one)],
      [two, hashOf(two)],
    ])
    await writeFile(two, '2')
    assert.deepEqual(await files.changed(), [two])
    await writeFile(`${one}.new`, '1')
    await rename(`${one}.new`, one)
    await writeFile(`${two}.new`, '3')
    await rename(`${two}.new`, two)
    assert.deepEqual(await files.changed(), [two], 'the other one has the same content')
    // A change before it was watched.
    files.add([[one, 'another hash']])
    assert.deepEqual(await files.changed(), [one])
  })
})

async function temporary() {
  const folder = await mkdtemp(join(tmpdir(), 'mneme-dev-'))
  return { folder, path: join(folder, 'states'), remove: () => rm(folder, { recursive: true, force: true }) }
}

const at = (path: string) => JSON.stringify(pathToFileURL(join(root, path)).href)

/** The code of the same domain. @param fold the text of a function */
const code = (fold: string) => `
  import { aggregate, domain, event, projection } from ${at('src/index.ts')}
  import { z } from ${JSON.stringify(import.meta.resolve('zod'))}
  import { fold } from './fold.ts'
  const Counted = event('Counted', z.object({ n: z.number() }))
  const Counter = aggregate('counter', () => ({ sum: 0 }))
    .on(Counted, ({ sum }, { n }) => ({ sum: fold(sum, n) }))
    .command('count', z.object({ n: z.number() }), (_, data) => Counted(data))
  const Sums = projection('sums', () => ({ sum: 0 }))
    .on(Counted, ({ sum }, { n }) => ({ sum: fold(sum, n) }))
    .by(({ stream }) => stream.id)
  export const Counters = domain({ aggregates: { counter: Counter }, projections: { sums: Sums } })
  ${fold}
`

/** Serves the sum of b. */
const config = `
  import { createServer } from 'node:http'
  import { defineConfig } from ${at('tools/src/index.ts')}
  import { sqlite } from ${at('src/store/sqlite/index.ts')}
  import { Counters } from './src/counters.ts'
  export const config = defineConfig({
    domain: Counters,
    store: sqlite('counters.db'),
    async serve(counters) {
      const server = createServer(async ({ url }, response) => {
        if (url === '/endless') response.writeHead(200).flushHeaders()
        else response.end(JSON.stringify(await counters.counter('b').state()))
      })
      server.listen(0, '127.0.0.1', () => console.log('serving', server.address().port))
      return {
        async [Symbol.asyncDispose]() {
          console.log('closing')
          // It can still be asked.
          await counters.counter('b').state()
          await server[Symbol.asyncDispose]()
        },
      }
    },
  })
`

/** Writes a file at once, so that nobody can load a part of it. */
async function save(path: string, text: string): Promise<void> {
  await writeFile(`${path}.new`, text)
  await rename(`${path}.new`, path)
}

test('mneme dev starts again when a file changes, and goes on when the code is broken', {
  skip: leftOut,
}, async (t) => {
  buildPage(join(import.meta.dirname, '../studio/page'))
  const { start, folder } = await toolsPlace(t)
  await filled(sqlite(join(folder, 'counters.db')))
  await mkdir(join(folder, 'src'))
  const fold = (body: string) => save(join(folder, 'src/fold.ts'), `export const fold = ${body}`)
  await fold('(sum: number, n: number) => sum + n')
  await writeFile(join(folder, 'src/counters.ts'), code(''))
  await writeFile(join(folder, 'mneme.config.ts'), config)
  const child = start(['dev', '--port', '0', '--json'])
  t.after(() => child.kill('SIGKILL'))
  let told = ''
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    told += text
  })
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]()
  const { address } = JSON.parse((await lines.next()).value!) as { readonly address: string }
  const { origin, searchParams } = new URL(address)
  const headers = { authorization: `Bearer ${searchParams.get('token')}` }
  /** What it says, once that is so. While it starts again, nobody answers. */
  const seen = async (isSo: (view: DevelopmentView) => boolean) => {
    let found: DevelopmentView | undefined
    await until('the studio says so', async () => {
      const response = await fetch(`${origin}/api/development`, { headers }).catch(() => undefined)
      if (response === undefined) return false
      const { development } = (await response.json()) as { readonly development: DevelopmentView }
      found = development
      return isSo(development)
    })
    return found!
  }
  const first = await seen(({ kept }) => kept === 2)
  /** What the server says that the configuration starts. */
  const served = async (start: number, path: string) => {
    const ports = () => [...told.matchAll(/serving (\d+)\n/g)].map(([, port]) => port)
    await until('the server listens', () => ports().length === start)
    return fetch(`http://127.0.0.1:${ports().at(-1)}${path}`)
  }
  assert.deepEqual(await (await served(1, '/')).json(), { sum: 5 })
  // An answer that never ends holds nothing up.
  const endless = await served(1, '/endless')
  await fold('(sum: number, n: number) => sum + n * 2')
  const second = await seen(({ build, rows }) => build !== first.build && rows[0]?.isOver === true)
  assert.deepEqual([second.states!.differing, second.rows[0]!.differing], [2, 2])
  assert.deepEqual(second.states!.differences[0]!.changes, [{ path: ['sum'], before: 5, after: 10 }])
  await assert.rejects(endless.text())
  assert.deepEqual(await (await served(2, '/')).json(), { sum: 10 })
  assert.match(told, /serving \d+\n.*closing\n.*serving \d+\n/s)

  await fold('(sum: number, n: number) => sum + ')
  const broken = await seen(({ broken }) => broken !== undefined)
  assert.equal(broken.build, second.build, 'the code before goes on')
  assert.match(broken.broken!, /fold\.ts|counters\.ts/)
  assert.match(told, /Waiting for a change/)
  assert.equal((await fetch(`${origin}/api/events`, { headers })).status, 200)

  await seen(({ kept }) => kept === 2)
  await fold('(sum: number, n: number) => sum + n * 2')
  const third = await seen(({ build, states }) => build !== second.build && states?.isOver === true)
  assert.deepEqual([third.broken, third.states!.differing], [undefined, 0])

  await save(join(folder, 'mneme.config.ts'), config.replace('const server', 'throw new Error("no server")\n$&'))
  await seen(({ notRunning }) => notRunning?.includes('no server') === true)
  await until('the terminal says so too', () => told.includes('no server'))

  child.kill('SIGINT')
  const [exit] = await once(child, 'close')
  assert.equal(exit, 130)
  await assert.rejects(fetch(`${origin}/api/info`, { headers }))
})
