/** One process at a time may have a file store open, and a dead one does not keep it. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { hasCode } from '../../domain/error.ts'
import { commitIds, commitTo, readLog, testPlace } from './test-place.fixture.ts'

/** Opens a place, says how it went, and stays until it is killed. */
const program = `
  const { file } = await import(process.argv[1])
  try {
    const store = await file(process.argv[2]).open({ now: Date.now, warn: () => {} })
    console.log('opened')
  } catch (error) {
    console.log(error.code)
  }
  setInterval(() => {}, 1000)
`

function start(directory: string): ChildProcess {
  const module = new URL('./index.ts', import.meta.url).href
  const parameters = ['--input-type=module', '-e', program, module, directory]
  return spawn(process.execPath, parameters, { stdio: ['ignore', 'pipe', 'inherit'] })
}

async function said(child: ChildProcess): Promise<string> {
  const [line] = await once(child.stdout!, 'data')
  return String(line).trim()
}

async function kill(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  await ended
}

describe('The lock', () => {
  test('refuses a second opening in the same process and names its owner', async () => {
    await using place = await testPlace()
    await place.open()
    await assert.rejects(place.open(), (error: unknown) => {
      assert.ok(hasCode(error, 'STORE_LOCKED'))
      assert.match(error.facts.owner, new RegExp(`process ${process.pid} on`))
      return true
    })
  })

  test('refuses another process while its owner lives, and passes when the owner was killed', async () => {
    await using place = await testPlace()
    const child = start(place.directory)
    try {
      assert.equal(await said(child), 'opened')
      await assert.rejects(place.open(), (error: unknown) => {
        assert.ok(hasCode(error, 'STORE_LOCKED'))
        assert.match(error.facts.owner, new RegExp(`process ${child.pid} on`))
        return true
      })
    } finally {
      await kill(child)
    }
    const store = await place.open()
    assert.deepEqual(place.warnings, ['LOCK_TAKEN_OVER'])
    await store.append([commitTo('x', 'a')])
    assert.deepEqual(commitIds(await readLog(store)), ['a'])
  })

  test('of a dead owner goes to one process of several that want it', async () => {
    await using place = await testPlace()
    const dead = start(place.directory)
    assert.equal(await said(dead), 'opened')
    await kill(dead)
    const takers = Array.from({ length: 4 }, () => start(place.directory))
    try {
      const answers = await Promise.all(takers.map(said))
      assert.deepEqual(answers.sort(), ['STORE_LOCKED', 'STORE_LOCKED', 'STORE_LOCKED', 'opened'])
    } finally {
      await Promise.all(takers.map(kill))
    }
  })

  test('of a dead owner goes to one of many in the same process, again and again', async () => {
    for (let round = 0; round < 20; round++) {
      await using place = await testPlace()
      const gone = { pid: 2 ** 22 + 1, host: hostname(), started: null, token: 'gone' }
      await writeFile(join(place.directory, 'lock-000000007'), JSON.stringify(gone))
      const settled = await Promise.allSettled(Array.from({ length: 10 }, () => place.open()))
      assert.equal(settled.filter(({ status }) => status === 'fulfilled').length, 1)
    }
  })

  test('of a process with the same number that started at another time is taken over', async () => {
    await using place = await testPlace()
    const earlier = { pid: process.pid, host: hostname(), started: 'another boot 1', token: 'earlier' }
    await writeFile(join(place.directory, 'lock-000000001'), JSON.stringify(earlier))
    await place.open()
    assert.deepEqual(place.warnings, ['LOCK_TAKEN_OVER'])
  })

  test('of another machine is never taken over', async () => {
    await using place = await testPlace()
    const other = { pid: 2 ** 22 + 1, host: `not-${hostname()}`, started: null, token: 'other' }
    await writeFile(join(place.directory, 'lock-000000001'), JSON.stringify(other))
    await assert.rejects(place.open(), (error) => hasCode(error, 'STORE_LOCKED'))
  })

  test('that a power failure left without content is nobody’s', async () => {
    await using place = await testPlace()
    await writeFile(join(place.directory, 'lock-000000001'), '')
    await place.open()
    assert.deepEqual(place.warnings, [])
  })
})
