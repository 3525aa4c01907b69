import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import {
  CATALOGUE_HASH,
  createAutoencoder,
  DETECTOR_VERSION,
  packSlot,
  releaseAutoencoder,
  slotLayout,
  unpackRelease,
  unpackSlot,
} from '@plumbline/detector'
import { DAY, HOUR, MINUTE, Rig, strictRelease, work } from '../../packages/detector/src/rig.testkit.ts'
import { segment } from '../support/segment.ts'

/**
 * What this version of the detector makes of a fixed log, to the bit, on every Node that is supported (C3). When scores are
 * meant to change, raise DETECTOR_VERSION and run this file once with PLUMBLINE_WRITE_GOLDENS=1: the scores of a version are
 * written once and then never edited. Stored slots of earlier versions stay and must be read for ever (C5).
 */
const file = (name: string): URL => new URL(`./fixtures/detector/${name}`, import.meta.url)
const SCORES = file(`scores-${DETECTOR_VERSION}.json`)
const slotFile = (version: number): URL => file(`slot-v${version}.json`)
const writing = process.env.PLUMBLINE_WRITE_GOLDENS === '1'

interface Scores {
  readonly detectorVersion: string
  readonly catalogueHash: string
  readonly rows: number
  readonly outbox: string
  readonly slot: string
  readonly scores: readonly number[]
  readonly alerts: readonly string[]
}

/** A robot's three weeks, a release with a net in the middle, a policy, and a bad day: every kind of field and of stage. */
const run = (): { readonly rig: Rig; readonly scores: Scores } => {
  const rig = new Rig({ config: { tailFloor: 1e-3 } })
  const source = { ip: '192.0.2.17', country: 'DE', userAgent: 'agent/1.2', asn: 64_500 }
  const half = work(rig, 9, 24, {
    source,
    bytesOut: 3000,
    durationMs: 42.5,
    tokensIn: 100,
    tokensOut: 40,
    destination: 'api.example.com',
    destinationProvenance: 'user',
    version: 'r1',
    peerGroup: 'support',
  })
  rig.strict(true)
  rig.policy({ resources: [{ match: { class: 'h*' }, sensitivity: 3 }], identities: [{ match: 'b*', criticality: 3, owner: 'ops' }] })
  const bad = work(
    rig,
    9,
    24,
    {
      source,
      bytesOut: 2800,
      durationMs: 40.25,
      tokensIn: 90,
      tokensOut: 44,
      destination: 'api.example.com',
      destinationProvenance: 'user',
      version: 'r2',
      resource: 'orders/1',
      segment: 'a',
    },
    half,
  )
  for (let i = 0; i < 30; i++) {
    const at = bad + i * MINUTE
    const session = 'bad'
    rig.act({
      at,
      session,
      action: 'web.fetch',
      class: 'web',
      content: { untrusted: true, instructionLikeness: 0.7, argumentsNew: 2, argumentsFromUser: 1 },
      source,
    })
    rig.act({
      at: at + 1000,
      session,
      action: 'hr.read',
      class: 'hr',
      resource: `people/${i}`,
      bytesIn: 1e6 * i,
      source: { ...source, country: 'JP', ip: '203.0.113.9' },
    })
    rig.act({
      at: at + 2000,
      session,
      action: 'mail.send',
      class: 'mail',
      destination: `drop${i % 3}.example.net`,
      destinationProvenance: 'tool',
      bytesOut: 2e6 * i,
      outcome: i % 4 === 0 ? 'denied' : 'success',
    })
  }
  rig.act({ at: bad + 5 * HOUR - 9 * DAY }, { arrival: bad + 5 * HOUR })
  rig.act({ at: bad + 6 * HOUR, who: 'zoë', kind: 'user', action: 'Überweisung.senden', delegation: [{ id: 'bot', kind: 'agent' }] })
  const outbox = createHash('sha256')
  for (const row of rig.rows) outbox.update(JSON.stringify({ ...row, features: [...row.features] }))
  // The words may be improved at any time; what they are made from may not.
  outbox.update(JSON.stringify([rig.alerts.map((a) => ({ ...a, text: '', counterfactual: '' })), rig.capsules]))
  return {
    rig,
    scores: {
      detectorVersion: DETECTOR_VERSION,
      catalogueHash: CATALOGUE_HASH,
      rows: rig.rows.length,
      outbox: outbox.digest('hex'),
      slot: createHash('sha256').update(rig.slot()!).digest('hex'),
      scores: rig.rows.slice(-95).map((r) => r.score),
      alerts: rig.alerts.map((a) => `${a.id} ${a.revision} ${a.family} ${a.severity}`),
    },
  }
}

