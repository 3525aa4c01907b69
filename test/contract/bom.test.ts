import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Spec, Validation } from '@cyclonedx/cyclonedx-library'
import { CATALOGUE_HASH } from '@plumbline/detector'
import { packRelease } from '@plumbline/detector/release'
import { FEATURE_COUNT, FEATURES } from '@plumbline/schemas'
import { type BomInput, bomOf, checkDataset, generateSigningKey, type ShadowScore, signRelease } from '@plumbline/training'

const artifact = packRelease(
  {
    v: 1,
    id: 'acme-r4',
    tenant: 'acme',
    sequence: 4,
    createdFrom: {
      positions: { '0': 12, '1': 7 },
      events: 9000,
      identities: 31,
      fromTime: Date.UTC(2026, 9, 1),
      toTime: Date.UTC(2026, 9, 9),
    },
    catalogueHash: CATALOGUE_HASH,
    detectorVersion: '0.1.0',
    configHash: 'ab',
    layers: [FEATURE_COUNT, 32, 16, 32, FEATURE_COUNT],
    peerGroups: [{ name: 'support', members: 12 }],
    thresholds: { tailFloorLog10: 5, alertTailLog10: 5.5 },
    metrics: { rows: 8800, holdOutLoss: 0.31 },
  },
  { typical: new Float32Array(4 * FEATURE_COUNT) },
)
const key = generateSigningKey()
const score: ShadowScore = { exceedance2: 1.1, exceedance3: 0.9, groupsPerDay: 1, loss: 0.4, detection: 0.5, byFamily: { volume: 0.6 } }
const names = FEATURES.map(({ name }) => name)
const rows = Float32Array.from({ length: 300 * FEATURE_COUNT }, (_, i) => Math.sin(i * 1.7))
const input: BomInput = {
  artifact,
  envelope: signRelease(artifact, key),
  madeAt: Date.UTC(2026, 9, 9, 1),
  checks: checkDataset({ names, rows }),
  shadow: { rows: 900, days: 1, inForce: 'acme-r3', candidate: score, before: score, worse: [] },
}

interface Bom {
  readonly serialNumber: string
  readonly metadata: {
    readonly component: {
      readonly hashes: readonly { readonly content: string }[]
      readonly properties: readonly { readonly name: string; readonly value: string }[]
      readonly modelCard: {
        readonly quantitativeAnalysis: {
          readonly performanceMetrics: readonly { readonly type: string; readonly value: string; readonly slice: string }[]
        }
      }
    }
  }
  readonly components: readonly {
    readonly data?: readonly { readonly contents: { readonly properties: readonly { readonly name: string; readonly value: string }[] } }[]
  }[]
}
const bom = bomOf(input) as Bom

const validate = (value: unknown) => new Validation.JsonStrictValidator(Spec.Version.v1dot6).validate(JSON.stringify(value))

test('the bill of materials is valid by the strict schema of CycloneDX 1.6, whatever is known of the release', async () => {
  assert.equal(await validate(bom), null)
  const { checks: _, shadow: __, ...bare } = input
  assert.equal(await validate(bomOf(bare)), null)
  assert.equal(await validate(bomOf({ ...input, held: ['cluster: …'], restores: 'acme-r2', orderedBy: 'operator' })), null)
})

test('the validator refuses what the schema does not know', async () => {
  assert.notEqual(await validate({ ...bom, models: [] }), null)
  assert.notEqual(await validate({ ...bom, metadata: { ...bom.metadata, component: { ...bom.metadata.component, type: 'model' } } }), null)
})

test('data, parameters, metrics, hash and signer are those of the release', () => {
  const { component } = bom.metadata
  const said = Object.fromEntries(component.properties.map(({ name, value }) => [name, value]))
  assert.equal(component.hashes[0]?.content, input.envelope.sha256)
  assert.deepEqual([said['plumbline:signature:keyId'], said['plumbline:signature:value']], [key.keyId, input.envelope.signature])
  assert.equal(said['plumbline:parameters:layers'], JSON.stringify([FEATURE_COUNT, 32, 16, 32, FEATURE_COUNT]))
  const data = Object.fromEntries(bom.components[0]!.data![0]!.contents.properties.map(({ name, value }) => [name, value]))
  assert.deepEqual([data['plumbline:data:from'], data['plumbline:data:events']], ['2026-10-01T00:00:00.000Z', '9000'])
  const metrics = component.modelCard.quantitativeAnalysis.performanceMetrics
  assert.ok(metrics.some(({ type, value, slice }) => type === 'holdOutLoss' && value === '0.31' && slice === 'training'))
  assert.ok(metrics.some(({ type, slice }) => type === 'detection' && slice === 'held out, in force: acme-r3'))
})

test('the same release gives the same bytes, another one another serial number', () => {
  assert.equal(JSON.stringify(bomOf(input)), JSON.stringify(bom))
  const bytes = artifact.slice()
  // Another byte of the data, the same header.
  bytes[bytes.length - 4] = 1
  const other = bomOf({ ...input, artifact: bytes, envelope: signRelease(bytes, key) }) as Bom
  assert.notEqual(other.serialNumber, bom.serialNumber)
  assert.match(bom.serialNumber, /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
})
