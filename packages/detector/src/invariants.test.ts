import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SCORED_FLAGS } from '@plumbline/schemas'
import { eventKey } from './2-identify/shard.ts'
import type { LogRecord } from './ports.ts'
import { eventOf, Rig, SECOND, START } from './rig.testkit.ts'

/** The counters of broken invariants stay at 0 for ever, unless something is made to break them. */

const broken = (rig: Rig) => ({ ...rig.detector.counters.broken })
const NONE = { 'INV-2': 0, 'INV-5': 0, 'INV-6': 0 }

test('INV-2 a record that leaves no row, dead letter or applied control is counted', () => {
  const rig = new Rig()
  rig.act({ at: START })
  rig.record(Buffer.from('x:unknown'), Buffer.from('{}'))
  rig.control('erase', { identity: 'nobody' })
  rig.control('release', { releaseId: 'r', sha256: 'not a hash' })
  assert.deepEqual(broken(rig), NONE)
  const value = Buffer.from(JSON.stringify(eventOf({ at: START }, 'e')))
  const record: LogRecord = { offset: 10, ingestTimeMs: START, key: eventKey('default', 'bot'), value }
  class Skipping extends Array<LogRecord> {
    override *[Symbol.iterator](): ArrayIterator<LogRecord> {
      yield record
    }
  }
  rig.detector.process(0, Skipping.from([record, { ...record, offset: 11 }]))
  assert.deepEqual(broken(rig), { ...NONE, 'INV-2': 1 })
})

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
