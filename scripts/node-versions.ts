/**
 * Runs a part of the tests on the other versions of Node that are promised: the oldest, which `engines` in package.json
 * names, and the newest of the line after the one that runs all other tests. The part is what a user meets first: the
 * packed package, the first program of README.md, the code of the guide, and the contract of the stores that need no
 * server. Simulated runs have to be the same as on the version that runs all other tests.
 *
 *     npm run node-versions
 *
 * Node 22.18 runs TypeScript as it is, but it does not know `await using`, which tests and examples use. So they are
 * compiled first, as the package is. The first program and the tests of the package run as they are.
 *
 * A version that cannot be installed is skipped. With `CI=true` that is a failure, unless the registry does not have
 * the version.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { endTogether } from './end-together.ts'
import { findNode, oldestOf } from './other-node.ts'
import { buildAll, root } from './package.ts'

const newestLine = '26'
const asTheyAre = ['test/docs/first-program.test.ts', 'test/package/tarball.test.ts']
const compiled = ['examples/**/*.test.js', 'src/store/{memory,file,sqlite}/*-conformance.test.js']
/** It starts a program by the name of its file, which is another one when it is compiled. */
const startsProgram = 'examples/transfer/crash.test.js'

const isCI = process.env['CI'] === 'true'

/** Runs the tests on a version of Node. Prints what failed. @returns whether all is well */
async function isGood(program: string, version: string, files: readonly string[]): Promise<boolean> {
  // Quick sizes, also with CI=true: the full ones are for the version that runs all tests.
  const { CI: _, NODE_TEST_CONTEXT: __, ...env } = process.env
  const args = ['--test', '--test-reporter=spec', `--test-concurrency=${availableParallelism()}`, ...files]
  const startedAt = performance.now()
  const child = spawn(program, args, {
    cwd: root,
    env: { ...env, MNEME_TESTS: 'quick' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [report, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')])
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
  const count = (what: string) => Number(new RegExp(`^ℹ ${what} (\\d+)$`, 'm').exec(report)?.[1] ?? 0)
  if (code !== 0) process.stdout.write(report.slice(Math.max(report.indexOf('✖ failing tests'), 0)))
  process.stdout.write(`Node ${version}: ${count('pass')} passed, ${count('fail')} failed, after ${seconds} s\n`)
  return code === 0 && count('pass') > 0
}

/** The hashes of simulated runs on a version of Node. */
async function hashesOf(program: string, folder: string): Promise<string> {
  const child = spawn(program, [join(folder, 'test/simulation/hashes.fixture.js')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [hashes] = await Promise.all([text(child.stdout), once(child, 'exit')])
  return hashes
}

endTogether()
const { engines } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  readonly engines: { readonly node: string }
}
const folder = mkdtempSync(join(tmpdir(), 'mneme-node-versions-'))
try {
  buildAll(folder)
  const found = globSync(compiled, { cwd: folder, exclude: [startsProgram] })
  const files = [...asTheyAre, ...found.map((path) => join(folder, path))]
  const hashes = await hashesOf(process.execPath, folder)
  for (const wanted of [oldestOf(engines.node), newestLine]) {
    const node = await findNode(wanted)
    if ('reason' in node) {
      const isFailure = isCI && node.isServed
      process.stdout.write(`Node ${wanted}: ${isFailure ? 'FAILED' : 'skipped'}: ${node.reason}\n`)
      if (isFailure) process.exitCode = 1
    } else {
      if (!(await isGood(node.program, node.version, files))) process.exitCode = 1
      const isSame = hashes !== '' && (await hashesOf(node.program, folder)) === hashes
      process.stdout.write(`Node ${node.version}: simulated runs ${isSame ? 'are the same' : 'DIFFER'}\n`)
      if (!isSame) process.exitCode = 1
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
