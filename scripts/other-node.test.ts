/** Which version of Node is taken, and what is said if there is none. The registry is a function here. */
import assert from 'node:assert/strict'
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, beforeEach, describe, test } from 'node:test'
import { findNode, type Npm, newestOf, oldestOf } from './other-node.ts'

test('the oldest version is the lower bound of the range', () => {
  assert.equal(oldestOf('>=22.18'), '22.18.0')
  assert.equal(oldestOf('>=24'), '24.0.0')
  assert.throws(() => oldestOf('^22'), /no range/)
})

test('the newest version is the highest number, and one that is released', () => {
  assert.equal(newestOf(['26.8.2', '26.10.0', '26.9.0', '27.0.0-rc.1']), '26.10.0')
  assert.equal(newestOf('22.18.0'), '22.18.0')
  assert.equal(newestOf([]), undefined)
})

describe('another Node', () => {
  let cache: string
  const cacheBefore = process.env['MNEME_CACHE']
  let calls: string[] = []
  /** Has these versions. Installs a program that says that it is `says`, or what was asked for. */
  const registry =
    (versions: readonly string[], says?: string): Npm =>
    async ([command, wanted = ''], folder) => {
      calls.push(`${command} ${wanted}`)
      const version = wanted.replace('node@', '')
      if (command === 'view') return JSON.stringify(versions.filter((each) => `${each}.`.startsWith(`${version}.`)))
      const program = join(folder, 'node_modules/node/bin/node')
      await mkdir(dirname(program), { recursive: true })
      await writeFile(program, `#!/bin/sh\necho v${says ?? version}\n`)
      await chmod(program, 0o755)
      return ''
    }

  before(async () => {
    cache = await mkdtemp(join(tmpdir(), 'mneme-other-node-'))
    process.env['MNEME_CACHE'] = cache
  })
  beforeEach(() => {
    calls = []
  })
  after(async () => {
    if (cacheBefore === undefined) delete process.env['MNEME_CACHE']
    else process.env['MNEME_CACHE'] = cacheBefore
    await rm(cache, { recursive: true, force: true })
  })

  test('of a line is its newest version, installed once', async () => {
    const npm = registry(['26.8.2', '26.10.0', '25.0.0'])
    const found = await findNode('26', npm)
    assert.deepEqual(found, { version: '26.10.0', program: join(cache, 'node-26.10.0/node_modules/node/bin/node') })
    assert.deepEqual(await findNode('26', npm), found)
    assert.deepEqual(calls, ['view node@26', 'install node@26.10.0', 'view node@26'])
  })

  test('of an exact version needs no registry once it is installed', async () => {
    await findNode('22.18.0', registry(['22.18.0']))
    const unreachable: Npm = () => Promise.reject(new Error('no network'))
    assert.ok('program' in (await findNode('22.18.0', unreachable)))
  })

  test('is missing for a good reason where the registry does not have it, or does not answer', async () => {
    assert.deepEqual(await findNode('28', registry(['26.10.0'])), {
      reason: 'the registry does not have it',
      isServed: false,
    })
    const unreachable: Npm = () =>
      Promise.reject(
        new Error('Command failed: npm\nnpm error code E1\nnpm error no network\nnpm error A complete log of it'),
      )
    const { reason, isServed } = (await findNode('28', unreachable)) as { reason: string; isServed: boolean }
    assert.match(reason, /does not answer.*\(no network\)/)
    assert.equal(isServed, false)
  })

  test('is missing without a good reason where the registry has it, and it does not run', async () => {
    const found = await findNode('30', registry(['30.0.0'], '12.0.0'))
    assert.deepEqual(found, {
      reason: 'it cannot be installed (what was installed says that it is v12.0.0)',
      isServed: true,
    })
  })
})
