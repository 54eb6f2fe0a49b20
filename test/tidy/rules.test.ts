/** What each rule catches, and what it leaves alone: samples in memory, looked at by the same functions as the tree. */
import assert from 'node:assert/strict'
import { posix } from 'node:path'
import { describe, test } from 'node:test'
import { headerOf, parseOne } from '../support/source.ts'
import { fileCircles, roomCircles } from './circles.ts'
import { allTestsRun, clearNames, explicitTypes, noSleep, plainForms, tablesOfContents } from './forms.ts'
import { layers, sharedSupport, toolsLayers } from './layers.ts'
import { heldTimers, injected, neutral, selfContained } from './purity.ts'
import { findings, isExcused, type Rule } from './rule.ts'
import { fileLength, fileLinesMax, functionLength, functionLinesMax } from './size.ts'
import { header, negatives, nothingPutOff, wideProse } from './texts.ts'

const find = (rule: Rule, path: string, text: string): readonly string[] => findings(rule, [parseOne(path, text)])

/** Holds that a rule finds something in each of the first texts and nothing in the others. */
function distinguishes(rule: Rule, path: string, wrong: readonly string[], right: readonly string[]): void {
  for (const text of wrong) assert.equal(find(rule, path, text).length, 1, `should be found by "${rule.name}": ${text}`)
  for (const text of right) assert.deepEqual(find(rule, path, text), [], `should be left alone: ${text}`)
}

const lines = (count: number): string => 'f()\n'.repeat(count)

describe('circles', () => {
  const parsed = (texts: Readonly<Record<string, string>>) =>
    Object.entries(texts).map(([path, text]) => parseOne(path, text))

  test('of files are found, also over types and over a third file', () => {
    const sources = parsed({
      'src/a/one.ts': `import { two } from '../b/two.ts'`,
      'src/b/two.ts': `export type { Three } from './three.ts'`,
      'src/b/three.ts': `import type { one } from '../a/one.ts'`,
      'src/b/four.ts': `import { two } from './two.ts'`,
    })
    assert.deepEqual(fileCircles(sources), ['src/a/one.ts -> src/b/three.ts -> src/b/two.ts'])
    assert.deepEqual(fileCircles(sources.slice(1)), [])
  })

  test('of rooms that stand beside each other are found, and those with what is above them are not', () => {
    const sources = parsed({
      'src/store/a/options.ts': `import { one } from './log/one.ts'`,
      'src/store/a/log/one.ts': `import type { Options } from '../options.ts'\nimport { two } from '../rows/two.ts'`,
      'src/store/a/rows/two.ts': `export const two = 2`,
      'src/store/a/rows/three.ts': `import { one } from '../log/one.ts'`,
    })
    assert.deepEqual(roomCircles(sources, 'src/store/a'), ['log -> rows'])
    assert.deepEqual(roomCircles(sources.slice(0, 3), 'src/store/a'), [])
  })
})

describe('the direction of imports', () => {
  const cases: readonly (readonly [from: string, to: string, allowed: boolean])[] = [
    ['src/store/page.ts', '../domain/error.ts', true],
    ['src/domain/error.ts', '../store/page.ts', false],
    ['src/store/page.ts', '../kernel/actor.ts', false],
    ['src/kernel/actor.ts', '../store/store.ts', true],
    ['src/kernel/actor.ts', '../store/memory/memory-store.ts', false],
    ['src/kernel/actor.ts', '../projection/runner.ts', false],
    ['src/projection/running/runner.ts', '../kernel/actor.ts', true],
    ['src/store/page.ts', './memory/memory-store.ts', false],
    ['src/store/file/log.ts', '../page.ts', true],
    ['src/store/file/log.ts', './segment.ts', true],
    ['src/store/file/log.ts', '../memory/memory-store.ts', false],
    ['src/application/start.ts', '../store/memory/index.ts', true],
    ['src/application/start.ts', '../store/sqlite/index.ts', false],
    ['src/runtime/breath.ts', '../domain/json.ts', true],
    ['src/runtime/breath.ts', '../store/page.ts', false],
    ['src/store/page.ts', '../runtime/timers.ts', true],
    ['src/index.ts', './application/start.ts', true],
    ['src/index.ts', './testing/index.ts', false],
    ['src/testing/kit.ts', '../application/start.ts', true],
    ['src/testing/kit.ts', '../store/sqlite/index.ts', true],
    ['src/application/start.ts', '../testing/kit.ts', false],
    ['src/application/start.ts', '../../bench/thing.ts', false],
    ['src/kernel/actor.ts', '../somewhere/thing.ts', false],
    ['src/kernel/actor.ts', './mailbox.test.ts', false],
  ]

  for (const [from, to, allowed] of cases) {
    test(`${from} ${allowed ? 'may' : 'may not'} import ${to}`, () => {
      for (const text of [`import { a } from '${to}'`, `export * from '${to}'`, `import type { A } from '${to}'`]) {
        assert.equal(find(layers, from, text).length, allowed ? 0 : 1, text)
      }
    })
  }

  test('an import inside an expression or a type counts too', () => {
    const text = `const late = () => import('../kernel/actor.ts')\ntype Actor = import('../kernel/actor.ts').Actor`
    assert.equal(find(layers, 'src/store/page.ts', text).length, 2)
  })

  test('a test may import what it likes', () => {
    assert.deepEqual(find(layers, 'src/domain/event.test.ts', `import { a } from '../testing/kit.ts'`), [])
  })
})

