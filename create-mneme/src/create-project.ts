/**
 * Makes the files of a project from the template. It writes only into a folder that is new or empty, and either all is
 * checked before the first file is written, or nothing is written.
 */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { type StoreChoice, stores } from './stores.ts'

/** What was asked for cannot be done. The message says what to do. */
export class Refused extends Error {
  override readonly name = 'Refused'
}

const nameMax = 100

/**
 * The name of the package that a folder gets.
 *
 * @throws Refused if no package can have it
 */
export function packageName(folder: string): string {
  const name = basename(resolve(folder))
  const isName = /^[a-z0-9][a-z0-9._-]*$/.test(name) && name.length <= nameMax && name !== 'node_modules'
  if (isName) return name
  const rule = `a letter or a digit, then letters, digits, dots and hyphens, all lower case, ${nameMax} at most`
  throw new Refused(`No package can be named ${JSON.stringify(name)}. The name of the folder must be ${rule}.`)
}

/** @throws Refused if a folder cannot be made, or has something in it */
export function checkFolder(folder: string): void {
  const path = resolve(folder)
  for (let above = dirname(path); above !== dirname(above); above = dirname(above)) {
    if (!existsSync(above)) continue
    if (!statSync(above).isDirectory()) throw new Refused(`${above} is a file, so no folder can be made in it.`)
    break
  }
  if (!existsSync(path)) return
  if (!statSync(path).isDirectory()) throw new Refused(`${folder} is a file. Choose another name.`)
  const found = readdirSync(path).filter((name) => name !== '.git')
  if (found.length === 0) return
  const some = found.slice(0, 3).join(', ')
  const more = found.length > 3 ? ` and ${found.length - 3} more` : ''
  throw new Refused(`${folder} is not empty: it has ${some}${more}. Choose another name, or empty it.`)
}

/** @throws Refused if there is no such store */
export function storeNamed(name: string): StoreChoice {
  const found = stores.find((store) => store.name === name)
  if (found !== undefined) return found
  const known = stores.map((store) => store.name).join(', ')
  throw new Refused(`There is no store ${JSON.stringify(name)}. Choose one of ${known}.`)
}

export interface Project {
  readonly folder: string
  readonly store: StoreChoice
  /** The folder of the template. */
  readonly template: string
}

/**
 * Writes the project.
 *
 * @throws Refused
 */
export function createProject({ folder, store, template }: Project): void {
  const name = packageName(folder)
  checkFolder(folder)
  mkdirSync(folder, { recursive: true })
  cpSync(template, folder, { recursive: true })
  // npm packs no file with its real name.
  cpSync(join(folder, 'gitignore'), join(folder, '.gitignore'))
  rmSync(join(folder, 'gitignore'))
  const chosen = join(folder, 'stores', `${store.name}.ts`)
  if (existsSync(chosen)) cpSync(chosen, join(folder, 'src/store.ts'))
  rmSync(join(folder, 'stores'), { recursive: true })
  const path = join(folder, 'package.json')
  const manifest = JSON.parse(readFileSync(path, 'utf8')) as { readonly dependencies: Readonly<Record<string, string>> }
  const others = stores.flatMap(({ driver }) => (driver === undefined || driver === store.driver ? [] : [driver]))
  const dependencies = Object.fromEntries(
    Object.entries(manifest.dependencies).filter(([key]) => !others.includes(key)),
  )
  writeFileSync(path, `${JSON.stringify({ ...manifest, name, dependencies }, null, 2)}\n`)
}
