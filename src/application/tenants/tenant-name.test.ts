/** Names for the stores of tenants: safe, and different for different tenants. */
import assert from 'node:assert/strict'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { tenantName } from './tenant-name.ts'

test('a plain name stays as it is, and every other byte is escaped', () => {
  assert.equal(tenantName('acme'), 'acme')
  assert.equal(tenantName('42'), '42')
  assert.equal(tenantName('Acme'), '_41cme')
  assert.equal(tenantName('acme-gmbh'), 'acme_2dgmbh')
  assert.equal(tenantName('a_2d'), 'a_5f2d')
  assert.equal(tenantName('é'), '_c3_a9')
})

test('names that mean something else to an operating system or a database are escaped', () => {
  for (const name of ['con', 'nul', 'com1', 'lpt9']) assert.match(tenantName(name), /^_[0-9a-f]{2}/)
  assert.equal(tenantName('pg_x'), '_70g_5fx')
  assert.equal(tenantName('sqlite-x'), '_73qlite_2dx')
  assert.equal(tenantName('conny'), 'conny')
})

test('no name leaves its directory', () => {
  const data = resolve('/data')
  for (const tenant of ['..', '.', '../x', '/etc/passwd', 'a/../../b', 'a\\..\\b', '~', '%2e%2e', 'C:x', 'x\n']) {
    assert.equal(join(data, tenantName(tenant)), `${data}/${tenantName(tenant)}`)
    assert.match(tenantName(tenant), /^[a-z0-9_]+$/)
  }
})

test('different tenants have different names, whatever their case', () => {
  const tenant = fc.string({ unit: 'binary', minLength: 1, maxLength: 16 }).filter(isGood)
  const alike = fc.constantFrom('a', 'A', '_', '6', '1', 'é', 'e\u0301', 'con', 'Con', '_63on', 'pg_', 'c', 'p')
  const made = fc.array(alike, { minLength: 1, maxLength: 5 }).map((parts) => parts.join(''))
  const any = fc.oneof(tenant, made)
  fc.assert(
    fc.property(any, any, (a, b) => {
      fc.pre(a !== b)
      assert.notEqual(tenantName(a).toLowerCase(), tenantName(b).toLowerCase())
    }),
    { numRuns: 2000 },
  )
})

test('a name that is empty, too long or not a text is refused', () => {
  for (const tenant of ['', 'x'.repeat(65), 'é'.repeat(33), '\ud800', 'a\0', undefined, 5, {}]) {
    assert.throws(() => tenantName(tenant as string), { code: 'ID_INVALID' })
  }
  assert.equal(tenantName('/'.repeat(64)).length, 192)
})

const isGood = (text: string) => text.isWellFormed() && !text.includes('\0') && Buffer.byteLength(text) <= 64
