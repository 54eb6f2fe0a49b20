/** `mneme completion` in a real shell, `mneme migrate`, and the help. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { toolsPlace } from '../../../../test/support/tools/mneme.ts'

const hasShell = (name: string) => spawnSync(name, ['-c', 'true']).status === 0

describe('mneme completion', () => {
  test('completes commands and options in bash', { skip: hasShell('bash') ? false : 'there is no bash' }, async (t) => {
    const { each, folder } = await toolsPlace(t)
    const [bash, unknown] = await each([
      ['completion', 'bash'],
      ['completion', 'fish'],
    ])
    assert.equal(unknown!.code, 2)
    await writeFile(join(folder, 'completion'), bash!.out)
    const complete = (...words: readonly string[]) => {
      const line = ['mneme', ...words].map((word) => `'${word}'`).join(' ')
      const script = `. ./completion; COMP_WORDS=(${line}); COMP_CWORD=${words.length}; _mneme; echo "\${COMPREPLY[*]}"`
      const { stdout, stderr } = spawnSync('bash', ['-c', script], { cwd: folder, encoding: 'utf8' })
      assert.equal(stderr, '')
      return stdout.trim().split(' ')
    }
    assert.deepEqual(complete('ev'), ['events'])
    assert.deepEqual(complete('projections', 'c'), ['compare'])
    assert.deepEqual(complete('projections', 'compare', '--l'), ['--limit'])
    assert.deepEqual(complete('events', '--json', '--ta'), ['--tag', '--tail'])
    assert.deepEqual(complete('parked', 'skip', '--y'), ['--yes'])
    assert.deepEqual(complete('parked', '--k'), ['--kind'])
    assert.ok(complete('').includes('verify'))
  })

  test('is read by zsh', { skip: hasShell('zsh') ? false : 'there is no zsh' }, async (t) => {
    const { mneme, folder } = await toolsPlace(t)
    await writeFile(join(folder, 'completion'), (await mneme(['completion', 'zsh'])).out)
    const script = 'compdef() { :; }; compadd() { shift; echo "$@"; }; _files() { :; }; . ./completion'
    const call = 'words=(mneme events --js); CURRENT=3; _mneme_begin'
    const { stdout, stderr } = spawnSync('zsh', ['-c', `${script}; ${call}`], { cwd: folder, encoding: 'utf8' })
    assert.equal(stderr, '')
    assert.match(stdout, /--tail/)
  })
})

test('mneme migrate makes a store, and prints the SQL of PostgreSQL without opening one', async (t) => {
  const { each } = await toolsPlace(t)
  const [made, sql, named, update, other, alone, absent, wrong] = await each([
    ['migrate', '--store', 'sqlite:new.db'],
    ['migrate', '--sql', '--schema', 'shop'],
    ['migrate', '--sql', '--json', '--store', 'postgres://nobody@nowhere/db?schema=bank'],
    ['migrate', '--sql', '--from', '2'],
    ['migrate', '--sql', '--store', 'sqlite:new.db'],
    ['migrate', '--schema', 'shop'],
    ['events', '--store', 'sqlite:absent.db'],
    ['migrate', '--sql', '--from', '99'],
  ])
  assert.doesNotMatch(update!.out, /CREATE (SCHEMA|TABLE)/)
  assert.match(update!.out, /^BEGIN;\n[\s\S]*CREATE FUNCTION "mneme"[\s\S]*COMMIT;\n$/)
  assert.match(wrong!.err, /`from`|from .*version/)
  assert.deepEqual([made!.code, made!.out], [0, 'sqlite is ready; its log has 0 events\n'])
  assert.match(sql!.out, /CREATE SCHEMA IF NOT EXISTS "shop"/)
  assert.match(JSON.parse(named!.out).sql, /CREATE SCHEMA IF NOT EXISTS "bank"/)
  assert.deepEqual([other!.code, alone!.code, absent!.code, wrong!.code], [2, 2, 2, 2])
})

test('the help names each command, and is no error', async (t) => {
  const { each } = await toolsPlace(t)
  const [help, nothing, wrong, version] = await each([['--help'], [], ['evnets'], ['--version']])
  assert.match(version!.out, /^\d+\.\d+\.\d+\n$/)
  assert.equal(version!.code, 0)
  assert.equal(help!.code, 0)
  for (const name of ['events', 'state', 'run', 'trace', 'projections', 'reactions', 'parked', 'verify', 'export']) {
    assert.match(help!.out, new RegExp(`^ {2}${name}\\b`, 'm'))
  }
  assert.equal(nothing!.code, 2)
  assert.equal(wrong!.code, 2)
  assert.match(wrong!.err, /unknown command 'evnets'\n\(Did you mean events\?\)/)
})
