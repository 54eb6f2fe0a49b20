/** The contents of the package: what a user needs and nothing else, whole pages, and the same from every clone. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { pack, root } from '../../scripts/package.ts'
import { catalogue } from '../../src/domain/error-catalogue.ts'
import { file } from '../../src/store/file/index.ts'
import { leftOut } from '../support/size.ts'

/** Every file below a folder, in order. */
const filesIn = (folder: string): readonly string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort()

function unpack(tarball: string, into: string): void {
  mkdirSync(into)
  execFileSync('tar', ['-xzf', tarball, '-C', into, '--strip-components=1'])
}

/** A working copy as it is after a clone: all that is tracked or about to be, and the dependencies. */
function cloneInto(folder: string): void {
  const list = ['ls-files', '-z', '--cached', '--others', '--exclude-standard']
  for (const path of execFileSync('git', list, { cwd: root, encoding: 'utf8' }).split('\0')) {
    if (path !== '' && existsSync(join(root, path))) cpSync(join(root, path), join(folder, path))
  }
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
}

describe('The package', () => {
  const folder = mkdtempSync(join(tmpdir(), 'mneme-contents-'))
  const unpacked = join(folder, 'unpacked')
  // The files are the same if the compiler does not look for faults (`npm run types` does), which the full run shows.
  before(() => unpack(pack(join(folder, 'package'), leftOut === undefined), unpacked))
  after(() => rmSync(folder, { recursive: true, force: true }))

  test('holds what a user needs and nothing else', () => {
    const wanted =
      /^(dist\/.*\.(js|d\.ts|sql)|docs\/.*\.md|docs\/images\/[\w-]+\.png|bench\/results\.md|package\.json|llms\.txt|[A-Z]+(\.md)?)$/
    const files = filesIn(unpacked)
    assert.deepEqual(
      files.filter((path) => !wanted.test(path) || /\.test\b|\.test-d\b|\.fixture\b/.test(path)),
      [],
    )
    for (const path of [
      'dist/index.js',
      'dist/index.d.ts',
      'README.md',
      'LICENSE',
      'CHANGELOG.md',
      'docs/errors.md',
      'llms.txt',
    ]) {
      assert.ok(files.includes(path), `${path} is missing`)
    }
  })

  test('has the place to which the link in each error leads', () => {
    assert.throws(
      () => file(''),
      ({ message }: Error) => {
        const [, path, anchor] = /\[OPTION_INVALID, ([^#]+)#(\w+)\]$/.exec(message)!
        const headings = readFileSync(join(unpacked, path!), 'utf8').matchAll(/^## (\w+)$/gm)
        const anchors = new Set(Array.from(headings, ([, heading]) => heading!.toLowerCase()))
        assert.ok(anchors.has(anchor!), anchor)
        const lost = Object.keys(catalogue).filter((code) => !anchors.has(code.toLowerCase()))
        assert.deepEqual(lost, [])
        return true
      },
    )
  })

  test('has the file to which each link in its pages leads', () => {
    const pages = filesIn(unpacked).filter((path) => path.endsWith('.md') || path === 'llms.txt')
    assert.ok(pages.includes('docs/guide/stores.md'))
    const dead = pages.flatMap((page) => {
      const links = readFileSync(join(unpacked, page), 'utf8').matchAll(/\]\((?!https?:)([^)#\s]+)/g)
      return Array.from(links, ([, link]) => join(page, '..', link!)).filter((to) => !existsSync(join(unpacked, to)))
    })
    assert.deepEqual(dead, [])
  })

  test('is the same where npm packs a fresh clone, in which nothing was built', { skip: leftOut }, () => {
    const [clone, fresh] = [join(folder, 'clone'), join(folder, 'fresh')]
    cloneInto(clone)
    execFileSync('npm', ['pack', '--pack-destination', folder], { cwd: clone, stdio: 'pipe' })
    const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz'))!
    unpack(join(folder, tarball), fresh)
    assert.deepEqual(filesIn(fresh), filesIn(unpacked))
    for (const path of filesIn(fresh)) {
      assert.ok(readFileSync(join(fresh, path)).equals(readFileSync(join(unpacked, path))), `${path} differs`)
    }
  })
})
