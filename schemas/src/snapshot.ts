import { z } from 'zod'

/** Layout of an identity's state. Raised with a migration; slots of earlier layouts are read for ever (contracts C5). */
export const SLOT_VERSION = 2
/** State of one identity in memory. */
export const SLOT_BYTES = 4096

const HEAD_BYTES = 16
const LINES = SLOT_BYTES / 64
/** A line that holds anything is stored as a bitmap of its 16 words and those that are not 0. */
const MOST_BYTES = HEAD_BYTES + LINES * 17 * 4

const bytesOf = (base64: string): DataView => new DataView(Uint8Array.from(atob(base64), (c) => c.charCodeAt(0)).buffer)

/** What can be said of a packed slot without reading its lines: the checksum is the detector's business. */
const isPacked = ({ slotVersion, packed }: { readonly slotVersion: number; readonly packed: string }): boolean => {
  const view = bytesOf(packed)
  const { byteLength: n } = view
  return n >= HEAD_BYTES && n <= MOST_BYTES && n % 4 === 0 && view.getUint32(0, true) === slotVersion
}

/**
 * Snapshot: the stored baseline of one identity in one shard. The log keeps it as bytes, `packed` under (`shard`, `key`), in
 * the transaction of the chunk that changed it; this is the same record as JSON, for fixtures and whatever carries it.
 */
export const Snapshot = z
  .strictObject({
    v: z.literal(1),
    shard: z.number().int().min(0).max(65_535),
    key: z
      .string()
      .regex(/^[0-9a-f]{16}$/)
      .meta({ description: "Hash of the identity's name under its tenant's key: two little-endian u32, as hex of the 8 bytes." }),
    slotVersion: z
      .number()
      .int()
      .min(1)
      .max(SLOT_VERSION)
      .meta({ description: 'Layout of the slot, as its first word says; a later one is refused (STATE_VERSION).' }),
    packed: z.base64({ abort: true }).meta({
      description:
        'Little-endian u32: version, checksum, two words of bitmap over the 64 lines of 64 bytes that hold anything; then for each such line a bitmap of its 16 words, and the words that are not 0.',
    }),
  })
  .refine(isPacked, { path: ['packed'], message: `must be a packed slot of its version, at most ${MOST_BYTES} bytes` })
  .meta({ id: 'PlumblineSnapshotV1', title: 'Stored baseline of an identity' })
export type Snapshot = z.infer<typeof Snapshot>
