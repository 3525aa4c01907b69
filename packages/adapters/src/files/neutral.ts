import { createHash } from 'node:crypto'
import { EVENT_LIMITS } from '@plumbline/schemas'
import {
  addressOrHost,
  compact,
  findDestinations,
  isObject,
  type JsonObject,
  own,
  plain,
  plainName,
  scalar,
  size,
} from '@plumbline/detector/foreign'

/**
 * A neutral line as an event (contracts C4, destination-map.json of the detector's decode stage). `label` and `label_note` are ground truth and never read;
 * fields are taken by name, so nothing else can slip in.
 */
export const neutralToEvent = (line: JsonObject, context: { readonly index: number; readonly tenant: string }): Record<string, unknown> => {
  const attrs = asObject(own(line, 'attrs'))
  const args = asObject(own(attrs, 'args'))
  const provenance = asObject(own(attrs, 'prov'))
  const resourceClass = plain(own(line, 'resource_class'), EVENT_LIMITS.nameChars) ?? 'other'
  const destinations = findDestinations(resourceClass, args)
  const origin = addressOrHost(own(line, 'source_ip'), EVENT_LIMITS.attributeValueChars)
  const event = {
    time: scalar(own(line, 'ts')),
    tenant: plain(own(attrs, 'tenant'), EVENT_LIMITS.nameChars) ?? context.tenant,
    identity: { id: plainName(own(line, 'identity'), EVENT_LIMITS.identityChars), kind: scalar(own(line, 'identity_kind')) ?? 'agent' },
    session: plain(own(line, 'session'), EVENT_LIMITS.idChars),
    action: plain(own(line, 'action'), EVENT_LIMITS.nameChars),
    resource: compact({ id: plain(own(line, 'resource'), EVENT_LIMITS.resourceChars), class: resourceClass }),
    destination: destinations?.first,
    destinationProvenance: destinations === undefined ? undefined : asProvenance(own(provenance, destinations.argument)),
    outcome: asOutcome(own(line, 'outcome')),
    bytesIn: size(own(line, 'bytes_in')),
    bytesOut: size(own(line, 'bytes_out')),
    source: compact({ ip: origin.ip, userAgent: plain(own(line, 'user_agent'), EVENT_LIMITS.userAgentChars) }),
    content: argumentCounts(provenance),
    attributes: compact({
      ...scalars(attrs),
      sourceHost: origin.host,
      otherDestinations: plain(destinations?.others.join(' '), EVENT_LIMITS.attributeValueChars),
    }),
  }
  const given = plain(own(attrs, 'event_id'), EVENT_LIMITS.idChars) ?? plain(own(line, 'id'), EVENT_LIMITS.idChars)
  return { id: given ?? idFromContent(event, context.index), ...event }
}

/** What `event` is called in the answers of `evaluate` (contracts C9). */
export const neutralRef = (line: JsonObject, index: number): string => {
  const given = own(asObject(own(line, 'attrs')), 'event_id') ?? own(line, 'id')
  return typeof given === 'string' || typeof given === 'number' ? String(given) : String(index)
}

const asObject = (value: unknown): JsonObject => (isObject(value) ? value : {})

/** Equal lines at different places are different events; the same file read again, with or without labels, gives the same ids. */
const idFromContent = (event: JsonObject, index: number): string =>
  `${createHash('sha256').update(JSON.stringify(event)).digest('hex').slice(0, 16)}-${index}`

const asOutcome = (value: unknown): string =>
  value === 'denied' || value === 'success' ? value : value === null || value === undefined ? 'success' : 'failure'

/** A list whose parts come from several places holds something the user did not say: it counts as from a tool. */
const asProvenance = (value: unknown): string | undefined =>
  value === 'user' || value === 'tool' || value === 'new' ? value : value === 'mixed' ? 'tool' : undefined

const argumentCounts = (provenance: JsonObject): Record<string, unknown> | undefined => {
  const origins = Object.values(provenance).map(asProvenance)
  if (origins.every((o) => o === undefined)) return undefined
  const count = (wanted: string): number => origins.filter((o) => o === wanted).length
  return { argumentsFromUser: count('user'), argumentsFromTool: count('tool'), argumentsNew: count('new') }
}

const TAKEN = new Set(['tenant', 'event_id', 'args', 'prov', 'label', 'label_note', '__proto__', 'constructor', 'prototype'])

const scalars = (attrs: JsonObject): Record<string, unknown> => {
  const out: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(attrs)) {
    if (TAKEN.has(key) || key.startsWith('label') || Object.keys(out).length >= EVENT_LIMITS.attributeCount - 2) continue
    const name = plain(key, EVENT_LIMITS.attributeKeyChars)
    if (name === undefined) continue
    if (typeof value === 'string') out[name] = plain(value, EVENT_LIMITS.attributeValueChars)
    else if (typeof value === 'boolean' || (typeof value === 'number' && Number.isFinite(value))) out[name] = value
  }
  return out
}
