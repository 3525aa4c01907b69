import assert from 'node:assert/strict'
import { test } from 'node:test'
import { drift, generated } from './generate.ts'

test('schemas/json is what the sources say (npm run schemas writes it)', () => {
  assert.deepEqual(drift(), [])
})

test('every record is described field by field in the JSON Schema of the event', () => {
  const event = JSON.parse(generated().get('event.v1.schema.json') ?? '{}') as {
    $defs: Record<string, { properties: Record<string, unknown>; required: string[] }>
  }
  const shape = event.$defs.PlumblineEventV1
  assert.deepEqual(shape?.required, ['id', 'time', 'identity', 'action', 'resource'])
  for (const name of ['id', 'time', 'tenant', 'action', 'destination', 'bytesIn'])
    assert.match(JSON.stringify(shape?.properties[name]), /"(description|unit)"/, name)
})