test('the tools import the library only by its entries, and their shared part nothing of those who use it', () => {
  const to = (target: string) => `import { a } from '${target}'`
  const wrong = ['../../../src/kernel/kernel.ts', '../../../test/support/a.ts', '../cli/output.ts', './a.test.ts']
  const right = [
    '../../../src/index.ts',
    '../../../src/store/sqlite/index.ts',
    '../errors.ts',
    './shown.ts',
    'commander',
  ]
  distinguishes(toolsLayers, 'tools/src/inspection/a.ts', wrong.map(to), right.map(to))
  assert.deepEqual(find(toolsLayers, 'tools/src/cli/a.ts', to('../inspection/index.ts')), [])
})

test('a helper of tests that is shared, but does not lie below test/support, is found', () => {
  const [wrong, right] = ['test/crash/place.ts', 'test/support/crash/place.ts']
  for (const path of [
    'src/kernel/actor.test.ts',
    'test/race/race.test.ts',
    'test/support/race/race.ts',
    'bench/run.ts',
  ]) {
    const to = (target: string) => `import { a } from '${posix.relative(posix.dirname(path), target)}'`
    distinguishes(sharedSupport, path, [to(wrong)], [to(right), `import { b } from './b.ts'`, `import c from 'zod'`])
  }
})

describe('purity', () => {
  test('a module of the platform or a package is found where the code runs anywhere, and only there', () => {
    const text = `import { readFile } from 'node:fs/promises'`
    distinguishes(neutral, 'src/domain/event.ts', [text, `import z from 'zod'`], [`import { a } from './b.ts'`])
    for (const path of [
      'src/kernel/a.ts',
      'src/store/a.ts',
      'src/store/memory/a.ts',
      'src/application/a.ts',
      'src/index.ts',
    ])
      assert.equal(find(neutral, path, text).length, 1, path)
    for (const path of ['src/store/sqlite/a.ts', 'src/cli/a.ts', 'src/domain/a.test.ts', 'scripts/a.ts'])
      assert.deepEqual(find(neutral, path, text), [], path)
  })

  test('a package is found in what is shipped, and may be used by tests', () => {
    const [text, platform] = [`import { assert } from 'fast-check'`, `import { join } from 'node:path'`]
    distinguishes(selfContained, 'src/testing/model.ts', [text, `import('pg')`], [platform, `import './a.ts'`])
    assert.deepEqual(find(selfContained, 'src/testing/model.test.ts', text), [])
    distinguishes(selfContained, 'src/otel/traces.ts', [text], [`import { trace } from '@opentelemetry/api'`])
  })

  test('the clock, chance, timers and the console are found however they are reached', () => {
    distinguishes(
      injected,
      'src/kernel/actor.ts',
      [
        ...['Date.now()', 'new Date()', 'new Date', 'Date()', 'Math.random()', 'crypto.randomUUID()'],
        ...['setTimeout(f, 1)', 'setInterval(f, 1)', 'console.warn(1)', 'process.exit()', 'performance.now()'],
        ...[
          'globalThis.setTimeout(f)',
          'const later = setTimeout',
          'AbortSignal.timeout(1)',
          'a ?? process',
          'f(process)',
        ],
      ],
      [
        ...['new Date(0)', 'clock.now()', 'timers.setTimeout(f, 1)', 'const a = { process: 1 }', 'Math.max(1, 2)'],
        ...['const f = (console: Log) => console.warn(1)', 'interface A { process(): void }', 'crypto.subtle'],
        ...['// setTimeout(f)', `'process.exit()'`, 'const { setTimeout } = timers; setTimeout(f, 1)'],
      ],
    )
  })

  test('a timer of the platform is found in what is shipped', () => {
    distinguishes(
      heldTimers,
      'src/store/file/database/lock.ts',
      [
        ...['setTimeout(f, 1)', 'globalThis.setImmediate ?? setImmediate', 'queueMicrotask(f)', 'performance.now()'],
        ...[`import { setImmediate } from 'node:timers/promises'`, `import { performance } from 'node:perf_hooks'`],
      ],
      [`import { setTimeout } from '../timers.ts'; setTimeout(f)`, 'Date.now()', 'startTimer(f, 1)'],
    )
    assert.deepEqual(find(heldTimers, 'src/store/file/database/lock.test.ts', 'setTimeout(f, 1)'), [])
  })

  test('an outer folder may have a clock', () => {
    assert.deepEqual(find(injected, 'src/store/file/database/lock.ts', 'Date.now()'), [])
    assert.deepEqual(find(injected, 'src/application/start.ts', 'Date.now()'), [])
  })
})

