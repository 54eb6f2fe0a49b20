/** The question before something is lost: who is asked, and what counts as a yes. */
import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { test } from 'node:test'
import { type Asking, confirm } from './confirm.ts'

/** A terminal on which somebody types an answer. */
function terminal(answer: string, isTTY = true): Asking & { readonly shown: () => string } {
  const input = Object.assign(new PassThrough(), { isTTY })
  const output = Object.assign(new PassThrough(), { isTTY })
  input.write(`${answer}\n`)
  return { input: input as never, output: output as never, shown: () => String(output.read() ?? '') }
}

const never = new AbortController().signal

test('only a yes is a yes', async () => {
  for (const answer of ['y', 'YES', ' yes ']) {
    const asking = terminal(answer)
    await confirm('It is lost.', false, never, asking)
    assert.match(asking.shown(), /It is lost\. \[y\/N\] /)
  }
  for (const answer of ['', 'n', 'yesterday', 'no yes']) {
    await assert.rejects(confirm('It is lost.', false, never, terminal(answer)), { code: 'NOT_CONFIRMED' })
  }
})

test('nobody is asked who has agreed, or is not there', async () => {
  const asking = terminal('n', false)
  await confirm('It is lost.', true, never, asking)
  assert.equal(asking.shown(), '')
  await assert.rejects(confirm('It is lost.', false, never, asking), { code: 'NOT_CONFIRMED', message: /Give --yes/ })
})

test('an interrupt ends the question', async () => {
  const controller = new AbortController()
  const input = Object.assign(new PassThrough(), { isTTY: true }) as never
  const output = Object.assign(new PassThrough(), { isTTY: true }) as never
  const asked = confirm('It is lost.', false, controller.signal, { input, output })
  controller.abort(new Error('interrupted'))
  await assert.rejects(asked, /interrupted/)
})

test('an input that ends is no yes', async () => {
  for (const end of [(input: PassThrough) => input.end(), (input: PassThrough) => input.write('\u0004')]) {
    const input = Object.assign(new PassThrough(), { isTTY: true })
    const output = Object.assign(new PassThrough(), { isTTY: true }) as never
    const asked = confirm('It is lost.', false, never, { input: input as never, output })
    end(input)
    await assert.rejects(asked, { code: 'NOT_CONFIRMED' })
  }
})
