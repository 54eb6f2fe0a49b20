import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hasCode } from '../../domain/error.ts'
import { file } from '../../store/file/index.ts'
import { memory } from '../../store/memory/index.ts'
import { sqlite } from '../../store/sqlite/index.ts'
import { settleCores } from './options.ts'

test('A wrong option of runOnAllCores is named', () => {
  const run = () => {}
  const store = sqlite('never.db')
  const secret = 'a secret of two machines'
  for (const [options, expected] of [
    [{ run }, /option store/],
    [{ store: memory(), run }, /option store .*several processes can share.*memory/],
    [{ store: file('bank'), run }, /option store .*several processes can share.*file/],
    [{ store }, /option run/],
    [{ store, run, processes: 0 }, /option processes/],
    [{ store, run, proceses: 2 }, /did you mean processes/],
    [{ store, run, start: { store } }, /option start .*without store/],
    [{ store, run, cluster: { address: '10.0.0.5:7400', secret } }, /option cluster\.address .*port 0/],
    [
      { store, run, cluster: { address: '0.0.0.0:0', advertise: '10.0.0.5:7400', secret } },
      /option cluster\.advertise .*port 0/,
    ],
    [{ store, run, cluster: { address: '10.0.0.5:0' } }, /option secret/],
  ] as const) {
    assert.throws(
      () => settleCores(options as never),
      (error) => hasCode(error, 'OPTION_INVALID') && expected.test(error.message.replaceAll('\n', ' ')),
    )
  }
})
