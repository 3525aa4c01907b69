import type { Event } from '@plumbline/schemas'

const encoder = new TextEncoder()

/** JSON of an object puts keys that look like integers first, whatever order they were added in. */
const INTEGER_KEY = /^\d+$/

const sortedAttributes = (attributes: NonNullable<Event['attributes']>): string => {
  let out = ''
  for (const key of Object.keys(attributes).sort()) out += `,${JSON.stringify(key)}:${JSON.stringify(attributes[key])}`
  return `{${out.slice(1)}}`
}

/** Whether JSON writes the keys in UTF-16 order as they stand. */
const inOrder = (keys: readonly string[]): boolean => keys.every((key, i) => (i === 0 || keys[i - 1]! < key) && !INTEGER_KEY.test(key))

const principal = ({ id, kind }: { readonly id: string; readonly kind: string }) => ({ id, kind })

const identityForm = ({ id, kind, instance, attested, version }: Event['identity']) => ({
  id,
  kind,
  instance,
  attested,
  version: version && {
    release: version.release,
    model: version.model,
    prompt: version.prompt,
    tools: version.tools,
    code: version.code,
  },
})

const contentForm = (content: NonNullable<Event['content']>) => ({
  untrusted: content.untrusted,
  instructionLikeness: content.instructionLikeness,
  entropy: content.entropy,
  argumentsFromUser: content.argumentsFromUser,
  argumentsFromTool: content.argumentsFromTool,
  argumentsNew: content.argumentsNew,
  destinationHashes: content.destinationHashes,
})

/**
 * The one byte form of an event: compact JSON, fixed key order, `v` left out while it is 1, time in epoch
 * milliseconds, attributes by key in UTF-16 order. What the log stores and what hashes are taken over.
 */
export const canonicalEvent = (event: Event): Uint8Array => {
  const { resource, source, content, attributes } = event
  const plain = attributes === undefined || inOrder(Object.keys(attributes))
  // JSON leaves out what is undefined.
  const json = JSON.stringify({
    id: event.id,
    time: event.time,
    tenant: event.tenant,
    identity: identityForm(event.identity),
    delegation: event.delegation?.map(principal),
    peerGroup: event.peerGroup,
    session: event.session,
    rootSession: event.rootSession,
    trace: event.trace,
    action: event.action,
    resource: { id: resource.id, class: resource.class, sensitivity: resource.sensitivity, segment: resource.segment },
    segment: event.segment,
    destination: event.destination,
    destinationProvenance: event.destinationProvenance,
    outcome: event.outcome,
    bytesIn: event.bytesIn,
    bytesOut: event.bytesOut,
    tokensIn: event.tokensIn,
    tokensOut: event.tokensOut,
    durationMs: event.durationMs,
    source: source && { ip: source.ip, userAgent: source.userAgent, country: source.country, asn: source.asn },
    content: content && contentForm(content),
    attributes: plain ? attributes : undefined,
  })
  return encoder.encode(plain ? json : `${json.slice(0, -1)},"attributes":${sortedAttributes(attributes)}}`)
}
