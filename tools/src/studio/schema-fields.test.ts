/** The forms of commands: which field a schema gets, the value it begins with, and what is left out of addresses. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type } from 'arktype'
import { z } from 'zod'
import { fieldOf, initialOf, type Schema, variantName, variantOf, withoutPersonal } from '../../page/schema-fields.ts'
import { worldAt, worldLink } from '../../page/world.ts'

const told = (schema: z.ZodType | { readonly '~standard': unknown }): Schema => {
  const { jsonSchema } = schema['~standard'] as {
    readonly jsonSchema: { readonly input: (options: object) => unknown }
  }
  const options = { target: 'draft-2020-12', libraryOptions: { unrepresentable: 'any' } }
  return JSON.parse(JSON.stringify(jsonSchema.input(options)))
}

const card = z.object({ by: z.literal('card'), last4: z.string() })
const invoice = z.object({ by: z.literal('invoice'), days: z.int().min(7) })
const Order = told(
  z.object({
    customer: z.string(),
    amount: z.int().positive(),
    express: z.boolean(),
    currency: z.enum(['EUR', 'USD']),
    due: z.iso.date().optional(),
    when: z.coerce.date(),
    lines: z.array(z.object({ sku: z.string() })),
    payment: z.discriminatedUnion('by', [card, invoice]),
    note: z.string().nullable(),
    source: z.string().default('web'),
    extra: z.record(z.string(), z.number()),
  }),
)

describe('A form', () => {
  const properties = new Map(Object.entries(Order['properties'] as Readonly<Record<string, Schema>>))
  const field = (name: string) => fieldOf(properties.get(name)!, Order)

  test('has a field for each kind of value, and one for JSON where there is no better one', () => {
    assert.deepEqual(field('amount'), { kind: 'number', isWhole: true, least: 1 })
    assert.deepEqual(field('currency'), { kind: 'choice', options: ['EUR', 'USD'] })
    assert.deepEqual(field('due'), { kind: 'text', format: 'date' })
    const kinds = ['customer', 'express', 'when', 'lines', 'payment', 'note', 'extra'].map((name) => field(name).kind)
    assert.deepEqual(kinds, ['text', 'truth', 'json', 'list', 'variants', 'variants', 'json'])
    const ark = told(type({ 'b?': "'x' | 'y'", n: 'string | null' }))
    const ofArk = (name: string) => fieldOf((ark['properties'] as Readonly<Record<string, Schema>>)[name]!, ark)
    assert.deepEqual([ofArk('b'), ofArk('n').kind], [{ kind: 'choice', options: ['x', 'y'] }, 'variants'])
    assert.deepEqual(fieldOf({}, {}), { kind: 'json' })
  })

  test('begins with what is required, in the simplest form', () => {
    assert.deepEqual(initialOf(Order, Order), {
      ...{ customer: '', amount: 1, express: false, currency: 'EUR', when: null, lines: [] },
      ...{ payment: { by: 'card', last4: '' }, note: '', extra: null },
    })
  })

  test('knows which variant a value is, and names variants by their constants', () => {
    const { variants } = field('payment') as { readonly variants: readonly Schema[] }
    assert.equal(variantOf(variants, { by: 'invoice', days: 9 }, Order), 1)
    assert.equal(variantOf(variants, 'nothing of them', Order), 0)
    assert.deepEqual(
      variants.map((variant) => variantName(variant, Order)),
      ['by card', 'by invoice'],
    )
  })

  test('of a schema that contains itself ends', () => {
    interface Tree {
      readonly name: string
      readonly next?: Tree
    }
    const tree: z.ZodType<Tree> = z.object({
      name: z.string(),
      get next() {
        return tree.optional()
      },
    }) as never
    const schema = told(tree)
    assert.deepEqual(initialOf(schema, schema), { name: '' })
    const endless: Schema = { $defs: { a: { $ref: '#/$defs/a' } }, $ref: '#/$defs/a' }
    assert.deepEqual(fieldOf(endless, endless), { kind: 'json' })
    const needed = { type: 'object', properties: { a: { $ref: '#' } }, required: ['a'] }
    assert.match(JSON.stringify(initialOf(needed, needed)), /^(\{"a":)+\{\}\}+$/)
    assert.deepEqual(fieldOf({ $ref: '#/nowhere' }, {}), { kind: 'json' })
  })
})

describe('The address of another world', () => {
  const email = { type: 'string', 'x-personal': true }
  const contacts = { type: 'array', items: { type: 'object', properties: { email } } }
  const schema: Schema = { type: 'object', properties: { email, contacts, name: { type: 'string' } } }
  const stream = { aggregate: 'member', id: 'm 1/2', sequence: 7 }

  test('has no personal values, but the page still knows those that were typed', () => {
    const data = { name: 'x', email: 'ada@example.org', contacts: [{ email: 'bob@example.org' }] }
    assert.deepEqual(withoutPersonal(data, schema, schema), {
      ...{ name: 'x', email: '[personal]', contacts: [{ email: '[personal]' }] },
    })
    const world = { edits: [{ sequence: 2 }], commands: [{ name: 'join', data }] }
    const link = worldLink(stream, world, [{ name: 'join', schema }])
    assert.ok(!decodeURIComponent(link).includes('@'), link)
    assert.match(link, /^#\/what-if\/member\/m%201%2F2\/7\?world=/)
    const at = worldAt({ query: new URLSearchParams(link.split('?')[1]) })
    assert.deepEqual(at, world)
  })

  test('is that of the version if nothing differs, and one that is spoiled means that', () => {
    assert.equal(worldLink(stream, { edits: [], commands: [] }, []), '#/what-if/member/m%201%2F2/7')
    for (const text of ['{', 'null', '[]', '{"edits":5}', '{"commands":[{"name":1}]}'])
      assert.deepEqual(worldAt({ query: new URLSearchParams({ world: text }) }), { edits: [], commands: [] }, text)
  })
})
