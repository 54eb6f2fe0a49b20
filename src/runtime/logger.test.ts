/** Each kind of logger is called in its own way, with the code, and none loses the cause. */
import assert from 'node:assert/strict'
import { Console } from 'node:console'
import { Writable } from 'node:stream'
import { describe, test } from 'node:test'
import { EventError, ProjectionError } from '../domain/error.ts'
import { type Logger, warnTo } from './logger.ts'
import type { Warning } from './warning.ts'

const cause = new RangeError('disk full')
const saved = { code: 'SNAPSHOT_FAILED', message: 'The snapshot of pot "100%d" was not saved', cause } as const
const place = '[SNAPSHOT_FAILED, docs/errors.md#snapshot_failed]'

/** The arguments with which a logger that has these other methods is called. */
function calledWith(methods: readonly string[], warning: Warning): readonly unknown[] {
  const calls: unknown[][] = []
  const call = (...given: unknown[]) => calls.push(given)
  warnTo({ ...Object.fromEntries(methods.map((name) => [name, () => {}])), warn: call, error: call })(warning)
  assert.equal(calls.length, 1)
  return calls[0]!
}

describe('A warning', () => {
  const pino = ['bindings', 'child', 'info', 'error', 'fatal']
  const bunyan = ['addSerializers', 'child', 'info']
  for (const [name, methods] of Object.entries({ pino, bunyan })) {
    test(`goes to ${name} with the facts first, where the error is serialized`, () => {
      assert.deepEqual(calledWith(methods, saved), [
        { err: cause, code: saved.code },
        `${saved.message} (disk full) ${place}`,
      ])
    })
  }

  test('goes to the method of its level, or to warn', () => {
    const called: string[] = []
    const method = (name: string) => [name, () => called.push(name)]
    const loggerWith = (...names: readonly string[]) =>
      Object.fromEntries(['warn', ...names].map(method)) as unknown as Logger
    const loggers = [
      loggerWith(),
      loggerWith('info', 'error'),
      loggerWith(...pino),
      loggerWith('info', 'error', 'table', 'groupEnd'),
    ]
    const codes = ['PROJECTION_STOPPED', 'PROJECTION_PARKED', 'INDEX_REBUILT'] as const
    for (const logger of loggers) for (const code of codes) warnTo(logger)({ code, message: 'x' })
    assert.deepEqual(called, [
      ...['warn', 'warn', 'warn'],
      ...['error', 'warn', 'info'],
      ...['error', 'warn', 'info'],
      ...['error', 'warn', 'warn'],
    ])
  })

  test('has its other facts as fields', () => {
    const warning = { ...saved, projection: 'balances', position: 7 }
    const fields = { code: saved.code, projection: 'balances', position: 7 }
    assert.deepEqual(calledWith(pino, warning)[0], { err: cause, ...fields })
    assert.deepEqual(calledWith([], warning)[1], { cause, ...fields })
  })

  test('without a cause has none', () => {
    const { cause: _, ...warning } = saved
    const text = `${warning.message} ${place}`
    assert.deepEqual(calledWith(pino, warning), [{ code: warning.code }, text])
    assert.deepEqual(calledWith([], warning), [text, { code: warning.code }])
    assert.deepEqual(calledWith(['table', 'groupEnd'], warning), [text])
  })

  test('has its cause once in the message if facts may become JSON', () => {
    const [text, facts] = calledWith(['child', 'info'], saved)
    assert.equal(text, `${saved.message} (disk full) ${place}`)
    assert.deepEqual(facts, { code: saved.code, cause })
    const said = { ...saved, message: 'It stopped: disk full' }
    assert.equal(calledWith([], said)[0], `It stopped: disk full ${place}`)
  })

  test('about an error of Mneme ends with its own code only, and has the code of the error before', () => {
    const invalid = new EventError('EVENT_INVALID', { event: 'Paid', where: 'as stored', issues: [] })
    const failed = new ProjectionError('PROJECTION_FAILED', { projection: 'p', position: 7, event: 'Paid' }, invalid)
    const stopped = { code: 'PROJECTION_STOPPED', message: failed.message, cause: invalid } as const
    const retried = { code: 'PROJECTION_RETRIED', message: 'It tries again', cause: invalid } as const
    for (const methods of [pino, [], ['table', 'groupEnd']]) {
      const said = calledWith(methods, stopped).find((part) => typeof part === 'string')!
      assert.match(said, /^PROJECTION_FAILED: .*[^\]] \[PROJECTION_STOPPED, docs\/errors\.md#projection_stopped\]$/)
    }
    const text = calledWith([], retried)[0] as string
    assert.match(text, /^It tries again \(EVENT_INVALID: [^[]+\) \[PROJECTION_RETRIED, docs\/errors\.md#\w+\]$/)
  })

  test('is printed by a console unchanged, with the stack of its cause', () => {
    let printed = ''
    const stderr = new Writable({
      write: (chunk, _, done) => {
        printed += chunk
        done()
      },
    })
    warnTo(new Console(stderr, stderr))(saved)
    assert.ok(printed.startsWith(`${saved.message} ${place} RangeError: disk full\n    at `), printed)
  })

  test('has no effect if the logger throws or rejects', async (context) => {
    const unhandled = context.mock.fn()
    process.on('unhandledRejection', unhandled)
    context.after(() => process.off('unhandledRejection', unhandled))
    const failing = () => {
      throw new Error('no log')
    }
    warnTo({ warn: failing })(saved)
    warnTo({ warn: async () => failing() })(saved)
    await new Promise((resolve) => setImmediate(resolve))
    assert.equal(unhandled.mock.callCount(), 0)
  })
})
