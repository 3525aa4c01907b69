import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SCORED_FLAGS } from '@plumbline/schemas'
import { type Act, MINUTE, Rig, START } from '../rig.testkit.ts'

const FLOW = ['untrustedRead', 'sensitiveRead', 'outsideWrite', 'newDestination', 'untold', 'told'] as const

test('a row says what joins it to others, and which step of a flow it is', () => {
  const rig = new Rig()
  let at = START
  const said = (act: Omit<Act, 'at'>) => {
    const row = rig.act({ at: (at += MINUTE), ...act }) as unknown as Record<string, string> & { readonly flags: number }
    return FLOW.filter((name) => (row.flags & SCORED_FLAGS[name]) !== 0)
  }
  const out = { action: 'mail.send', class: 'messaging', destination: 'new.example', sensitivity: 0 }
  assert.deepEqual(said({ action: 'web.fetch', class: 'web' }), ['untrustedRead'])
  assert.deepEqual(said({ action: 'web.fetch', class: 'web', outcome: 'failure' }), [])
  assert.deepEqual(said({ action: 'hr.read', class: 'hr', sensitivity: 3 }), ['sensitiveRead'])
  assert.deepEqual(said({ ...out, destinationProvenance: 'tool' }), ['outsideWrite', 'newDestination', 'untold'])
  assert.deepEqual(said({ ...out, destinationProvenance: 'user' }), ['outsideWrite', 'told'], 'known by now, and asked for')
  assert.deepEqual(
    said({ ...out, destination: 'other.example' }),
    ['outsideWrite', 'newDestination'],
    'where nothing is known nothing is said',
  )

  const joins = (act: Omit<Act, 'at'>) => {
    const row = rig.act({ at: (at += MINUTE), ...act }) as unknown as Record<string, string>
    return [row['root'], row['on_behalf_of'], row['version_release'], row['version_model']]
  }
  const delegation = [
    { id: 'planner', kind: 'agent' as const },
    { id: 'u-7', kind: 'user' as const },
  ]
  assert.deepEqual(joins({ trace: 't-1' }), ['t-1', '', '', ''])
  assert.deepEqual(joins({ trace: 't-1', rootSession: 'root-1', delegation, version: 'r7' }), ['root-1', 'planner', 'r7', ''])
})
