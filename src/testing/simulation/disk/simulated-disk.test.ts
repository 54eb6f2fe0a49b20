/** The simulated disk: what a power failure takes, what a kill leaves, and who decides when calls have their effect. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Disk } from '../../../store/file/database/disk.ts'
import { Random } from '../../random.ts'
import { SimulatedDisk } from './simulated-disk.ts'
import { SimulatedMachine } from './simulated-machine.ts'

const seeds = Array.from({ length: 40 }, (_, i) => i + 1)
const bytes = Buffer.alloc(2000, 1)

/** What became of a file on the disks of many seeds, after a program has worked and its end has come. */
async function outcomes(work: (disk: Disk) => Promise<unknown>, end: 'kill' | 'failPower'): Promise<Set<string>> {
  const found = new Set<string>()
  for (const seed of seeds) {
    const disk = new SimulatedDisk(new Random(seed))
    await work(disk.mount())
    disk[end]()
    const content = disk.filesIn('/d').get('a')
    found.add(content === undefined ? 'no file' : content.equals(bytes) ? 'whole' : 'something else')
  }
  return found
}

const written = async (disk: Disk) => {
  const file = await disk.open('/d/a', 'create')
  await file.write(bytes, 0)
  return file
}

test('A kill leaves what was written, and a power failure may take any part of it', async () => {
  assert.deepEqual(await outcomes(written, 'kill'), new Set(['whole']))
  assert.deepEqual(await outcomes(written, 'failPower'), new Set(['whole', 'no file', 'something else']))
})

test('A power failure takes nothing that was synced with its name', async () => {
  const synced = async (disk: Disk) => {
    await (await written(disk)).sync()
    await disk.syncDirectory('/d')
  }
  assert.deepEqual(await outcomes(synced, 'failPower'), new Set(['whole']))
  assert.deepEqual(
    await outcomes(async (disk) => (await written(disk)).sync(), 'failPower'),
    new Set(['whole', 'no file']),
  )
})

test('A call that is under way when its program ends is done, in part or not at all, and never answered', async () => {
  const found = new Set<number>()
  for (const seed of seeds) {
    const disk = new SimulatedDisk(new Random(seed))
    const file = await disk.mount().open('/d/a', 'create')
    await file.close()
    const later: (() => void)[] = []
    const opening = disk.mount((_, act) => later.push(act)).open('/d/a', 'write')
    later.shift()!()
    let isAnswered = false
    void (await opening).write(bytes, 0).then(() => {
      isAnswered = true
    })
    await Promise.resolve()
    assert.ok(disk.isWaitedFor)
    disk.kill()
    for (const act of later) act()
    await Promise.resolve()
    assert.ok(!isAnswered)
    found.add(disk.filesIn('/d').get('a')!.length)
  }
  assert.ok(found.has(0) && found.has(bytes.length) && found.size > 2, [...found].join())
})

test('A machine knows which of its processes run, and after its start none of those before', async () => {
  const machine = new SimulatedMachine()
  let isRunning = true
  const loop = { elapsed: () => 0, defer: () => {} }
  const parts = { loop, random: new Random(1), isRunning: () => isRunning }
  const [one, other] = [machine.start(parts), machine.start({ ...parts, isRunning: () => true })]
  const witnesses = { isLocal: async () => true, askSocket: async () => 'unknown' as const }
  const lifeOfOne = () => other.lifeOf(one.thisProcess(), witnesses)
  assert.equal(await lifeOfOne(), 'running')
  isRunning = false
  assert.equal(await lifeOfOne(), 'ended')
  isRunning = true
  machine.restart()
  assert.equal(await lifeOfOne(), 'ended')
  assert.notEqual(one.newId(), other.newId())
})
