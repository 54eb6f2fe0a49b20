/**
 * What happens to a scheduled command that cannot be sent when it is due: the same as to an event that fails. Nothing
 * waits for it.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { recorder, until, watched } from '../../../test/support/kernel/rig.ts'
import { aggregate, domain, event, type FailurePolicy, memory, reaction, type StartOptions } from '../../index.ts'
import { manualEnvironment } from '../../testing/manual-environment.ts'

const Began = event('Began', z.object({}))
const Noted = event('Noted', z.object({ text: z.string() }))
const Frozen = event('Frozen', z.object({}))
const noData = z.object({})
const noteData = z.object({ text: z.string() })

/** Texts with which an aggregate cannot be loaded. */
const unreadable = new Set<string>()

/** The pads of a program. Programs differ in the commands and kinds of events that they know. */
function padOf({ commands = ['note'], freezes = false, schema = noteData as z.ZodType<{ text: string }> }) {
  let Pad = aggregate('pad', () => ({ texts: [] as readonly string[] }), { passivateAfterMs: 1 })
    .on(Began)
    .on(Noted, ({ texts }, { text }) => {
      if (unreadable.has(text)) throw new RangeError(`a bug with ${text}`)
      return { texts: [...texts, text] }
    })
    .command('begin', noData, () => Began({})) as any
  if (freezes) Pad = Pad.on(Frozen).command('freeze', noData, () => Frozen({}))
  for (const name of commands) Pad = Pad.command(name, schema, (_: unknown, data: { text: string }) => Noted(data))
  return Pad
}

interface Program {
  readonly commands?: readonly string[]
  readonly freezes?: boolean
  readonly schema?: z.ZodType<any>
  /** The command that is scheduled when a pad has begun. */
  readonly later?: string
}

const quick: StartOptions = { pollIntervalMs: 5, leaseMs: 1000 }

/**
 * A program whose reaction schedules a command for 1000 ms later if the id of the pad that has begun starts with
 * `later`. Otherwise it sends a command at once.
 */
function startWith(program: Program, policy: FailurePolicy, options: StartOptions): Promise<any> {
  const Pad = padOf(program as never)
  const { later = 'note' } = program
  const Telling = reaction('telling', { pad: Pad } as any)
    .on(Began, async ({ stream: { id } }, { dispatch, schedule }: any) => {
      const what = { aggregate: 'pad', name: later, data: { text: id } }
      if (id.startsWith('later')) schedule({ ...what, id: `of ${id}` }, { afterMs: 1000 })
      else await dispatch({ aggregate: 'pad', id: 'now', name: 'note', data: { text: id } })
    })
    .onFailure(policy)
  return domain({ aggregates: { pad: Pad }, reactions: { telling: Telling } } as any).start({
    ...quick,
    log: recorder(),
    ...options,
  }) as Promise<any>
}

const textsOf = async (program: any, id: string) => (await program.pad(id).state()).texts
/** Leaves out warnings that are expected here: the functions differ, and an aggregate cannot be loaded. */
const codesBut = (log: ReturnType<typeof recorder>) =>
  log.codes().filter((code) => code !== 'PROJECTION_DIFFERS' && code !== 'AGGREGATE_NOT_LOADED')

