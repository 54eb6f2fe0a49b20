/**
 * How the tree as a whole is laid out: names, tests beside the code, decisions numbered, and the manifest and its lock.
 */
import { posix } from 'node:path'
import { isTest, isTypeScript } from './rule.ts'

const word = '[a-z0-9]+(?:-[a-z0-9]+)*'
const fileName = new RegExp(`^(?:${word}(?:\\.${word})*|README\\.md|Dockerfile|\\.npmrc)$`)
const folderName = new RegExp(`^${word}$`)
const vague = /(^|-)(utils?|helpers?|manager|impl|common|misc|stuff)(-|\.|$)/

/** Paths whose files or folders are not in kebab-case, or say nothing. */
export function unclearPaths(paths: readonly string[]): readonly string[] {
  return paths.filter((path) => {
    const segments = path.split('/')
    const file = segments.pop()!
    return !fileName.test(file) || vague.test(file) || segments.some((folder) => !folderName.test(folder))
  })
}

/** Folders of `src` and `tools/src` that hold code, but no test of it in them or beneath. */
export function untestedFolders(paths: readonly string[]): readonly string[] {
  const code = paths.filter((path) => /^(tools\/)?src\//.test(path) && isTypeScript(path))
  const tests = code.filter(isTest)
  const folders = new Set(code.filter((path) => !isTest(path)).map((path) => posix.dirname(path)))
  return [...folders].filter((folder) => !tests.some((test) => test.startsWith(`${folder}/`))).sort()
}

/** What every store has in its folder, and the rooms that lie there. */
const storeRooms = ['log', 'rows'] as const

/**
 * What is missing in the folders of the stores: one floor plan for all, so that who knows one finds the way in another.
 */
export function incompleteStores(paths: readonly string[]): readonly string[] {
  const stores = new Set(paths.flatMap((path) => /^src\/store\/([^/]+)\//.exec(path)?.[1] ?? []))
  return [...stores].flatMap((store) => {
    const folder = `src/store/${store}`
    const has = (path: string) => paths.some((each) => each === path || each.startsWith(`${path}/`))
    // The store in memory has no options, and nothing outside the process.
    const more = store === 'memory' ? [] : ['options.ts', 'database']
    const wanted = ['index.ts', `${store}.ts`, `${store}-store.ts`, ...storeRooms, ...more]
    return wanted.map((name) => `${folder}/${name}`).filter((path) => !has(path))
  })
}

/** What is wrong with the decisions: a gap, a double, a name without its number, one that the index leaves out. */
export function disorderedDecisions(files: readonly string[], index: string): readonly string[] {
  const decisions = files.filter((file) => file !== 'README.md').sort()
  return decisions.flatMap((file, i) => {
    const number = String(i + 1).padStart(4, '0')
    const isNamed = new RegExp(`^${number}-${word}\\.md$`).test(file)
    return [
      ...(isNamed ? [] : [`${file} should be ${number}-title.md`]),
      ...(index.includes(`(${file})`) ? [] : [`${file} is not in the index`]),
    ]
  })
}

interface Lock {
  readonly packages?: Readonly<Record<string, { readonly resolved?: string; readonly link?: boolean }>>
}

/** Entries of a lock file that are bound to one registry. */
export function boundEntries(lock: string): readonly string[] {
  return Object.entries((JSON.parse(lock) as Lock).packages ?? {})
    .filter(([, { resolved }]) => resolved !== undefined && /^(https?|git|ssh|file):|^\//.test(resolved))
    .map(([name]) => name)
}

interface Manifest {
  readonly version?: string
  readonly peerDependencies?: Readonly<Record<string, string>>
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
}

/** Dependencies that a user would have to install, and those of ours without an exact version. */
export function looseDependencies(manifest: string): readonly string[] {
  const { dependencies = {}, devDependencies = {} } = JSON.parse(manifest) as Manifest
  return [
    ...Object.keys(dependencies).map((name) => `${name} is a dependency at run time`),
    ...Object.entries(devDependencies)
      .filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))
      .map(([name, version]) => `${name} ${version} is not an exact version`),
  ]
}

/** What the manifest of the tools says otherwise than that of the library, beside which it is tested and released. */
export function differentTools(manifest: string, ofLibrary: string): readonly string[] {
  const { version, dependencies = {}, peerDependencies = {} } = JSON.parse(manifest) as Manifest
  const library = JSON.parse(ofLibrary) as Manifest
  const tested = library.devDependencies ?? {}
  return [
    ...Object.entries(dependencies)
      .filter(([name, wanted]) => tested[name] !== wanted)
      .map(([name, wanted]) => `${name} ${wanted} is tested as ${tested[name] ?? 'nothing'}`),
    ...(version === library.version ? [] : [`version ${version} is not that of the library, ${library.version}`]),
    ...(peerDependencies['mneme'] === library.version ? [] : [`the library is wanted as ${peerDependencies['mneme']}`]),
  ]
}

/** What the starter, or the program that writes it, asks for otherwise than what is tested here. */
export function differentStarter(starter: string, creator: string, ofLibrary: string): readonly string[] {
  const { dependencies, devDependencies } = JSON.parse(starter) as Manifest
  const { version, devDependencies: tested = {} } = JSON.parse(ofLibrary) as Manifest
  const own: Readonly<Record<string, string | undefined>> = { ...tested, mneme: version, 'mneme-tools': version }
  const made = (JSON.parse(creator) as Manifest).version
  return [
    ...Object.entries({ ...dependencies, ...devDependencies })
      .filter(([name, wanted]) => own[name] !== wanted)
      .map(([name, wanted]) => `${name} ${wanted} is tested as ${own[name] ?? 'nothing'}`),
    ...(made === version ? [] : [`version ${made} is not that of the library, ${version}`]),
  ]
}
