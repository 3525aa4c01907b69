import { readFileSync } from 'node:fs'
import type { Alert, AlertFacts, AlertText, Severity, Incident } from '@plumbline/schemas'

interface Golden {
  readonly facts: AlertFacts
  readonly text: AlertText
  readonly counterfactual?: string
}

const GOLDENS = new URL('../../packages/detector/src/8-alert/words.golden.json', import.meta.url)
const SEVERITY_CYCLE: readonly Severity[] = ['high', 'medium', 'critical', 'low', 'medium', 'high', 'low']
const MINUTE = 60_000

/** As many alerts as asked for, worded by the detector's own goldens, one every few minutes back from `now`. */
export function realisticAlerts(count: number, now: number): Alert[] {
  const goldens = JSON.parse(readFileSync(GOLDENS, 'utf8')) as readonly Golden[]
  return Array.from({ length: count }, (_, i) => {
    const golden = goldens[i % goldens.length] as Golden
    const lastSeen = now - i * 7 * MINUTE
    const firstSeen = lastSeen - (i % 4) * 3 * MINUTE
    const position = { topic: 'plumbline.events', shard: i % 64, offset: 1000 + i }
    return {
      v: 1,
      id: `00000000-0000-5000-8000-${String(i).padStart(12, '0')}`,
      revision: 1,
      activity: 'create',
      family: golden.facts.reasons[0]?.family ?? 'combination',
      groupKey: `g-${i}`,
      severity: SEVERITY_CYCLE[i % SEVERITY_CYCLE.length] ?? 'low',
      score: 99 - (i % 40),
      risk: 90 - (i % 60),
      critical: i % 7 === 2,
      historic: false,
      facts: { ...golden.facts, tenant: i % 3 === 0 ? 'default' : 'demo', time: firstSeen },
      text: golden.text,
      techniques: [
        { uid: 'AML.T0086', name: 'Exfiltration via AI agent tool invocation', framework: 'ATLAS' },
        { uid: 'T1078', name: 'Valid accounts', framework: 'ATT&CK' },
      ],
      firstSeen,
      lastSeen,
      count: 1 + ((i * 37) % 214),
      suppressed: (i * 37) % 214,
      evidence: [position],
      ...(golden.counterfactual !== undefined && { counterfactual: golden.counterfactual }),
      replay: {
        position,
        releaseId: 'r1',
        stateVersion: 1,
        configHash: 'c',
        policyHash: 'p',
        detectorVersion: '0.1.0',
        catalogueHash: 'f',
      },
    }
  })
}

/** What people put into pages to run code there (B17), each able to say so through `window.pwned`. */
export const XSS_CORPUS: readonly string[] = [
  '<script>window.pwned=1</script>',
  '"><img src=x onerror="window.pwned=2">',
  "'><svg/onload=window.pwned=3>",
  '<iframe srcdoc="<script>parent.pwned=4</script>"></iframe>',
  'javascript:window.pwned=5//',
  '<a href="javascript:window.pwned=6">click</a>',
  '<style>@import"data:text/css,*{display:none}"</style>',
  '</title></textarea></script><script>window.pwned=7</script>',
  '<math><mtext><table><mglyph><style><img src=x onerror=window.pwned=8>',
  '{{constructor.constructor("window.pwned=9")()}}',
  '<base href="https://attacker.invalid/">',
  '<form action="https://attacker.invalid/"><input name=token autofocus onfocus=window.pwned=10>',
  '<img src="https://attacker.invalid/beacon.png">',
  '\u202Egnp.exe <b>bold</b>',
]

/** An alert with the text in every field that an event or a policy can reach. */
export function hostileAlert(text: string, index: number, now: number): Alert {
  const [base] = realisticAlerts(1, now) as [Alert]
  return {
    ...base,
    id: `hostile-${index}`,
    facts: {
      ...base.facts,
      tenant: 'hostile',
      identity: { ...base.facts.identity, id: text, owner: text, contact: text, purpose: text, runbook: text, attested: text },
      onBehalfOf: text,
      session: text,
      action: text,
      resource: { id: text, class: text },
      destination: text,
      reasons: [
        {
          family: 'toxic_flow',
          feature: text,
          object: text,
          trigger: text,
          previous: text,
          observed: { value: 3, unit: 'events' },
          weight: 1,
        },
        { family: 'travel', feature: text, object: text, previous: text, observed: { value: 3, unit: 'km/h' }, weight: 0 },
      ],
      change: { version: { release: text }, sinceMs: 1000 },
    },
    text: { headline: text, normal: text, why: text, certainty: text, firstStep: text },
    counterfactual: text,
    techniques: [{ uid: text, name: text, framework: 'ATLAS' }],
    firstSeen: now + index,
    lastSeen: now + index,
    evidence: [{ topic: 'plumbline.events', shard: 9, offset: 5000 + index }],
  }
}

/** An incident all of whose names are the given text. */
export const hostileIncident = (text: string, i: number, now: number): Incident => ({
  v: 1,
  id: `hostile-incident-${i}`,
  revision: 1,
  activity: 'create',
  tenant: text,
  kind: 'common_cause',
  severity: 'high',
  cause: { kind: 'tool', value: text, share: 1 },
  also: [],
  identities: [{ id: text, kind: 'agent', events: 1, score: 70, firstSeen: now, lastSeen: now }],
  identityCount: 3,
  alerts: [`hostile-${i}`],
  alertCount: 1,
  events: 1,
  evidence: [],
  firstSeen: now,
  lastSeen: now,
  late: false,
  techniques: [],
  text: { headline: text, why: text, firstStep: text },
})
