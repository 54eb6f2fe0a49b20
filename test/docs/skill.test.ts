/** Whoever follows only the page for assistants gets a small domain that works. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { root } from '../../scripts/package.ts'
import { leftOut } from '../support/size.ts'

/** The files that the page says to write, in its order. */
function filesOf(page: string): readonly (readonly [name: string, text: string])[] {
  const sections = page.matchAll(/^## .+: `(?<name>[\w.]+)`\n(?<rest>[\s\S]*?)(?=^## )/gm)
  return Array.from(sections, ({ groups }) => {
    const code = /```ts\n([\s\S]*?)```/.exec(groups!['rest']!)
    assert.ok(code !== null, `${groups!['name']} has code`)
    return [groups!['name']!, code[1]!] as const
  })
}

/** The packages by the paths of their sources: the packed ones have tests of their own. */
const asHere = (code: string): string =>
  code.replaceAll(/from 'mneme(\/\w+)?'/g, (_, subpath: string = '') => {
    const folders: Readonly<Record<string, string>> = { '/sqlite': 'store/sqlite/', '/testing': 'testing/', '': '' }
    const folder = folders[subpath]
    assert.ok(folder !== undefined, `the test knows mneme${subpath}`)
    return `from '${join(root, 'src', folder, 'index.ts')}'`
  })

test('the page for assistants leads to a domain that works', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'mneme-skill-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const page = readFileSync(join(root, 'docs/skill.md'), 'utf8')
  const files = filesOf(page)
  assert.deepEqual(
    files.map(([name]) => name),
    ['book.ts', 'library.ts', 'book.test.ts', 'main.ts'],
  )
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  for (const [name, text] of files) writeFileSync(join(folder, name), asHere(text))
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  const run = (...args: readonly string[]) => {
    const options = { cwd: folder, encoding: 'utf8', env } as const
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', ...args],
      options,
    )
    assert.equal(status, 0, `${args.join(' ')}\n${stdout}${stderr}`)
    return stdout
  }
  assert.match(run('--test'), /pass 3/)
  assert.equal(run('main.ts'), "lent\n1 BookLent { to: 'ada' }\n")
  assert.equal(run('main.ts'), "lent\n1 BookLent { to: 'ada' }\n", 'lent to the same reader, there is nothing to do')

  // The commands that it shows, which end by themselves.
  const [, shown = ''] = page.split('## Look at it\n')
  const commands = [...shown.matchAll(/^ {4}npx mneme (.+)$/gm)].map(([, line]) => line!.split(' '))
  assert.equal(commands.length, 5)
  if (leftOut !== undefined) return
  const [events, state, trial] = commands.map((args) => () => run(join(root, 'tools/src/cli/main.ts'), ...args))
  assert.match(events!(), /book\/dune #1 {2}BookLent {2}\{"to":"ada"\}/)
  assert.match(state!(), /"lentTo": "ada"/)
  assert.match(trial!(), /would be accepted: book\/dune #2\n {2}BookGivenBack/)
})