describe('A scheduled command for an aggregate that cannot be loaded', () => {
  for (const giveUp of ['stop', 'skip', 'park'] as const) {
    test(`is tried again and then makes it ${giveUp}, as the policy says, while other commands and events go on`, async () => {
      unreadable.clear()
      const [log, environment] = [recorder(), manualEnvironment()]
      const policy = { giveUp, retries: 2, pauseFirstMs: 1000, pauseMaxMs: 1000 } as const
      await using pads = await startWith({}, policy, { log, environment, projections: 'manual' })
      const run = () => pads.reactions.runOnce('telling')
      await pads.pad('of later').note({ text: 'bad' })
      const { position } = await pads.pad('later').begin()
      await environment.advance(1)
      await pads.pad('later too').begin()
      await run()
      unreadable.add('bad')
      await environment.advance(1000)
      await pads.pad('a').begin()
      await run()
      assert.deepEqual([await textsOf(pads, 'now'), await textsOf(pads, 'of later too')], [['a'], ['later too']])
      const { retrying, failure } = await pads.reactions.status('telling')
      const command = { aggregate: 'pad', id: 'of later', name: 'note', position }
      assert.deepEqual([retrying?.command, retrying?.attempts, retrying?.event], [command, 1, undefined])
      assert.deepEqual([retrying?.error.code, failure], ['AGGREGATE_LOAD_FAILED', undefined])
      assert.deepEqual(codesBut(log), ['REACTION_RETRIED'])
      await environment.advance(1000)
      await pads.pad('b').begin()
      await run()
      assert.equal((await pads.reactions.status('telling')).retrying.attempts, 2)
      await environment.advance(1000)
      if (giveUp === 'stop') {
        await assert.rejects(run(), (error: any) => {
          assert.deepEqual(
            [error.code, error.facts.position, error.facts.event],
            ['PROJECTION_FAILED', position, 'Began'],
          )
          assert.match(
            error.message,
            /could not send the scheduled command note on pad "of later", which was scheduled/,
          )
          return true
        })
      } else {
        await run()
      }
      const ends = { stop: 'PROJECTION_STOPPED', skip: 'REACTION_SKIPPED', park: 'REACTION_PARKED' }
      assert.deepEqual(codesBut(log), ['REACTION_RETRIED', ends[giveUp]])
      assert.deepEqual(await textsOf(pads, 'now'), ['a', 'b'])
      assert.equal((await pads.reactions.status('telling')).retrying, undefined)
      const parked = (await pads.reactions.parked('telling')).map(({ command, reason }: any) => [command.id, reason])
      assert.equal(parked.length, giveUp === 'park' ? 1 : 0)
      unreadable.clear()
      await environment.advance(60_000)
      if (giveUp === 'park') {
        assert.equal(parked[0][0], 'of later')
        assert.match(parked[0][1], /of later.* could not be loaded/)
        assert.deepEqual(await pads.reactions.retryParked('telling'), { handled: 1, parked: 0 })
      }
      await run()
      await run()
      const told = giveUp === 'skip' ? ['bad'] : ['bad', 'later']
      assert.deepEqual(await textsOf(pads, 'of later'), told)
    })
  }

  test('is tried as often as the policy says, however many processes try', async () => {
    unreadable.clear()
    const [store, environment, log] = [memory(), manualEnvironment(), recorder()]
    const policy = { giveUp: 'skip', retries: 3, pauseFirstMs: 1000, pauseMaxMs: 1000 } as const
    const start = () => startWith({}, policy, { store, environment, log, projections: 'manual' })
    {
      await using pads = await start()
      await pads.pad('of later').note({ text: 'bad' })
      await pads.pad('later').begin()
      await pads.reactions.runOnce('telling')
    }
    unreadable.add('bad')
    for (let tries = 1; tries <= 4; tries++) {
      await environment.advance(1000)
      assert.deepEqual(codesBut(log), tries === 1 ? [] : ['REACTION_RETRIED'])
      await using pads = await start()
      await pads.reactions.runOnce('telling')
    }
    assert.deepEqual(codesBut(log), ['REACTION_RETRIED', 'REACTION_SKIPPED'])
  })

  test('delays neither events nor other commands when the reaction follows the log', async () => {
    unreadable.clear()
    const log = recorder()
    const policy = { giveUp: 'skip', retries: 1000, pauseFirstMs: 1000 } as const
    const environment = manualEnvironment()
    await using pads = await startWith({}, policy, { log, environment, leaseMs: 10 ** 9 })
    await pads.pad('of later').note({ text: 'bad' })
    await pads.pad('later').begin()
    await until('it is handled', async () => (await pads.reactions.status('telling')).lag.events === 0)
    unreadable.add('bad')
    await until('it was tried', async () => {
      await environment.advance(500)
      return (await pads.reactions.status('telling')).retrying !== undefined
    })
    for (const id of ['a', 'b', 'c']) await pads.pad(id).begin()
    await until('all are told', async () => {
      await environment.advance(100)
      return (await textsOf(pads, 'now')).length === 3
    })
    assert.equal((await pads.reactions.status('telling')).state, 'running')
    unreadable.clear()
    await until('it is sent', async () => {
      await environment.advance(1000)
      return (await textsOf(pads, 'of later')).includes('later')
    })
    assert.deepEqual(codesBut(log), ['REACTION_RETRIED'])
  })
})

