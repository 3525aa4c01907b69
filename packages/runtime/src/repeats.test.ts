import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createRepeats } from './index.ts'

test('what goes wrong again and again is said with its stack once, then once a minute in a line that counts', () => {
  const said: (readonly [Record<string, unknown>, string])[] = []
  let now = 0
  const warn = (fields: Record<string, unknown>, words: string): void => void said.push([fields, words])
  const repeats = createRepeats({ warn } as never, () => now)
  const refused = new Error('connect ECONNREFUSED')
  for (; now <= 120_000; now += 5_000) repeats.warn(refused, 'the store did not start')
  assert.deepEqual(said, [
    [{ err: refused }, 'the store did not start'],
    [{ why: 'connect ECONNREFUSED', times: 12, forSeconds: 60 }, 'still: the store did not start'],
    [{ why: 'connect ECONNREFUSED', times: 12, forSeconds: 120 }, 'still: the store did not start'],
  ])
  const other = new Error('no tables')
  repeats.warn(other, 'the store did not start')
  assert.deepEqual(said.at(-1), [{ err: other }, 'the store did not start'], 'another reason is news')
})
