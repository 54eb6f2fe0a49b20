/** `mneme verify`, `export` and `import`, as a user runs them: what they print, and what is left if they are killed. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { copyFile, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { commit } from '../../../../src/index.ts'
import { sqlite } from '../../../../src/store/sqlite/index.ts'
import { until } from '../../../../test/support/kernel/rig.ts'
import { sized } from '../../../../test/support/size.ts'
import { type Place, toolsPlace } from '../../../../test/support/tools/mneme.ts'

/** A log of commits of three events in some streams. */
async function fill(path: string, commits: number): Promise<void> {
  const store = await sqlite(path).open({ warn: () => {}, now: Date.now })
  const ends = new Map<string, number>()
  for (let done = 0; done < commits; ) {
    const some = Array.from({ length: Math.min(500, commits - done) }, (_, i) => {
      const id = `s${(done + i) % 97}`
      const expected = ends.get(id) ?? 0
      ends.set(id, expected + 3)
      const stream = { aggregate: 'thing', id }
      const events = [1, 2, 3].map((n) => ({ type: 'Happened', data: { n, at: done + i, text: 'x'.repeat(40) } }))
      return commit({ stream, expected, id: `c${done + i}`, recordedAt: done + i, events })
    })
    await store.append(some)
    done += some.length
  }
  await store.close()
}

/** Starts a run, and kills it as soon as something is so. It may have ended by then. */
async function killed({ start }: Place, args: readonly string[], isSo: () => Promise<boolean>): Promise<void> {
  const child = start(args)
  const closed = once(child, 'close')
  let hasEnded = false
  void closed.then(() => {
    hasEnded = true
  })
  await until('the run has come far enough', async () => hasEnded || (await isSo()))
  child.kill('SIGKILL')
  await closed
}

const sizeOf = async (path: string) => (await stat(path).catch(() => ({ size: 0 }))).size

describe('mneme export and import', () => {
  test('are killed again and again, and end with the log that there was', async (t) => {
    const place = await toolsPlace(t)
    const { mneme, folder } = place
    const at = (name: string) => join(folder, name)
    const commits = sized(3000, 1500)
    await fill(at('bank.db'), commits)
    const whole = await mneme(['export', '--store', 'bank.db', '--json', '--out', 'whole.jsonl'])
    assert.deepEqual([whole.code, whole.err], [0, ''])
    const { digest, events } = JSON.parse(whole.out)
    assert.equal(events, commits * 3)
    const lines = await readFile(at('whole.jsonl'), 'utf8')
    const bytes = Buffer.byteLength(lines)

    const exporting = ['export', '--store', 'bank.db', '--json', '--out', 'log.jsonl']
    for (const position of [events * 0.2, events * 0.6]) {
      const { code } = await place.killedRun('export', 'bank.db', 'log.jsonl', position)
      assert.equal(code, null, 'it was killed')
      const size = await sizeOf(at('log.jsonl'))
      assert.ok(size > 0 && size < bytes)
    }
    await killed(place, exporting, async () => (await sizeOf(at('log.jsonl'))) > bytes * 0.7)
    // The half of a line, which a killed process may leave, but seldom does.
    const before = await readFile(at('log.jsonl'), 'utf8')
    await writeFile(at('log.jsonl'), before.slice(0, -10))
    const exported = JSON.parse((await mneme(exporting)).out)
    assert.equal(exported.digest, digest)
    assert.ok(exported.kept > 0)
    assert.equal(await readFile(at('log.jsonl'), 'utf8'), lines)

    const importing = ['import', 'log.jsonl', '--store', 'sqlite:copy.db', '--json']
    for (const position of [events * 0.2, events * 0.5]) {
      const { code } = await place.killedRun('import', 'copy.db', 'log.jsonl', position)
      assert.equal(code, null, 'it was killed')
    }
    const grown = async () => (await sizeOf(at('copy.db-wal'))) + (await sizeOf(at('copy.db'))) > bytes * 0.7
    await killed(place, importing, grown)
    const imported = JSON.parse((await mneme(importing)).out)
    assert.deepEqual([imported.digest, imported.events], [digest, events])
    const [verified] = await place.each([['verify', '--store', 'copy.db', '--json']])
    assert.equal(JSON.parse(verified!.out).digest, digest)
  })

  test('work through pipes, and tell what does not fit', async (t) => {
    const { each, mneme, folder } = await toolsPlace(t)
    await fill(join(folder, 'bank.db'), 3)
    const exported = await mneme(['export', '--store', 'bank.db', '--format', 'cloudevents'])
    assert.match(exported.err, /^9 events written, sha256:[0-9a-f]{64}\n$/)
    const first = JSON.parse(exported.out.split('\n')[0]!)
    assert.deepEqual([first.specversion, first.id, first.subject, first.type], ['1.0', '1', 's0', 'Happened'])
    const imported = await mneme(['import', '-', '--store', 'file:folder'], { input: exported.out })
    assert.equal(imported.out.replace('imported', 'written'), exported.err)
    await copyFile(join(folder, 'bank.db'), join(folder, 'other.db'))
    await writeFile(join(folder, 'bad.jsonl'), `${exported.out.replaceAll('Happened', 'Other')}`)
    const [good, differs, absent, format, unread] = await each([
      ['verify', '--store', 'file:folder'],
      ['import', 'bad.jsonl', '--store', 'other.db', '--json'],
      ['import', 'none.jsonl', '--store', 'other.db'],
      ['export', '--format', 'xml'],
      ['verify'],
    ])
    const size = '9 events in 3 streams'
    assert.deepEqual([good!.code, good!.out], [0, `good: ${size}, ${/sha256:\w+/.exec(exported.err)![0]}\n`])
    assert.deepEqual([differs!.code, JSON.parse(differs!.err).error.code], [1, 'LOG_DIFFERS'])
    assert.deepEqual([absent!.code, format!.code], [2, 2])
    assert.match(absent!.err, /There is no file none\.jsonl/)
    // The domain of the configuration does not have these aggregates.
    assert.equal(unread!.code, 0)
    assert.match(unread!.err, /not checked: the domain does not have \w+\.\n$/)
  })
})
