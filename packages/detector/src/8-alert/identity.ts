import { createHash } from 'node:crypto'

/** Namespace of alert ids, itself the UUIDv5 of `plumbline` in the DNS namespace of RFC 9562. */
const DNS = '6ba7b8109dad11d180b400c04fd430c8'

const uuid5 = (namespaceHex: string, name: string): string => {
  const hash = createHash('sha1').update(Buffer.from(namespaceHex, 'hex')).update(name).digest()
  hash[6] = (hash[6]! & 0x0f) | 0x50
  hash[8] = (hash[8]! & 0x3f) | 0x80
  const hex = hash.toString('hex', 0, 16)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20, 32)}`
}

const NAMESPACE = uuid5(DNS, 'plumbline').replaceAll('-', '')

/** UUIDv5 over what joins the identities, and when that began: the same for any number of shards. */
export const incidentId = (tenant: string, kind: string, causeKind: string, cause: string, first: number): string =>
  uuid5(NAMESPACE, JSON.stringify([tenant, 'incident', kind, causeKind, cause, first]))

/** UUIDv5 over tenant, identity, group key and first position: never over model, configuration or code (C6). */
export const alertId = (tenant: string, identity: string, groupKey: string, topic: string, shard: number, firstOffset: number): string =>
  uuid5(NAMESPACE, JSON.stringify([tenant, identity, groupKey, topic, shard, firstOffset]))
