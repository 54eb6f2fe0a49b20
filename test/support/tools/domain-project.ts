/** A project of a user with a domain of its own, in which the packages are as if they were installed. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import type { TestContext } from 'node:test'
import { root } from '../../../scripts/package.ts'
import { loadTarget } from '../../../tools/src/config/load-target.ts'
import type { Target } from '../../../tools/src/inspection/index.ts'

export interface Project {
  /** Loads `bank.ts`, with a store in SQLite. */
  load(): Promise<Target & { readonly domain: NonNullable<Target['domain']> }>
  write(name: string, text: string): void
  /** Runs a file of tests. */
  run(name: string): Promise<{ readonly code: number | null; readonly out: string }>
}

/** @param files by their names; `bank.ts` exports the domain */
export function domainProject(t: TestContext, files: Readonly<Record<string, string>>): Project {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'mneme-project-')))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const packages = join(folder, 'node_modules')
  mkdirSync(join(packages, 'mneme'), { recursive: true })
  // Node runs TypeScript only outside of node_modules, which is where these links lead.
  symlinkSync(join(root, 'src'), join(packages, 'mneme/src'))
  symlinkSync(join(root, 'node_modules/zod'), join(packages, 'zod'))
  const exports = { '.': './src/index.ts', './testing': './src/testing/index.ts' }
  writeFileSync(join(packages, 'mneme/package.json'), JSON.stringify({ name: 'mneme', type: 'module', exports }))
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  const write = (name: string, content: string) => writeFileSync(join(folder, name), content)
  for (const [name, content] of Object.entries(files)) write(name, content)
  return {
    write,
    async load() {
      const target = await loadTarget(
        { domain: 'bank.ts', store: `sqlite:${join(folder, 'bank.db')}` },
        { mayCreate: true, cwd: folder },
      )
      return { ...target, domain: target.domain! }
    },
    async run(name) {
      const { NODE_TEST_CONTEXT: _, ...env } = process.env
      const child = spawn(process.execPath, [name], { cwd: folder, env })
      const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
      return { code, out: out + err }
    },
  }
}
