/** What the tools work with: the configuration that is found, and what the command line says instead. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { root } from '../../../scripts/package.ts'
import { loadTarget, type TargetOptions } from './load-target.ts'

const library = JSON.stringify(join(root, 'src/index.ts'))
const bank = JSON.stringify(join(root, 'examples/bank/bank.ts'))

async function folderWith(t: TestContext, files: Readonly<Record<string, string>>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'mneme-config-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  await mkdir(join(folder, 'inner/deep'), { recursive: true })
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text)
  return folder
}

const load = (cwd: string, options: TargetOptions = {}, mayCreate = false) => loadTarget(options, { mayCreate, cwd })

test('the nearest configuration is found, as a default export or by its name', async (t) => {
  const outer = `import { memory } from ${library}\nexport default { store: memory() }`
  const inner = `import { memory } from ${library}\nimport { Bank } from ${bank}
    export const config = { domain: Bank, store: memory() }`
  const folder = await folderWith(t, { 'mneme.config.ts': outer, 'inner/mneme.config.mts': inner })
  assert.equal((await load(folder)).domain, undefined)
  const { domain, store } = await load(join(folder, 'inner/deep'))
  assert.deepEqual([Object.keys(domain!.aggregates), store.name], [['account'], 'memory'])
})

test('a store that is named needs no configuration, and takes none from above', async (t) => {
  const folder = await folderWith(t, { 'mneme.config.ts': 'throw new Error("not needed")', 'bank.db': '' })
  const { store, domain } = await load(folder, { store: join(folder, 'bank.db') })
  assert.deepEqual([store.name, domain], ['sqlite', undefined])
  await assert.rejects(load(folder), { code: 'CONFIG_INVALID', message: /cannot be loaded: not needed\.$/ })
})

test('stores on servers are made from their URLs, with the parameters of Mneme taken out', async () => {
  const urls = [
    ['postgres://ada:secret@host/db?sslmode=disable&schema=bank', 'postgres'],
    ['mongodb://host/db?prefix=bank_', 'mongodb'],
    ['nats://host:4222?prefix=bank', 'nats'],
  ] as const
  for (const [url, name] of urls) assert.match((await load('.', { store: url })).store.name, new RegExp(`^${name}`))
  const wrong = load('.', { store: 'postgres://host/db?schema=pg_bank' })
  await assert.rejects(wrong, { code: 'OPTION_INVALID', message: /schema/ })
  await assert.rejects(load('.', { store: 'constructor:x' }), { code: 'STORE_UNKNOWN' })
})

test('a domain is the only one of a module, or the one that is named', async (t) => {
  const several = `import { Bank } from ${bank}\nexport { Bank, Bank as Same }
    export const Other = { ...Bank }\nexport const notes = 1`
  const folder = await folderWith(t, { 'several.ts': several, 'none.ts': 'export {}', 'bank.db': '' })
  const store = join(folder, 'bank.db')
  const named = await load(folder, { store, domain: 'several.ts#Other' })
  assert.deepEqual(Object.keys(named.domain!.projections), ['balances'])
  const refused: [domain: string, message: RegExp][] = [
    ['several.ts', /exports several domains: Bank, Other, Same\. Say which one, as in several\.ts#Bank\.$/],
    ['several.ts#notes', /exports no domain notes\. It exports Bank, Other, Same\.$/],
    ['none.ts', /exports no domain\.$/],
    ['absent.ts', /There is no file/],
  ]
  for (const [domain, message] of refused) {
    await assert.rejects(load(folder, { store, domain }), { code: 'DOMAIN_UNKNOWN', message })
  }
})

test('a configuration that cannot work is refused with what is wrong', async (t) => {
  const folder = await folderWith(t, {
    'none.ts': 'export const a = 1',
    'store.ts': 'export default { store: "bank.db" }',
    'domain.ts': `import { memory } from ${library}\nexport default { store: memory(), domain: {} }`,
    'serve.ts': `import { memory } from ${library}\nexport default { store: memory(), serve: 3000 }`,
    'empty.ts': 'export default {}',
  })
  const refused: [config: string, code: string, message: RegExp][] = [
    ['none.ts', 'CONFIG_INVALID', /exports no configuration\. Write export default defineConfig/],
    ['store.ts', 'CONFIG_INVALID', /store is not a store, such as sqlite\('bank\.db'\)\.$/],
    ['domain.ts', 'CONFIG_INVALID', /domain is not what domain\(\.\.\.\) returns\.$/],
    ['serve.ts', 'CONFIG_INVALID', /serve is not a function\.$/],
    ['empty.ts', 'USAGE', /No store is given\. Give --store/],
    ['absent.ts', 'CONFIG_INVALID', /There is no file/],
  ]
  for (const [config, code, message] of refused) {
    await assert.rejects(load(folder, { config }), { code, message }, config)
  }
})

test('a path in a configuration is relative to its folder, wherever the program is started', async (t) => {
  const sqlite = JSON.stringify(join(root, 'src/store/sqlite/index.ts'))
  const config = `import { sqlite } from ${sqlite}\nexport default { store: sqlite('made.db') }`
  const folder = await folderWith(t, { 'mneme.config.ts': config })
  const { store } = await load(join(folder, 'inner/deep'))
  await (await store.open({ warn: () => {}, now: Date.now })).close()
  assert.deepEqual([existsSync(join(folder, 'made.db')), existsSync('made.db')], [true, false])
})
