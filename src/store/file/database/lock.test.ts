/** One process at a time may have a file store open, and a dead one does not block it. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { hasCode } from '../../../domain/error.ts'
import { at } from '../../../testing/checkpoint-at.ts'
import { commitIds, commitTo, readLog, snapshotOf, stream, testPlace } from '../test-place.fixture.ts'
import { type Disk, nodeDisk } from './disk.ts'
import { thisProcess } from './process-identity.ts'

/** A process id that no process has. */
const nobody = 2 ** 22 + 1
/** An owner without facts from the system. */
const owner = { host: hostname(), ...{ boot: null, namespaces: null, startTick: null }, token: 'a token' }

/** Writes a lock as an earlier process may have left it. */
async function leave(directory: string, number: number, content: object | string): Promise<string> {
  const path = join(directory, `lock-00000000${number}`)
  await mkdir(path)
  const folder = await nodeDisk.identityOf(path)
  const text = typeof content === 'string' ? content : JSON.stringify({ ...content, folder })
  await writeFile(join(path, 'owner.json'), text)
  return path
}

/** Opens a store, prints the result, and runs until it is killed. */
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

/** Runs a command as the first process of a new PID namespace, under the same host name. */
const inNamespace = ['unshare', '--user', '--map-root-user', '--pid', '--fork', '--kill-child', '--mount-proc']
const cannotUnshare =
  spawnSync(inNamespace[0]!, [...inNamespace.slice(1), 'true']).status !== 0 && 'no namespaces can be made here'

function start(directory: string, within: readonly string[] = []): ChildProcess {
  const module = new URL('../index.ts', import.meta.url).href
  const parameters = ['--input-type=module', '-e', program, module, directory]
  const [command, ...rest] = [...within, process.execPath, ...parameters]
  return spawn(command!, rest, { stdio: ['ignore', 'pipe', 'inherit'] })
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

  test('refuses another process while its owner lives, and is free when the owner was killed', async () => {
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
      await leave(place.directory, 7, { ...thisProcess(), pid: nobody, token: 'gone' })
      const settled = await Promise.allSettled(Array.from({ length: 10 }, () => place.open()))
      assert.equal(settled.filter(({ status }) => status === 'fulfilled').length, 1)
    }
  })

  test('of a process with the same number that started at another time is taken over', async () => {
    await using place = await testPlace()
    await leave(place.directory, 1, { ...thisProcess(), startTick: '1', token: 'earlier' })
    await place.open()
    assert.deepEqual(place.warnings, ['LOCK_TAKEN_OVER'])
  })

  test('of an owner on this machine is judged by the owner, not by the name of the machine', async () => {
    await using place = await testPlace()
    await leave(place.directory, 1, { ...thisProcess(), host: 'renamed', token: 'living' })
    await assert.rejects(place.open(), (error) => hasCode(error, 'STORE_LOCKED'))
    await leave(place.directory, 2, { ...thisProcess(), host: 'renamed', pid: nobody, token: 'gone' })
    await place.open()
    assert.deepEqual(place.warnings, ['LOCK_TAKEN_OVER'])
  })

  test('of an earlier run of the machine is taken over, whatever its name was', async () => {
    await using place = await testPlace()
    await leave(place.directory, 1, { ...thisProcess(), boot: 'earlier', host: 'renamed', token: 'gone' })
    await place.open()
    assert.deepEqual(place.warnings, ['LOCK_TAKEN_OVER'])
  })

  for (const [how, content] of Object.entries({
    'without content': '',
    'with a hole': '\0\0\0\0',
    'with a hole before its end': '\0\0\0","token":"gone"}\n',
    'with the first part of its content': '{"pid":1,"ho',
  })) {
    test(`that a power failure left ${how} is free`, async () => {
      await using place = await testPlace()
      await leave(place.directory, 1, content)
      await place.open()
      assert.deepEqual(place.warnings, [])
    })
  }
})

/** An owner in another container has other namespaces, and any process id. */
const elsewhere = { namespaces: 'pid:[1] time:[1]', pid: nobody }

describe('The lock of an owner in another container', () => {
  for (const [how, depth] of [
    ['', 0],
    [', with a path that is longer than the address of a socket', 150],
  ] as const) {
    test(`holds while it lives, even if it is stopped, and is free when it was killed${how}`, async () => {
      await using place = await testPlace()
      const directory = join(place.directory, 'd'.repeat(depth))
      const child = start(directory)
      try {
        assert.equal(await said(child), 'opened')
        const path = join(directory, 'lock-000000001', 'owner.json')
        await writeFile(path, JSON.stringify({ ...JSON.parse(await readFile(path, 'utf8')), ...elsewhere }))
        await assert.rejects(place.open({ directory }), (error) => hasCode(error, 'STORE_LOCKED') && !error.facts.doubt)
        child.kill('SIGSTOP')
        await assert.rejects(place.open({ directory }), (error) => hasCode(error, 'STORE_LOCKED') && !error.facts.doubt)
      } finally {
        await kill(child)
      }
      await place.open({ directory })
      assert.deepEqual(place.warnings, ['LOCK_TAKEN_OVER'])
    })
  }

  test('holds and becomes free between real PID namespaces with one host name', { skip: cannotUnshare }, async () => {
    await using place = await testPlace()
    const inside = start(place.directory, inNamespace)
    try {
      assert.equal(await said(inside), 'opened')
      await assert.rejects(place.open(), (error) => hasCode(error, 'STORE_LOCKED'))
      const other = start(place.directory, inNamespace)
      try {
        assert.equal(await said(other), 'STORE_LOCKED')
      } finally {
        await kill(other)
      }
    } finally {
      await kill(inside)
    }
    const after = start(place.directory, inNamespace)
    try {
      assert.equal(await said(after), 'opened')
    } finally {
      await kill(after)
    }
  })
})

