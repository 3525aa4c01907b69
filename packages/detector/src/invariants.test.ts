import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SCORED_FLAGS } from '@plumbline/schemas'
import { Rig, SECOND, START } from './rig.testkit.ts'

/** The counters of broken invariants stay at 0 for ever, unless something is made to break them. */

const broken = (rig: Rig) => ({ ...rig.detector.counters.broken })
const NONE = { 'INV-5': 0, 'INV-6': 0 }

test('INV-5 an event that was learned although it is late or withheld is counted', () => {
  const rig = new Rig()
  rig.act({ at: START })
  assert.deepEqual(broken(rig), NONE)
  const { block } = rig.detector.stages
  const add = block.add.bind(block)
  block.add = (w) => {
    w.flags |= SCORED_FLAGS.withheld
    add(w)
  }
  rig.act({ at: START + SECOND })
  assert.deepEqual(broken(rig), { ...NONE, 'INV-5': 1 })
})

test('INV-6 identities held beyond the cap after a commit are counted', () => {
  const rig = new Rig({ residentSlots: 64 })
  for (let i = 0; i < 200; i++) rig.act({ at: START + i, who: `bot-${i}` })
  assert.deepEqual(broken(rig), NONE)
  const { slots } = rig.detector
  slots.settle = () => undefined
  for (let i = 0; i < 65; i++) rig.act({ at: START + SECOND, who: `other-${i}` })
  assert.equal(broken(rig)['INV-6'], 1)
})
