/**
 * The packages of the tools and of the starter as they would be published: beside the library, in projects of users.
 */
import assert from 'node:assert/strict'
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { asInstalled, pack, packCreate, packTools, root } from '../../scripts/package.ts'
import { until } from '../support/kernel/rig.ts'
import { leftOut } from '../support/size.ts'

describe('The packed tools', { skip: leftOut ?? false }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'mneme-tools-package-'))
  const project = join(folder, 'project')
  const modules = join(project, 'node_modules')
  after(() => rmSync(folder, { recursive: true, force: true }))
  let tarballs: Readonly<Record<'mneme' | 'mneme-tools' | 'create-mneme', string>>
  before(() => {
    tarballs = {
      mneme: pack(join(folder, 'library')),
      'mneme-tools': packTools(join(folder, 'tools')),
      'create-mneme': packCreate(join(folder, 'create')),
    }
    for (const [name, tarball] of Object.entries(tarballs)) {
      mkdirSync(join(modules, name), { recursive: true })
      execFileSync('tar', ['-xzf', tarball, '-C', join(modules, name), '--strip-components=1'])
    }
    for (const name of ['commander', 'zod', '@modelcontextprotocol', '@types'])
      symlinkSync(join(root, 'node_modules', name), join(modules, name))
    writeFileSync(join(project, 'package.json'), JSON.stringify({ type: 'module', private: true }))
    writeFileSync(
      join(project, 'mneme.config.ts'),
      `import { aggregate, domain, event } from 'mneme'
       import { sqlite } from 'mneme/sqlite'
       import { defineConfig } from 'mneme-tools'
       import { z } from 'zod'
       const Noted = event('Noted', z.object({ text: z.string() }))
       const Notes = aggregate('notes', () => ({ count: 0 }))
         .on(Noted, ({ count }) => ({ count: count + 1 }))
         .command('note', z.object({ text: z.string() }), (_, { text }) => Noted({ text }))
       export const Notebook = domain({ aggregates: { notes: Notes } })
       export const config = defineConfig({ domain: Notebook, store: sqlite('notes.db') })
      `,
    )
    writeFileSync(
      join(project, 'write.ts'),
      `import { config, Notebook } from './mneme.config.ts'
       const notebook = await Notebook.start({ store: config.store! })
       await notebook.notes('a').note({ text: 'hello' })
       await notebook.stop()
      `,
    )
  })
  const run = (...args: readonly string[]) => spawnSync(process.execPath, args, { cwd: project, encoding: 'utf8' })

  test('hold the program and what it needs, by names that a user has', () => {
    const files = readdirSync(join(modules, 'mneme-tools'), { recursive: true, encoding: 'utf8' })
    assert.deepEqual(
      files.filter((path) => !/^(dist(\/.*)?|package\.json|README\.md|LICENSE)$/.test(path) || /\.test\./.test(path)),
      [],
    )
    for (const name of ['index.html', 'studio.css', 'studio.js']) assert.ok(files.includes(`dist/studio/page/${name}`))
    const page = readFileSync(join(modules, 'mneme-tools/dist/studio/page/studio.js'))
    assert.ok(gzipSync(page).length < 150_000, 'the page is small')
    for (const path of files.filter((each) => /\.(js|d\.ts)$/.test(each))) {
      const text = readFileSync(join(modules, 'mneme-tools', path), 'utf8')
      assert.doesNotMatch(text, /(from|import\()\s*['"](\.\.\/)+src\//, path)
    }
  })

  test('look at what a domain has written, which is configured in TypeScript', () => {
    const written = run('--disable-warning=ExperimentalWarning', 'write.ts')
    assert.equal(written.status, 0, written.stderr)
    const { bin } = JSON.parse(readFileSync(join(modules, 'mneme-tools/package.json'), 'utf8'))
    const program = join(modules, 'mneme-tools', bin.mneme)
    assert.match(readFileSync(program, 'utf8'), /^#!\/usr\/bin\/env node\n/)
    const { status, stdout, stderr } = run(program, 'events', '--json')
    assert.deepEqual([status, stderr], [0, ''])
    assert.deepEqual(JSON.parse(stdout).data, { text: 'hello' })
    // It ends with its input, which is empty.
    const served = run(program, 'mcp')
    assert.deepEqual([served.status, served.stdout, served.stderr], [0, '', ''])
  })

  test('let a user check the configuration', () => {
    const tsc = join(root, 'node_modules/.bin/tsc')
    const strictest = ['--strict', '--exactOptionalPropertyTypes', '--noUncheckedIndexedAccess', '--target', 'es2024']
    const onNode = ['--types', 'node', '--lib', 'es2024,esnext.disposable', '--module', 'nodenext', '--noEmit']
    const { status, stdout } = run(tsc, 'mneme.config.ts', ...strictest, ...onNode)
    assert.equal(status, 0, stdout)
  })

  test('lead from npm create mneme to a changed event with an upcast', async (t) => {
    const startedAt = performance.now()
    const lap = (what: string) => t.diagnostic(`${what} after ${((performance.now() - startedAt) / 1000).toFixed(1)} s`)
    const { NODE_TEST_CONTEXT: _, ...env } = process.env
    const bank = join(folder, 'my-bank')
    const inBank = (command: string, ...args: readonly string[]) => {
      const { status, stdout, stderr } = spawnSync(command, args, { cwd: bank, encoding: 'utf8', env })
      assert.equal(status, 0, `${command} ${args.join(' ')}:\n${stdout}${stderr}`)
      return stdout
    }
    const { bin } = JSON.parse(readFileSync(join(modules, 'create-mneme/package.json'), 'utf8'))
    const created = run(join(modules, 'create-mneme', bin['create-mneme']), bank, '--store', 'sqlite')
    assert.equal(created.status, 0, created.stderr)
    const manifest = join(bank, 'package.json')
    const given = JSON.parse(readFileSync(manifest, 'utf8'))
    given.dependencies.mneme = `file:${tarballs.mneme}`
    given.devDependencies['mneme-tools'] = `file:${tarballs['mneme-tools']}`
    writeFileSync(manifest, JSON.stringify(given))
    inBank('npm', 'install', '--prefer-offline', '--no-audit', '--no-fund')
    lap('installed')

    const [program = '', ...options] = given.scripts.dev.split(' ')
    await using developed = running(bank, join(bank, 'node_modules/.bin', program), [...options, '--port', '0'], env)
    const studio = await developed.told(/The studio is at (\S+)/)
    assert.equal((await fetch(await developed.origin('deposit'))).status, 200)
    const { searchParams } = new URL(studio)
    const headers = { authorization: `Bearer ${searchParams.get('token')}` }
    for (const address of [studio, new URL('/api/info', studio)])
      assert.equal((await fetch(address, { headers })).status, 200, String(address))
    lap('the first page')
    await developed.send('open', { owner: 'Ada' })
    await developed.send('deposit', { amount: 100 })
    assert.match(inBank('npx', 'mneme', 'events'), /account\/ada #2 +MoneyDeposited +\{"amount":100\}/)
    assert.match(inBank('npm', 'test'), /pass 5/)
    inBank('npm', 'run', 'types')

    // The change of the tutorial.
    for (const file of ['account.ts', 'account.test.ts', 'deposits.test.ts'])
      writeFileSync(join(bank, 'src', file), asInstalled(readFileSync(join(root, 'examples/tutorial', file), 'utf8')))
    assert.match(inBank('npm', 'test'), /pass 7/)
    inBank('npm', 'run', 'types')
    await developed.origin('source')
    const { state } = await developed.send('deposit', { amount: 5, source: 'salary' })
    assert.equal(state.balance, 105)
    await developed[Symbol.asyncDispose]()
    assert.match(inBank('npx', 'mneme', 'events'), /#2 .*\{"amount":100,"source":"unknown"\}\n.*"source":"salary"/)
    lap('a changed event')

    await using started = running(bank, process.execPath, ['src/main.ts'], env)
    await started.origin('source')
    assert.equal((await started.send('deposit', { amount: 5, source: 'salary' })).state.balance, 110)
  })
})

/** A program that serves the bank of a project, until it is disposed. */
function running(cwd: string, program: string, args: readonly string[], env: NodeJS.ProcessEnv) {
  const child = spawn(program, args, { cwd, env: { ...env, PORT: '0' }, stdio: ['ignore', 'pipe', 'pipe'] })
  const closed = once(child, 'close')
  let printed = ''
  let isOver = false
  let more = Promise.withResolvers<void>()
  const news = () => {
    more.resolve()
    more = Promise.withResolvers()
  }
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      printed += text
      news()
    })
  child.once('exit', () => {
    isOver = true
    news()
  })
  /** The last that it has printed of this kind. */
  const told = async (pattern: RegExp) => {
    const last = () => [...printed.matchAll(new RegExp(pattern, 'g'))].at(-1)?.[1]
    while (last() === undefined && !isOver) await more.promise
    return last() ?? assert.fail(printed)
  }
  let origin = ''
  return {
    told,
    /** The address of the description of the bank, once that has a word. After a change it is another one. */
    async origin(word: string) {
      await until(`the bank knows ${word}`, async () => {
        assert.ok(!isOver, printed)
        origin = await told(/The bank is at (http:\S+)\/openapi.json/)
        const answer = await fetch(`${origin}/openapi.json`).catch(() => undefined)
        return (await answer?.text())?.includes(word) === true
      })
      return `${origin}/openapi.json`
    },
    async send(command: string, data: object) {
      const headers = { 'content-type': 'application/json' }
      const body = JSON.stringify(data)
      const response = await fetch(`${origin}/aggregates/account/ada/${command}`, { method: 'POST', headers, body })
      assert.equal(response.status, 200, await response.clone().text())
      return (await response.json()) as { readonly state: { readonly balance: number } }
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM')
      await closed
    },
  }
}
