/** How long things may be: a file that fits a few screens, a function that fits one. */
import type { Node } from 'typescript/unstable/ast'
import {
  isArrowFunction,
  isCallExpression,
  isConstructorDeclaration,
  isFunctionDeclaration,
  isFunctionExpression,
  isGetAccessorDeclaration,
  isIdentifier,
  isMethodDeclaration,
  isSetAccessorDeclaration,
  isVariableDeclaration,
} from 'typescript/unstable/ast/is'
import { lineAt, lineOf, visit } from '../support/source.ts'
import { isTypeScript, type Rule } from './rule.ts'

export const fileLinesMax = 400
export const functionLinesMax = 70

export const fileLength: Rule = {
  name: `a file has at most ${fileLinesMax} lines`,
  excuse: `longer than ${fileLinesMax} lines`,
  appliesTo: isTypeScript,
  check: ({ text }) => {
    const lines = text.split('\n').length - (text.endsWith('\n') ? 1 : 0)
    return lines > fileLinesMax ? [{ line: 1, message: `has ${lines} lines, over ${fileLinesMax}` }] : []
  },
}

export const functionLength: Rule = {
  name: `a function has at most ${functionLinesMax} lines`,
  excuse: `functions longer than ${functionLinesMax} lines`,
  appliesTo: isTypeScript,
  check: (source) => {
    const found: { readonly line: number; readonly message: string }[] = []
    visit(source.syntax, (node, [parent]) => {
      if (!isFunction(node) || isGroup(parent)) return
      const line = lineOf(source, node)
      const lines = lineAt(source, node.end) - line + 1
      if (lines > functionLinesMax) found.push({ line, message: `${nameOf(node, parent)} has ${lines} lines` })
    })
    return found
  },
}

function isFunction(node: Node): boolean {
  return (
    isFunctionDeclaration(node) ||
    isFunctionExpression(node) ||
    isArrowFunction(node) ||
    isMethodDeclaration(node) ||
    isConstructorDeclaration(node) ||
    isGetAccessorDeclaration(node) ||
    isSetAccessorDeclaration(node)
  )
}

/** What declares groups of tests: of `node:test`, and on stores and servers (`test/support`). */
const groups: ReadonlySet<string> = new Set(['describe', 'suite', 'onEveryStore', 'onServer'])

/** Whether a function is the body of a group: a list of tests, as long as the file may be. */
function isGroup(parent: Node | undefined): boolean {
  if (parent === undefined || !isCallExpression(parent) || !isIdentifier(parent.expression)) return false
  return groups.has(parent.expression.text)
}

function nameOf(node: Node, parent: Node | undefined): string {
  const named = parent !== undefined && isVariableDeclaration(parent) ? parent : node
  const { name } = named as { readonly name?: Node }
  return name !== undefined && isIdentifier(name) ? name.text : 'a function'
}
