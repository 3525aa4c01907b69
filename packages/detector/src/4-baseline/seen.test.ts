import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OVERFLOW_FILTER, OVERFLOW_FILTER_BYTES, W } from '../state/layout.ts'
import { DAY, feature, MINUTE, Rig, type Row, START } from '../rig.testkit.ts'

/**
 * C5: how often a section says "seen" of a name it never saw, after so many distinct ones. At most 1 % at 100. The slot is
 * brought to that state by real events; then other identities with a copy of the state each meet names of their own.
 */
const SIZES = [10, 100, 1000] as const
const PROBES = 1500

interface Section {
  readonly name: string
  readonly act: (n: number) => Record<string, unknown>
  readonly isNew: (row: Row) => boolean
  /** Bound at 100 distinct values; null where the section estimates a count and has none. */
  readonly at100: number
}

const SECTIONS: readonly Section[] = [
  { name: 'actions', act: (n) => ({ action: `act.${n}` }), isNew: (r) => feature(r, 'session_firsts') > 0, at100: 0.01 },
  { name: 'classes', act: (n) => ({ class: `class-${n}` }), isNew: (r) => feature(r, 'session_firsts') > 0, at100: 0.01 },
  {
    name: 'destinations',
    act: (n) => ({ destination: `host-${n}.example.com` }),
    isNew: (r) => feature(r, 'destination_first') === 1,
    at100: 0.01,
  },
  { name: 'resources', act: (n) => ({ resource: `table/${n}` }), isNew: (r) => feature(r, 'resource_first') > 0, at100: 0.01 },
]

/** Learns `size` distinct values, then asks about unseen ones without learning them: each probe is late, so only scored. */
const falseSeen = (section: Section, size: number): number => {
  const rig = new Rig({ config: { tailFloor: 0 } })
  let at = START
  rig.act({ at, ...(section.name === 'actions' ? { action: 'act.0' } : section.act(0)) })
  for (let n = 0; n < size; n++, at += MINUTE) rig.act({ at, ...section.act(n) })
  at += DAY
  rig.act({ at, ...section.act(size - 1) })
  let missed = 0
  for (let n = 0; n < PROBES; n++) {
    // Late by eight days: scored, not learned; a session of its own, so that its count of first uses is this event's.
    const row = rig.act({ at: at - 8 * DAY, session: `probe-${n}`, ...section.act(1_000_000 + n) }, { arrival: at })!
    if (!section.isNew(row)) missed++
  }
  return missed / PROBES
}

test('C5 first uses missed per section at 10, 100 and 1,000 distinct values', (t) => {
  for (const section of SECTIONS) {
    const rates = SIZES.map((size) => falseSeen(section, size))
    t.diagnostic(`${section.name}: ${rates.map((r, i) => `${SIZES[i]} → ${(r * 100).toFixed(2)} %`).join(', ')}`)
    assert.ok(rates[0]! <= section.at100 && rates[1]! <= section.at100, `${section.name} ${rates.join(', ')}`)
    assert.ok(rates[2]! <= 2 * section.at100, `${section.name} goes blind: ${rates[2]} at 1,000`)
  }
})

test('C5 counts of distinct values in an hour, which are estimates: collisions count once', (t) => {
  for (const [name, metric, act] of [
    ['resources', W.resourcesHour, (n: number) => ({ resource: `table/${n}` })],
    ['source networks', W.sourcesHour, (n: number) => ({ source: { ip: `10.${n >> 8}.${n & 255}.1` } })],
  ] as const) {
    const counted = SIZES.map((size) => {
      const rig = new Rig({ config: { tailFloor: 0 } })
      for (let n = 0; n < size; n++) rig.act({ at: START + n * 1000, ...act(n) })
      return rig.window(metric)[0]
    })
    t.diagnostic(`${name} counted in the hour: ${counted.map((c, i) => `${SIZES[i]} → ${c}`).join(', ')}`)
    assert.ok(counted[0]! >= 7 && counted[0]! <= 10)
    assert.ok(counted[1]! >= counted[0]! && counted[2]! >= counted[1]!, 'more never counts as less')
  }
})

test('a destination used every day stays known whatever else comes and goes', () => {
  const rig = new Rig({ config: { tailFloor: 0 } })
  for (let n = 0; n < 600; n++) {
    rig.act({ at: START + n * MINUTE, destination: 'home.example.com' })
    rig.act({ at: START + n * MINUTE + 1000, destination: `host-${n}.example.com` })
  }
  assert.equal(feature(rig.act({ at: START + DAY, destination: 'home.example.com' })!, 'destination_first'), 0)
  const { u8 } = rig.view()
  let bits = 0
  for (let i = 0; i < OVERFLOW_FILTER_BYTES; i++) for (let b = u8(OVERFLOW_FILTER + i); b > 0; b >>= 1) bits += b & 1
  assert.ok(bits <= 512, `${bits} of ${OVERFLOW_FILTER_BYTES * 8} bits set`)
})
