/** A run of some test files in a folder of their own, and what it prints. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, test } from 'node:test'
import { leftOut } from '../test/support/size.ts'

/** Runs tests as `npm test` does, and gives what was printed and the exit code. */
const runTests = (files: Readonly<Record<string, string>>, ...args: readonly string[]) => runWith({}, files, ...args)

function runWith(
  variables: Readonly<Record<string, string>>,
  files: Readonly<Record<string, string>>,
  ...args: readonly string[]
) {
  const folder = mkdtempSync(join(tmpdir(), 'mneme-report-'))
  try {
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true })
      writeFileSync(
        join(folder, name),
        `import assert from 'node:assert/strict'\nimport { describe, test } from 'node:test'\n${text}`,
      )
    }
    // With this variable Node would take the run for a part of the test that starts it, and run nothing.
    const { NODE_TEST_CONTEXT: _, ...env } = process.env
    const program = join(import.meta.dirname, 'test.ts')
    const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], {
      cwd: folder,
      env: { ...env, ...variables },
      encoding: 'utf8',
    })
    return { status, stdout, stderr, lastLine: stdout.trimEnd().split('\n').at(-1) }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

describe('a test run', () => {
  test('that is good prints a line a file and the totals', () => {
    const { status, stdout, lastLine } = runTests({ 'a.test.ts': `test('a', () => {})` }, 'a.test.ts')
    assert.equal(status, 0)
    assert.match(stdout, /^✔ a\.test\.ts \(1 tests, \d+ ms\)$/m)
    assert.match(stdout, /^ℹ tests 1$/m)
    assert.match(stdout, /^ℹ pass 1$/m)
    assert.equal(lastLine, '1 passed, 0 failed, 0 skipped')
  })

  test('that fails shows where and why, once in full, and says so by its exit code', () => {
    const text = `describe('outer', () => {\n  test('inner', () => assert.equal(1, 2))\n})\ntest('good', () => {})`
    const { status, stdout, lastLine } = runTests({ 'a.test.ts': text }, 'a.test.ts')
    assert.equal(status, 1)
    assert.match(stdout, /^✖ inner \(a\.test\.ts:4:3\)\n {4}AssertionError/m)
    assert.equal(stdout.match(/^ +at .*a\.test\.ts/gm)?.length, 1)
    assert.match(stdout, /^Failed:\n {2}inner \(a\.test\.ts:4:3\): AssertionError/m)
    assert.doesNotMatch(stdout, /✖ outer/)
    assert.equal(lastLine, '1 passed, 1 failed, 0 skipped')
  })

  test('of everything fails for an error that nobody has caught, and shows it', () => {
    const thrown = `setTimeout(() => { throw new TypeError('thrown late') }, 1)`
    const rejected = `setTimeout(() => { void Promise.reject(new RangeError('rejected late')) }, 1)`
    const pause = 'await new Promise((resolve) => setTimeout(resolve, 20))'
    // What uses the process has one of its own.
    const failing = (what: string) => `void process.pid\ntest('a', async () => { ${pause}; ${what}; ${pause} })`
    const { status, stdout, stderr } = runWith(
      { CI: '', MNEME_TESTS: 'quick' },
      { 'test/thrown.test.ts': failing(thrown), 'test/rejected.test.ts': failing(rejected) },
    )
    assert.equal(status, 1)
    assert.match(stdout, /^2 passed, 2 failed/m)
    const all = stdout + stderr
    assert.match(all, /TypeError: thrown late\n +at .*thrown\.test\.ts/)
    assert.match(all, /RangeError: rejected late\n +at .*rejected\.test\.ts/)
  })

  test('of everything in quick sizes has small files share a process, and tells of each file and test', () => {
    const small = {
      'test/a.test.ts': `test('one', () => {})\ndescribe('two', () => test('three', () => assert.fail('not so')))`,
      'test/b.test.ts': `test('four', () => {})\ntest('five', { skip: 'later' }, () => {})`,
    }
    const quick = { CI: '', MNEME_TESTS: 'quick' }
    const own = { 'test/c.test.ts': `test('six', () => assert.match(process.argv[1], /c.test.ts$/))` }
    const { stdout, lastLine } = runWith(quick, { ...small, ...own })
    assert.match(
      stdout,
      /^✖ test\/a\.test\.ts \(2 tests, \d+ ms\)\n✔ test\/b\.test\.ts \(2 tests, 1 skipped, \d+ ms\)$/m,
    )
    assert.match(stdout, /^✖ three \(test\/a\.test\.ts:4:23\)\n {4}AssertionError/m)
    assert.match(stdout, /^✔ test\/c\.test\.ts \(1 tests, \d+ ms\)$/m)
    assert.equal(lastLine, '3 passed, 1 failed, 1 skipped')
    const broken = runWith(quick, { ...small, 'test/d.test.ts': `throw new Error('too early')` })
    assert.match(broken.stdout + broken.stderr, /Error: too early\n +at .*test\/d\.test\.ts/)
    assert.match(broken.stdout, /^✖ The process of test\/a\.test\.ts, test\/b\.test\.ts, test\/d\.test\.ts \(/m)
    assert.equal(broken.lastLine, '0 passed, 1 failed, 0 skipped')
  })

  test('lists what was skipped, with the reasons', () => {
    const text = `test('later', { skip: 'no server' }, () => {})\ntest('never', { skip: true }, () => {})`
    const { status, stdout, lastLine } = runTests({ 'a.test.ts': text }, 'a.test.ts')
    assert.equal(status, 0)
    assert.match(stdout, /^Skipped:\n {2}later \(a\.test\.ts:3:1\): no server\n {2}never \(.*\): no reason given$/m)
    assert.equal(lastLine, '0 passed, 0 failed, 2 skipped')
  })

  test('counts a file that ends before its tests as failed', () => {
    const { status, stdout, lastLine } = runTests({ 'a.test.ts': `throw new Error('too early')` }, 'a.test.ts')
    assert.equal(status, 1)
    assert.match(stdout, /too early/)
    assert.equal(lastLine, '0 passed, 1 failed, 0 skipped')
  })

  test('counts a hook that throws as failed', () => {
    const text = `import { after } from 'node:test'\ndescribe('a', () => {\n  after(() => assert.fail('late'))\n  test('b', () => {})\n})`
    const { status, stdout, lastLine } = runTests({ 'a.test.ts': text }, 'a.test.ts')
    assert.equal(status, 1)
    assert.match(stdout, /late/)
    assert.equal(lastLine, '1 passed, 1 failed, 0 skipped')
  })

  test('names the servers that tests ran on, each once, at the end', () => {
    const text = `process.stdout.write('seen\\ntests run on Some Server 5\\n')\ntest('a', () => {})`
    const { stdout } = runTests({ 'a.test.ts': text, 'b.test.ts': text }, 'a.test.ts', 'b.test.ts')
    assert.match(stdout, /^Servers:\n {2}Some Server 5\n\n/m)
    assert.doesNotMatch(stdout, /tests run on/)
  })

  test('shows what tests print', () => {
    assert.match(runTests({ 'a.test.ts': `test('a', () => console.log('seen'))` }, 'a.test.ts').stdout, /^seen$/m)
  })

  test('takes a folder or a name to choose by', () => {
    const files = { 'a.test.ts': `test('one', () => {})\ntest('two', () => assert.fail())` }
    assert.equal(runTests(files, '.', '--name=one').lastLine, '1 passed, 0 failed, 0 skipped')
    assert.equal(runTests(files, '.').lastLine, '1 passed, 1 failed, 0 skipped')
  })

  test('without a test fails', () => {
    const { status, stderr } = runTests({}, '.')
    assert.equal(status, 1)
    assert.match(stderr, /No test was found/)
  })
})

describe('a run is told what to run', { skip: leftOut ?? false }, () => {
  const files = {
    'red.test.ts': `test('an apple', () => {})`,
    'green.test.ts': `test('a (pear)', () => {})\ntest('a plum', () => {})`,
  }
  const inFolder = Object.fromEntries(Object.entries(files).map(([name, text]) => [`test/${name}`, text]))

  test('by a word in the paths of files', () => {
    assert.equal(runTests(inFolder, 'GREEN').lastLine, '2 passed, 0 failed, 0 skipped')
  })

  test('by words in the names of tests, as they are', () => {
    assert.equal(runTests(inFolder, 'a (pear)').lastLine, '1 passed, 0 failed, 0 skipped')
  })

  test('by words that no test has: that is a failure', () => {
    const { status, stderr, lastLine } = runTests(inFolder, 'a cherry')
    assert.equal(status, 1)
    assert.match(stderr, /No test was found/)
    assert.equal(lastLine, '0 passed, 0 failed, 0 skipped')
  })

  test('by a file that is not there: that is a failure, and nothing is run in its place', () => {
    const { status, stderr, stdout } = runTests(inFolder, 'test/blue.test.ts')
    assert.equal(status, 1)
    assert.match(stderr, /No test was found/)
    assert.doesNotMatch(stdout, /red|green/)
  })

  test('by a folder', () => {
    assert.equal(runTests(inFolder, 'test').lastLine, '3 passed, 0 failed, 0 skipped')
  })

  test('by nothing: everything', () => {
    assert.equal(runTests(inFolder).lastLine, '3 passed, 0 failed, 0 skipped')
  })
})
