/** Forms of the language that the house does without, and what an index.ts may hold. */
import type { Node } from 'typescript/unstable/ast'
import { SyntaxKind } from 'typescript/unstable/ast'
import {
  isCallExpression,
  isClassDeclaration,
  isDecorator,
  isEnumDeclaration,
  isExportAssignment,
  isExportDeclaration,
  isExportSpecifier,
  isFunctionDeclaration,
  isIdentifier,
  isImportDeclaration,
  isInterfaceDeclaration,
  isModuleDeclaration,
  isNewExpression,
  isParameterDeclaration,
  isPropertyAccessExpression,
  isStringLiteral,
  isTypeAliasDeclaration,
} from 'typescript/unstable/ast/is'
import { lineAt, lineOf, type Source, visit } from '../support/source.ts'
import { isTest, isTypeScript, type Rule, type Violation } from './rule.ts'

/** The types of a specification, kept as they were published. */
const vendored = 'src/domain/standard-schema.ts'

export const plainForms: Rule = {
  name: 'no default exports, enums, decorators, namespaces or parameter properties',
  excuse: 'a form the house does without',
  appliesTo: isTypeScript,
  check: (source) => collect(source, (node) => formOf(node, source.path)),
}

export const tablesOfContents: Rule = {
  name: 'an index.ts is a table of contents',
  excuse: 'an index with code',
  appliesTo: (path) => /(^|\/)index\.ts$/.test(path) && !path.startsWith('test/'),
  check: (source) => {
    const code = source.syntax.statements.find(
      (statement) => !(isExportDeclaration(statement) && statement.moduleSpecifier !== undefined),
    )
    return code === undefined
      ? []
      : [{ line: lineOf(source, code), message: 'holds code; an index.ts only re-exports' }]
  },
}

export const allTestsRun: Rule = {
  name: 'no test runs alone',
  excuse: 'a test that runs alone',
  appliesTo: isTypeScript,
  check: (source) => collect(source, (node) => (isOnly(node) ? 'runs one test and leaves out the others' : undefined)),
}

export const noSleep: Rule = {
  name: 'a test waits for a condition, not for a time',
  excuse: 'sleeps',
  appliesTo: isTest,
  check: (source) => collect(source, (node) => (isSleep(node) ? 'sleeps; wait for the condition instead' : undefined)),
}

export const clearNames: Rule = {
  name: 'names say what a thing is',
  excuse: 'a vague name',
  appliesTo: isTypeScript,
  check: (source) =>
    collect(source, (node) => {
      const names = isClassDeclaration(node) || isInterfaceDeclaration(node) || isTypeAliasDeclaration(node)
      const name = names || isFunctionDeclaration(node) ? node.name?.text : undefined
      if (name === undefined) return undefined
      return /(Impl|Manager|Helper|Utils?)$/.test(name) || (isInterfaceDeclaration(node) && /^I[A-Z][a-z]/.test(name))
        ? `${name} does not say what it is`
        : undefined
    }),
}

export const explicitTypes: Rule = {
  name: 'what is exported has an explicit type',
  excuse: 'inferred exports',
  appliesTo: (path) => /^(tools\/)?src\//.test(path) && isTypeScript(path) && !isTest(path),
  check: (source) =>
    source
      .inferredExports()
      .map((offset) => ({ line: lineAt(source, offset), message: 'is exported without an explicit type' })),
}

function collect(source: Source, messageOf: (node: Node) => string | undefined): readonly Violation[] {
  const found: Violation[] = []
  visit(source.syntax, (node) => {
    const message = messageOf(node)
    if (message !== undefined) found.push({ line: lineOf(source, node), message })
  })
  return found
}

function formOf(node: Node, path: string): string | undefined {
  if (isExportAssignment(node)) return 'a default export'
  if (isExportSpecifier(node) && node.name.text === 'default') return 'a default export'
  if (node.kind === SyntaxKind.DefaultKeyword) return 'a default export'
  if (isEnumDeclaration(node)) return 'an enum'
  if (isDecorator(node)) return 'a decorator'
  if (isModuleDeclaration(node) && path !== vendored && !isStringLiteral(node.name)) return 'a namespace'
  if (isParameterDeclaration(node) && (node.modifiers?.length ?? 0) > 0) return 'a parameter property'
  return undefined
}

function isOnly(node: Node): boolean {
  if (!isCallExpression(node) || !isPropertyAccessExpression(node.expression)) return false
  const { expression, name } = node.expression
  return name.text === 'only' && isIdentifier(expression) && /^(test|it|describe|suite|t)$/.test(expression.text)
}

/** `await new Promise((resolve) => setTimeout(resolve, 10))`, or the ready-made one of `node:timers/promises`. */
function isSleep(node: Node): boolean {
  if (isImportDeclaration(node) && isStringLiteral(node.moduleSpecifier)) {
    return node.moduleSpecifier.text === 'node:timers/promises' && /\bsetTimeout\b/.test(node.getText())
  }
  if (!isNewExpression(node) || !isIdentifier(node.expression) || node.expression.text !== 'Promise') return false
  let timed = false
  for (const argument of node.arguments ?? []) {
    visit(argument, (each) => {
      if (isCallExpression(each) && isIdentifier(each.expression)) timed ||= each.expression.text === 'setTimeout'
    })
  }
  return timed
}
