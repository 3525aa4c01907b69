import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { configHash, DETECTOR_VERSION, eventKey, type LogRecord, policyHash, unpackSlot } from '@plumbline/detector'
import { type CapsuleContext, recompute, scoredRows } from '@plumbline/detector/replay'
import {
  type AlertCapsule,
  DetectionConfig,
  Policy,
  SCORED_COLUMNS,
  SCORED_FLAGS,
  SCORED_SCHEMA_VERSION,
  scoredColumnsOf,
  Snapshot,
} from '@plumbline/schemas'
import { eventOf, MASTER_KEY, MINUTE, Rig, START, strictRelease } from '../../packages/detector/src/rig.testkit.ts'
import { segment } from '../support/segment.ts'

/**
 * Bytes that a detector put out once, and what every later build must make of them. Written once by
 * PLUMBLINE_WRITE_GOLDENS=1 where they are missing; a capsule belongs to its detector version and is written with its scores.
 */
const V1 = new URL('../../schemas/fixtures/v1/', import.meta.url)
const DETECTOR = new URL('./fixtures/detector/', import.meta.url)
const writing = process.env['PLUMBLINE_WRITE_GOLDENS'] === '1'
const read = <T>(file: URL): T => JSON.parse(readFileSync(file, 'utf8')) as T
const plain = <T>(value: T): T => JSON.parse(JSON.stringify(value, (_key, v) => (ArrayBuffer.isView(v) ? [...(v as Uint8Array)] : v))) as T

/** A week of one robot, then a policy's class read by it: alerts by a rule, under a release with a net. */
const misused = (): Rig => {
  const rig = new Rig()
  rig.strict(true)
  rig.policy({ rules: [{ id: 'r1', identities: '*', effect: 'deny', classes: ['vault*'] }] })
  for (let i = 0; i < 400; i++) rig.act({ at: START + i * 20 * MINUTE, bytesIn: 1000 + (i % 9) * 50, resource: `r/${i % 30}` })
  rig.act({ at: START + 8001 * MINUTE, class: 'vault', action: 'vault.read', destination: 'drop.example', bytesOut: 5e6 })
  return rig
}

interface Block {
  readonly schemaVersion: number
  readonly columns: readonly { readonly name: string; readonly wire: string }[]
  readonly bytes: string
  readonly rows: readonly Record<string, unknown>[]
}

/** One block as the worker hands it to the recorder: text beyond ASCII, absent fields, a repeat, a late and an alerting event. */
const block = (): Block => {
  const rig = misused()
  const at = START + 8100 * MINUTE
  const source = { ip: '203.0.113.9', country: 'DE' }
  const acts = [
    { at, session: 's-1', outcome: 'denied' as const, source, bytesIn: 2 ** 40, rootSession: 'root-1', trace: 't-1' },
    { at, who: 'zoë', kind: 'user' as const, action: 'Überweisung', resource: 'konto/界' },
    { at: at - 9 * 1440 * MINUTE, destination: 'api.example.com' },
    {
      at,
      class: 'vault',
      action: 'vault.read',
      bytesOut: 7,
      trace: 't-2',
      delegation: [{ id: 'planner', kind: 'agent' as const }],
      version: 'r7',
    },
    { at, session: 's-1' },
  ]
  const records = acts.map((act, i): LogRecord => {
    const event = eventOf(act, `g${i % 4}`)
    return {
      offset: 1000 + i,
      ingestTimeMs: at + 1,
      key: eventKey('default', event.identity.id),
      value: Buffer.from(JSON.stringify(event)),
    }
  })
  const { scored } = rig.detector.process(0, records)
  assert.ok(scored !== null)
  return {
    schemaVersion: scored.schemaVersion,
    columns: SCORED_COLUMNS.map(({ name, wire }) => ({ name, wire })),
    bytes: Buffer.from(scored.bytes).toString('base64'),
    rows: plain([...scoredRows(scored.bytes)]) as unknown as Block['rows'],
  }
}

/** The block that a version of the rows was written as once; never edited. */
const blockFile = (version: number): URL => new URL(version === 1 ? 'scored-block.json' : `scored-block-v${version}.json`, V1)
const VERSIONS = Array.from({ length: SCORED_SCHEMA_VERSION }, (_, i) => i + 1)

