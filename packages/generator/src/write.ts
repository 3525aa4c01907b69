import type { EventInput } from '@plumbline/schemas'

/**
 * JSON text of an event made by this generator: the same text as JSON.stringify, about twice as fast, because all its
 * strings are known to need no escaping (a test compares the two).
 */
export const eventJson = (e: EventInput): string => {
  const { identity: i, resource: r, source: s, content: c } = e
  let t = `{"id":"${e.id}","time":${e.time}`
  if (e.tenant !== undefined) t += `,"tenant":${JSON.stringify(e.tenant)}`
  t += `,"identity":{"id":"${i.id}","kind":"${i.kind}"`
  const v = i.version
  if (v !== undefined)
    t += v.model === undefined ? `,"version":{"release":"${v.release}"}` : `,"version":{"release":"${v.release}","model":"${v.model}"}`
  t += '}'
  if (e.delegation !== undefined) t += `,"delegation":[{"id":"${e.delegation[0]!.id}","kind":"${e.delegation[0]!.kind}"}]`
  if (e.peerGroup !== undefined) t += `,"peerGroup":"${e.peerGroup}"`
  if (e.session !== undefined) t += `,"session":"${e.session}"`
  t +=
    r.id === undefined
      ? `,"action":"${e.action}","resource":{"class":"${r.class}"`
      : `,"action":"${e.action}","resource":{"id":"${r.id}","class":"${r.class}"`
  if (r.sensitivity !== undefined) t += `,"sensitivity":${r.sensitivity}`
  t += r.segment === undefined ? '}' : `,"segment":"${r.segment}"}`
  if (e.segment !== undefined) t += `,"segment":"${e.segment}"`
  if (e.destination !== undefined) t += `,"destination":"${e.destination}"`
  if (e.destinationProvenance !== undefined) t += `,"destinationProvenance":"${e.destinationProvenance}"`
  if (e.outcome !== undefined) t += `,"outcome":"${e.outcome}"`
  if (e.bytesIn !== undefined) t += `,"bytesIn":${e.bytesIn},"bytesOut":${e.bytesOut}`
  if (c !== undefined) t += `,"content":${JSON.stringify(c)}`
  if (e.tokensIn !== undefined) t += `,"tokensIn":${e.tokensIn}`
  if (e.tokensOut !== undefined) t += `,"tokensOut":${e.tokensOut}`
  t += `,"durationMs":${e.durationMs}`
  if (s !== undefined) {
    t += `,"source":{"ip":"${s.ip}","userAgent":"${s.userAgent}"`
    t += s.country === undefined ? '}' : `,"country":"${s.country}","asn":${s.asn}}`
  }
  if (e.attributes !== undefined) t += `,"attributes":${JSON.stringify(e.attributes)}`
  if (e.trace !== undefined) t += `,"trace":"${e.trace}"`
  return `${t}}`
}

/** Collects lines and hands them on as chunks of about 256 KB. */
export class LineWriter {
  private text = ''
  private readonly write: (chunk: Buffer) => void

  constructor(write: (chunk: Buffer) => void) {
    this.write = write
  }

  line(text: string): void {
    this.text += `${text}\n`
    if (this.text.length > 262_144) this.flush()
  }

  flush(): void {
    if (this.text.length > 0) this.write(Buffer.from(this.text, 'utf8'))
    this.text = ''
  }
}
