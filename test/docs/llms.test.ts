/** `llms.txt` has the form that llmstxt.org describes, and lists each page of the documentation once. */
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { root } from '../../scripts/package.ts'

const read = (path: string): string => readFileSync(join(root, path), 'utf8')

describe('llms.txt', () => {
  const [intro = '', ...sections] = read('llms.txt').split(/^## .+\n/m)
  const entries = sections.flatMap((section) => section.trim().split('\n'))
  const links = entries.map((entry) => /^- \[(?<title>.+)\]\((?<path>[^()\s]+)\): (?<about>.+)$/.exec(entry)?.groups)

  test('begins with a title and a summary', () => {
    assert.match(intro, /^# Mneme\n\n> Mneme is /)
    assert.doesNotMatch(intro.slice(2), /^#/m)
  })

  test('has nothing but links with a description in its sections', () => {
    assert.ok(entries.length > 0)
    assert.deepEqual(
      entries.filter((_, i) => links[i] === undefined),
      [],
    )
  })

  test('lists each page that is in the package exactly once', () => {
    const { files } = JSON.parse(read('package.json')) as { readonly files: readonly string[] }
    const pages = ['README.md', ...globSync('docs/**/*.md', { cwd: root }), ...files.filter((f) => f.endsWith('.md'))]
    assert.deepEqual(links.map((link) => link!['path']).sort(), pages.sort())
  })

  test('gives each page the title that it has', () => {
    const titleOf = (path: string) => /^# (.+)$/m.exec(read(path))?.[1]
    const wrong = links.filter((link) => titleOf(link!['path']!) !== link!['title'])
    assert.deepEqual(wrong, [])
  })
})
