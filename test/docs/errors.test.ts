/**
 * The page about errors and the catalogue in the code say the same, both ways: codes, classes, retryable, facts,
 * warnings.
 */
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { Node } from 'typescript/unstable/ast'
import {
  isArrowFunction,
  isCallExpression,
  isInterfaceDeclaration,
  isLiteralTypeNode,
  isPropertyAssignment,
  isPropertySignatureDeclaration,
  isStringLiteral,
  isTypeLiteralNode,
} from 'typescript/unstable/ast/is'
import * as errors from '../../src/domain/error.ts'
import { catalogue, type ErrorCode } from '../../src/domain/error-catalogue.ts'
import { parse, parseOne, visit } from '../support/source.ts'

const root = join(import.meta.dirname, '../..')
const read = (path: string): string => readFileSync(join(root, path), 'utf8')

/** A section of the page: a code, the heading above it, and its text. */
interface Section {
  readonly group: string
  readonly code: string
  readonly text: string
}

function sectionsOf(page: string): readonly Section[] {
  return page.split(/^# /m).flatMap((part) => {
    const [heading = '', ...sections] = part.split(/^## /m)
    const group = heading.split('\n', 1)[0]!
    return sections.map((section) => ({ group, code: section.split('\n', 1)[0]!, text: section }))
  })
}

const page = sectionsOf(read('docs/errors.md'))
const warnings = page.filter(({ group }) => group === 'Warnings')
const sections = page.filter(({ group }) => group !== 'Warnings')
const codes = Object.keys(catalogue) as readonly ErrorCode[]

/** The value of a line such as `- **Retryable:** no`, continued on indented lines. */
function field(text: string, name: string): string | undefined {
  const found = new RegExp(`^- \\*\\*${name}:\\*\\* (.+(?:\\n {2}.+)*)$`, 'm').exec(text)
  return found?.[1]?.replaceAll(/\s+/g, ' ')
}

function nameOf(member: Node): string {
  return isPropertySignatureDeclaration(member) ? member.name.getText() : ''
}

/** The names of the facts of each code, as the catalogue's types have them. */
function factsByCode(): ReadonlyMap<string, readonly string[]> {
  const facts = new Map<string, readonly string[]>()
  visit(parseOne('error-catalogue.ts', read('src/domain/error-catalogue.ts')).syntax, (node) => {
    if (!isPropertyAssignment(node) || !isCallExpression(node.initializer)) return
    const [what] = node.initializer.arguments
    const type = what !== undefined && isArrowFunction(what) ? what.parameters[0]?.type : undefined
    if (type !== undefined && isTypeLiteralNode(type)) {
      facts.set(
        node.name.getText(),
        type.members.map((member) => nameOf(member)),
      )
    }
  })
  return facts
}

/** The codes of every interface in `src` whose name ends in Warning. */
function warningCodes(): readonly string[] {
  const paths = globSync('src/**/*.ts', { cwd: root }).map((path) => path.replaceAll('\\', '/'))
  const found: string[] = []
  for (const { syntax } of parse(Object.fromEntries(paths.map((path) => [path, read(path)])))) {
    visit(syntax, (node) => {
      if (!isInterfaceDeclaration(node) || !node.name.text.endsWith('Warning')) return
      const code = node.members.find((member) => nameOf(member) === 'code')
      if (code === undefined || !isPropertySignatureDeclaration(code) || code.type === undefined) return
      visit(code.type, (type) => {
        if (isLiteralTypeNode(type) && isStringLiteral(type.literal)) found.push(type.literal.text)
      })
    })
  }
  return found
}

describe('docs/errors.md', () => {
  test('has a section for each code, and no other', () => {
    const titles = sections.map(({ code }) => code)
    assert.deepEqual([...titles].sort(), [...codes].sort())
  })

  test('says of each code whether trying again can help', () => {
    for (const { code, text } of sections) {
      assert.equal(field(text, 'Retryable'), catalogue[code as ErrorCode].retryable ? 'yes' : 'no', code)
    }
  })

  test('names the facts of each code as the types do', () => {
    const facts = factsByCode()
    assert.equal(facts.size, codes.length)
    for (const { code, text } of sections) {
      const named = Array.from(field(text, 'Facts')?.matchAll(/(?:^|; )`(\w+)` \(/g) ?? [], ([, name]) => name)
      assert.deepEqual(named, facts.get(code), code)
    }
  })

  test('says what each code means, when it happens and what to do', () => {
    for (const { code, text } of sections) {
      assert.match(text, /^\w+\n\n[A-Z][^\n]{10}/, `the section ${code} begins with a sentence that says what it means`)
      for (const name of ['When', 'What to do']) assert.ok(field(text, name), `the section ${code} has **${name}:**`)
    }
  })

  test('groups the codes by the classes that carry them', () => {
    const declarations = read('src/domain/error.ts').split(/^\}$/m)
    for (const { code, group } of sections) {
      const declared = declarations.find((text) => text.includes(`export class ${group}<`)) ?? ''
      assert.ok(declared.includes(`'${code}'`), `${code} is not thrown as ${group}`)
      assert.ok(group in errors, group)
    }
  })

  test('has an anchor where messages point', () => {
    const error = new errors.StoreError('STORE_CLOSED', { store: 'memory' })
    const anchor = /docs\/errors\.md#(\w+)\]$/.exec(error.message)?.[1]
    assert.ok(sections.some(({ code }) => code.toLowerCase() === anchor))
  })

  test('has a section for each warning that stores, kernel and projections give, and no other', () => {
    const titles = warnings.map(({ code }) => code)
    assert.deepEqual([...titles].sort(), [...warningCodes()].sort())
    for (const { code, text } of warnings) assert.ok(field(text, 'What to do'), code)
  })
})
