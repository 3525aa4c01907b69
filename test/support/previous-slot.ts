import type { ChunkCommit, ShardLog } from '@plumbline/detector'
import { H, SLOT_VERSION, VERSION, VERSION_AT } from '../../packages/detector/src/state/layout.ts'
import { packSlot, SLOT_MIGRATIONS, unpackSlot } from '../../packages/detector/src/state/pack.ts'
import { segment } from './segment.ts'

/**
 * A version before this one whose slots hold all that this one's do, so that a test can go back to it and compare: the same with
 * two words in each other's place. A build that stores it, and the migration that the next one comes with, in the place of the
 * step that there really was: that one has less to start from (`pack.test.ts`).
 */
export const PREVIOUS = SLOT_VERSION - 1

const swap = (u32: Uint32Array, base: number): void => {
  const [a, b] = [(base + VERSION) >> 2, (base + VERSION_AT) >> 2]
  const kept = u32[a]!
  u32[a] = u32[b]!
  u32[b] = kept
}

export const knowPrevious = (): void => void SLOT_MIGRATIONS.set(PREVIOUS, ({ u32 }, base) => swap(u32, base))

export const versionOf = (packed: Uint8Array): number => new DataView(packed.buffer, packed.byteOffset).getUint32(0, true)

const toPrevious = (packed: Uint8Array): Uint8Array => {
  const seg = segment()
  unpackSlot(packed, seg, 0)
  swap(seg.u32, 0)
  seg.u8[H.version] = PREVIOUS
  const bytes = packSlot(seg, 0)
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(0, PREVIOUS, true)
  return bytes
}

/** A packed slot of any version as this build would store it. */
export const toCurrent = (packed: Uint8Array): Uint8Array => {
  const seg = segment()
  unpackSlot(packed, seg, 0)
  return packSlot(seg, 0)
}

/** The log as the build before this one wrote it. */
export const previousBuild = <T extends ShardLog>(log: T): T => ({
  ...log,
  commit: (commits: readonly ChunkCommit[]) =>
    log.commit(commits.map((commit) => ({ ...commit, slots: commit.slots.map(({ key, bytes }) => ({ key, bytes: toPrevious(bytes) })) }))),
})
