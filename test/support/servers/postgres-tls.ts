/**
 * A PostgreSQL that talks by TLS only, with a certificate for `localhost` that a root of the tests' own has signed;
 * beside it a root that has signed nothing. The certificates are made by `openssl`.
 */
import { execFile } from 'node:child_process'
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { startPostgres } from './postgres-process.ts'
import { embeddedPrograms } from './postgres-programs.ts'
import { nameOf } from './postgres-server.ts'
import type { FindServer, TestServer } from './server.ts'

const run = promisify(execFile)

export interface TlsPostgres extends TestServer {
  /** The file of the root that has signed the server's certificate. */
  readonly root: string
  /** The file of another root. */
  readonly strangeRoot: string
}

/** Who may connect: nobody but by TLS. */
const access = `
hostssl all all 127.0.0.1/32 trust
hostnossl all all all reject
`

const newKey = ['-newkey', 'rsa:2048', '-nodes']
const days = ['-days', '2']

async function makeRoot(folder: string, name: string): Promise<string> {
  const [key, root] = [join(folder, `${name}.key`), join(folder, `${name}.crt`)]
  await run('openssl', ['req', '-x509', ...newKey, ...days, '-subj', `/CN=${name}`, '-keyout', key, '-out', root])
  return root
}

/** Makes `server.crt` and `server.key` in a folder that has the root. */
async function makeCertificate(folder: string, root: string): Promise<void> {
  const at = (name: string) => join(folder, name)
  await run('openssl', ['req', ...newKey, '-subj', '/CN=server', '-keyout', at('server.key'), '-out', at('server.csr')])
  await writeFile(at('names'), 'subjectAltName=DNS:localhost\n')
  const by = ['-CA', root, '-CAkey', root.replace(/crt$/, 'key'), '-CAcreateserial', '-extfile', at('names')]
  await run('openssl', ['x509', '-req', '-in', at('server.csr'), ...by, ...days, '-out', at('server.crt')])
}

export const findTlsPostgres: FindServer<TlsPostgres> = async () => {
  const installation = embeddedPrograms()
  if ('missing' in installation) return installation
  const hasOpenssl = await run('openssl', ['version']).then(
    () => true,
    () => false,
  )
  if (!hasOpenssl) return { missing: 'certificates are made by openssl, which is not on PATH' }
  const folder = await mkdtemp(join(tmpdir(), 'mneme-certificates-'))
  const root = await makeRoot(folder, 'root')
  await makeCertificate(folder, root)
  const server = await startPostgres(installation, {
    settings: { ssl: 'on' },
    query: '?sslmode=no-verify',
    prepare: async (data) => {
      for (const name of ['server.crt', 'server.key']) await copyFile(join(folder, name), join(data, name))
      await writeFile(join(data, 'pg_hba.conf'), access)
    },
  })
  return {
    name: `${nameOf(installation)} by TLS`,
    url: server.url,
    control: server,
    root,
    strangeRoot: await makeRoot(folder, 'strange-root'),
    close: async () => {
      await server.close()
      await rm(folder, { recursive: true })
    },
  }
}
