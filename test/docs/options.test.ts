/** The tables of options in the guide name exactly the options that there are, with their defaults and units. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { isInterfaceDeclaration, isPropertySignatureDeclaration } from 'typescript/unstable/ast/is'
import { root } from '../../scripts/package.ts'
import { settle } from '../../src/application/start-options.ts'
import { aggregate } from '../../src/index.ts'
import { aggregateType } from '../../src/kernel/aggregate-type.ts'
import { limitsOf } from '../../src/kernel/limits.ts'
import { parseOne, visit } from '../support/source.ts'

const read = (path: string): string => readFileSync(join(root, path), 'utf8')

/** A row of a table: what stands in its cells, by the titles of the columns. */
type Row = Readonly<Record<string, string>>

/** The rows of the table whose first columns are these. */
function tableOf(page: string, ...titles: readonly string[]): readonly Row[] {
  const lines = page.split('\n')
  const top = lines.findIndex((line) => line.startsWith(`| ${titles.join(' | ')} |`))
  assert.ok(top >= 0, `there is a table of ${titles.join(', ')}`)
  const cells = (line: string) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim())
  const columns = cells(lines[top]!)
  const length = lines.slice(top).findIndex((line) => !line.startsWith('|'))
  return lines
    .slice(top + 2, top + length)
    .map((line) => Object.fromEntries(cells(line).map((cell, i) => [columns[i]!, cell])))
}

/** The properties that an interface of a file declares itself. */
function propertiesOf(file: string, name: string): readonly string[] {
  const properties: string[] = []
  visit(parseOne(file, read(file)).syntax, (node) => {
    if (!isInterfaceDeclaration(node) || node.name.text !== name) return
    for (const member of node.members) {
      if (isPropertySignatureDeclaration(member)) properties.push(member.name.getText())
    }
  })
  assert.ok(properties.length > 0, `${file} declares ${name}`)
  return properties
}

const unquoted = (cell: string | undefined) => cell?.replaceAll('`', '')
/** A default as the tables write it. */
const written = (value: unknown) => (typeof value === 'number' ? value.toLocaleString('en') : String(value))

describe('docs/guide/running.md', () => {
  const page = read('docs/guide/running.md')
  const options = tableOf(page, 'option', 'default', 'unit')
  const limits = tableOf(page, 'limit', 'default', 'unit')
  const names = options.map(({ option }) => unquoted(option)!)

  test('names each option of start once, and no other', () => {
    const declared = [
      ...propertiesOf('src/application/start-options.ts', 'StartOptions'),
      ...propertiesOf('src/domain/aggregate.ts', 'AggregateOptions'),
    ]
    assert.deepEqual([...names].sort(), declared.sort())
  })

  test('names only options that start takes', () => {
    for (const name of names) settle({ [name]: undefined })
    assert.throws(() => settle({ storage: undefined } as never), { code: 'OPTION_INVALID' })
  })

  test('says the defaults of the options', () => {
    const { passivateAfterMs, stateRevision } = aggregateType(aggregate('a', () => ({})) as never, {})
    const { pollIntervalMs, leaseMs, mayAnswerFromStaleState, projections } = settle({})
    const plain = { passivateAfterMs, stateRevision, pollIntervalMs, leaseMs, mayAnswerFromStaleState }
    const defaults = { ...plain, projections: `'${projections}'` }
    for (const [name, value] of Object.entries(defaults)) {
      const row = options.find(({ option }) => unquoted(option) === name)
      assert.equal(unquoted(row?.['default']), written(value), name)
    }
  })

  test('names each limit once, with its default, and no other', () => {
    const documented = limits.map((row) => [unquoted(row['limit']), unquoted(row['default'])])
    const declared = Object.entries(limitsOf({})).map(([name, value]) => [name, written(value)])
    assert.deepEqual(documented.sort(), declared.sort())
  })

  test('says the unit of what has one, and the meaning of each', () => {
    for (const row of [...options, ...limits]) {
      const name = unquoted(row['option'] ?? row['limit'])!
      assert.equal(name.endsWith('Ms'), row['unit'] === 'milliseconds', name)
      assert.ok((row['meaning'] ?? row['over it'])!.length > 5, name)
    }
  })
})

describe('docs/guide/aggregates.md', () => {
  test('names each option of an aggregate once, and no other', () => {
    const named = tableOf(read('docs/guide/aggregates.md'), 'option').map(({ option }) => unquoted(option)!)
    assert.deepEqual([...named].sort(), [...propertiesOf('src/domain/aggregate.ts', 'AggregateOptions')].sort())
  })
})

describe('docs/guide/projections.md', () => {
  test('lists every operator of find', () => {
    const declared = ['ValueComparison', 'TextComparison'].flatMap((name) =>
      propertiesOf('src/projection/reading/query.ts', name),
    )
    const listed = tableOf(read('docs/guide/projections.md'), 'in `where`').map((row) => row['in `where`']!)
    const named = listed.flatMap((cell) => [...cell.matchAll(/\{ (\w+): [[\d']|`(\w+)`/g)]).map((m) => m[1] ?? m[2]!)
    const operators = named.filter((name) => !['owner', 'balance', 'address'].includes(name))
    assert.deepEqual([...operators].sort(), [...declared].sort())
  })
})