test('scored blocks of every version decode to the rows they did, and columns are only added', () => {
  const own = blockFile(SCORED_SCHEMA_VERSION)
  if (writing && !existsSync(own)) writeFileSync(own, `${JSON.stringify(block(), null, 1)}\n`)
  const columns = SCORED_COLUMNS.map(({ name, wire }) => ({ name, wire }))
  for (const version of VERSIONS) {
    const golden = read<Block>(blockFile(version))
    assert.equal(golden.schemaVersion, version)
    assert.deepEqual(
      scoredColumnsOf(version)?.map(({ name, wire }) => ({ name, wire })),
      golden.columns,
      'a new column needs a new SCORED_SCHEMA_VERSION',
    )
    assert.deepEqual(columns.slice(0, golden.columns.length), golden.columns)
    const rows = [...scoredRows(Buffer.from(golden.bytes, 'base64'), version)]
    assert.deepEqual(plain(rows), golden.rows)
    const seen = rows.reduce((flags, row) => flags | row.flags, 0)
    for (const flag of ['late', 'duplicate', 'alerted', 'learned', 'newIdentity'] as const)
      assert.ok((seen & SCORED_FLAGS[flag]) !== 0, flag)
  }
  assert.equal(scoredColumnsOf(SCORED_SCHEMA_VERSION + 1), undefined)
  assert.throws(() => [...scoredRows(new Uint8Array(1), SCORED_SCHEMA_VERSION + 1)], { code: 'SCORED_SCHEMA_UNKNOWN' })
})

/** Columns that no change of a score may touch. */
const GIVEN = SCORED_COLUMNS.map(({ name }) => name).slice(
  0,
  SCORED_COLUMNS.findIndex(({ name }) => name === 'score'),
)

test('what the event itself says stands in the block of this build where it stood', () => {
  const given = (rows: Block['rows']) => rows.map((row) => Object.fromEntries(GIVEN.map((name) => [name, row[name]])))
  assert.equal(GIVEN.length, 17)
  assert.deepEqual(given(block().rows), given(read<Block>(new URL('scored-block.json', V1)).rows))
})

interface KeptCapsule {
  readonly capsule: AlertCapsule
  readonly tenant: string
  readonly identity: string
  readonly release: string
  readonly policy: Policy
  readonly config: DetectionConfig
}

const capsuleNow = (): KeptCapsule => {
  const rig = misused()
  const capsule = rig.capsules.at(-1)
  const alert = rig.alerts.at(-1)
  assert.ok(capsule !== undefined && alert !== undefined)
  const release = Buffer.from(strictRelease(rig.config, true).bytes).toString('base64')
  const policy = Policy.parse({ rules: [{ id: 'r1', identities: '*', effect: 'deny', classes: ['vault*'] }] })
  return { capsule, tenant: alert.facts.tenant, identity: alert.facts.identity.id, release, policy, config: rig.config }
}

const contextOf = ({ tenant, identity, release, policy, config }: KeptCapsule): CapsuleContext => ({
  tenant,
  identity,
  release: Buffer.from(release, 'base64'),
  policy: { policy, hash: policyHash(policy) },
  config,
  masterKey: MASTER_KEY,
})

test('INV-7 C7 a capsule is recomputed identically by its own version; others are told which build can', () => {
  const own = new URL(`capsule-${DETECTOR_VERSION}.json`, DETECTOR)
  if (writing) writeFileSync(own, `${JSON.stringify(capsuleNow(), null, 1)}\n`)
  const names = readdirSync(DETECTOR).filter((name) => name.startsWith('capsule-'))
  assert.ok(names.includes(`capsule-${DETECTOR_VERSION}.json`), `There is no golden capsule of detector ${DETECTOR_VERSION}; see the head.`)
  assert.ok(names.length > 1, 'and one of another version')
  for (const name of names) {
    const kept = read<KeptCapsule>(new URL(name, DETECTOR))
    const { detectorVersion } = kept.capsule.replay
    if (detectorVersion === DETECTOR_VERSION) {
      const again = recompute(kept.capsule, contextOf(kept))
      assert.deepEqual(again.differences, [], name)
      assert.ok(again.identical && again.score > 0, name)
      assert.equal(again.alert?.id, kept.capsule.alertId)
    } else
      assert.throws(
        () => recompute(kept.capsule, contextOf(kept)),
        (error: Error & { code?: string }) => error.code === 'REPLAY_VERSION_UNSUPPORTED' && error.message.includes(detectorVersion),
        name,
      )
  }
})

test('a stored configuration has the hash it had: releases and capsules name it by that', () => {
  const { accepted, hashes } = read<{
    readonly accepted: readonly { readonly name: string; readonly input: unknown; readonly output: DetectionConfig }[]
    readonly hashes: Readonly<Record<string, string>>
  }>(new URL('detection-configs.json', V1))
  for (const { name, output } of accepted) assert.equal(configHash(output), hashes[name], name)
})

test('C5 a snapshot of version 1 is unpacked by this build', () => {
  const { accepted } = read<{ readonly accepted: readonly { readonly input: unknown }[] }>(new URL('snapshots.json', V1))
  for (const { input } of accepted) unpackSlot(Buffer.from(Snapshot.parse(input).packed, 'base64'), segment(), 0)
})
