import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CancelledError } from '../domain/error.ts'
import { manualEnvironment } from '../testing/manual-environment.ts'
import { type Decider, Serving } from './serving.ts'
import { fromOwner, type Message, type Packet } from './wire.ts'

const turn = async () => {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve))
}

/** The side that decides, and what it says to the other one. */
function begin(decider: Decider) {
  const environment = manualEnvironment()
  const said: Message[] = []
  const serving = new Serving({
    id: 'owner',
    link: { send: (text) => said.push(...(JSON.parse(text) as Packet).messages.map(fromOwner)), close() {} },
    environment,
    keys: undefined,
    epoch: () => 1,
    onEpoch() {},
    deciderOf: () => decider,
    onState() {},
    onEnd() {},
  })
  return { environment, said, serving }
}

test('A decision that waits for a fence gets the answer, also when the caller has given the command up', async () => {
  let passed: number | undefined
  // The kernel answers a command that is given up at once, while its decision waits.
  const { environment, said, serving } = begin({
    keys: undefined,
    dispatch: (_, name, __, { fence, onWaiting }) =>
      new Promise((_resolve, reject) => {
        onWaiting!(() => reject(new CancelledError('ABORTED', { what: name })))
        void fence!(1000).then((fixedMs) => {
          passed = fixedMs
        })
      }),
  })
  const hear = async (message: Message) => {
    const at = environment.elapsed()
    serving.onText(JSON.stringify({ at, seen: at, got: 0, epoch: 1, messages: [message] } satisfies Packet))
    await turn()
  }
  const stream = { aggregate: 'account', id: 'ada' }
  const sent = { stream, name: 'deposit', commandId: 'c', idBy: 'reaction', hasFence: true } as const
  await hear({ say: 'command', n: 1, command: sent })
  const asked = said.find((message) => message.say === 'ask fence')
  assert.ok(asked !== undefined && asked.wantedMs === 1000)
  await hear({ say: 'cancel', n: 1 })
  assert.ok(said.some(({ say }) => say === 'reply'))
  await hear({ say: 'fence', n: 1, nth: asked.nth, fixedMs: 999 })
  assert.equal(passed, 999)
  serving.close()
})

test('A command that cannot be read is answered with an error, and so are those after it', async () => {
  const { said, serving } = begin({
    keys: undefined,
    dispatch: () => Promise.reject(new CancelledError('ABORTED', { what: 'x' })),
  })
  const stream = { aggregate: 'account', id: 'ada' }
  const good = { say: 'command', n: 2, command: { stream, name: 'deposit', commandId: 'c' } }
  const messages = [{ say: 'command', n: 1, command: null }, good]
  serving.onText(JSON.stringify({ at: 0, seen: 0, got: 0, epoch: 1, messages }))
  await turn()
  const replies = said.flatMap((message) => (message.say === 'reply' ? [[message.n, 'error' in message.reply]] : []))
  assert.deepEqual(replies, [
    [1, true],
    [2, true],
  ])
  serving.close()
})
