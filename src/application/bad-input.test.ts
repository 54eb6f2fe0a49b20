/** Invalid input and definitions get their own code before anything happens, and nothing is stored. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { codesOf, logOf, recorder, settled, startVaults, watched } from '../../test/support/kernel/rig.ts'
import { Vault } from '../../test/support/kernel/vault.ts'
import { aggregate, DefinitionError, domain, event, InputError, memory, projection } from '../index.ts'

const good = { aggregate: 'vault', id: 'a', name: 'add', data: { amount: 1 } }
const long = 'é'.repeat(513)

const bad: Record<string, [command: unknown, code: string]> = {
  'that is not an object': ['add', 'COMMAND_MALFORMED'],
  'that is null': [null, 'COMMAND_MALFORMED'],
  'without an aggregate': [{ ...good, aggregate: undefined }, 'COMMAND_MALFORMED'],
  'with an id that is a number': [{ ...good, id: 1 }, 'COMMAND_MALFORMED'],
  'without a name': [{ ...good, name: undefined }, 'COMMAND_MALFORMED'],
  'for an unknown aggregate': [{ ...good, aggregate: 'safe' }, 'AGGREGATE_UNKNOWN'],
  'for an aggregate named like a property of every object': [{ ...good, aggregate: 'toString' }, 'AGGREGATE_UNKNOWN'],
  'with an unknown name': [{ ...good, name: 'explode' }, 'COMMAND_UNKNOWN'],
  'named like a property of every object': [{ ...good, name: 'constructor' }, 'COMMAND_UNKNOWN'],
  'without data although data is required': [{ ...good, data: undefined }, 'COMMAND_INVALID'],
  'with data that does not pass': [{ ...good, data: { amount: 'x' } }, 'COMMAND_INVALID'],
  'with an empty id': [{ ...good, id: '' }, 'ID_INVALID'],
  'with an id of over 1,024 bytes': [{ ...good, id: long }, 'ID_INVALID'],
  'with an id with a lone surrogate': [{ ...good, id: '\ud800' }, 'ID_INVALID'],
  'with an id with a null character': [{ ...good, id: 'a\0' }, 'ID_INVALID'],
  'with an empty command id': [{ ...good, commandId: '' }, 'ID_INVALID'],
  'with a command id that is a number': [{ ...good, commandId: 7 }, 'ID_INVALID'],
  'with a command id of over 1,024 bytes': [{ ...good, commandId: long }, 'ID_INVALID'],
  'with an empty tag': [{ ...good, tags: [''] }, 'ID_INVALID'],
  'with tags that are not a list': [{ ...good, tags: 'red' }, 'ID_INVALID'],
  'with tags that are a number': [{ ...good, tags: 5 }, 'ID_INVALID'],
  'with metadata that is not JSON': [{ ...good, metadata: { at: new Map() } }, 'DATA_NOT_JSON'],
  'with metadata that is a list': [{ ...good, metadata: [1] }, 'DATA_NOT_JSON'],
}

describe('A command', () => {
  for (const [what, [command, code]] of Object.entries(bad)) {
    test(`${what} gets ${code}, and nothing is loaded or stored`, async () => {
      const watch = watched()
      await using vaults = await startVaults({ store: watch.store })
      watch.forget()
      assert.deepEqual(await codesOf([vaults.dispatch(command as never)]), [code])
      assert.deepEqual(await codesOf([vaults.try.dispatch(command as never)]), [code])
      await settled()
      assert.equal(watch.calls.length, 0)
      assert.deepEqual(vaults.load(), { liveAggregates: 0, commandsInFlight: 0 })
    })
  }

  test('with a string as its tags gets advice how to write a list', async () => {
    await using vaults = await startVaults()
    const message = /^"red" cannot be tags: they are a list, such as \["red"\]/
    for (const answer of [
      vaults.dispatch({ ...good, tags: 'red' } as never),
      vaults.vault('a').add({ amount: 1 }, { tags: 'red' as never }),
    ]) {
      await assert.rejects(answer, { code: 'ID_INVALID', message })
    }
    await assert.rejects(async () => vaults.events({ tags: 'red' as never }), { message: /a list, such as \["red"\]/ })
    await assert.rejects(async () => vaults.events({ types: 'Added' as never }), {
      message: /The option types must be a list, such as \["Added"\], not "Added"/,
    })
  })

  test('with several issues gets all of them', async () => {
    const Strict = aggregate('strict', () => ({})).command(
      'fill',
      z.object({ name: z.string(), address: z.object({ zip: z.string() }) }),
      () => undefined,
    )
    await using running = await domain({ aggregates: { strict: Strict } }).start()
    const answer = running.strict('a').fill({ name: 1, address: { zip: 2 } } as never)
    await assert.rejects(answer, (error) => {
      assert.ok(error instanceof InputError)
      assert.equal(error.code, 'COMMAND_INVALID')
      const { issues } = error.facts as { readonly issues: readonly { readonly path: string }[] }
      assert.deepEqual(
        issues.map(({ path }) => path),
        ['name', 'address.zip'],
      )
      return true
    })
  })

  test('whose schema is asynchronous gets SCHEMA_ASYNC', async () => {
    const Slow = aggregate('slow', () => ({})).command(
      'ask',
      z.object({}).refine(async () => true),
      () => undefined,
    )
    await using running = await domain({ aggregates: { slow: Slow } }).start()
    assert.deepEqual(await codesOf([running.slow('a').ask()]), ['SCHEMA_ASYNC'])
  })

  test('that makes an event with an asynchronous schema gets SCHEMA_ASYNC and stores nothing', async () => {
    const store = memory()
    const Asked = event(
      'Asked',
      z.object({}).refine(async () => true),
    )
    const Slow = aggregate('slow', () => ({}))
      .on(Asked)
      .command('ask', z.object({}), () => Asked({}))
    await using running = await domain({ aggregates: { slow: Slow } }).start({ store })
    assert.deepEqual(await codesOf([running.slow('a').ask()]), ['SCHEMA_ASYNC'])
    assert.equal((await logOf(store)).length, 0)
  })

  test('is not stored under an id that is only similar', async () => {
    await using vaults = await startVaults()
    for (const id of ['a/b', 'a_b', 'a%', 'ä', 'a\u0308', ' a', 'A']) await vaults.vault(id).add({ amount: 1 })
    for (const id of ['a/b', 'a_b', 'a%', 'ä', 'a\u0308', ' a', 'A']) {
      assert.equal((await vaults.vault(id).state()).balance, 1)
    }
    assert.equal((await vaults.vault('a').state()).balance, 0)
  })
})

describe('A handle', () => {
  test('with an invalid id is refused at once', async () => {
    await using vaults = await startVaults()
    for (const id of ['', long, 7, undefined, '\ud800']) {
      assert.throws(() => vaults.vault(id as string), { code: 'ID_INVALID' })
    }
  })

  test('refuses invalid points in history', async () => {
    await using vaults = await startVaults()
    const vault = vaults.vault('a')
    for (const sequence of [-1, 0.5, Number.NaN, '1' as never]) {
      assert.deepEqual(await codesOf([vault.state({ sequence })]), ['OPTION_INVALID'])
      await assert.rejects(vault.history({ from: sequence })[Symbol.asyncIterator]().next(), { code: 'OPTION_INVALID' })
    }
    assert.deepEqual(await codesOf([vault.state({ time: new Date('never') })]), ['OPTION_INVALID'])
  })
})

describe('A domain', () => {
  const Other = aggregate('vault', () => ({}))
  const Rows = projection('rows', () => ({}))

  for (const name of ['dispatch', 'stop', 'load', 'try', 'then', 'constructor', 'projections']) {
    test(`has no part named ${name}`, () => {
      assert.throws(() => domain({ aggregates: { [name]: Vault } }), { code: 'NAME_RESERVED' })
      assert.throws(() => domain({ aggregates: {}, projections: { [name]: Rows } }), { code: 'NAME_RESERVED' })
    })
  }

  for (const name of ['try', 'state', 'history', 'then', 'constructor', 'hasOwnProperty', 'id']) {
    test(`has no command named ${name}`, () => {
      assert.throws(() => Other.command(name, z.object({}), () => undefined), { code: 'NAME_RESERVED' })
    })
  }

  test('has each name only once', () => {
    const twice = { code: 'DEFINITION_INVALID' }
    assert.throws(() => domain({ aggregates: { one: Vault, two: Other } }), twice)
    assert.throws(() => domain({ aggregates: { a: Vault }, projections: { a: Rows } }), twice)
    assert.throws(() => domain({ aggregates: {}, projections: { a: Rows, b: Rows } }), twice)
  })

  const options: Record<string, object> = {
    'an unknown option': { stoer: memory() },
    'a value that is not a store': { store: 'sqlite' },
    'a value that is not a store for events': { events: {} },
    'an unknown limit': { limits: { mailboxMaximum: 1 } },
    'a limit named like a property of every object': { limits: { toString: 1 } },
    'a limit of 0': { limits: { mailboxMax: 0 } },
    'a limit that is not a number': { limits: { mailboxMax: '7' } },
    'a limit that is a fraction': { limits: { mailboxMax: 1.5 } },
    'a snapshot interval of 0': { snapshotEvery: 0 },
    'a negative passivation time': { passivateAfterMs: -1 },
    'an unknown mode of projections': { projections: 'never' },
    'a poll interval of 0': { pollIntervalMs: 0 },
  }
  for (const [what, given] of Object.entries(options)) {
    test(`is not started with ${what}, and no store is opened`, async () => {
      const watch = watched()
      const started = domain({ aggregates: { vault: Vault } }).start({ store: watch.store, log: recorder(), ...given })
      await assert.rejects(started, (error) => error instanceof DefinitionError && error.code === 'OPTION_INVALID')
      assert.equal(watch.calls.length, 0)
    })
  }

  test('whose second store cannot be opened closes the first', async () => {
    const [events, snapshots] = [watched(), watched()]
    snapshots.disturb(({ method }) => (method === 'open' ? 'before' : undefined))
    const started = startVaults({ events: events.store, snapshots: snapshots.store })
    await assert.rejects(started, { code: 'STORE_UNAVAILABLE' })
    assert.equal(events.count('close'), 1)
  })
})
