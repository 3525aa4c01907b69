import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { KeyValue } from '@plumbline/detector'
import { packRelease, unpackRelease } from '@plumbline/detector/release'
import { DEFAULT_DETECTION_CONFIG } from '@plumbline/schemas'
import { buildRelease, generateSigningKey, signRelease } from '@plumbline/training'
import { createReleaseStore, heldBackOf, inForceOf, type ReleaseEntry } from './releases.ts'
import { chooseRelease, reissue } from './restore.ts'

const key = generateSigningKey()
const memory = (): KeyValue & { readonly values: Map<string, Uint8Array> } => {
  const values = new Map<string, Uint8Array>()
  return {
    values,
    get: (name) => values.get(name),
    list: (prefix) => [...values.keys()].filter((name) => name.startsWith(prefix)).sort(),
    async put(more) {
      for (const [name, bytes] of Object.entries(more)) if (bytes !== null) values.set(name, bytes)
    },
  }
}
const artifact = async (sequence: number): Promise<Uint8Array> =>
  (
    await buildRelease({
      tenant: 't',
      sequence,
      rows: new Float32Array(0),
      alerted: new Uint8Array(0),
      groups: new Uint32Array(0),
      eventsPerDay: 50,
      slots: [],
      groupNames: new Map(),
      config: DEFAULT_DETECTION_CONFIG,
      seed: 0,
      createdFrom: { positions: {}, events: 7, fromTime: 1, toTime: 2 },
      withModel: false,
    })
  ).bytes

const entryOf = (sequence: number, more: Partial<ReleaseEntry> = {}): ReleaseEntry => ({
  sequence,
  id: `t-r${sequence}`,
  sha256: '',
  modelled: true,
  events: 1000 * sequence,
  toTime: 0,
  madeAt: 0,
  ...more,
})

test('the one before: past what was held back, and again further back; never itself, never what is unknown', () => {
  const entries = [entryOf(1), entryOf(2), entryOf(3, { held: ['worse'] }), entryOf(4)]
  const choose = (list: readonly ReleaseEntry[], releaseId?: string, held = false): string =>
    chooseRelease(list, { tenant: 't', releaseId, held }).id
  assert.equal(choose(entries), 't-r2')
  const back = [...entries, entryOf(5, { restores: 't-r2' })]
  assert.equal(choose(back), 't-r1')
  assert.equal(choose(back, 't-r4'), 't-r4')
  assert.equal(choose([...back, entryOf(6, { restores: 't-r4' })]), 't-r2')
  assert.equal(choose(back, 't-r3', true), 't-r3')
  assert.throws(() => choose(back, 't-r3'), { code: 'RELEASE_HELD', message: /worse/ })
  assert.throws(() => choose(back, 't-r2'), { code: 'RELEASE_IN_FORCE' })
  assert.throws(() => choose(back, 't-r5'), { code: 'RELEASE_IN_FORCE' })
  assert.throws(() => choose(back, 'u-r1'), { code: 'RELEASE_UNKNOWN' })
  assert.throws(() => choose([entryOf(1)]), { code: 'RELEASE_UNKNOWN', message: /the first/ })
  assert.throws(() => choose([]), { code: 'RELEASE_UNKNOWN', message: /no release in force/ })
})

test('what is in force, and whether the newest was held back', () => {
  const held = entryOf(2, { held: ['worse'] })
  assert.deepEqual([inForceOf([entryOf(1), held])?.id, heldBackOf([entryOf(1), held])?.id], ['t-r1', 't-r2'])
  assert.equal(heldBackOf([held, entryOf(3)]), undefined)
})

test('what comes back is the old content to the byte, under the next number; what this build cannot run or has no more does not', async () => {
  const kv = memory()
  const releases = createReleaseStore(kv, () => [key.publicKey])
  const keep = async (sequence: number, bytes: Uint8Array): Promise<ReleaseEntry> => {
    const envelope = signRelease(bytes, key)
    const entry = entryOf(sequence, { sha256: envelope.sha256 })
    await releases.keep('t', entry, { bytes, envelope, appraisal: null })
    return entry
  }
  const old = await artifact(1)
  const first = await keep(1, old)
  const { header, section } = unpackRelease(old)
  const { sections, ...rest } = header
  const parts = Object.fromEntries(sections.map(({ name }) => [name, section(name)]))
  const foreign = await keep(2, packRelease({ ...rest, id: 't-r2', sequence: 2, catalogueHash: 'of another build' }, parts))
  const asked = { tenant: 't', events: 5, madeAt: 9, orderedBy: 'operator' }
  const { entry, bytes } = reissue(releases, first, asked)
  const again = unpackRelease(bytes)
  assert.deepEqual([entry.id, entry.restores, entry.events, again.header.sequence], ['t-r3', 't-r1', 2000, 3])
  assert.equal(again.header.metrics['restores'], 1)
  for (const { name } of sections) assert.deepEqual(again.section(name), section(name), name)
  assert.throws(() => reissue(releases, foreign, asked), { code: 'RELEASE_UNSUPPORTED' })
  for (const name of [...kv.values.keys()].filter((n) => n.endsWith(first.sha256))) kv.values.delete(name)
  assert.throws(() => reissue(releases, first, asked), { code: 'RELEASE_GONE' })
})
