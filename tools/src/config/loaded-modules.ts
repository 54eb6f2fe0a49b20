/** The modules of the user that are loaded with a domain, so that a test can import from them. */
import { registerHooks } from 'node:module'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { Target } from '../inspection/index.ts'

const modulesMax = 1000

/** Notes modules until it is stopped. */
export class LoadedModules {
  readonly #paths = new Set<string>()
  readonly #hooks = registerHooks({
    resolve: (specifier, context, next) => {
      const found = next(specifier, context)
      const { url } = found
      const isOwn = url.startsWith('file:') && !url.includes('/node_modules/')
      if (isOwn && this.#paths.size < modulesMax) this.#paths.add(fileURLToPath(url))
      return found
    },
  })

  stop(): void {
    this.#hooks.deregister()
  }

  /** The module that exports a domain, and all that were loaded. Nothing if no module exports it. */
  async codeOf(domain: unknown): Promise<Target['code']> {
    const modules = [...this.#paths]
    for (const module of modules) {
      // It is loaded, so nothing runs again.
      const exported: object = await import(pathToFileURL(module).href).catch(() => ({}))
      if (Object.values(exported).includes(domain)) return { module, modules }
    }
    return undefined
  }
}
