/**
 * Which way imports point: domain <- runtime <- store <- kernel <- cluster <- projection <- application <- the outer
 * ring. Of the stores, only the port is known to the layers above it; the stores do not know each other. Tests are
 * free, and so is `testing`, which nothing else may lean on. What tests share lies below `test/support`.
 */
import { posix } from 'node:path'
import type { Node } from 'typescript/unstable/ast'
import { SyntaxKind } from 'typescript/unstable/ast'
import {
  isCallExpression,
  isExportDeclaration,
  isImportDeclaration,
  isImportTypeNode,
  isLiteralTypeNode,
  isStringLiteral,
} from 'typescript/unstable/ast/is'
import { lineOf, type Source, visit } from '../support/source.ts'
import { isTest, type Rule } from './rule.ts'

const order = ['domain', 'runtime', 'store', 'kernel', 'cluster', 'projection', 'application']
const outerRing = ['health', 'http', 'otel', 'testing']
const entry = 'src/index.ts'

/** Where a file of `src` belongs. An adapter is one store's folder, as opposed to the port. */
interface Place {
  readonly layer: string
  readonly adapter: string | undefined
}

export const layers: Rule = {
  name: 'imports point one way',
  excuse: 'imports against the direction',
  appliesTo: (path) => path.startsWith('src/') && !isTest(path),
  check: (source) =>
    imports(source).flatMap(({ node, specifier }) => {
      if (!specifier.startsWith('.')) return []
      const target = posix.normalize(posix.join(posix.dirname(source.path), specifier))
      const message = objection(source.path, target)
      return message === undefined ? [] : [{ line: lineOf(source, node), message }]
    }),
}

const toolsOrder = ['errors.ts', 'inspection', 'log', 'config', 'index.ts']

/**
 * The tools are a package of their own. They may import the library only by what it exports, because its paths become
 * the names of its entries when they are built. In `tools/src`, what looks at a log knows nothing of those who ask.
 */
export const toolsLayers: Rule = {
  name: 'the tools import the library by its entries, and what they share knows nothing of those who use it',
  excuse: 'imports around the entries',
  appliesTo: (path) => path.startsWith('tools/src/') && !isTest(path),
  check: (source) =>
    imports(source).flatMap(({ node, specifier }) => {
      if (!specifier.startsWith('.')) return []
      const target = posix.normalize(posix.join(posix.dirname(source.path), specifier))
      const message = toolsObjection(source.path, target)
      return message === undefined ? [] : [{ line: lineOf(source, node), message }]
    }),
}

function toolsObjection(from: string, to: string): string | undefined {
  if (isTest(to)) return `imports the test ${to}`
  if (/^src\/((store\/)?[a-z]+\/)?index\.ts$/.test(to)) return undefined
  if (!to.startsWith('tools/src/')) return `imports ${to}, which the packages do not export`
  const rank = (path: string) => {
    const found = toolsOrder.indexOf(path.split('/')[2]!)
    return found === -1 ? toolsOrder.length : found
  }
  return rank(to) > rank(from) ? `imports ${to}, which is above it` : undefined
}

/** Tests find what others share with them in one place, so that each room of `test` can be moved and read alone. */
export const sharedSupport: Rule = {
  name: 'from the folders of tests, only test/support is imported elsewhere',
  excuse: 'imports from another folder of tests',
  appliesTo: () => true,
  check: (source) =>
    imports(source).flatMap(({ node, specifier }) => {
      if (!specifier.startsWith('.')) return []
      const folder = posix.dirname(source.path)
      const target = posix.normalize(posix.join(folder, specifier))
      const isFree = !target.startsWith('test/') || target.startsWith('test/support/')
      if (isFree || posix.dirname(target) === folder) return []
      return [{ line: lineOf(source, node), message: `imports ${target}; what tests share lies below test/support` }]
    }),
}

/** Everything that a file imports, re-exports or names in an `import(...)`, with the node that says so. */
export function imports({ syntax }: Source): readonly { readonly node: Node; readonly specifier: string }[] {
  const found: { readonly node: Node; readonly specifier: string }[] = []
  visit(syntax, (node) => {
    const specifier = specifierOf(node)
    if (specifier !== undefined && isStringLiteral(specifier)) found.push({ node, specifier: specifier.text })
  })
  return found
}

function specifierOf(node: Node): Node | undefined {
  if (isImportDeclaration(node) || isExportDeclaration(node)) return node.moduleSpecifier
  if (isCallExpression(node) && node.expression.kind === SyntaxKind.ImportKeyword) return node.arguments[0]
  if (isImportTypeNode(node) && isLiteralTypeNode(node.argument)) return node.argument.literal
  return undefined
}

/** Why a file may not import another, if it may not. */
function objection(from: string, to: string): string | undefined {
  if (!to.startsWith('src/')) return `imports ${to}, which is not part of the package`
  if (isTest(to)) return `imports the test ${to}`
  const [importer, imported] = [placeOf(from), placeOf(to)]
  if (importer.layer === 'testing') return undefined
  if (imported.layer === 'testing') return `imports ${to}; only tests may lean on testing`
  if (rankOf(imported) > rankOf(importer))
    return `${importer.layer} imports ${to} of ${imported.layer}, which is above it`
  if (imported.adapter === undefined || imported.adapter === importer.adapter) return undefined
  if (rankOf(importer) >= order.length) return undefined
  if (rankOf(importer) === order.length - 1 && imported.adapter === 'memory') return undefined
  return `imports ${to}; ${importer.adapter ?? importer.layer} may know the port, not the store ${imported.adapter}`
}

function placeOf(path: string): Place {
  const [, layer = '', ...rest] = path.split('/')
  if (path === entry) return { layer: 'application', adapter: undefined }
  return { layer, adapter: layer === 'store' && rest.length > 1 ? rest[0] : undefined }
}

/** How far out a place lies. A folder that is not known lies beyond all, so nothing inside may import it. */
function rankOf({ layer }: Place): number {
  const rank = order.indexOf(layer)
  return rank !== -1 ? rank : order.length + (outerRing.includes(layer) ? 0 : 1)
}
