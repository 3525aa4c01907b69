import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { CATALOGUE_HASH, createAutoencoder, netOf, readyRelease, runsHere, sumSurprise } from '@plumbline/detector'
import { packRelease, sha256Hex, unpackRelease } from '@plumbline/detector/release'
import { FEATURE_COUNT, FEATURE_INDEX, FEATURES } from '@plumbline/schemas'
import { DAY, feature, HOUR, MINUTE, type Release, Rig, work } from '../../packages/detector/src/rig.testkit.ts'

/**
 * Contracts C8: a worker runs releases of the version before. The artifact is what the build of that version trained on a small
 * generated company, to the byte; it is never edited, and one is added whenever the feature catalogue changes.
 */
const fixtures = new URL('./fixtures/detector/', import.meta.url)
const artifactOf = (version: string): Uint8Array =>
  new Uint8Array(gunzipSync(readFileSync(new URL(`release-${version}.plumrel.gz`, fixtures))))
/** What each version did not have yet. */
const VERSIONS: Readonly<Record<string, readonly string[]>> = {
  '1.0.0': ['destination_lured', 'arguments_own', 'role_swap', 'action_again'],
  '1.1.0': ['role_swap', 'action_again'],
}

for (const [version, unknown] of Object.entries(VERSIONS)) {
  const bytes = artifactOf(version)
  const former = unpackRelease(bytes)
  const indexes = unknown.map((name) => FEATURE_INDEX[name]!)

  test(`features that the catalogue of ${version} did not have move neither the sum of surprise nor the net, whatever they hold`, () => {
    assert.equal(former.header.detectorVersion, version)
    assert.notEqual(former.header.catalogueHash, CATALOGUE_HASH)
    const release = readyRelease(bytes)
    const net = createAutoencoder(netOf(former)!)
    const contributions = new Float32Array(FEATURE_COUNT)
    const run = (x: Float32Array) => {
      net.input.set(x)
      return [sumSurprise(x, release.typical, contributions), net.run(), ...indexes.map((i) => net.errors[i]!)]
    }
    const usual = new Float32Array(FEATURE_COUNT)
    const odd = usual.slice()
    for (const i of indexes) odd[i] = FEATURES[i]!.range[1]
    const told = run(usual)
    assert.deepEqual(run(odd), told)
    assert.deepEqual(
      told.slice(2),
      indexes.map(() => 0),
    )
    odd[FEATURE_INDEX['destination_own']!] = 20
    assert.ok(run(odd)[0]! > told[0]! && run(odd)[1]! !== told[1]!, 'features of both catalogues do move them')
  })

  test(`a shard with a release of ${version} in force scores on with its net after an upgrade, raises what it should, and takes up the next one`, () => {
    const old: Release = { id: former.header.id, sha256: sha256Hex(bytes), bytes }
    const rig = new Rig({ config: { tailFloor: 1e-3 } })
    const end = work(rig, 9, 24, { destination: 'api.example.com', destinationProvenance: 'user', bytesOut: 3000 })
    rig.release(old)
    rig.restart()
    const later = work(rig, 3, 24, { destination: 'api.example.com', destinationProvenance: 'user', bytesOut: 3000 }, end)
    const modelled = rig.rows.slice(-72)
    assert.ok(modelled.every((row) => row.release === old.id && row.reconstruction > 0 && Number.isFinite(row.score)))
    assert.equal(rig.alerts.length, 0)
    for (let i = 0; i < 12; i++) {
      const at = later + 10 * HOUR + i * MINUTE
      rig.act({ at, session: 'bad', action: 'hr.read', class: 'hr', resource: `people/${i}`, sensitivity: 3, bytesIn: 4e6 })
      rig.act({ at: at + 1000, session: 'bad', action: 'mail.send', class: 'mail', destination: 'drop.example.net', bytesOut: 5e6 })
    }
    assert.ok(rig.alerts.length > 0)
    assert.ok(rig.rows.slice(-20).some((row) => feature(row, 'class_own') > 3))
    const { sections, ...header } = former.header
    const parts = Object.fromEntries(sections.map(({ name }) => [name, former.section(name)]))
    const next = packRelease({ ...header, id: 'default-r3', sequence: 3, catalogueHash: CATALOGUE_HASH }, parts)
    rig.release({ id: 'default-r3', sha256: sha256Hex(next), bytes: next })
    assert.equal(rig.act({ at: later + DAY + 10 * HOUR })?.release, 'default-r3')
  })
}

test('every version with golden scores has a catalogue that runs here', () => {
  const golden = readdirSync(fixtures).filter((name) => /^scores-.*\.json$/.test(name))
  assert.ok(golden.length >= 3)
  for (const name of golden) {
    const { catalogueHash } = JSON.parse(readFileSync(new URL(name, fixtures), 'utf8')) as { catalogueHash: string }
    assert.ok(runsHere(catalogueHash), `${name} was written by a catalogue whose releases this build refuses: see release/former.ts`)
  }
})

test('a catalogue that nobody here knows is refused by name', () => {
  const former = unpackRelease(artifactOf('1.1.0'))
  const { sections, ...header } = former.header
  const parts = Object.fromEntries(sections.map(({ name }) => [name, former.section(name)]))
  const unknown = packRelease({ ...header, catalogueHash: 'ab'.repeat(32) }, parts)
  assert.throws(() => readyRelease(unknown), { code: 'RELEASE_UNSUPPORTED', message: /default-r2 .* feature catalogue/ })
})
