/** Any id works, and no two ids are confused: not by joining, wildcards, upper and lower case, or normalisation. */
import assert from 'node:assert/strict'
import type { StreamId } from '../../domain/stream.ts'
import { type ConformanceCase, type ConformanceGroup, commitTo, everything, readWhole, store1 } from './kit.ts'

/** Streams that must not be confused: each gets one event, and reads back only that event. */
const distinct =
  (...pairs: readonly (readonly [aggregate: string, id: string])[]): ConformanceCase =>
  async ({ store, name }) => {
    const mark = name()
    const ids: readonly StreamId[] = pairs.map(([aggregate, id]) => ({ aggregate, id }))
    const expected = ids.map((_, i) => ({ mark, i }))
    for (const [i, id] of ids.entries())
      await store1(store, commitTo(id, { events: [{ type: 'Marked', data: expected[i] }] }))
    for (const [i, id] of ids.entries()) {
      const read = (await readWhole(store, id)).filter(({ data }) => (data as { mark?: string }).mark === mark)
      assert.deepEqual(
        read.map(({ data }) => data),
        [expected[i]],
      )
      assert.deepEqual({ ...read[0]?.stream }, id)
    }
  }

/** An id must work everywhere: as aggregate, stream, type, tag and commit, and in filters. */
const works =
  (text: string): ConformanceCase =>
  async ({ store, name }) => {
    const commitId = name()
    const id = { aggregate: text, id: text }
    const event = { type: text, data: {}, tags: [text] }
    const { position } = await store1(store, commitTo(id, { id: commitId, events: [event] }))
    assert.equal((await readWhole(store, id)).at(-1)?.commitId, commitId)
    assert.equal((await store.findCommit(id, commitId))?.position, position)
    for (const filter of [{ aggregates: [text] }, { types: [text] }, { tags: [text] }]) {
      const { events } = await store.readAll(everything, { ...filter, direction: 'backward', limit: 1 })
      assert.equal(events[0]?.commitId, commitId, JSON.stringify(filter))
      assert.deepEqual(events[0]?.tags, [text])
    }
  }

export const distinctIds: ConformanceGroup = {
  title: 'Distinct streams never read each other',
  cases: {
    'a/b and a_b': distinct(['file', 'a/b'], ['file', 'a_b'], ['file', 'a-b'], ['file', 'a:b'], ['file', 'a.b']),
    'a/b of x and b of x/a': distinct(['x', 'a/b'], ['x/a', 'b'], ['x/a/b', 'x']),
    'user|1 and |1 of user': distinct(['user|1', 'a'], ['user', '|1'], ['user', '1'], ['user|', '1']),
    'type user with id admin_1 and type user_admin with id 1': distinct(['user', 'admin_1'], ['user_admin', '1']),
    'ids joined by a dash': distinct(['a-b', 'c'], ['a', 'b-c']),
    'ids joined by a colon or a dot': distinct(['a:b', 'c'], ['a', 'b:c'], ['a.b', 'c'], ['a', 'b.c']),
    'wildcards of SQL': distinct(['like', '%'], ['like', '_'], ['like', 'x'], ['like', '%x%']),
    'wildcards of subjects': distinct(['sub', '*'], ['sub', '>'], ['sub', 'a.*'], ['sub', 'a.b'], ['sub', 'a.>']),
    'upper and lower case': distinct(['Case', 'Ada'], ['Case', 'ada'], ['case', 'ada'], ['case', 'Ada']),
    'spaces at the beginning and at the end': distinct(
      ['space', 'a'],
      ['space', 'a '],
      ['space', ' a'],
      ['space', ' '],
      ['space ', 'a'],
    ),
    'composed and decomposed letters': distinct(['nfc', '\u00e9'], ['nfc', 'e\u0301']),
    'numbers with and without zeros': distinct(['n', '1'], ['n', '01'], ['n', '1.0'], ['n', '1e0']),
    'escaped and unescaped': distinct(['esc', '%2F'], ['esc', '/'], ['esc', '\\/'], ['esc', '%252F'], ['esc', '\\']),
    'long ids that differ in their last character': distinct(
      ['long', `${'x'.repeat(1023)}a`],
      ['long', `${'x'.repeat(1023)}b`],
      ['long', 'x'.repeat(1023)],
    ),
    'ids that look like relative paths': distinct(['p', '.'], ['p', '..'], ['p', '../p'], ['..', 'p'], ['p', './p']),
    'ids that look like no value': distinct(
      ['null', 'null'],
      ['undefined', 'undefined'],
      ['null', 'undefined'],
      ['0', '0'],
    ),
    'an aggregate and an id that are swapped': distinct(['left', 'right'], ['right', 'left']),
  },
}

export const anyIds: ConformanceGroup = {
  title: 'Any id works',
  cases: {
    quotes: works(`it's "quoted" \`so\``),
    SQL: works(`'; DROP TABLE events; --`),
    'slashes and backslashes': works('a/b\\c//d'),
    'per cent and underscore': works('100%_sure'),
    'stars, dots and angle brackets': works('*.*.>.<'),
    'a single dot': works('.'),
    spaces: works(' leading, inner  and trailing '),
    'control characters': works('line\nbreak\ttab\r\u0001\u007f'),
    'commas and semicolons': works('a,b;c'),
    'brackets and braces': works('{a}[b](c)'),
    dollars: works('$set.$where'),
    Japanese: works('記憶の女神'),
    'right to left': works('זיכרון ذاكرة'),
    'emoji of several code points': works('👩‍👩‍👧‍👦🏴󠁧󠁢󠁳󠁣󠁴󠁿'),
    'line and paragraph separators': works('a\u2028b\u2029c\ufeff'),
    '1 KB of ASCII': works('k'.repeat(1024)),
    '1 KB of two-byte letters': works('é'.repeat(512)),
    '1 KB of four-byte characters': works('𝄞'.repeat(256)),
    'a property of every object': works('__proto__'),
    'a method of every object': works('constructor'),
  },
}
