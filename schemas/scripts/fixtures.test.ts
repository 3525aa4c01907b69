import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import type { z } from 'zod'
import {
  Alert,
  AlertCapsule,
  ControlRecord,
  DeadLetter,
  DetectionConfig,
  Event,
  Policy,
  ReleaseEnvelope,
  ReleaseHeader,
  Snapshot,
} from '../src/index.ts'

/**
 * Goldens of version 1: never edited, only added to; later fields with defaults may appear beside them. A change that fails an
 * accepted one breaks records already written. A refusal may be lifted: its golden then moves to the accepted ones.
 */
interface Pair {
  readonly accepted: readonly { readonly name: string; readonly input: unknown; readonly output: unknown }[]
  readonly refused: readonly { readonly name: string; readonly input: unknown; readonly field: string }[]
}
const read = <T>(name: string): T => JSON.parse(readFileSync(new URL(`../fixtures/v1/${name}`, import.meta.url), 'utf8')) as T

const FILES: Readonly<Record<string, z.ZodType>> = {
  'alerts.json': Alert,
  'alert-capsules.json': AlertCapsule,
  'control-records.json': ControlRecord,
  'dead-letters.json': DeadLetter,
  'detection-configs.json': DetectionConfig,
  'policies.json': Policy,
  'release-envelopes.json': ReleaseEnvelope,
  'release-headers.json': ReleaseHeader,
  'snapshots.json': Snapshot,
}

for (const [file, schema] of Object.entries(FILES))
  test(`${file}: accepted ones read as they did, refused ones name the same field`, () => {
    const { accepted, refused } = read<Pair>(file)
    assert.ok(accepted.length > 0 && refused.length > 0)
    for (const { name, input, output } of accepted) assert.partialDeepStrictEqual(schema.parse(input), output, name)
    for (const { name, input, field } of refused) {
      const result = schema.safeParse(input)
      assert.equal(result.success, false, name)
      assert.equal(result.error?.issues[0]?.path.join('.'), field, name)
    }
  })

test('accepted events are stable: what was read once is read the same again', () => {
  for (const { name, output } of read<Pair['accepted']>('events.accepted.json'))
    assert.partialDeepStrictEqual(Event.parse(output), output, name)
})
