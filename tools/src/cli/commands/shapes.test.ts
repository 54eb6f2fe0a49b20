/** What the commands print with `--json` has the fields that the guide says. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { root } from '../../../../scripts/package.ts'
import { sqlite } from '../../../../src/store/sqlite/index.ts'
import { leftOut } from '../../../../test/support/size.ts'
import { toolsPlace } from '../../../../test/support/tools/mneme.ts'
import { Orders } from '../../../../test/support/tools/orders.ts'

/** The fields of each command in the table of the guide. */
function promised(): ReadonlyMap<string, readonly string[]> {
  const guide = readFileSync(join(root, 'docs/guide/command-line.md'), 'utf8')
  const [, table = ''] = /\| command \| fields \|\n\| --- \| --- \|\n((?:\|.*\n)+)/.exec(guide) ?? []
  const named = (text: string) => [...text.matchAll(/`([^`]+)`/g)].map(([, name]) => name!)
  return new Map(
    table.split('\n').flatMap((row) => {
      const [, commands = '', fields = ''] = row.split('|')
      return named(commands).map((command) => [command, named(fields)] as const)
    }),
  )
}

const runs: readonly (readonly [command: string, ...args: readonly string[]])[] = [
  ['events'],
  ['state', 'order', 'o1'],
  ['state --diff', 'order', 'o1'],
  ['run', 'order', 'o9', 'place', '{"item":"tea"}', '--dry-run'],
  ['trace', 'first'],
  ['projections'],
  ['reactions'],
  ['projections pause', 'items'],
  ['projections resume', 'items'],
  ['projections compare', 'items'],
  ['reactions waiting', 'reminders'],
  ['reactions timers', 'reminders'],
  ['parked'],
  ['parked retry', 'reminders'],
  ['parked skip', 'items', '2', '--yes'],
  ['reactions retry', 'reminders'],
  ['reactions cancel', 'reminders', '1:0', '--yes'],
  ['projections rebuild', 'items'],
  ['verify'],
  ['export', '--out', 'log.jsonl'],
  ['import', 'log.jsonl'],
  ['migrate'],
  ['migrate', '--sql'],
]

test('with --json, each command prints the fields that the guide says', { skip: leftOut }, async (t) => {
  const { each, folder } = await toolsPlace(t)
  const orders = await Orders.start({
    store: sqlite(join(folder, 'orders.db')),
    projections: 'manual',
    log: { warn: () => {} },
  })
  await orders.order('o1').place({ item: 'tea' }, { commandId: 'first' })
  await orders.order('o2').place({ item: 'broken' })
  await orders.projections.runOnce('items')
  await orders.reactions.runOnce('reminders')
  await orders.stop()
  const domain = ['--domain', join(root, 'test/support/tools/orders.ts'), '--json']
  const storeOf = (command: string) => ['--store', command === 'import' ? 'sqlite:copy.db' : 'sqlite:orders.db']
  const ends = await each(
    runs.map(([command, ...args]) => [
      ...command.split(' ').filter((word) => word !== '--diff'),
      ...args,
      ...(command.endsWith('--diff') ? ['--diff'] : []),
      ...(args.includes('--sql') ? ['--json'] : [...storeOf(command), ...domain]),
    ]),
  )
  const fields = promised()
  for (const [i, { out, err }] of ends.entries()) {
    const [command] = runs[i]!
    const all = fields.get(command) ?? fields.get(command.split(' ')[1]!) ?? []
    assert.notEqual(out, '', `${command} prints nothing: ${err}`)
    for (const line of out.trim().split('\n')) {
      const found = Object.keys(JSON.parse(line) as object)
      const unknown = found.filter((name) => !all.includes(name) && !all.includes(`${name}?`))
      const missing = all.filter((name) => !name.endsWith('?') && !found.includes(name))
      assert.deepEqual({ unknown, missing }, { unknown: [], missing: [] }, `${command}: ${line}`)
    }
  }
})
