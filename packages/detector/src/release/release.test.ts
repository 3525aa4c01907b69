import assert from 'node:assert/strict'
import { generateKeyPairSync, sign } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { PlumblineError, type ReleaseHeader } from '@plumbline/schemas'
import { createAutoencoder } from '../5-autoencoder/index.ts'
import {
  announceSigner,
  createReleaseSource,
  keyIdOf,
  knownSigners,
  openRelease,
  packRelease,
  releaseAutoencoder,
  releaseNames,
  sha256Hex,
  unpackRelease,
} from './index.ts'

const header: Omit<ReleaseHeader, 'sections'> = {
  v: 1,
  id: 'r-0007',
  tenant: 'acme',
  sequence: 7,
  createdFrom: { positions: { '1': 10, '0': 22 }, events: 32, identities: 3, fromTime: 1, toTime: 2 },
  catalogueHash: 'c',
  detectorVersion: '0.1.0',
  configHash: 'h',
  layers: [2, 1, 2],
  peerGroups: [{ name: 'support', members: 3 }],
  thresholds: { tailFloorLog10: 5, alertTailLog10: 4 },
  metrics: { b: 1, a: 0.5 },
}
const sections = {
  weights: Float32Array.of(0.1, 1, -1, 0.5, 0.25, 2, 3),
  mean: Float32Array.of(0, 1),
  invStd: Float32Array.of(1, 2),
  residualScale: Float32Array.of(1, 1),
  calibration: new Float32Array(0),
}

const pair = () => {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  return { privateKey, spki: new Uint8Array(publicKey.export({ format: 'der', type: 'spki' })) }
}
const envelopeOf = (bytes: Uint8Array, key: ReturnType<typeof pair>, id = 'r-0007') => ({
  v: 1,
  id,
  sha256: sha256Hex(bytes),
  keyId: keyIdOf(key.spki),
  signature: sign(null, bytes, key.privateKey).toString('base64'),
})

test('a release comes back as it was packed, from any position in a buffer', () => {
  const bytes = packRelease(header, sections)
  const shifted = new Uint8Array(bytes.length + 3)
  shifted.set(bytes, 3)
  for (const b of [bytes, shifted.subarray(3)]) {
    const release = unpackRelease(b)
    assert.equal(release.header.id, 'r-0007')
    for (const [name, values] of Object.entries(sections)) assert.deepEqual(release.section(name), values)
    assert.equal(release.sha256, sha256Hex(bytes))
    assert.throws(() => release.section('other'), { code: 'RELEASE_SECTION_MISSING' })
    assert.ok(createAutoencoder(releaseAutoencoder(release)!).run() >= 0)
  }
  const reordered = { ...header, metrics: { a: 0.5, b: 1 }, createdFrom: { ...header.createdFrom, positions: { '0': 22, '1': 10 } } }
  assert.deepEqual(packRelease(reordered, sections), bytes)
  assert.equal(releaseAutoencoder(unpackRelease(packRelease({ ...header, layers: [] }, {}))), null)
})

test('values that are not finite and headers that are not valid are refused when packing', () => {
  assert.throws(() => packRelease(header, { mean: Float32Array.of(NaN) }), { code: 'RELEASE_NOT_FINITE' })
  assert.throws(() => packRelease({ ...header, sequence: -1 }, sections), { code: 'RELEASE_HEADER' })
  assert.throws(() => packRelease({ ...header, extra: 1 } as typeof header, sections), { code: 'RELEASE_HEADER' })
})

test('a trusted signature over exactly these bytes opens a release; nothing else does', () => {
  const key = pair()
  const other = pair()
  const bytes = packRelease(header, sections)
  const envelope = envelopeOf(bytes, key)
  const trustedKeys = [other.spki, key.spki]
  assert.equal(openRelease(bytes, envelope, { trustedKeys, tenant: 'acme', afterSequence: 6 }).header.sequence, 7)
  const cases: [string, unknown, Parameters<typeof openRelease>[2]][] = [
    ['RELEASE_UNSIGNED', undefined, { trustedKeys }],
    ['RELEASE_UNSIGNED', { ...envelope, signature: undefined }, { trustedKeys }],
    ['RELEASE_HASH', { ...envelope, sha256: '0'.repeat(64) }, { trustedKeys }],
    ['RELEASE_KEY_UNKNOWN', envelope, { trustedKeys: [other.spki] }],
    ['RELEASE_KEY_UNKNOWN', envelope, { trustedKeys: [] }],
    ['RELEASE_SIGNATURE', { ...envelope, keyId: keyIdOf(other.spki) }, { trustedKeys }],
    ['RELEASE_SIGNATURE', { ...envelope, signature: '' }, { trustedKeys }],
    ['RELEASE_SIGNATURE', { ...envelope, signature: `${envelope.signature}=` }, { trustedKeys }],
    ['RELEASE_ID', { ...envelope, id: 'r-0008' }, { trustedKeys }],
    ['RELEASE_TENANT', envelope, { trustedKeys, tenant: 'globex' }],
    ['RELEASE_ROLLBACK', envelope, { trustedKeys, afterSequence: 7 }],
    ['RELEASE_ROLLBACK', envelope, { trustedKeys, afterSequence: 8 }],
  ]
  for (const [code, e, expected] of cases) assert.throws(() => openRelease(bytes, e, expected), { code }, code)
})