describe('A lock in doubt', () => {
  const shared = { ...nodeDisk, isLocal: async () => false }
  const doubts: Readonly<Record<string, readonly [object | string, Disk]>> = {
    'an earlier run, on files that other machines may have too': [{ ...thisProcess(), boot: 'earlier' }, shared],
    'another container, on files that other machines may have too': [{ ...thisProcess(), ...elsewhere }, shared],
    'another container, whose socket is gone': [{ ...thisProcess(), ...elsewhere }, nodeDisk],
    'another machine, where the system tells nothing': [{ ...owner, pid: nobody, host: 'other' }, nodeDisk],
    'this machine, where Linux tells nothing': [{ ...owner, pid: nobody }, nodeDisk],
    'nobody who can be read': ['{"pid":}\n', nodeDisk],
  }
  for (const [whose, [content, disk]] of Object.entries(doubts)) {
    test(`counts as held, and says what to remove: of ${whose}`, async () => {
      await using place = await testPlace()
      const text = typeof content === 'string' ? content : { ...content, token: 'other' }
      const path = await leave(place.directory, 1, text)
      await assert.rejects(place.open({ disk }), (error: unknown) => {
        assert.ok(hasCode(error, 'STORE_LOCKED'), String(error))
        assert.equal(error.facts.doubt, path)
        assert.ok(error.message.includes(`remove ${path}`))
        return true
      })
      await rm(path, { recursive: true })
      const store = await place.open({ disk })
      await store.append([commitTo('x', 'a')])
      assert.deepEqual(place.warnings, [])
    })
  }
})

describe('A lock that its owner could not mark as free', () => {
  for (const code of ['EMFILE', 'EACCES']) {
    test(`is free in the same process, which is told of the failure (${code})`, async () => {
      await using place = await testPlace()
      let fails = false
      const disk: Disk = {
        ...nodeDisk,
        async open(path, mode) {
          if (fails && path.endsWith('/released')) throw Object.assign(new Error(code), { code })
          return nodeDisk.open(path, mode)
        },
      }
      const first = await place.open({ disk })
      await first.append([commitTo('x', 'a')])
      fails = true
      const told = code === 'EMFILE' ? 'STORE_UNAVAILABLE' : 'STORE_READ_ONLY'
      await assert.rejects(first.close(), (error) => hasCode(error, told))
      fails = false
      const second = await place.open({ disk })
      assert.deepEqual(commitIds(await readLog(second)), ['a'])
      await assert.rejects(place.open({ disk }), (error) => hasCode(error, 'STORE_LOCKED'))
    })
  }
})

describe('A copy of a store that is open', () => {
  test('is free, because its lock belongs to the original', async () => {
    await using place = await testPlace()
    await using copy = await testPlace()
    const first = await place.open()
    await first.append([commitTo('x', 'a')])
    await cp(place.directory, copy.directory, { recursive: true, filter: (path) => !path.endsWith('.socket') })
    const second = await copy.open()
    assert.deepEqual(commitIds(await readLog(second)), ['a'])
    await assert.rejects(copy.open(), (error) => hasCode(error, 'STORE_LOCKED'))
    await first.append([commitTo('x', 'b')])
    assert.deepEqual(copy.warnings, ['INDEX_REBUILT'])
  })
})

describe('An owner whose lock was removed', () => {
  test('stores nothing more, and changes nothing for the next owner', async () => {
    await using place = await testPlace()
    const first = await place.open()
    await first.append([commitTo('x', 'a')])
    await rm(join(place.directory, 'lock-000000001'), { recursive: true })
    const second = await place.open()
    await second.append([commitTo('x', 'b')])
    const refused = [
      first.append([commitTo('x', 'c')]),
      first.saveStep('p', { from: at(0), to: at(1), rows: [] }),
      first.saveSnapshot(snapshotOf(stream('x'), 1), { keep: 1 }),
      first.acquireLease('l', 'me', 1000),
    ]
    for (const call of refused) await assert.rejects(call, (error) => hasCode(error, 'STORE_HALTED'))
    await first.close()
    await second.append([commitTo('x', 'd')])
    await assert.rejects(place.open(), (error) => hasCode(error, 'STORE_LOCKED'))
    await second.close()
    const third = await place.open()
    assert.deepEqual(commitIds(await readLog(third)), ['a', 'b', 'd'])
    assert.deepEqual(place.warnings, ['INDEX_REBUILT'])
  })
})
