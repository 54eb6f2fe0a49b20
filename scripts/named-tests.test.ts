/** Which files a run starts that was given words of the names of tests. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'

test('only files that contain the words, or import them, are started', (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'mneme-named-'))
  context.after(() => rmSync(folder, { recursive: true, force: true }))
  mkdirSync(join(folder, 'test'))
  const write = (name: string, text: string) => writeFileSync(join(folder, name), text)
  write('package.json', '{ "type": "module" }')
  const declared = (name: string) => `import { test } from 'node:test'\ntest('${name}', () => {})\n`
  write('test/a.test.ts', declared('The moon rises'))
  write('test/shared.ts', `${declared('the MOON rises again')}export const shared = true\n`)
  write('test/b.test.ts', `import { shared } from './shared.ts'\n${declared('the sun rises')}void shared\n`)
  write('test/c.test.ts', `console.log('a server starts')\n${declared('the sun sets')}`)
  write('test/d.test.ts', `import { test } from 'node:test'\ntest(['a', 'star'].join(' '), () => {})\n`)
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  const run = (...args: string[]) => {
    const { stdout, stderr } = spawnSync(process.execPath, [join(import.meta.dirname, 'test.ts'), ...args], {
      ...{ cwd: folder, env, encoding: 'utf8' },
    })
    return stdout + stderr
  }

  const moon = run('the moon rises')
  assert.match(moon, /2 passed, 0 failed/)
  assert.match(moon, /in 2 files/)
  assert.doesNotMatch(moon, /a server starts/)
  assert.match(run('a star'), /1 passed, 0 failed/, 'a name that is put together is found in all files')
  assert.match(run('--name=^the sun'), /2 passed, 0 failed/)
})
