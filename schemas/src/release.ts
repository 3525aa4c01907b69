import { z } from 'zod'

/**
 * Header of a release artifact (contracts C8): everything that can change scores besides the identities' own baselines.
 * File: 8 bytes magic `PLUMREL1`, u32 little-endian header length, header as JSON, zero padding to 16 bytes,
 * then the sections as little-endian float32, each at `offset` floats from the start of the data.
 * The signature (Ed25519 over the whole file) travels beside it in a ReleaseEnvelope.
 */
export const ReleaseSection = z.strictObject({
  name: z.string(),
  offset: z.number().int().min(0).meta({ unit: 'float32 values' }),
  length: z.number().int().min(0).meta({ unit: 'float32 values' }),
})

export const ReleaseHeader = z.strictObject({
  v: z.literal(1),
  id: z.string().min(1),
  tenant: z.string(),
  sequence: z.number().int().min(0).meta({ description: 'Counts up per tenant; a lower one is refused (roll-back needs a new release).' }),
  createdFrom: z.strictObject({
    positions: z.record(z.string(), z.number().int()).meta({ description: 'Shard to next offset at which the history was read.' }),
    events: z.number().int(),
    identities: z.number().int(),
    fromTime: z.number().int(),
    toTime: z.number().int(),
  }),
  catalogueHash: z.string(),
  detectorVersion: z.string(),
  configHash: z.string(),
  layers: z
    .array(z.number().int().min(1))
    .meta({ description: 'Autoencoder widths, input first; the kernel pads them to multiples of 16. Empty: no model yet.' }),
  sections: z.array(ReleaseSection),
  peerGroups: z.array(z.strictObject({ name: z.string(), members: z.number().int() })),
  thresholds: z.strictObject({
    tailFloorLog10: z.number().meta({ description: 'Minus log10 of the floor of improbability below which nothing alerts.' }),
    alertTailLog10: z.number().meta({ description: 'Minus log10 of the tail probability that fits the budget.' }),
  }),
  metrics: z.record(z.string(), z.number()),
})
export type ReleaseHeader = z.infer<typeof ReleaseHeader>

export const ReleaseEnvelope = z.strictObject({
  v: z.literal(1),
  id: z.string(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  keyId: z.string(),
  signature: z.string().meta({ description: 'Ed25519 over the artifact bytes, base64.' }),
})
export type ReleaseEnvelope = z.infer<typeof ReleaseEnvelope>
export const RELEASE_MAGIC = 'PLUMREL1'
