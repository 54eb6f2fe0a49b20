/** The version of the package, whose manifest lies as far above this file when it is built. */
import { readFileSync } from 'node:fs'

export function version(): string {
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(manifest) as { readonly version: string }).version
}
