/** A copy of the source with one text of it replaced, in which programs can be run. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const root = join(import.meta.dirname, '../../..')

/** Replaces a text that stands once in a file of the project, below its root. */
export interface Mutation {
  readonly file: string
  readonly find: string
  readonly replace: string
}

/** Runs a program in a copy of the project in which a text is replaced, and returns what it prints. */
export async function runMutated(
  { file, find, replace }: Mutation,
  program: string,
  args: readonly string[],
): Promise<string> {
  const copy = await mkdtemp(join(tmpdir(), 'mneme-mutated-'))
  try {
    for (const part of ['package.json', 'src', 'examples', 'test/support', 'test/simulation']) {
      await cp(join(root, part), join(copy, part), { recursive: true })
    }
    await symlink(join(root, 'node_modules'), join(copy, 'node_modules'), 'dir')
    const path = join(copy, file)
    const text = await readFile(path, 'utf8')
    assert.equal(text.split(find).length - 1, 1, `${file} has the text exactly once: ${find}`)
    await writeFile(
      path,
      text.replace(find, () => replace),
    )
    const { stdout } = await promisify(execFile)(process.execPath, [join(copy, program), ...args], { cwd: copy })
    return stdout
  } finally {
    await rm(copy, { recursive: true, force: true })
  }
}
