/**
 * Paths that are links. SQLite keeps the write-ahead log beside the file that a symbolic link leads to, and the store
 * must look for it there. For each name of a file (a hard link) SQLite keeps one of its own.
 */
import assert from 'node:assert/strict'
import { link, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { sqlite } from './index.ts'
import { openStore, simpleCommit } from './sqlite-test.fixture.ts'

/** A link in one folder, and the file in another that it leads to. */
async function linked(context: TestContext): Promise<{ readonly path: string; readonly file: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'mneme-sqlite-'))
  context.after(() => rm(folder, { recursive: true, force: true }))
  await mkdir(join(folder, 'data'))
  const [path, file] = [join(folder, 'link.db'), join(folder, 'data', 'log.db')]
  // The link leads to a place in which there is no file yet.
  await symlink(join('data', 'log.db'), path)
  return { path, file }
}

test('a write-ahead log that is deleted behind a link is noticed, and nothing more is acknowledged', async (context) => {
  const { path, file } = await linked(context)
  const store = await openStore(context, path)
  await store.append([simpleCommit('a')])
  await rm(`${file}-wal`)
  const halted = { code: 'STORE_HALTED', message: /log\.db-wal was deleted/ }
  for (const id of ['b', 'c']) await assert.rejects(store.append([simpleCommit(id)]), halted)
  assert.deepEqual(await readdir(dirname(path)), ['data', 'link.db'])
})

test('a link that leads to another file now is noticed, and nothing more is acknowledged', async (context) => {
  const { path, file } = await linked(context)
  const store = await openStore(context, path)
  await store.append([simpleCommit('a')])
  await writeFile(`${file}.other`, '')
  await rm(path)
  await symlink(`${file}.other`, path)
  await assert.rejects(store.append([simpleCommit('b')]), { code: 'STORE_HALTED', message: /link\.db was deleted/ })
})

test('damage in the write-ahead log behind a link is refused', async (context) => {
  const { path, file } = await linked(context)
  await (await openStore(context, path)).close()
  const store = await openStore(context, path)
  for (const id of ['a', 'b', 'c', 'd']) await store.append([simpleCommit(id)])
  const [data, log] = [await readFile(file), await readFile(`${file}-wal`)]
  const copy = await linked(context)
  log[1000]! ^= 1
  await writeFile(copy.file, data)
  await writeFile(`${copy.file}-wal`, log)
  const opened = sqlite(copy.path).open({ warn: () => {}, now: () => 0 })
  await assert.rejects(opened, { code: 'STORE_CORRUPT', message: /write-ahead log/ })
  assert.ok(log.equals(await readFile(`${copy.file}-wal`)))
})

test('a file that has another name is refused, because each name would have a write-ahead log', async (context) => {
  const { path, file } = await linked(context)
  const store = await openStore(context, path)
  await store.append([simpleCommit('a')])
  await link(file, `${file}.other`)
  const others = sqlite(`${file}.other`).open({ warn: () => {}, now: () => 0 })
  await assert.rejects(others, { code: 'OPTION_INVALID', message: /no other name/ })
  await store.append([simpleCommit('b')])
  await rm(`${file}.other`)
  const again = await openStore(context, file)
  assert.equal(await again.head(), 2)
})
