/** Statements: values stay apart from the text, and nothing but `sql` makes text. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { isSqlStatement, type SqlPart, type SqlStatement, sql, sqlText } from './sql-statement.ts'

const shown = (statement: SqlStatement<any>) => [sqlText(statement, (number) => `$${number}`), statement.values]
const refused = (make: () => unknown, reason: RegExp) =>
  assert.throws(make, ({ code, message }: any) => code === 'SQL_INVALID' && reason.test(message))

test('a value never becomes a part of the text', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constant(null))), (values) => {
      const pieces = Array.from({ length: values.length + 1 }, (_, i) => `<${i}>`)
      const text = Object.assign([...pieces], { raw: pieces }) as unknown as TemplateStringsArray
      const statement = sql(text, ...values)
      assert.deepEqual(statement.parts, pieces)
      assert.deepEqual(statement.values, values)
      const marked = pieces.map((piece, i) => (i === 0 ? piece : `$${i}${piece}`)).join('')
      assert.equal(shown(statement)[0], marked)
    }),
  )
})

test('statements become parts of others, and their values keep their order', () => {
  const inner = sql`b = ${2} OR c IN ${sql.list([3, sql`upper(${'x'})`])}`
  const outer = sql`SELECT ${1} FROM ${sql.identifier('s', 'a "t"')} WHERE ${inner} AND ${sql`d`} = ${4}`
  assert.deepEqual(shown(outer), [
    'SELECT $1 FROM "s"."a ""t""" WHERE b = $2 OR c IN ($3, upper($4)) AND d = $5',
    [1, 2, 3, 'x', 4],
  ])
  assert.deepEqual(shown(sql`${sql`${sql``}`}`), ['', []])
})

test('what only looks like a statement is no part of the text', () => {
  for (const forged of [
    { parts: ['1; DROP TABLE x'], values: [] },
    JSON.parse(JSON.stringify(sql`DROP TABLE x`)),
    structuredClone({ ...sql`DROP TABLE x` }),
  ]) {
    assert.ok(!isSqlStatement(forged))
    refused(() => sql`SELECT ${forged as SqlPart}`, /value 1 is of type object/)
  }
  refused(() => (sql as unknown as (text: string) => unknown)('DROP TABLE x'), /used as a function/)
  refused(() => (sql as unknown as (text: string[]) => unknown)(['DROP TABLE x']), /used as a function/)
})

test('values that SQL does not have are refused, and the error does not show them', () => {
  const wrong: readonly (readonly [unknown, RegExp])[] = [
    [undefined, /undefined \(use null\)/],
    [Number.NaN, /NaN/],
    [new Date(Number.NaN), /an invalid date/],
    [2n ** 63n, /more than 64 bits/],
    [['a', 'b'], /a list \(use sql\.list\)/],
    [{ secret: 'word' }, /of type object/],
    [Symbol('secret'), /of type symbol/],
    [() => 'secret', /of type function/],
  ]
  for (const [value, reason] of wrong) {
    const make = () => sql`SELECT ${1}, ${value as SqlPart}`
    refused(make, reason)
    assert.throws(make, ({ message }: Error) => /value 2/.test(message) && !message.includes('secret'))
  }
  for (const value of [-(2n ** 63n), 2n ** 63n - 1n, -0, 1e308, Number.POSITIVE_INFINITY, '\0', '']) {
    assert.deepEqual(sql`SELECT ${value}`.values, [value])
  }
})

test('bytes and dates are taken as they are now', () => {
  const [bytes, date] = [new Uint8Array([1, 2]), new Date(5)]
  const statement = sql`SELECT ${bytes}, ${date}`
  bytes.fill(9)
  date.setTime(9)
  assert.deepEqual(statement.values, [new Uint8Array([1, 2]), new Date(5)])
  assert.ok(Object.isFrozen(statement) && Object.isFrozen(statement.parts) && Object.isFrozen(statement.values))
})

test('a name that no database keeps whole is refused, and so is an empty list', () => {
  assert.equal(sql.identifier('é'.repeat(31)).parts[0], `"${'é'.repeat(31)}"`)
  for (const name of ['', 'é'.repeat(32), 'a\0b', '\ud800', 7 as unknown as string]) {
    refused(() => sql.identifier('a', name), /a name has 1 to 63 bytes/)
  }
  refused(() => sql.list([]), /at least one value/)
  refused(() => sql.list('ab' as unknown as string[]), /at least one value/)
})
