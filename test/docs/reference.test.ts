/** The reference of the API says what the sources say. */
import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { root } from '../../scripts/package.ts'
import { referencePages } from '../../scripts/reference.ts'
import * as library from '../../src/index.ts'

describe('The reference', () => {
  const pages = referencePages()

  test('is up to date (npm run reference brings it up to date)', () => {
    const written = globSync('docs/reference/*.md', { cwd: root })
    assert.deepEqual(written.sort(), [...pages.keys()].sort())
    const old = [...pages].filter(([path, text]) => {
      return !existsSync(join(root, path)) || readFileSync(join(root, path), 'utf8') !== text
    })
    assert.deepEqual(
      old.map(([path]) => path),
      [],
    )
  })

  test('has everything that a program can import, each with its docstring', () => {
    const page = pages.get('docs/reference/mneme.md')!
    const sections = new Map(page.split(/^## /m).map((section) => [/^\S+/.exec(section)?.[0], section]))
    for (const name of Object.keys(library)) {
      const section = sections.get(name)
      assert.ok(section !== undefined, `${name} is missing`)
      const [, , doc = ''] = section.split('\n\n')
      assert.ok(doc.length > 10 && !doc.startsWith('```'), `${name} has no docstring`)
    }
  })

  test('shows declarations, without bodies and without what is internal', () => {
    const whole = [...pages.values()].join('\n')
    assert.match(whole, /function domain<[\s\S]*?>\(/)
    assert.doesNotMatch(whole, /@internal|\{@link|^ *(private|#)\w/m)
    assert.doesNotMatch(pages.get('docs/reference/mneme.md')!, /^ +return /m)
  })
})
