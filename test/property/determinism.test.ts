import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type AlertCapsule, FEATURE_COUNT, SCORED_FLAGS } from '@plumbline/schemas'
import { recompute, scoredRows } from '@plumbline/detector/replay'
import { policyHash } from '@plumbline/detector'
import fc from 'fast-check'
import { MASTER_KEY } from '../../packages/detector/src/rig.testkit.ts'
import { CONFIG, companyLog, type Outcome, run } from '../support/detector-log.ts'
import { holds } from '../support/invariants.ts'

const log = await companyLog()
const records = log.shards.reduce((n, s) => n + s.length, 0)
const plain: Outcome = run(log, { chunk: () => 500 })

test(holds('the log under test holds what can go wrong', 'INV-1'), () => {
  const flags = plain.commits
    .flatMap((c) => (c.scored === null ? [] : [...scoredRows(c.scored.bytes)]))
    .reduce((all, r) => all | r.flags, 0)
  assert.equal(flags, 262_143, 'every flag occurs')
  assert.ok(plain.alerts >= 20, `${plain.alerts} alerts`)
  assert.equal(log.artifacts.size, 2)
  assert.ok(plain.deadLetters >= 20)
})

test(
  holds(
    'chunk sizes, restarts, lost commits and evictions change no byte of rows, alerts, capsules, slots or named state',
    'INV-1',
    'INV-6',
  ),
  () => {
    let evicted = 0
    let runs = 0
    fc.assert(
      fc.property(
        fc.infiniteStream(fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 700 }))),
        fc.infiniteStream(fc.nat(5)),
        fc.boolean(),
        (sizes, dice, apart) => {
          const small = runs++ % 2 === 0
          const roll = (): number => dice.next().value as number
          const outcome = run(log, {
            chunk: () => sizes.next().value as number,
            restart: () => roll() === 0,
            lose: () => roll() === 1,
            residentSlots: small ? 1 : 4096,
            apart: apart && !small,
          })
          evicted += outcome.evictions
          assert.equal(outcome.digest, plain.digest)
        },
      ),
      { seed: 11, numRuns: 6 },
    )
    assert.ok(evicted > 300, `${evicted} evictions`)
  },
)

test(holds('one record at a time gives the same bytes as everything at once', 'INV-1'), () => {
  assert.equal(run(log, { chunk: () => 1, residentSlots: 1 }).digest, plain.digest)
  assert.equal(run(log, { chunk: () => 1_000_000, residentSlots: 1 }).digest, plain.digest)
})

const REASONS = ['CONTROL_INVALID', 'JSON_SYNTAX', 'RECORD_KEY_INVALID', 'SHARD_MISMATCH', 'TIME_FUTURE']

test(holds('every record is a row, a dead letter with its reason or an applied control', 'INV-2'), () => {
  assert.equal(plain.rows + plain.deadLetters + plain.controlsApplied, records)
  assert.deepEqual([...new Set(plain.commits.flatMap((c) => c.deadLetters.map((d) => d.code)))].sort(), REASONS)
  const seen = new Set<string>()
  for (const c of plain.commits) {
    for (const row of c.scored === null ? [] : scoredRows(c.scored.bytes)) seen.add(`${c.shard}:${row.offset}`)
    for (const d of c.deadLetters) seen.add(`${d.shard}:${d.offset}`)
  }
  assert.equal(seen.size, plain.rows + plain.deadLetters, 'one outcome per position')
})

test(holds('what alerts, repeats or comes late is learned in no row of the log; one revision follows the other', 'INV-4', 'INV-5'), () => {
  const { learned, alerted, withheld, late, duplicate, historic, adopting } = SCORED_FLAGS
  for (const c of plain.commits) {
    for (const { flags, score, tail_log10 } of c.scored === null ? [] : scoredRows(c.scored.bytes)) {
      if ((flags & learned) !== 0) assert.equal(flags & (withheld | late | duplicate), 0)
      if ((flags & alerted) !== 0) assert.equal(flags & (withheld | duplicate), (flags & adopting) === 0 ? withheld : 0)
      assert.ok((flags & historic) === 0 || (flags & late) === 0, 'a backfill is never late')
      assert.ok(score >= 0 && score <= 100 && tail_log10 >= 0)
    }
  }
  const revisions = new Map<string, number>()
  for (const { id, revision, activity } of plain.commits.flatMap((c) => c.alerts)) {
    assert.equal(revision, (revisions.get(id) ?? 0) + 1, 'INV-3: once per id and revision')
    revisions.set(id, activity === 'close' ? Number.NaN : revision)
  }
  assert.ok([...revisions.values()].some(Number.isNaN), 'some groups are closed, and nothing follows that')
})

test(holds('a detector that checks itself found nothing broken', 'INV-5', 'INV-6'), () => {
  const outcome = run(log, { chunk: () => 300, residentSlots: 1 })
  assert.deepEqual([...plain.broken, ...outcome.broken], [0, 0, 0, 0])
})

test(holds('a capsule alone gives the same score and features again', 'INV-7'), () => {
  const capsules: AlertCapsule[] = plain.commits.flatMap((c) => c.capsules)
  // A revision that closes, or that counts a milder event, repeats what was told and brings no capsule.
  const alerts = plain.commits
    .flatMap((c) => c.alerts)
    .filter((a) => a.activity !== 'close' && a.evidence.at(-1)!.offset === a.replay.position.offset)
  assert.equal(capsules.length, alerts.length)
  const byId = new Map([...log.artifacts.values()].map((bytes) => [idOf(bytes), bytes]))
  const every = Math.max(1, Math.floor(capsules.length / 120))
  for (const [i, capsule] of capsules.entries()) {
    if (i % every !== 0) continue
    const alert = alerts[i]!
    const policy = policies.find((p) => p.hash === capsule.replay.policyHash)
    const again = recompute(capsule, {
      tenant: alert.facts.tenant,
      identity: alert.facts.identity.id,
      release: byId.get(capsule.replay.releaseId),
      policy,
      config: CONFIG,
      masterKey: MASTER_KEY,
    })
    assert.deepEqual(again.differences, [], `${alert.family} at ${capsule.replay.position.shard}:${capsule.replay.position.offset}`)
    assert.ok(again.identical)
    assert.equal(capsule.features.length, FEATURE_COUNT)
  }
})

const idOf = (artifact: Uint8Array): string => {
  const length = Buffer.from(artifact.buffer, artifact.byteOffset).readUInt32LE(8)
  return (JSON.parse(Buffer.from(artifact.subarray(12, 12 + length)).toString()) as { id: string }).id
}
const policies = log.shards.flatMap((s) =>
  s.flatMap((r) => {
    if (!Buffer.from(r.key).toString().startsWith('c:policy')) return []
    const { policy } = JSON.parse(Buffer.from(r.value).toString())
    return [{ policy, hash: policyHash(policy) }]
  }),
)
