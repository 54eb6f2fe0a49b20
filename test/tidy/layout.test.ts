/** What the checks of the whole tree catch, on lists and texts in memory. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  boundEntries,
  differentStarter,
  differentTools,
  disorderedDecisions,
  looseDependencies,
  unclearPaths,
  untestedFolders,
} from './layout.ts'
import { machineTraces } from './texts.ts'

test('paths that are not in kebab-case or say nothing are found', () => {
  const wrong = [
    'src/Store/a.ts',
    'src/store/pageReader.ts',
    'src/store/utils.ts',
    'src/a_b.ts',
    'test/test-helpers.ts',
  ]
  const right = [
    'src/store/page.ts',
    'src/store/commit-queue.test.ts',
    'src/a.test-d.ts',
    'bench/README.md',
    'test/v1.json',
  ]
  assert.deepEqual(unclearPaths([...wrong, ...right]), wrong)
})

test('a folder with code and no test beneath is found', () => {
  const paths = ['src/a/b.ts', 'src/a/c/d.ts', 'src/a/c/d.test.ts', 'src/e/f.ts', 'src/e/f.test-d.ts', 'src/g/h.ts']
  assert.deepEqual(untestedFolders([...paths, 'src/gh/h.test.ts', 'scripts/i.ts', 'src/j/k.sql']), ['src/g'])
})

test('decisions with gaps, doubles or strange names are found, and those the index leaves out', () => {
  const index = '[a](0001-a.md) [b](0002-b.md) [c](0003-c.md)'
  assert.deepEqual(disorderedDecisions(['README.md', '0001-a.md', '0002-b.md'], index), [])
  assert.deepEqual(disorderedDecisions(['0001-a.md', '0003-c.md'], index), ['0003-c.md should be 0002-title.md'])
  assert.deepEqual(disorderedDecisions(['0001-a.md', '0001-b.md'], index), [
    '0001-b.md should be 0002-title.md',
    '0001-b.md is not in the index',
  ])
  assert.deepEqual(disorderedDecisions(['0001-A.md'], '(0001-A.md)'), ['0001-A.md should be 0001-title.md'])
  assert.deepEqual(disorderedDecisions(['0001-a.md'], 'none yet'), ['0001-a.md is not in the index'])
})

test('paths and registries of one machine are found', () => {
  const slash = '/'
  const wrong = [
    `see ${slash}root/main/src`,
    `cd ${slash}root/.npm`,
    `'${slash}home/ada/mneme'`,
    `${slash}Users/ada/mneme`,
    `C:${'\\'}Users${'\\'}ada`,
    `https://${'registry'}.npmjs.org/zod`,
    `http://npm-${'registry'}.internal:8080/zod`,
  ]
  for (const text of wrong) assert.ok(machineTraces({ path: 'a.md', text }).length > 0, `should be found: ${text}`)
  const right = ['the root/main folder', 'https://example.org/root/1', 'docs/root/page', '/tmp/bank.db', 'a registry.']
  for (const text of right) assert.deepEqual(machineTraces({ path: 'a.md', text }), [], `should be left alone: ${text}`)
})

test('entries of the lock file that are bound to a registry are found', () => {
  const lock = { packages: { '': {}, a: { resolved: 'https://example.org/a.tgz' }, b: { version: '1.0.0' } } }
  assert.deepEqual(boundEntries(JSON.stringify(lock)), ['a'])
})

test('dependencies at run time and open versions are found', () => {
  const manifest = { dependencies: { a: '1.0.0' }, devDependencies: { b: '^1.0.0', c: '1.2.3', d: '1.0.0-rc.1' } }
  assert.deepEqual(looseDependencies(JSON.stringify(manifest)), [
    'a is a dependency at run time',
    'b ^1.0.0 is not an exact version',
  ])
})

test('a dependency of the tools that is not tested, and another version of the library, are found', () => {
  const library = JSON.stringify({ version: '1.0.0', devDependencies: { a: '1.0.0' } })
  const tools = (parts: object) => JSON.stringify({ version: '1.0.0', peerDependencies: { mneme: '1.0.0' }, ...parts })
  assert.deepEqual(differentTools(tools({ dependencies: { a: '1.0.0' } }), library), [])
  assert.deepEqual(differentTools(tools({ dependencies: { a: '1.0.1', b: '2.0.0' } }), library), [
    'a 1.0.1 is tested as 1.0.0',
    'b 2.0.0 is tested as nothing',
  ])
  assert.equal(differentTools(tools({ version: '1.1.0', peerDependencies: {} }), library).length, 2)
})

test('a starter with other versions than those that are tested is found', () => {
  const library = JSON.stringify({ version: '1.0.0', devDependencies: { a: '1.0.0', b: '2.0.0' } })
  const starter = (a: string, mneme: string) =>
    JSON.stringify({ dependencies: { a, mneme }, devDependencies: { b: '2.0.0', 'mneme-tools': '1.0.0' } })
  const creator = JSON.stringify({ version: '1.0.0' })
  assert.deepEqual(differentStarter(starter('1.0.0', '1.0.0'), creator, library), [])
  assert.deepEqual(differentStarter(starter('1.0.1', '0.9.0'), JSON.stringify({ version: '0.9.0' }), library), [
    'a 1.0.1 is tested as 1.0.0',
    'mneme 0.9.0 is tested as 1.0.0',
    'version 0.9.0 is not that of the library, 1.0.0',
  ])
})