test('releases among named values are handed out once their signer is known, and never another one', async () => {
  const values = new Map<string, Uint8Array>()
  const kv = {
    get: (name: string) => values.get(name),
    list: (prefix: string) => [...values.keys()].filter((name) => name.startsWith(prefix)),
    async put(given: Readonly<Record<string, Uint8Array | null>>) {
      for (const [name, value] of Object.entries(given)) if (value !== null) values.set(name, value)
    },
  }
  const key = pair()
  const bytes = packRelease(header, sections)
  const sha256 = sha256Hex(bytes)
  const source = createReleaseSource(kv, () => knownSigners(kv))
  assert.equal(source.artifact('r-0007', sha256), undefined)
  const names = releaseNames(sha256)
  await kv.put({ [names.artifact]: bytes, [names.envelope]: Buffer.from(JSON.stringify(envelopeOf(bytes, key))) })
  assert.throws(() => source.artifact('r-0007', sha256), { code: 'RELEASE_KEY_UNKNOWN' })
  await announceSigner(kv, pair().spki)
  await announceSigner(kv, key.spki)
  await announceSigner(kv, key.spki)
  assert.equal(knownSigners(kv).length, 2)
  assert.deepEqual(source.artifact('r-0007', sha256), bytes)
  assert.equal(source.artifact('r-0008', sha256), undefined)
  values.set(names.artifact, bytes.with(0, bytes[0]! ^ 1))
  assert.throws(() => source.artifact('r-0007', sha256), { code: 'RELEASE_HASH' })
})

test('a change to any header field breaks the signature, even when the hash is made to fit', () => {
  const key = pair()
  const bytes = packRelease(header, sections)
  const envelope = envelopeOf(bytes, key)
  const changes: Partial<ReleaseHeader>[] = [
    { id: 'r-0008' },
    { tenant: 'globex' },
    { sequence: 8 },
    { createdFrom: { ...header.createdFrom, positions: { '0': 23, '1': 10 } } },
    { createdFrom: { ...header.createdFrom, events: 33 } },
    { createdFrom: { ...header.createdFrom, identities: 4 } },
    { createdFrom: { ...header.createdFrom, fromTime: 0 } },
    { createdFrom: { ...header.createdFrom, toTime: 3 } },
    { catalogueHash: 'd' },
    { detectorVersion: '0.1.1' },
    { configHash: 'i' },
    { layers: [] },
    { peerGroups: [{ name: 'support', members: 4 }] },
    { thresholds: { tailFloorLog10: 4, alertTailLog10: 4 } },
    { thresholds: { tailFloorLog10: 5, alertTailLog10: 3 } },
    { metrics: { a: 0.6, b: 1 } },
  ]
  for (const change of changes) {
    const altered = packRelease({ ...header, ...change }, sections)
    assert.throws(() => openRelease(altered, envelope, { trustedKeys: [key.spki] }), { code: 'RELEASE_HASH' })
    const refitted = { ...envelope, id: change.id ?? envelope.id, sha256: sha256Hex(altered) }
    assert.throws(() => openRelease(altered, refitted, { trustedKeys: [key.spki] }), { code: 'RELEASE_SIGNATURE' }, Object.keys(change)[0])
  }
})

test('random damage is refused with a code, never read and never a crash', () => {
  const key = pair()
  const bytes = packRelease(header, sections)
  const envelope = envelopeOf(bytes, key)
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), fc.option(fc.nat(bytes.length)), (at, flip, cut) => {
      const damaged = bytes.slice(0, cut ?? bytes.length)
      if (at < damaged.length) damaged[at]! ^= flip
      if (damaged.length === bytes.length && at >= damaged.length) return
      assert.throws(
        () => openRelease(damaged, envelope, { trustedKeys: [key.spki] }),
        (e) => e instanceof PlumblineError && e.code === 'RELEASE_HASH',
      )
      // Without the signature the reader must still be total: a release or a typed refusal.
      try {
        unpackRelease(damaged)
      } catch (e) {
        assert.ok(e instanceof PlumblineError && e.code.startsWith('RELEASE_'), String(e))
      }
    }),
    { seed: 8, numRuns: 2000 },
  )
})

test('a header that lies about its sections is refused', () => {
  const craft = (table: unknown) => {
    const json = Buffer.from(JSON.stringify({ ...header, sections: table }))
    const at = (12 + json.length + 15) & ~15
    const out = Buffer.alloc(at + 16)
    out.write('PLUMREL1', 'latin1')
    out.writeUInt32LE(json.length, 8)
    json.copy(out, 12)
    return new Uint8Array(out)
  }
  const section = (offset: number, length: number, name = 'a') => ({ name, offset, length })
  assert.equal(unpackRelease(craft([section(0, 4)])).section('a').length, 4)
  const cases: [string, unknown][] = [
    ['RELEASE_BOUNDS', [section(0, 5)]],
    ['RELEASE_BOUNDS', [section(0, 3)]],
    ['RELEASE_BOUNDS', [section(1, 3)]],
    ['RELEASE_BOUNDS', [section(0, 2), section(1, 3, 'b')]],
    ['RELEASE_BOUNDS', [section(0, Number.MAX_SAFE_INTEGER)]],
    ['RELEASE_HEADER', [section(0, 2), section(2, 2)]],
    ['RELEASE_HEADER', [section(0, 1e300)]],
    ['RELEASE_HEADER', 'none'],
  ]
  for (const [code, table] of cases) assert.throws(() => unpackRelease(craft(table)), { code }, JSON.stringify(table))
})
