/**
 * Schemathesis, which makes requests from an OpenAPI document and judges the answers: the Python package, installed
 * into the cache folder (half a minute, once). In a quick run it is left out.
 */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { installed } from '../servers/cache-folder.ts'
import type { NoServer, TestServer } from '../servers/server.ts'
import { leftOut } from '../size.ts'

const run = promisify(execFile)
const version = '4.32.5'

/** The `url` is the path of the Python that has it: `<url> -m schemathesis.cli run ...`. */
export async function findSchemathesis(): Promise<TestServer | NoServer> {
  if (leftOut !== undefined) return { missing: leftOut }
  try {
    const folder = await installed(`schemathesis-${version}`, async (empty) => {
      const venv = join(empty, 'venv')
      await run('python3', ['-m', 'venv', venv])
      await run(join(venv, 'bin', 'python'), ['-m', 'pip', 'install', '-q', `schemathesis==${version}`])
    })
    return { name: `Schemathesis ${version}`, url: join(folder, 'venv', 'bin', 'python'), close: async () => {} }
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error)
    return { missing: `schemathesis ${version} could not be installed by python3 and pip: ${said.slice(0, 1000)}` }
  }
}
