import type { DeploymentLog } from '../deployment.ts'
import { hashKeyOf } from '../pinned-config.ts'
import { shardOf } from './shard.ts'
import { TenantState } from './tenants.ts'

/** Where an identity's slot is kept in a log. */
export interface Place {
  readonly shard: number
  readonly key: Uint8Array
}

/** Finds slots by the names of their identities. */
export const createPlaces = (log: Pick<DeploymentLog, 'masterKey' | 'shards'>): ((tenant: string, identity: string) => Place) => {
  const namers = new Map<string, TenantState>()
  return (tenant, identity) => {
    let namer = namers.get(tenant)
    if (namer === undefined) namers.set(tenant, (namer = new TenantState(tenant, hashKeyOf(log))))
    const { lo, hi } = namer.hashOf(identity)
    const key = new Uint8Array(8)
    const view = new DataView(key.buffer)
    view.setUint32(0, lo, true)
    view.setUint32(4, hi, true)
    return { shard: shardOf(tenant, identity, log.shards), key }
  }
}
