import { type Event, IDENTITY_KINDS, OUTCOMES, PROVENANCES } from '@plumbline/schemas'
import { ABSENT, type DecodedEvent, N, S } from '../record.ts'

const encoder = new TextEncoder()

/**
 * Fills the sheet from an event the full decoder has accepted but the scanner leaves alone (escapes, text beyond ASCII,
 * IPv6): its strings are laid out one after the other as UTF-8 in bytes of their own.
 */
export const fillFromEvent = (event: Event, out: DecodedEvent): void => {
  const strings: [number, string | undefined][] = [
    [S.id, event.id],
    [S.tenant, event.tenant],
    [S.identity, event.identity.id],
    [S.instance, event.identity.instance],
    [S.attested, event.identity.attested],
    [S.versionRelease, event.identity.version?.release],
    [S.versionModel, event.identity.version?.model],
    [S.versionPrompt, event.identity.version?.prompt],
    [S.versionTools, event.identity.version?.tools],
    [S.versionCode, event.identity.version?.code],
    [S.delegate, event.delegation?.[0]?.id],
    [S.peerGroup, event.peerGroup],
    [S.session, event.session],
    [S.action, event.action],
    [S.resource, event.resource.id],
    [S.resourceClass, event.resource.class],
    [S.resourceSegment, event.resource.segment],
    [S.segment, event.segment],
    [S.destination, event.destination],
    [S.ip, event.source?.ip],
    [S.userAgent, event.source?.userAgent],
    [S.country, event.source?.country],
    [S.rootSession, event.rootSession],
    [S.trace, event.trace],
  ]
  const encoded = strings.map(([field, text]) => [field, text === undefined ? new Uint8Array(0) : encoder.encode(text)] as const)
  const bytes = new Uint8Array(encoded.reduce((sum, [, b]) => sum + b.length, 0))
  out.reset(bytes)
  let at = 0
  for (const [field, b] of encoded) {
    bytes.set(b, at)
    out.start[field] = at
    at += b.length
    out.end[field] = at
  }
  fillNumbers(event, out)
  out.kind = IDENTITY_KINDS.indexOf(event.identity.kind)
  out.outcome = OUTCOMES.indexOf(event.outcome)
  out.provenance = event.destinationProvenance === undefined ? ABSENT : PROVENANCES.indexOf(event.destinationProvenance)
  out.untrusted = event.content?.untrusted === undefined ? ABSENT : event.content.untrusted ? 1 : 0
}

const fillNumbers = (event: Event, out: DecodedEvent): void => {
  const set = (field: number, value: number | undefined): void => {
    out.number[field] = value ?? Number.NaN
  }
  set(N.time, event.time)
  set(N.bytesIn, event.bytesIn)
  set(N.bytesOut, event.bytesOut)
  set(N.tokensIn, event.tokensIn)
  set(N.tokensOut, event.tokensOut)
  set(N.durationMs, event.durationMs)
  set(N.sensitivity, event.resource.sensitivity)
  set(N.asn, event.source?.asn)
  set(N.instructionLikeness, event.content?.instructionLikeness)
  set(N.entropy, event.content?.entropy)
  set(N.argumentsFromUser, event.content?.argumentsFromUser)
  set(N.argumentsFromTool, event.content?.argumentsFromTool)
  set(N.argumentsNew, event.content?.argumentsNew)
}