test('C3 golden scores: the same log gives the same bytes on every supported Node', () => {
  const { scores } = run()
  if (writing) writeFileSync(SCORES, `${JSON.stringify(scores, null, 1)}\n`)
  assert.ok(existsSync(SCORES), `There are no golden scores of detector ${DETECTOR_VERSION}; see the head of this file.`)
  const golden = JSON.parse(readFileSync(SCORES, 'utf8')) as Scores
  assert.deepEqual(scores, golden, `Scores changed: raise DETECTOR_VERSION (${DETECTOR_VERSION}) and see the head of this file.`)
  assert.ok(new Set(scores.alerts.map((a) => a.split(' ')[2])).size >= 2)
})

test('C3 the golden log goes through the net, and both kernels agree on it', () => {
  const { rig } = run()
  const release = unpackRelease(strictRelease(rig.config, true).bytes)
  const [fast, plain] = (['wasm', 'plain'] as const).map((kernel) => createAutoencoder(releaseAutoencoder(release)!, kernel))
  const scored = rig.rows.filter((row) => row.release === release.header.id)
  assert.ok(scored.length > 300)
  for (const row of scored) {
    fast!.input.set(row.features)
    plain!.input.set(row.features)
    const error = fast!.run()
    assert.equal(error, plain!.run())
    assert.equal(Math.fround(error), row.reconstruction)
  }
})

test('C5 a slot stored by an earlier build is read, and packs to the same bytes', () => {
  const now = slotFile(slotLayout.SLOT_VERSION)
  if (writing && !existsSync(now)) writeFileSync(now, `${JSON.stringify(describe(run().rig.slot()!), null, 1)}\n`)
  const golden = JSON.parse(readFileSync(now, 'utf8')) as ReturnType<typeof describe>
  assert.deepEqual(describe(Buffer.from(golden.packed, 'base64')), golden)
})

test('C5 slots of earlier versions say under this one what they said', () => {
  for (let version = 1; version < slotLayout.SLOT_VERSION; version++) {
    const { packed, ...golden } = JSON.parse(readFileSync(slotFile(version), 'utf8')) as ReturnType<typeof describe>
    const { packed: again, ...read } = describe(Buffer.from(packed, 'base64'))
    assert.deepEqual(read, golden)
    assert.equal(Buffer.from(again, 'base64').readUInt32LE(0), slotLayout.SLOT_VERSION)
  }
})

/** What a packed slot says, field by field as the layout names them. */
const describe = (packed: Uint8Array) => {
  const seg = segment()
  unpackSlot(packed, seg, 0)
  const { H, ANCHOR, A, WINDOW_VALUES, WINDOW_METRICS, ACTIONS, SESSIONS } = slotLayout
  return {
    packed: Buffer.from(packSlot(seg, 0)).toString('base64'),
    firstTime: seg.f64[H.firstTime >> 3],
    lastTime: seg.f64[H.lastTime >> 3],
    learned: seg.f32[H.learned >> 2],
    seen: seg.f32[H.seen >> 2],
    risk: seg.f32[H.risk >> 2],
    activeDays: seg.f32[H.activeDays >> 2],
    anchorDays: seg.f32[(ANCHOR + A.days) >> 2],
    windows: Array.from({ length: WINDOW_METRICS * 4 }, (_, i) => seg.f32[(WINDOW_VALUES >> 2) + i]),
    actions: Array.from({ length: 8 * 16 }, (_, i) => seg.u32[(ACTIONS >> 2) + i]),
    sessions: Array.from(seg.u8.subarray(SESSIONS, SESSIONS + 256)).reduce((sum, b) => sum + b, 0),
  }
}
