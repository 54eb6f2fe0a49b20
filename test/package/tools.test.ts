/** The package of the tools as it would be published: beside the library, in the project of a user. */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { pack, packTools, root } from '../../scripts/package.ts'
import { leftOut } from '../support/size.ts'

describe('The packed tools', { skip: leftOut ?? false }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'mneme-tools-package-'))
  const project = join(folder, 'project')
  const modules = join(project, 'node_modules')
  after(() => rmSync(folder, { recursive: true, force: true }))
  before(() => {
    for (const [name, tarball] of [
      ['mneme', pack(join(folder, 'library'))],
      ['mneme-tools', packTools(join(folder, 'tools'))],
    ] as const) {
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
})
