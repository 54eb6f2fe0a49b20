/** What an instance does when another process becomes the owner of its stream. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { codesOf, recorder } from '../../test/support/kernel/rig.ts'
import { Vault } from '../../test/support/kernel/vault.ts'
import { memory } from '../index.ts'
import { commit } from '../store/commit.ts'
import { faultyStore } from '../testing/faulty-store.ts'
import { manualEnvironment } from '../testing/manual-environment.ts'
import { Kernel } from './kernel.ts'
import { limitsOf } from './limits.ts'

const stream = { aggregate: 'vault', id: 'v' }

/** A kernel whose store can be made to fail, and whose streams can be given to another process. */
async function rig() {
  const at = { isFailing: false, isOwned: true, sentOn: 0, confirm: [] as boolean[], calls: [] as string[] }
  const environment = manualEnvironment()
  const fails = () => (at.isFailing ? new RangeError('a bad moment') : undefined)
  const factory = faultyStore(memory(), ({ method }) => {
    at.calls.push(method)
    return method === 'readStream' ? fails() : undefined
  })
  const store = await factory.open({ now: environment.now, warn() {} })
  const kernel = new Kernel({
    events: store,
    snapshots: store,
    aggregates: [Vault],
    defaults: {},
    environment,
    limits: limitsOf({}),
    warn: recorder().warn as () => void,
    mayAnswerFromStaleState: false,
    ownership: {
      epoch: 1,
      underWay: 0,
      confirm: async () => {
        at.calls.push('confirm')
        return at.confirm.shift() ?? at.isOwned
      },
      owns: () => at.isOwned,
      sendOn: async () => {
        at.sentOn++
        return { accepted: true, state: {}, sequence: 0, position: 0, events: [] }
      },
    },
  })
  const look = () => kernel.dispatch(stream, 'look', {}, {})
  const add = () => kernel.dispatch(stream, 'add', { amount: 1 }, {})
  return { at, kernel, store, look, add }
}

test('A failure to load is forgotten when another process has owned the stream, also if a command waited', async () => {
  const { at, kernel, look } = await rig()
  at.isFailing = true
  assert.deepEqual(await codesOf([look()]), ['AGGREGATE_LOAD_FAILED'])
  at.isFailing = false
  at.isOwned = false
  const waiting = look()
  kernel.disown(() => false)
  assert.deepEqual([await codesOf([waiting]), at.sentOn], [['ok'], 1])
  // The stream comes back before the pause after the failure is over.
  at.isOwned = true
  assert.deepEqual([await codesOf([look()]), at.sentOn], [['ok'], 1])
  await kernel.stop()
})

test('A state that is still the newest is asked for together with its owner, and another one before', async () => {
  const { at, kernel, store, add } = await rig()
  await add()
  const again = () => {
    const held = [...kernel.states()].map(({ take }) => take()!)
    kernel.disown(() => false)
    for (const handed of held) kernel.receive(handed)
    at.calls.length = 0
  }
  again()
  assert.equal((await add()).accepted, true)
  assert.deepEqual(at.calls, ['confirm', 'streamEnds', 'append'])
  // Another process has stored something since the state was made, and owns the stream.
  again()
  const events = [{ type: 'Added', revision: 1, data: { amount: 1 }, metadata: {}, tags: [] }]
  await store.append([commit({ stream, expected: 2, id: 'c', events, recordedAt: 0 })])
  at.calls.length = 0
  at.confirm = [true, false]
  await add()
  assert.deepEqual([at.calls, at.sentOn], [['confirm', 'streamEnds', 'readStream', 'confirm'], 1])
  await kernel.stop()
})
