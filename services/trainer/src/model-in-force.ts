import { isFormer, runsHere } from '@plumbline/detector'
import { unpackRelease } from '@plumbline/detector/release'
import { inForceOf, type ReleaseStore } from './releases.ts'

/** The models that tenants run. */
export interface ModelsInForce {
  /** The artifact; null where there is no model, or none that this build can run. */
  artifact(tenant: string): Uint8Array | null
  /** Whether it is of the feature catalogue before this one: it runs without some features until it is replaced. */
  isFormer(tenant: string): boolean
}

export const createModelsInForce = (releases: ReleaseStore): ModelsInForce => {
  /** Catalogue hashes by SHA-256 of the artifact, which is checked in full each time that it is read. */
  const catalogues = new Map<string, string>()
  const read = (tenant: string): { readonly artifact: Uint8Array; readonly catalogueHash: string } | null => {
    const entry = inForceOf(releases.list(tenant))
    if (entry === undefined || !entry.modelled) return null
    const artifact = releases.artifact(entry.id, entry.sha256)
    if (artifact === undefined) return null
    const { catalogueHash } = unpackRelease(artifact).header
    catalogues.set(entry.sha256, catalogueHash)
    return { artifact, catalogueHash }
  }
  return {
    artifact(tenant) {
      const model = read(tenant)
      return model !== null && runsHere(model.catalogueHash) ? model.artifact : null
    },
    isFormer(tenant) {
      const entry = inForceOf(releases.list(tenant))
      if (entry === undefined || !entry.modelled) return false
      return isFormer(catalogues.get(entry.sha256) ?? read(tenant)?.catalogueHash ?? '')
    },
  }
}
