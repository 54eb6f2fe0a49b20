/** The code in the documentation is the code that CI compiles and runs. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, test } from 'node:test'
import { pages, strayBlocks, withCode } from '../../scripts/docs.ts'
import { root } from '../../scripts/package.ts'

const read = (file: string) => readFileSync(join(root, file), 'utf8')

/** The anchors that a page's headings have. */
const anchorsOf = (page: string): ReadonlySet<string> =>
  new Set(
    [...page.replaceAll(/```.*?```/gs, '').matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
      heading!
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  )

describe('the documentation', () => {
  for (const page of pages) {
    test(`${page} shows code as its files have it (npm run docs brings it up to date)`, () => {
      assert.equal(withCode(read(page), read), read(page))
    })

    // The reference has declarations, and a test of its own.
    test(`${page} shows no code that is not taken from a file`, () => {
      assert.deepEqual(page.startsWith('docs/reference/') ? [] : strayBlocks(read(page)), [])
    })

    test(`${page} links only to what is there`, () => {
      const links = [...read(page).matchAll(/\]\((?!https?:)([^)#\s]*)#?[^)]*\)/g)].map(([, target]) => target!)
      const broken = links.filter((target) => target !== '' && !existsSync(join(root, dirname(page), target)))
      assert.deepEqual(broken, [])
    })

    test(`${page} links only to headings that are there`, () => {
      const links = [...read(page).matchAll(/\]\((?!https?:)([^)#\s]*)#([^)]+)\)/g)]
      const broken = links.filter(([, target, anchor]) => {
        const other = target === '' ? page : join(dirname(page), target!)
        return other.endsWith('.md') && !anchorsOf(read(other)).has(anchor!)
      })
      assert.deepEqual(
        broken.map(([link]) => link),
        [],
      )
    })
  }
})

describe('a code block', () => {
  const file = `/** A header. */\nimport { a } from '../../src/index.ts'\n// #region inner\n  f(\n    1,\n  )\n  // #endregion\n`
  const page = (marker: string) => `text\n<!-- code: ${marker} -->\n\`\`\`ts\nold\n\`\`\`\nmore`

  test('is replaced by its file, without the header, importing the package', () => {
    assert.match(
      withCode(page('x.ts'), () => file),
      /```ts\nimport \{ a \} from 'mneme'\n/,
    )
  })

  test('is replaced by a region of its file, moved to the margin', () => {
    assert.match(
      withCode(page('x.ts#inner'), () => file),
      /-->\n```ts\nf\(\n {2}1,\n\)\n```\nmore$/,
    )
  })

  test('of a region that is not there is an error', () => {
    assert.throws(() => withCode(page('x.ts#other'), () => file), /there is no region other/)
  })

  test('without a marker is found', () => {
    assert.deepEqual(strayBlocks('```ts\nlet a\n```'), ['```ts\nlet a\n```'])
  })
})
