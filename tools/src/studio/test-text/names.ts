/** How a test names the parts of a domain: by what its modules export. */
import { dirname, relative, sep } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { AnyAggregate } from '../../../../src/index.ts'
import type { Target } from '../../inspection/index.ts'
import { property, text } from './literal.ts'

const modulesMax = 500

interface Export {
  readonly path: string
  readonly name: string
  readonly value: unknown
}

/** The names of the parts of an aggregate, and the imports that they need. */
export class Names {
  readonly #folder: string
  readonly #exports: readonly Export[]
  readonly #imported = new Map<unknown, { readonly path: string; readonly name: string; readonly local: string }>()

  private constructor(folder: string, exports: readonly Export[]) {
    this.#folder = folder
    this.#exports = exports
  }

  /** Looks at the modules that were loaded with the domain. They are loaded, so nothing runs again. */
  static async of(code: NonNullable<Target['code']>): Promise<Names> {
    const found: Export[] = []
    for (const path of [code.module, ...code.modules].slice(0, modulesMax)) {
      const exported: Readonly<Record<string, unknown>> = await import(pathToFileURL(path).href).catch(() => ({}))
      for (const [name, value] of Object.entries(exported)) if (name !== 'default') found.push({ path, name, value })
    }
    return new Names(dirname(code.module), found)
  }

  aggregate(aggregate: AnyAggregate): string | undefined {
    return this.#named((value) => value === aggregate)
  }

  /** An expression that makes an event. */
  event(aggregate: AnyAggregate, type: string, data: string): string {
    const kind = aggregate.folds.get(type)?.kind
    const name = this.#named((value) => value === kind)
    // The compiler does not know an event that its kind has not made.
    return name === undefined ? `{ type: ${text(type)}, data: ${data} } as never` : `${name}(${data})`
  }

  /** The domain, for an aggregate that is not exported itself. */
  throughDomain(domain: unknown, key: string): string | undefined {
    const name = this.#named((value) => value === domain)
    return name && `${name}.aggregates${property(key)}`
  }

  #named(is: (value: unknown) => boolean): string | undefined {
    const found = this.#exports.find(({ value }) => is(value))
    if (found === undefined) return undefined
    const known = this.#imported.get(found.value)
    if (known !== undefined) return known.local
    const taken = new Set([
      'test',
      'spec',
      'assert',
      'Personal',
      ...[...this.#imported.values()].map(({ local }) => local),
    ])
    let local = found.name
    for (let n = 2; taken.has(local); n++) local = `${found.name}${n}`
    this.#imported.set(found.value, { ...found, local })
    return local
  }

  /** The lines that import what was named. */
  imports(): readonly string[] {
    const byPath = Map.groupBy(this.#imported.values(), ({ path }) => path)
    return Array.from(byPath, ([path, all]) => {
      const names = all.map(({ name, local }) => (name === local ? name : `${name} as ${local}`)).sort()
      return `import { ${names.join(', ')} } from ${text(this.#relative(path))}`
    }).sort()
  }

  #relative(path: string): string {
    const found = relative(this.#folder, path).split(sep).join('/')
    return found.startsWith('.') ? found : `./${found}`
  }
}
