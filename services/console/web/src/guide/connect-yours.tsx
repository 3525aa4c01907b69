import type { ConnectView, IngestNotice } from '@plumbline/schemas'
import { useEffect, useState } from 'preact/hooks'
import { get, token } from '../api.ts'
import { clock, kindWords } from '../format.ts'
import { Copy, Name } from '../parts/bits.tsx'
import { identityLink } from '../route.ts'
import { connected, notices } from '../state.ts'

const HIDDEN = '••••••••••••'

const otel = (endpoint: string, secret: string): string =>
  [
    `OTEL_EXPORTER_OTLP_ENDPOINT=${endpoint}`,
    'OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf',
    `OTEL_EXPORTER_OTLP_HEADERS="Authorization=Bearer%20${secret}"`,
    'OTEL_SERVICE_NAME=my-agent',
  ].join('\n')

const curl = (endpoint: string, secret: string): string =>
  `curl -sS ${endpoint}/v1/events -H 'Authorization: Bearer ${secret}' -H 'Content-Type: application/json' \\
  -d '{"id":"'$(date +%s%N)'","time":"'$(date -u +%FT%TZ)'","identity":{"id":"my-agent","kind":"agent"},"action":"search","resource":{"class":"web"}}'`

type Way = 'otel' | 'curl'

function Seen({ notice }: { notice: IngestNotice | undefined }) {
  if (notice === undefined) {
    return (
      <p class="outcome" role="status">
        <span class="dot dot-busy" /> Waiting for the first event…
      </p>
    )
  }
  return (
    <p class="outcome outcome-quiet" role="status">
      <strong>Received</strong> at {clock(notice.receivedAt)}: <Name>{notice.action}</Name> by{' '}
      <a href={identityLink(notice.tenant, notice.identity)}>
        <Name>{notice.identity}</Name>
      </a>{' '}
      ({kindWords(notice.kind)}, {notice.attested === null ? 'claimed by the sender' : `proven by ${notice.attested}`}, tenant{' '}
      {notice.tenant})
    </p>
  )
}

export function ConnectYours() {
  const [way, setWay] = useState<Way>('otel')
  const [shown, show] = useState(false)
  const [view, set] = useState<ConnectView | null>(null)
  const live = connected.value
  useEffect(() => {
    if (live) get<ConnectView>('/v1/connect').then(set, () => undefined)
  }, [live])
  const endpoint = view?.endpoint ?? location.origin
  const text = way === 'otel' ? otel : curl
  return (
    <section class="panel" aria-labelledby="connect-title">
      <h2 id="connect-title">
        <span class="step">2</span> Connect yours
      </h2>
      <div class="ways" role="group" aria-label="Way">
        <button type="button" class="small" aria-pressed={way === 'otel'} onClick={() => setWay('otel')}>
          OpenTelemetry
        </button>
        <button type="button" class="small" aria-pressed={way === 'curl'} onClick={() => setWay('curl')}>
          curl
        </button>
        <span class="grow" />
        <button type="button" class="small" aria-pressed={shown} onClick={() => show(!shown)}>
          {shown ? 'Hide token' : 'Show token'}
        </button>
        <Copy text={text(endpoint, token.value)} label={way === 'otel' ? 'OpenTelemetry variables' : 'curl line'} />
      </div>
      <pre class="snippet" tabIndex={0}>
        {text(endpoint, shown ? token.value : HIDDEN)}
      </pre>
      <Seen notice={notices.value[0] ?? view?.recent[0]} />
    </section>
  )
}
