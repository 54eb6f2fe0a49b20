/** `mneme events`, as a user runs it: what it prints, how it ends, and how it tells what it was not able to do. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, test } from 'node:test'
import { TransferBank } from '../../../../examples/transfer/bank.ts'
import { sqlite } from '../../../../src/store/sqlite/index.ts'
import { settled, toolsPlace } from '../../../../test/support/tools/mneme.ts'

/** A bank with two accounts and three deposits. */
async function fill(folder: string, deposits = 3): Promise<void> {
  const bank = await TransferBank.start({ store: sqlite(join(folder, 'bank.db')), projections: 'manual' })
  for (const id of ['ada', 'bob/1']) await bank.account(id).open({ owner: id }, { commandId: `open ${id}` })
  await Promise.all(
    Array.from({ length: deposits }, (_, i) =>
      bank.account('ada').deposit({ amount: i + 1 }, { commandId: `deposit ${i + 1}`, metadata: { user: 'eve' } }),
    ),
  )
  await bank.stop()
}

const lines = (text: string) => text.split('\n').slice(0, -1)
const positions = (out: string) => lines(out).map((line) => (JSON.parse(line) as { position: number }).position)

describe('mneme events', () => {
  test('prints the log as lines and as JSON, filtered, both ways', async (t) => {
    const { mneme, each, folder } = await toolsPlace(t)
    await fill(folder)
    const all = await mneme(['events'])
    assert.deepEqual(
      [all.code, all.err, settled(all.out, folder)],
      [
        0,
        '',
        `     1  TIME  account/ada #1  AccountOpened  {"owner":"ada"}
     2  TIME  account/"bob/1" #1  AccountOpened  {"owner":"bob/1"}
     3  TIME  account/ada #2  MoneyDeposited  {"amount":1}
     4  TIME  account/ada #3  MoneyDeposited  {"amount":2}
     5  TIME  account/ada #4  MoneyDeposited  {"amount":3}
`,
      ],
    )
    // A bare store, given by its name, in another way of asking.
    const bare = await mneme(['events', '--store', 'sqlite:bank.db', '--json', '--from', '5'])
    const { recordedAt: _, ...event } = JSON.parse(bare.out)
    const place = { position: 5, aggregate: 'account', id: 'ada', sequence: 4 }
    const kept = { commitId: 'deposit 3', data: { amount: 3 }, metadata: { user: 'eve' }, tags: [] }
    assert.deepEqual(event, { ...place, type: 'MoneyDeposited', revision: 1, ...kept })
    const filters: [args: string[], expected: number[]][] = [
      [
        ['--type', 'MoneyDeposited', '--backward', '--limit', '2'],
        [5, 4],
      ],
      [['--stream', 'account/bob/1'], [2]],
      [
        ['--stream', 'account/ada', '--from', '2', '--to', '4'],
        [3, 4],
      ],
      [['--aggregate', 'transfer'], []],
      [
        ['--type', 'AccountOpened', '--type', 'MoneyDeposited', '--to', '4'],
        [1, 2, 3],
      ],
      [['--tag', 'none'], []],
    ]
    const found = await each(filters.map(([args]) => ['events', '--json', ...args]))
    for (const [i, [args, expected]] of filters.entries()) {
      assert.deepEqual([positions(found[i]!.out), found[i]!.err], [expected, ''], args.join(' '))
    }
  })

  test('tells what it was not able to do, with an exit code, and makes no store by mistake', async (t) => {
    const { each, folder } = await toolsPlace(t)
    await fill(folder, 0)
    const mistakes: [args: string[], message: RegExp][] = [
      [['--store', 'sqlite:bnak.db'], /^mneme: There is no store at bnak\.db/],
      [['--store', 'mysql://root:secret@host'], /^mneme: "mysql:\/\/host" names no store\. Known forms are sqlite:/],
      [['--limit', '-1'], /option '--limit <number>' argument '-1' is invalid/],
      [['--tail', '--to', '5'], /--tail has no end/],
      [['--stream', 'account'], /such as account\/ada/],
      [['--aggregate', 'acount'], /The domain has no aggregate "acount"\. It has account, transfer\./],
      [['--domain', 'nowhere.ts'], /There is no file .*nowhere\.ts/],
      [['--unknown'], /unknown option/],
    ]
    const runs = mistakes.map(([args]) => ['events', ...args])
    const found = await each([...runs, ['events', '--json', '--store', 'sqlite:bnak.db']])
    for (const [i, [args, message]] of mistakes.entries()) {
      const { code, out, err } = found[i]!
      assert.deepEqual([code, out], [2, ''], `${args.join(' ')}: ${err}`)
      assert.match(err, message)
    }
    assert.equal(JSON.parse(found.at(-1)!.err).error.code, 'STORE_ABSENT')
    assert.equal(existsSync(join(folder, 'bnak.db')), false)
  })

  test('follows the log until it is interrupted, and closes the store', async (t) => {
    const { start, mneme, folder } = await toolsPlace(t)
    await fill(folder, 0)
    const child = start(['events', '--json', '--tail', '--from', '2'])
    const read = createInterface({ input: child.stdout! })[Symbol.asyncIterator]()
    const next = async () => JSON.parse((await read.next()).value!)
    assert.equal((await next()).position, 2)
    // Written by another process.
    await using bank = await TransferBank.start({ store: sqlite(join(folder, 'bank.db')), projections: 'manual' })
    await bank.account('ada').deposit({ amount: 5 })
    assert.deepEqual((await next()).data, { amount: 5 })
    child.kill('SIGINT')
    const [code] = await once(child, 'close')
    assert.equal(code, 130)
    assert.equal((await mneme(['events', '--limit', '0'])).code, 0)
  })

  test('ends when nobody reads on, without a word', async (t) => {
    const { start, folder } = await toolsPlace(t)
    // More than a pipe holds.
    await fill(folder, 600)
    const child = start(['events', '--json'])
    const errors: string[] = []
    child.stderr!.on('data', (text) => errors.push(String(text)))
    await once(child.stdout!, 'data')
    child.stdout!.destroy()
    const [code] = await once(child, 'close')
    assert.deepEqual([code, errors.join('')], [141, ''])
  })

  test('has colours only where they are asked for', async (t) => {
    const { mneme, folder } = await toolsPlace(t)
    await fill(folder, 0)
    const mark = String.fromCharCode(27)
    const colored = async (env: Record<string, string>) => (await mneme(['events'], { env })).out.includes(mark)
    assert.deepEqual(await Promise.all([colored({}), colored({ FORCE_COLOR: '1' }), colored({ NO_COLOR: '1' })]), [
      false,
      true,
      false,
    ])
  })
})