describe('size', () => {
  test('a file of one line too many is found', () => {
    distinguishes(fileLength, 'src/a.ts', [lines(fileLinesMax + 1)], [lines(fileLinesMax)])
  })

  test('a function of one line too many is found, whatever braces its texts hold', () => {
    const body = (count: number) => `\n${lines(count - 3)}  const a = /[}/]/g.test('}') && \`}\${1}\` }\n`.trimEnd()
    const forms = (count: number) => [
      `/** A\n * docstring. */\nexport function f() {${body(count)}`,
      `const f = () => {${body(count)}`,
      `class A { f() {${body(count)} }`,
      `class A { constructor() {${body(count)} }`,
      `const a = { get f() {${body(count)} }`,
    ]
    distinguishes(functionLength, 'src/a.ts', forms(functionLinesMax + 2), forms(functionLinesMax + 1))
    assert.match(find(functionLength, 'src/a.ts', forms(100)[1]!)[0]!, /^src\/a\.ts:1 f has \d+ lines$/)
  })

  test('a list of tests may be long, a single test may not', () => {
    const long = lines(functionLinesMax)
    distinguishes(functionLength, 'a.test.ts', [`test('a', () => {${long}})`], [`describe('a', () => {${long}})`])
  })
})

describe('forms', () => {
  test('what the house does without is found', () => {
    distinguishes(
      plainForms,
      'src/a.ts',
      [
        ...['export default 1', 'export default function f() {}', 'export default class {}', 'export { a as default }'],
        ...[`export { default } from './a.ts'`, 'enum A { B }', 'const enum A { B }', '@sealed class A {}'],
        ...['namespace A { export const b = 1 }', 'declare namespace A { type B = 1 }', 'export = a'],
        'class A { constructor(readonly b: number) {} }',
      ],
      [
        `import a from './a.js'`,
        `declare module 'a' {}`,
        'class A { constructor(b: number) {} }',
        'switch (a) { default: }',
      ],
    )
  })

  test('the vendored types keep their namespace', () => {
    assert.deepEqual(find(plainForms, 'src/domain/standard-schema.ts', 'declare namespace A {}'), [])
  })

  test('an index.ts holds nothing but re-exports', () => {
    distinguishes(
      tablesOfContents,
      'src/store/index.ts',
      ['export const a = 1', `import './a.ts'`, 'f()', 'export {}'],
      [`/** All. */\nexport { a } from './a.ts'\nexport type { B } from './b.ts'\nexport * from './c.ts'`],
    )
    assert.deepEqual(find(tablesOfContents, 'src/store/page.ts', 'f()'), [])
  })

  test('an export whose type must be inferred is found', () => {
    distinguishes(
      explicitTypes,
      'src/a.ts',
      ['export const a = f()', 'export function f() { return g() }', 'export const a = { b: f(1) }'],
      ['export const a: number = f()', 'export function f(): void {}', `export const a = 'b'`, 'const a = f()'],
    )
    assert.deepEqual(find(explicitTypes, 'scripts/a.ts', 'export const a = f()'), [])
  })

  test('a test that keeps the others from running is found', () => {
    distinguishes(
      allTestsRun,
      'a.test.ts',
      [`test.only('a', f)`, `describe.only('a', f)`, `it.only('a', f)`],
      [`test('a', f)`, `'test.only(1)'`, 'list.only(1)'],
    )
  })

  test('a test that sleeps is found', () => {
    distinguishes(
      noSleep,
      'a.test.ts',
      [
        'await new Promise((resolve) => setTimeout(resolve, 10))',
        'await new Promise<void>((resolve) => { setTimeout(() => resolve(), 10) })',
        `import { setTimeout } from 'node:timers/promises'`,
        `import { setTimeout as sleep } from 'node:timers/promises'`,
      ],
      [`import { setImmediate } from 'node:timers/promises'`, 'await until(() => a)', 'setTimeout(f, 1)'],
    )
  })

  test('a name that says nothing is found', () => {
    distinguishes(
      clearNames,
      'src/a.ts',
      [
        'class StoreImpl {}',
        'interface IStore {}',
        'type ActorManager = 1',
        'function pageHelper() {}',
        'class Utils {}',
      ],
      ['class Store {}', 'interface Issue {}', 'interface InFlight {}', 'type Implicit = 1'],
    )
  })
})