describe('A scheduled command that its program does not know', () => {
  const unfit: readonly (readonly [string, Program, string])[] = [
    ['of another name', { commands: ['note'] }, 'COMMAND_UNKNOWN'],
    ['of another schema', { commands: ['note', 'call'], schema: z.object({ text: z.number() }) }, 'COMMAND_INVALID'],
  ]
  for (const [what, other, code] of unfit) {
    for (const giveUp of ['stop', 'skip', 'park'] as const) {
      test(`${what} is left to a newer program for a while, and then makes it ${giveUp}`, async () => {
        unreadable.clear()
        const [store, environment, log] = [memory(), manualEnvironment(), recorder()]
        {
          const knowing = { commands: ['note', 'call'], later: 'call' }
          await using first = await startWith(knowing, {}, { store, environment, projections: 'manual' })
          for (const id of ['later', 'later too']) await first.pad(id).begin()
          await first.reactions.runOnce('telling')
        }
        await environment.advance(1000)
        const policy = { giveUp, retries: 0 } as const
        await using pads = await startWith(other, policy, { store, environment, log, projections: 'manual' })
        const run = () => pads.reactions.runOnce('telling')
        await assert.rejects(run(), { code })
        const ends = { stop: 'PROJECTION_STOPPED', skip: 'REACTION_SKIPPED', park: 'REACTION_PARKED' }
        if (giveUp === 'stop') {
          await assert.rejects(run(), { code: 'PROJECTION_FAILED' })
          assert.deepEqual(codesBut(log), [ends.stop])
        } else {
          await run()
        }
        assert.equal((await pads.reactions.parked('telling')).length, giveUp === 'park' ? 2 : 0)
        // The log then has what came within a second of the first warning, too.
        await pads.stop()
        if (giveUp === 'stop') return
        assert.deepEqual(codesBut(log), [ends[giveUp], ends[giveUp]], 'the second one does not wait once more')
        assert.match(log.messages.at(-1)!, /the scheduled command call on pad "of later too"/)
      })
    }
  }

  test('is sent by a newer program that stands by, whatever the policy says', async () => {
    unreadable.clear()
    const [store, log] = [memory(), recorder()]
    const policy = { giveUp: 'skip', retries: 0 } as const
    const knowing = { commands: ['note', 'call'], later: 'call' }
    {
      await using canary = await startWith(knowing, policy, { store, projections: 'manual' })
      await canary.pad('later').begin()
      await canary.reactions.runOnce('telling')
    }
    await using old = await startWith({}, policy, { store, log })
    await until('it leads', async () => (await old.reactions.status('telling')).state === 'running')
    await using recent = await startWith(knowing, policy, { store })
    await until('it is sent', async () => (await textsOf(recent, 'of later')).length === 1)
    assert.deepEqual(codesBut(log), ['PROJECTION_STOOD_BACK'])
    assert.match(log.messages.find((message) => message.includes('STOOD_BACK'))!, /the scheduled command call on pad/)
  })

  test('is shown in the status while it is left to a newer program', async () => {
    unreadable.clear()
    const [store, log] = [memory(), recorder()]
    const knowing = { commands: ['note', 'call'], later: 'call' }
    {
      await using canary = await startWith(knowing, {}, { store, projections: 'manual' })
      await canary.pad('later').begin()
      await canary.reactions.runOnce('telling')
    }
    await using old = await startWith({}, { giveUp: 'skip', retries: 0 }, { store, log })
    const statusOf = () => old.reactions.status('telling')
    await until('it stands back', async () => (await statusOf()).state === 'outdated')
    const { retrying } = await statusOf()
    const command = { aggregate: 'pad', id: 'of later', name: 'call', position: 1 }
    assert.deepEqual([retrying.command, retrying.error.code], [command, 'COMMAND_UNKNOWN'])
    await until('it is skipped', () => codesBut(log).includes('REACTION_SKIPPED'))
    await old.pad('a').begin()
    await until('it goes on', async () => (await textsOf(old, 'now')).length === 1)
  })
})

describe('A scheduled command for an aggregate with events that the program does not know', () => {
  test('is left to a newer program, and then the old program can continue', async () => {
    unreadable.clear()
    const [watch, log] = [watched(), recorder()]
    const { store } = watch
    const policy = { giveUp: 'skip', retries: 0 } as const
    await using old = await startWith({}, policy, { store, log, projections: 'manual' })
    await using recent = await startWith({ freezes: true }, policy, { store, projections: 'manual' })
    await recent.pad('of later').freeze()
    await old.pad('later').begin()
    await old.reactions.start('telling')
    const statusOf = () => old.reactions.status('telling')
    await until('the old one stands back', async () => (await statusOf()).state === 'outdated')
    const { retrying, position } = await statusOf()
    assert.deepEqual([retrying.command.id, retrying.error.code], ['of later', 'AGGREGATE_LOAD_FAILED'])
    // An outage of the store ends nothing.
    watch.disturb(({ method }) => (method === 'loadCheckpoint' ? 'before' : undefined))
    await until('it is said', () => codesBut(log).includes('PROJECTION_DELAYED'))
    watch.disturb(() => undefined)
    await until('it stands back again', async () => (await statusOf()).state === 'outdated')
    await until('the newer one has its turn', async () => {
      await recent.reactions.runOnce('telling')
      return (await textsOf(recent, 'of later')).length === 1
    })
    await until('the old one goes on', async () => (await statusOf()).state === 'running')
    await old.pad('a').begin()
    await until('it handles what comes', async () => (await textsOf(old, 'now')).length === 1)
    assert.ok((await statusOf()).position > position)
    assert.deepEqual(new Set(codesBut(log)), new Set(['PROJECTION_STOOD_BACK', 'PROJECTION_DELAYED']))
  })
})
