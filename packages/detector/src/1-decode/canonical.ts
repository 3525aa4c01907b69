import type { Event } from '@plumbline/schemas'

const encoder = new TextEncoder()

type Scalar = string | number | boolean | undefined

const member = (name: string, value: Scalar): string => (value === undefined ? '' : `,"${name}":${JSON.stringify(value)}`)

/** Drops the leading comma that each member carries. */
const object = (members: string): string => `{${members.slice(1)}}`

const nested = (name: string, members: string): string => `,"${name}":${object(members)}`

const identityMembers = (identity: Event['identity']): string => {
  const { version } = identity
  return (
    member('id', identity.id) +
    member('kind', identity.kind) +
    member('instance', identity.instance) +
    member('attested', identity.attested) +
    (version === undefined
      ? ''
      : nested(
          'version',
          member('release', version.release) +
            member('model', version.model) +
            member('prompt', version.prompt) +
            member('tools', version.tools) +
            member('code', version.code),
        ))
  )
}

const contentMembers = (content: NonNullable<Event['content']>): string =>
  member('untrusted', content.untrusted) +
  member('instructionLikeness', content.instructionLikeness) +
  member('entropy', content.entropy) +
  member('argumentsFromUser', content.argumentsFromUser) +
  member('argumentsFromTool', content.argumentsFromTool) +
  member('argumentsNew', content.argumentsNew) +
  (content.destinationHashes === undefined ? '' : `,"destinationHashes":${JSON.stringify(content.destinationHashes)}`)

/** Written by hand: an object would put keys that look like integers first, whatever order they were added in. */
const attributeMembers = (attributes: NonNullable<Event['attributes']>): string => {
  let out = ''
  for (const key of Object.keys(attributes).sort()) out += `,${JSON.stringify(key)}:${JSON.stringify(attributes[key])}`
  return out
}

const delegationItems = (delegation: NonNullable<Event['delegation']>): string =>
  delegation.map((p) => object(member('id', p.id) + member('kind', p.kind))).join(',')

/**
 * The one byte form of an event: compact JSON, fixed key order, `v` left out while it is 1, time in epoch
 * milliseconds, attributes by key in UTF-16 order. What the log stores and what hashes are taken over.
 */
export const canonicalEvent = (event: Event): Uint8Array => {
  const { resource, source } = event
  return encoder.encode(
    object(
      member('id', event.id) +
        member('time', event.time) +
        member('tenant', event.tenant) +
        nested('identity', identityMembers(event.identity)) +
        (event.delegation === undefined ? '' : `,"delegation":[${delegationItems(event.delegation)}]`) +
        member('peerGroup', event.peerGroup) +
        member('session', event.session) +
        member('rootSession', event.rootSession) +
        member('trace', event.trace) +
        member('action', event.action) +
        nested(
          'resource',
          member('id', resource.id) +
            member('class', resource.class) +
            member('sensitivity', resource.sensitivity) +
            member('segment', resource.segment),
        ) +
        member('segment', event.segment) +
        member('destination', event.destination) +
        member('destinationProvenance', event.destinationProvenance) +
        member('outcome', event.outcome) +
        member('bytesIn', event.bytesIn) +
        member('bytesOut', event.bytesOut) +
        member('tokensIn', event.tokensIn) +
        member('tokensOut', event.tokensOut) +
        member('durationMs', event.durationMs) +
        (source === undefined
          ? ''
          : nested(
              'source',
              member('ip', source.ip) +
                member('userAgent', source.userAgent) +
                member('country', source.country) +
                member('asn', source.asn),
            )) +
        (event.content === undefined ? '' : nested('content', contentMembers(event.content))) +
        (event.attributes === undefined ? '' : nested('attributes', attributeMembers(event.attributes))),
    ),
  )
}
