/** The tree keeps the rules of the house. What each rule catches is shown in the tests beside it. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { parse } from '../support/source.ts'
import { fileCircles, roomCircles } from './circles.ts'
import { allTestsRun, clearNames, explicitTypes, noSleep, plainForms, tablesOfContents } from './forms.ts'
import { layers, sharedSupport, toolsLayers } from './layers.ts'
import {
  boundEntries,
  differentStarter,
  differentTools,
  disorderedDecisions,
  incompleteStores,
  looseDependencies,
  unclearPaths,
  untestedFolders,
} from './layout.ts'
import { heldTimers, injected, neutral, selfContained } from './purity.ts'
import { findings, isTypeScript, type Rule } from './rule.ts'
import { fileLength, functionLength } from './size.ts'
import { header, machineTraces, negatives, nothingPutOff, wideProse } from './texts.ts'

const root = join(import.meta.dirname, '../..')
const read = (path: string): string => readFileSync(join(root, path), 'utf8')

/** What is tracked or about to be: everything that git does not ignore. */
const paths = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: root })
  .toString()
  .split('\0')
  .filter((path) => path !== '' && existsSync(join(root, path)) && statSync(join(root, path)).isFile())
const code = paths.filter((path) => /^(src|tools|create-mneme|examples|scripts|bench|test)\//.test(path))
const sources = parse(Object.fromEntries(code.filter(isTypeScript).map((path) => [path, read(path)])))

/** Fails with a line for each thing found. */
const holdsNone = (found: readonly string[]): void => assert.ok(found.length === 0, `\n${found.join('\n')}`)

const rules: readonly Rule[] = [
  ...[
    layers,
    toolsLayers,
    neutral,
    selfContained,
    injected,
    heldTimers,
    fileLength,
    functionLength,
    plainForms,
    tablesOfContents,
  ],
  ...[sharedSupport, explicitTypes, allTestsRun, noSleep, clearNames, header, nothingPutOff, negatives],
]

describe('the tree keeps the rule that', () => {
  for (const rule of rules) {
    test(rule.name, () => holdsNone(findings(rule, sources)))
  }

  test('files are named in kebab-case, by what they are', () => holdsNone(unclearPaths(code)))

  test('no imports go round', () => holdsNone(fileCircles(sources)))

  const houses = [
    'src',
    'src/projection',
    ...['memory', 'file', 'sqlite', 'postgres', 'mongodb', 'nats'].map((name) => `src/store/${name}`),
  ]
  for (const house of houses) {
    test(`no rooms of ${house} import each other`, () => holdsNone(roomCircles(sources, house)))
  }

  test('every store has the same floor plan', () => holdsNone(incompleteStores(paths)))

  test('every folder with code has a test', () => holdsNone(untestedFolders(paths)))

  test('decisions are numbered without gaps, and the index has them all', () => {
    const folder = 'docs/decisions/'
    const files = paths.filter((path) => path.startsWith(folder)).map((path) => path.slice(folder.length))
    holdsNone(disorderedDecisions(files, read(`${folder}README.md`)))
  })

  test('comments and prose have at most 120 columns', () => {
    // What the benchmarks write is for a program to write again.
    const found = paths
      .filter((path) => !/^bench\/(peers\/)?results\.md$/.test(path))
      .flatMap((path) => wideProse({ path, text: read(path) }).map(({ line, message }) => `${path}:${line} ${message}`))
    holdsNone(found)
  })

  test('nothing names a path or a package registry of one machine', () => {
    const found = paths
      .map((path) => ({ path, text: read(path) }))
      .flatMap((file) => machineTraces(file).map(({ line, message }) => `${file.path}:${line} ${message}`))
    holdsNone(found)
  })

  test('the lock file is bound to no registry', () => holdsNone(boundEntries(read('package-lock.json'))))

  test('nothing is needed at run time, and every version is exact', () => {
    holdsNone(looseDependencies(read('package.json')))
  })

  test('the tools are released with the library, and tested with what they need', () => {
    holdsNone(differentTools(read('tools/package.json'), read('package.json')))
  })

  test('new projects begin with what is tested', () => {
    const [starter, creator] = [read('examples/starter/package.json'), read('create-mneme/package.json')]
    holdsNone(differentStarter(starter, creator, read('package.json')))
  })
})
