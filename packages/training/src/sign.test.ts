import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { openRelease, packRelease } from '@plumbline/detector/release'
import { generateSigningKey, loadSigningKey, signRelease } from './sign.ts'

const bytes = packRelease(
  {
    v: 1,
    id: 'r-1',
    tenant: 'acme',
    sequence: 1,
    createdFrom: { positions: {}, events: 0, identities: 0, fromTime: 0, toTime: 0 },
    catalogueHash: '',
    detectorVersion: '0.1.0',
    configHash: '',
    layers: [],
    peerGroups: [],
    thresholds: { tailFloorLog10: 5, alertTailLog10: 5 },
    metrics: {},
  },
  { a: Float32Array.of(1, 2, 3) },
)

test('a signed release opens with its key and with no other', () => {
  const key = generateSigningKey()
  const envelope = signRelease(bytes, key)
  assert.deepEqual(openRelease(bytes, envelope, { trustedKeys: [key.publicKey] }).section('a'), Float32Array.of(1, 2, 3))
  assert.throws(() => openRelease(bytes, envelope, { trustedKeys: [generateSigningKey().publicKey] }), { code: 'RELEASE_KEY_UNKNOWN' })
  const altered = bytes.slice()
  altered[altered.length - 1]! ^= 1
  assert.throws(() => openRelease(altered, envelope, { trustedKeys: [key.publicKey] }), { code: 'RELEASE_HASH' })
})

test('a key survives storage and signs the same bytes alike', () => {
  const key = generateSigningKey()
  const again = loadSigningKey(Uint8Array.from(key.privateKey))
  assert.deepEqual(again, key)
  assert.deepEqual(signRelease(bytes, again), signRelease(bytes, key))
})

test('what is no Ed25519 key or no release is refused', () => {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey.export({ format: 'der', type: 'pkcs8' })
  assert.throws(() => loadSigningKey(rsa), { code: 'RELEASE_KEY_INVALID' })
  assert.throws(() => loadSigningKey(new Uint8Array(48)), { code: 'RELEASE_KEY_INVALID' })
  assert.throws(() => signRelease(new Uint8Array(10), generateSigningKey()), { code: 'RELEASE_MAGIC' })
})
