import { createHash } from 'node:crypto'
import { createRequire } from 'node:module'
import { unpackRelease } from '@plumbline/detector/release'
import { FEATURES, type ReleaseEnvelope, type ReleaseHeader } from '@plumbline/schemas'
import type { DatasetReport } from './checks/index.ts'
import type { ShadowComparison } from './promotion.ts'

/** What a bill of materials of a release is made from. */
export interface BomInput {
  readonly artifact: Uint8Array
  readonly envelope: ReleaseEnvelope
  /** ms since epoch. */
  readonly madeAt: number
  /** Who asked for it; absent: it was due. */
  readonly orderedBy?: string | undefined
  readonly held?: readonly string[] | undefined
  readonly restores?: string | undefined
  readonly checks?: DatasetReport | undefined
  readonly shadow?: ShadowComparison | undefined
}

interface Property {
  readonly name: string
  readonly value: string
}

const property = (name: string, value: unknown): Property => ({
  name: `plumbline:${name}`,
  value: typeof value === 'string' ? value : JSON.stringify(value),
})
const properties = (values: Readonly<Record<string, unknown>>): Property[] =>
  Object.entries(values).flatMap(([name, value]) => (value === undefined ? [] : [property(name, value)]))

/** A UUID that is the same for the same release: version 8, of the artifact's hash. */
const serialOf = (sha256: string): string => {
  const h = createHash('sha256').update(`bom:${sha256}`).digest()
  h[6] = (h[6]! & 0x0f) | 0x80
  h[8] = (h[8]! & 0x3f) | 0x80
  const hex = h.toString('hex')
  return `urn:uuid:${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20, 32)}`
}

const npm = (name: string): object => {
  const { version, license } = createRequire(import.meta.url)(`${name}/package.json`) as { version: string; license: string }
  return {
    type: 'library',
    'bom-ref': name,
    name,
    version,
    licenses: [{ license: { id: license } }],
    purl: `pkg:npm/${name.replace('@', '%40')}@${version}`,
  }
}
const LIBRARIES = ['@tensorflow/tfjs', '@tensorflow/tfjs-backend-wasm'] as const

const iso = (ms: number): string => new Date(ms).toISOString()

/** What it was trained on: its span and size, never a row of it. */
const dataset = ({ tenant, createdFrom, catalogueHash, metrics }: ReleaseHeader, checks: DatasetReport | undefined): object => ({
  type: 'data',
  'bom-ref': 'dataset',
  name: `recorded events of tenant ${tenant}`,
  data: [
    {
      type: 'dataset',
      name: `recorded events of tenant ${tenant}`,
      description: `Feature vectors of events as they were scored, without what alerted or was withheld, from ${iso(createdFrom.fromTime)} to ${iso(createdFrom.toTime)}.`,
      classification: 'confidential',
      sensitiveData: [
        'How people and agents behaved. No names and no text: names are hashed with a key of the deployment before they are learned.',
      ],
      contents: {
        properties: [
          ...properties({
            'data:from': iso(createdFrom.fromTime),
            'data:to': iso(createdFrom.toTime),
            'data:events': createdFrom.events,
            'data:rowsTrained': metrics['rows'],
            'data:identities': createdFrom.identities,
            'data:positions': createdFrom.positions,
            'data:featureCatalogue': catalogueHash,
            'data:checks': checks?.verdict,
          }),
          ...(checks?.findings ?? []).map((f) => property(`data:check:${f.check}`, `${f.severity}: ${f.words}`)),
        ],
      },
    },
  ],
})

const metric = (type: string, value: number, slice?: string): object => ({
  type,
  value: String(value),
  ...(slice === undefined ? {} : { slice }),
})

const metricsOf = ({ metrics }: ReleaseHeader, shadow: ShadowComparison | undefined): object[] => [
  ...Object.entries(metrics).map(([name, value]) => metric(name, value, 'training')),
  ...(shadow === undefined
    ? []
    : (
        [
          ['candidate', shadow.candidate],
          [`in force: ${shadow.inForce}`, shadow.before],
        ] as const
      ).flatMap(([who, score]) => [
        ...(['loss', 'detection', 'exceedance2', 'exceedance3', 'groupsPerDay'] as const).map((name) =>
          metric(name, score[name], `held out, ${who}`),
        ),
        ...Object.entries(score.byFamily).map(([family, found]) => metric(`detection of ${family}`, found, `held out, ${who}`)),
      ])),
]

