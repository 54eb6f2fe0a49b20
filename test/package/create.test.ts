/** `npm create mneme`: what it asks, refuses and writes. The packed program is used in `tools.test.ts`. */
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import { after, describe, test } from 'node:test'
import { stripVTControlCharacters } from 'node:util'
import { run } from '../../create-mneme/src/run.ts'
import { stores } from '../../create-mneme/src/stores.ts'
import { writeTemplate } from '../../scripts/package.ts'

describe('npm create mneme', () => {
  const place = mkdtempSync(join(tmpdir(), 'mneme-create-'))
  const template = join(place, 'template')
  writeTemplate(template)
  after(() => rmSync(place, { recursive: true, force: true }))

  /** Runs it, as somebody who answers its questions; without answers as a script. */
  async function create(args: readonly string[], answers?: readonly string[]) {
    const [input, output, errors] = [new PassThrough(), new PassThrough(), new PassThrough()]
    const printed = Promise.all([text(output), text(errors)])
    const lines = [...(answers ?? [])]
    // Each answer comes when it is asked for, as from a person. Without a further one, the input ends.
    output.on('data', (chunk: Buffer) => {
      if (!/: $/.test(stripVTControlCharacters(String(chunk)))) return
      if (lines.length > 0) input.write(`${lines.shift()}\n`)
      else input.end()
    })
    const terminal = Object.assign(input, { isTTY: answers !== undefined })
    const code = await run(args, template, { input: terminal, output, errors })
    output.end()
    errors.end()
    const [out, err] = await printed
    return { code, out, err }
  }

  for (const { name, driver } of stores) {
    test(`writes a project with the store ${name}`, async () => {
      const folder = join(place, `with-${name}`)
      const { code, out, err } = await create([folder, '--store', name])
      assert.deepEqual([code, err], [0, ''])
      assert.match(out, /npm install/)
      assert.deepEqual(
        readdirSync(folder).sort(),
        ['.gitignore', 'README.md', 'mneme.config.ts', 'package.json', 'src', 'tsconfig.json'].sort(),
      )
      assert.match(readFileSync(join(folder, 'src/store.ts'), 'utf8'), new RegExp(`from 'mneme/${name}'`))
      const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
      assert.equal(manifest.name, `with-${name}`)
      assert.deepEqual(
        Object.keys(manifest.dependencies).filter((each) => stores.some((store) => store.driver === each)),
        driver === undefined ? [] : [driver],
      )
      for (const file of readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((path) =>
        path.endsWith('.ts'),
      ))
        assert.doesNotMatch(readFileSync(join(folder, file), 'utf8'), /from '\.\.\/\.\./, file)
    })
  }

  test('asks for what is not said, again if the answer cannot be used', async () => {
    const folder = join(place, 'asked')
    const { code, out } = await create([], [join(place, 'Not A Name'), folder, 'oracle', 'file'])
    assert.equal(code, 0)
    assert.match(out, /No package can be named "Not A Name"/)
    assert.match(out, /There is no store "oracle"/)
    assert.match(readFileSync(join(folder, 'src/store.ts'), 'utf8'), /file\('bank'\)/)
    const other = join(place, 'default-store')
    assert.equal((await create([other], [''])).code, 0)
    assert.match(readFileSync(join(other, 'src/store.ts'), 'utf8'), /sqlite\('bank\.db'\)/)
  })

  test('makes nothing if somebody ends it instead of answering', async () => {
    const folder = join(place, 'interrupted')
    assert.equal((await create([folder], [])).code, 130)
    assert.equal(existsSync(folder), false)
  })

  test('refuses what it cannot do, and changes nothing', async () => {
    const full = join(place, 'full')
    mkdirSync(full)
    writeFileSync(join(full, 'precious.txt'), 'precious')
    const file = join(full, 'precious.txt')
    for (const [args, expected] of [
      [[full], /full is not empty: it has precious\.txt\./],
      [[file], /precious\.txt is a file/],
      [[join(file, 'inside')], /is a file, so no folder can be made in it/],
      [[join(place, 'UPPER')], /No package can be named "UPPER"/],
      [[join(place, 'node_modules')], /No package can be named/],
      [[join(place, 'x'.repeat(101))], /100 at most/],
      [[join(place, 'new'), '--store', 'oracle'], /no store "oracle".*sqlite, file, postgres, mongodb, nats/],
      [[join(place, 'new'), 'another'], /One folder is made, and not 2/],
      [[join(place, 'new'), '--stor', 'file'], /Unknown option '--stor'/],
    ] as const) {
      const { code, out, err } = await create(args)
      assert.deepEqual([code, out], [2, ''], JSON.stringify(args))
      assert.match(err, expected)
    }
    assert.deepEqual(readdirSync(full), ['precious.txt'])
    assert.equal(existsSync(join(place, 'new')), false)
  })

  test('takes a folder that has only a repository', async () => {
    const folder = join(place, 'cloned')
    mkdirSync(join(folder, '.git'), { recursive: true })
    assert.equal((await create([folder, '--yes'])).code, 0)
  })
})
