/**
 * The package as it would be published: packed, unpacked into the project of a user, imported there by every name that
 * it exports, run, and type-checked with declarations, where a type that cannot be named shows.
 */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import {
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { build } from 'esbuild'
import { asInstalled, pack, root } from '../../scripts/package.ts'
import { consumer } from '../support/package/consumer.ts'
import { sqliteProgram } from '../support/package/sqlite-program.ts'
import { leftOut } from '../support/size.ts'

const skip = existsSync(join(root, 'src/index.ts')) ? leftOut : 'there is no src/index.ts'

interface Manifest {
  readonly exports: Readonly<Record<string, string>>
}

describe('the packed package', { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'mneme-consumer-'))
  const project = join(folder, 'project')
  const installed = join(project, 'node_modules/mneme')
  // A test that runs tests of its own must not tell them that they are part of this one.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  const run = (command: string, ...args: readonly string[]): string => {
    const { status, stdout, stderr } = spawnSync(command, args, { cwd: project, encoding: 'utf8', env })
    assert.equal(status, 0, `${args.join(' ')}:\n${stdout}${stderr}`)
    return stdout
  }
  const node = (program: string): void => {
    writeFileSync(join(project, 'program.mjs'), program)
    run(process.execPath, 'program.mjs')
  }

  const tsc = join(root, 'node_modules/.bin/tsc')
  const strictest = ['--strict', '--exactOptionalPropertyTypes', '--noUncheckedIndexedAccess', '--target', 'es2024']
  const onNode = ['--types', 'node', '--lib', 'es2024,esnext.disposable', '--module', 'nodenext']
  const emitting = ['--rewriteRelativeImportExtensions', '--outDir', 'compiled', '--rootDir', '.']
  /** As a user does whose Node lacks some of the syntax, such as `await using`. */
  const compile = (file: string): string => run(tsc, file, ...strictest, ...onNode, ...emitting)

  before(() => {
    mkdirSync(installed, { recursive: true })
    execFileSync('tar', ['-xzf', pack(join(folder, 'package')), '-C', installed, '--strip-components=1'])
    for (const name of ['zod', 'hono', '@types', '@opentelemetry'])
      symlinkSync(join(root, 'node_modules', name), join(project, 'node_modules', name))
    writeFileSync(join(project, 'package.json'), JSON.stringify({ type: 'module', private: true }))
    writeFileSync(join(project, 'consumer.ts'), consumer)
  })
  after(() => rmSync(folder, { recursive: true, force: true }))

  const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest
  for (const [subpath, target] of Object.entries(exports)) {
    test(`is imported as ${subpath}`, () => {
      assert.ok(existsSync(join(installed, target)), `${target} is not in the package`)
      assert.ok(existsSync(join(installed, target.replace(/\.js$/, '.d.ts'))), `${target} has no types`)
      node(`
        const names = Object.keys(await import('mneme${subpath.slice(1)}'))
        if (names.length === 0) throw new Error('it exports nothing')
      `)
    })
  }

  test('runs a domain', () => {
    compile('consumer.ts')
    node(`
      import { run } from './compiled/consumer.js'
      const found = JSON.stringify(await run())
      if (found !== '[70,70,70]') throw new Error(found)
    `)
  })

  test('lets the author of a store run the conformance kit', () => {
    const [from, to] = [join(root, 'examples'), join(project, 'examples')]
    const files = globSync(['small-store/**/*.ts', 'guide/write-a-store.test.ts', 'bank/*.ts'], { cwd: from })
    for (const file of files) {
      const text = readFileSync(join(from, file), 'utf8')
      mkdirSync(dirname(join(to, file)), { recursive: true })
      writeFileSync(join(to, file), asInstalled(text))
    }
    compile('examples/guide/write-a-store.test.ts')
    assert.match(run(process.execPath, '--test', 'compiled/examples/guide/write-a-store.test.js'), /tests 4\d\d\b/)
  })

  for (const format of ['esm', 'cjs'] as const) {
    test(`keeps a SQLite store from a single bundled file (${format})`, async () => {
      const alone = mkdtempSync(join(folder, 'bundle-'))
      const program = join(alone, format === 'esm' ? 'program.mjs' : 'program.cjs')
      await build({
        stdin: { contents: sqliteProgram, resolveDir: project, loader: 'ts' },
        bundle: true,
        minify: true,
        platform: 'node',
        target: 'node22',
        format,
        outfile: program,
        logLevel: 'silent',
      })
      assert.deepEqual(readdirSync(alone), [basename(program)])
      const { stdout, stderr } = spawnSync(process.execPath, [program, join(alone, 'bank.db')], { encoding: 'utf8' })
      assert.deepEqual([stdout, stderr.slice(-1000)], ['[70,[{"name":"Ada"}]]\n', ''])
    })
  }

  for (const [where, options] of [
    ['on Node', onNode],
    ['in a browser', ['--types', '', '--lib', 'es2024,esnext.disposable,dom', '--module', 'nodenext']],
  ] as const) {
    test(`lets a user ${where} emit declarations without writing a type`, () => {
      const emit = ['--declaration', '--emitDeclarationOnly', '--outDir', 'types', '--skipLibCheck', 'false']
      run(tsc, 'consumer.ts', ...emit, ...strictest, ...options)
    })
  }
})