describe('texts', () => {
  test('a file without a header is found', () => {
    distinguishes(
      header,
      'src/a.ts',
      [
        `import { a } from './a.ts'`,
        '/** a */\nf()',
        '/** What the function below does, at length. */\nexport function f() {}',
        `import { a } from './a.ts'\n/** Too late to be the header of a file. */`,
      ],
      [
        '/** What this file is, in a sentence. */\n\nexport function f() {}',
        `/**\n * What this file is, in a sentence.\n */\nimport { a } from './a.ts'`,
        `/** What this folder offers to others. */\nexport * from './a.ts'`,
        '#!/usr/bin/env node\n// What this script does, in a sentence.\nf()',
      ],
    )
  })

  test('work put off is found', () => {
    const later = [`TO${'DO'}`, `FIX${'ME'}`, 'X'.repeat(3), `HA${'CK'}`]
    distinguishes(
      nothingPutOff,
      'src/a.ts',
      later.map((word) => `// ${word}: later`),
      ['// methodologies', 'todo()'],
    )
  })

  test('a type test without a negative case is found', () => {
    distinguishes(negatives, 'a.test-d.ts', ['f(1)'], [`// @ts-expect-error\nf('a')`])
  })
})

describe('an excuse', () => {
  const excuse = 'longer than 400 lines'

  test('counts in the header, for its own rule, with a reason', () => {
    const text = `/**\n * A table. Tidy: ${excuse} because the table\n * is one thing.\n */\n${lines(500)}`
    assert.deepEqual(find(fileLength, 'src/a.ts', text), [])
    assert.equal(isExcused('sleeps', text), false)
    assert.equal(isExcused(excuse, `/** Tidy: ${excuse} because */`), false)
    assert.equal(isExcused(excuse, `f()\n/** Tidy: ${excuse} because the table is one thing. */`), false)
  })

  test('stands in a header of either form', () => {
    assert.equal(headerOf('#!/usr/bin/env node\n/**\n * a\n * b\n */\nf()'), 'a\nb')
    assert.equal(headerOf('// a\n// b\nf()'), 'a\nb')
    assert.equal(headerOf('f()\n// a'), '')
  })
})

test('prose that is too wide is found, and code, tables and samples are not', () => {
  const wide = 'word '.repeat(30)
  const lines = (path: string, text: string) => wideProse({ path, text }).map(({ line }) => line)
  assert.deepEqual(lines('a.ts', `/** ${wide} */\n * ${wide}\n  // ${wide}\nconst a = '${wide}'`), [1, 2, 3])
  assert.deepEqual(lines('a.md', `${wide}\n| ${wide} |\n\`\`\`\n${wide}\n\`\`\`\n- ${wide}`), [1, 6])
  assert.deepEqual(lines('a.json', wide), [])
})