const modelCard = (header: ReleaseHeader, { shadow, checks }: BomInput): object => ({
  modelParameters: {
    approach: { type: 'unsupervised' },
    task: 'anomaly detection',
    architectureFamily: header.layers.length === 0 ? 'statistics' : 'autoencoder',
    modelArchitecture:
      header.layers.length === 0
        ? 'Statistics of peer groups and of everyone; no net yet.'
        : `Denoising autoencoder ${header.layers.join('-')}, relu inside, whitened residuals; joined with statistical surprise and calibrated by a generalised Pareto tail.`,
    datasets: [{ ref: 'dataset' }],
    inputs: [{ format: `float32[${FEATURES.length}]: ${FEATURES.map(({ name }) => name).join(', ')}` }],
    outputs: [{ format: 'score 0 to 100, with the share of each feature' }],
  },
  quantitativeAnalysis: { performanceMetrics: metricsOf(header, shadow) },
  considerations: {
    users: ['Security teams that watch AI agents, services and people of their own.'],
    useCases: ['Telling that an identity stopped behaving like itself.'],
    technicalLimitations: [
      'It knows what is usual, not what is allowed; what was usual while it was trained stays usual, attacks included.',
      ...(checks === undefined ? [] : [checks.blindSpots]),
    ],
    ethicalConsiderations: [
      {
        name: 'People are watched by what they do.',
        mitigationStrategy:
          'Each alert gives its reasons and what would have kept it quiet; verdicts are undoable; an identity can be erased.',
      },
    ],
  },
})

/**
 * Bill of materials of a release as CycloneDX 1.6 with a model card: what it was made from, how, how well it does, and who signed it.
 * Same release, same bytes. It is not signed itself; the hash and signature of the artifact are in it.
 */
export const bomOf = (input: BomInput): object => {
  const { artifact, envelope, madeAt, orderedBy, held, restores, checks } = input
  const { header, sha256 } = unpackRelease(artifact)
  const detector = {
    type: 'library',
    'bom-ref': 'detector',
    name: '@plumbline/detector',
    version: header.detectorVersion,
    licenses: [{ license: { id: 'Apache-2.0' } }],
  }
  return {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    serialNumber: serialOf(sha256),
    version: 1,
    metadata: {
      timestamp: iso(madeAt),
      lifecycles: [{ phase: 'build' }],
      tools: { components: [{ type: 'application', name: 'plumbline', version: header.detectorVersion }] },
      component: {
        type: 'machine-learning-model',
        'bom-ref': `release:${header.id}`,
        name: `plumbline behaviour model of tenant ${header.tenant}`,
        version: String(header.sequence),
        hashes: [{ alg: 'SHA-256', content: sha256 }],
        modelCard: modelCard(header, input),
        properties: properties({
          'release:id': header.id,
          'release:tenant': header.tenant,
          'release:sequence': header.sequence,
          'release:configuration': header.configHash,
          'release:orderedBy': orderedBy ?? 'schedule',
          'release:heldBack': held,
          'release:restores': restores,
          'signature:algorithm': 'Ed25519',
          'signature:keyId': envelope.keyId,
          'signature:value': envelope.signature,
          'parameters:layers': header.layers,
          'parameters:thresholds': header.thresholds,
          'parameters:sections': Object.fromEntries(header.sections.map(({ name, length }) => [name, length])),
          'parameters:peerGroups': header.peerGroups,
        }),
      },
    },
    components: [dataset(header, checks), detector, ...LIBRARIES.map(npm)],
    dependencies: [
      { ref: `release:${header.id}`, dependsOn: ['dataset', 'detector', ...LIBRARIES] },
      ...['dataset', 'detector', ...LIBRARIES].map((ref) => ({ ref })),
    ],
  }
}
