/** Where the temporary files of the quick run lie. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'

const program = `
  const { filesInMemory } = await import(${JSON.stringify(import.meta.resolve('./memory-folder.ts'))})
  const { mkdtempSync } = await import('node:fs')
  const { tmpdir } = await import('node:os')
  const folder = filesInMemory()
  console.log(JSON.stringify({ folder, made: mkdtempSync(tmpdir() + '/a-') }))`

/** What a process says that asked for files in memory, with its environment without `TMPDIR`, or with the given one. */
function ask(given?: string): { readonly folder?: string; readonly made: string } {
  const { TMPDIR: _, ...env } = process.env
  const all = given === undefined ? env : { ...env, TMPDIR: given }
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', program], { env: all, encoding: 'utf8' })
  return JSON.parse(stdout)
}

test('temporary files lie in memory until the run ends', (context) => {
  const { folder, made } = ask()
  if (folder === undefined) return context.skip('there is no folder in memory here, or too little of it is free')
  assert.ok(made.startsWith(`${folder}/a-`))
  assert.equal(existsSync(folder), false)
})

test('a folder that the environment names is taken instead', (context) => {
  const given = mkdtempSync(join(tmpdir(), 'mneme-given-'))
  context.after(() => rmSync(given, { recursive: true }))
  const { folder, made } = ask(given)
  assert.equal(folder, undefined)
  assert.ok(made.startsWith(`${given}/a-`))
})
