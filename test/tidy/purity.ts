/**
 * What must come from outside: the platform's modules where the code is to run anywhere, and the clock, random numbers,
 * timers and the console where the simulator is to own them. A local binding of the same name is not the global.
 */
import type { Node } from 'typescript/unstable/ast'
import {
  isBindingElement,
  isCallExpression,
  isIdentifier,
  isImportClause,
  isImportSpecifier,
  isNewExpression,
  isParameterDeclaration,
  isPropertyAccessExpression,
  isPropertyAssignment,
  isVariableDeclaration,
} from 'typescript/unstable/ast/is'
import { lineOf, type Source, visit } from '../support/source.ts'
import { imports } from './layers.ts'
import { isTest, type Rule, type Violation } from './rule.ts'

/** Folders and files that have no platform and no time of their own. */
const isPure = (path: string): boolean =>
  /^src\/(domain|runtime|kernel|projection|store\/memory)\//.test(path) || /^src\/(store|cluster)\/[^/]+$/.test(path)
/** What also runs in a browser, but is the place where the real clock may be plugged in. */
const isNeutral = (path: string): boolean => isPure(path) || /^src\/(application\/|index\.ts$)/.test(path)

const globals: ReadonlySet<string> = new Set([
  ...['setTimeout', 'setInterval', 'setImmediate', 'clearTimeout', 'clearInterval'],
  ...['console', 'process', 'performance', 'globalThis', 'Buffer', 'require', '__dirname'],
])
const members: ReadonlySet<string> = new Set([
  ...['Date.now', 'Math.random', 'crypto.randomUUID', 'crypto.getRandomValues', 'AbortSignal.timeout'],
])

export const neutral: Rule = {
  name: 'the domain, the kernel, projections, the port, the store in memory and what joins them import no node: module',
  excuse: 'imports the platform',
  appliesTo: (path) => isNeutral(path) && !isTest(path),
  check: (source) =>
    imports(source)
      .filter(({ specifier }) => !specifier.startsWith('.'))
      .map(({ node, specifier }) => ({ line: lineOf(source, node), message: `imports ${specifier}` })),
}

/** Folders that are made for one package, which their users install. */
const madeFor: Readonly<Record<string, string>> = { 'src/otel/': '@opentelemetry/api' }

export const selfContained: Rule = {
  name: 'what is shipped needs no package to be installed',
  excuse: 'imports a package',
  appliesTo: (path) => path.startsWith('src/') && !isTest(path),
  check: (source) =>
    imports(source)
      .filter(({ specifier }) => !/^(\.|node:)/.test(specifier))
      .filter(
        ({ specifier }) =>
          !Object.entries(madeFor).some(([folder, name]) => specifier === name && source.path.startsWith(folder)),
      )
      .map(({ node, specifier }) => ({ line: lineOf(source, node), message: `imports the package ${specifier}` })),
}

export const injected: Rule = {
  name: 'time, chance, timers and the console are handed in where the simulator must own them',
  excuse: 'uses the platform',
  appliesTo: (path) => isPure(path) && !isTest(path),
  check: (source) => {
    const own = bindings(source)
    const found: Violation[] = []
    visit(source.syntax, (node, ancestors) => {
      const used = globalOf(node, ancestors[0])
      if (used === undefined || own.has(used.split('.')[0]!)) return
      found.push({ line: lineOf(source, node), message: `uses ${used}; have it handed in` })
    })
    return found
  },
}

const timerNames: ReadonlySet<string> = new Set([
  ...['setTimeout', 'setInterval', 'setImmediate', 'clearTimeout', 'clearInterval', 'clearImmediate'],
  ...['queueMicrotask', 'performance'],
])

export const heldTimers: Rule = {
  name: 'what is shipped takes timers from runtime/timers.ts, where nobody who fakes those of the platform can reach them',
  excuse: 'uses the platform',
  appliesTo: (path) => /^src\/(?!testing\/)(?!.*\.fixture\.ts$)/.test(path) && !isTest(path),
  check: (source) => {
    const own = bindings(source)
    const found: Violation[] = imports(source)
      .filter(({ specifier }) => /^node:(timers|perf_hooks)/.test(specifier))
      .map(({ node, specifier }) => ({ line: lineOf(source, node), message: `imports ${specifier}` }))
    visit(source.syntax, (node, ancestors) => {
      if (!isIdentifier(node) || !timerNames.has(node.text) || own.has(node.text)) return
      if (isMereName(node, ancestors[0])) return
      found.push({ line: lineOf(source, node), message: `uses ${node.text}` })
    })
    return found
  },
}

/** The forbidden global that a node uses. */
function globalOf(node: Node, parent: Node | undefined): string | undefined {
  if (isPropertyAccessExpression(node) && isIdentifier(node.expression)) {
    const member = `${node.expression.text}.${node.name.text}`
    if (members.has(member)) return member
  }
  if ((isNewExpression(node) || isCallExpression(node)) && isIdentifier(node.expression)) {
    const isClock = node.expression.text === 'Date' && (isCallExpression(node) || (node.arguments?.length ?? 0) === 0)
    if (isClock) return isNewExpression(node) ? 'new Date()' : 'Date()'
  }
  return isIdentifier(node) && globals.has(node.text) && !isMereName(node, parent) ? node.text : undefined
}

/** Whether an identifier names a property or a member rather than a value. */
function isMereName(node: Node, parent: Node | undefined): boolean {
  if (parent === undefined) return false
  if (isPropertyAccessExpression(parent)) return parent.name === node
  if (isPropertyAssignment(parent)) return parent.name === node
  return (parent as { readonly name?: unknown }).name === node
}

function bindings({ syntax }: Source): ReadonlySet<string> {
  const names = new Set<string>()
  visit(syntax, (node) => {
    const binds =
      isVariableDeclaration(node) ||
      isParameterDeclaration(node) ||
      isBindingElement(node) ||
      isImportSpecifier(node) ||
      isImportClause(node)
    if (binds && node.name !== undefined && isIdentifier(node.name)) names.add(node.name.text)
  })
  return names
}
