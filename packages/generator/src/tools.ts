/** Where a tool sends data: how such destinations are chosen is in destinations.ts. */
export type DestinationKind =
  | 'customer'
  | 'contact'
  | 'web'
  | 'saas'
  | 'partner'
  | 'git'
  | 'registry'
  | 'account'
  | 'archive'
  | 'social'
  | 'model'

export interface Tool {
  readonly index: number
  readonly action: string
  readonly class: string
  /** 0 public, 1 internal, 2 confidential, 3 restricted. */
  readonly sensitivity: 0 | 1 | 2 | 3
  readonly op: 'read' | 'write' | 'chat'
  readonly segment: string
  /** Resource name before its number; null where the resource has no id. */
  readonly item: string | null
  /** Number of different resources; 0 counts up with time (tickets). */
  readonly space: number
  /** Median bytes read, bytes sent, and how wide (sigma of the logarithm). */
  readonly bytesIn: number
  readonly bytesOut: number
  readonly sigma: number
  /** Median duration, ms. */
  readonly ms: number
  readonly to: DestinationKind | null
  /** Chance that what is read was written outside. */
  readonly untrusted: number
}

const tools: Tool[] = []
const byAction = new Map<string, Tool>()

type Shape = Partial<
  Pick<Tool, 'sensitivity' | 'op' | 'segment' | 'item' | 'space' | 'bytesIn' | 'bytesOut' | 'sigma' | 'ms' | 'to' | 'untrusted'>
>

const add = (action: string, cls: string, shape: Shape): void => {
  const t: Tool = {
    index: tools.length,
    action,
    class: cls,
    sensitivity: 1,
    op: 'read',
    segment: 'corp',
    item: null,
    space: 1000,
    bytesIn: 2_000,
    bytesOut: 300,
    sigma: 0.9,
    ms: 120,
    to: null,
    untrusted: 0,
    ...shape,
  }
  tools.push(t)
  byAction.set(action, t)
}

const read = (
  action: string,
  cls: string,
  sensitivity: Tool['sensitivity'],
  item: string | null,
  space: number,
  bytesIn: number,
  more: Shape = {},
): void => add(action, cls, { sensitivity, item, space, bytesIn, ...more })
const write = (
  action: string,
  cls: string,
  sensitivity: Tool['sensitivity'],
  item: string | null,
  space: number,
  bytesOut: number,
  more: Shape = {},
): void => add(action, cls, { op: 'write', sensitivity, item, space, bytesOut, bytesIn: 200, ...more })

add('chat', 'model', { op: 'chat', item: null, bytesIn: 2_200, bytesOut: 9_000, ms: 2_600, to: 'model', sigma: 0.8 })

read('ticket.list', 'ticketing', 1, 'queue', 12, 9_000)
read('ticket.read', 'ticketing', 1, 'ticket', 0, 3_500, { untrusted: 0.75 })
write('ticket.update', 'ticketing', 1, 'ticket', 0, 600)
write('ticket.reply', 'messaging', 1, 'ticket', 0, 1_400, { to: 'customer' })
write('order.refund', 'orders', 2, 'order', 60_000, 400, { segment: 'prod' })
read('order.lookup', 'orders', 1, 'order', 60_000, 1_800, { segment: 'prod' })
read('crm.search', 'crm', 1, 'search', 200, 6_000)
read('crm.read_contact', 'crm', 2, 'contact', 40_000, 2_400)
write('crm.update_contact', 'crm', 2, 'contact', 40_000, 900)
read('crm.export', 'crm', 2, 'segment-list', 60, 900_000, { sigma: 1.2, ms: 2_500 })
read('kb.search', 'knowledge', 0, 'search', 300, 5_000)
read('kb.read', 'knowledge', 0, 'article', 1_200, 9_000)
write('kb.write', 'knowledge', 1, 'article', 1_200, 7_000)

read('hr.read_employee', 'hr', 3, 'employee', 1_400, 3_000, { segment: 'hr' })
read('hr.list_employees', 'hr', 3, 'department', 24, 16_000, { segment: 'hr' })
write('hr.update_employee', 'hr', 3, 'employee', 1_400, 1_100, { segment: 'hr' })
read('payroll.read', 'payroll', 3, 'payslip', 1_400, 4_000, { segment: 'hr' })
write('payroll.submit', 'payroll', 3, 'run', 24, 260_000, { segment: 'hr', to: 'account', ms: 3_000 })
read('applicant.read', 'recruiting', 2, 'applicant', 900, 160_000, { segment: 'hr', untrusted: 0.9, sigma: 1.1 })

read('ledger.read', 'finance', 2, 'account', 400, 12_000, { segment: 'finance' })
write('ledger.post', 'finance', 2, 'journal', 0, 900, { segment: 'finance' })
read('invoice.read', 'invoices', 2, 'invoice', 0, 90_000, { segment: 'finance', untrusted: 0.6 })
write('invoice.approve', 'invoices', 2, 'invoice', 0, 400, { segment: 'finance' })
write('payment.create', 'payments', 3, 'payment', 0, 700, { segment: 'finance', to: 'account' })
read('report.export', 'finance', 2, 'report', 90, 1_500_000, { segment: 'finance', sigma: 1.1, ms: 5_000 })

read('repo.search', 'code', 1, 'search', 400, 9_000, { segment: 'dev' })
read('repo.read', 'code', 1, 'file', 14_000, 11_000, { segment: 'dev' })
write('repo.push', 'code', 1, 'repo', 140, 22_000, { segment: 'dev', to: 'git', sigma: 1.2, ms: 1_500 })
write('pr.comment', 'code', 1, 'pull', 0, 900, { segment: 'dev', to: 'git' })
read('issue.read', 'code', 1, 'issue', 0, 4_000, { segment: 'dev', untrusted: 0.3 })
write('ci.run', 'build', 1, 'pipeline', 160, 600, { segment: 'dev', ms: 9_000 })
read('package.fetch', 'build', 0, 'package', 3_000, 700_000, { segment: 'dev', to: 'registry', sigma: 1.4, untrusted: 0.4 })
write('shell.exec', 'workspace', 1, 'host', 90, 500, { segment: 'dev', ms: 900, sigma: 1.3 })

read('metrics.query', 'observability', 0, 'dashboard', 240, 24_000, { segment: 'prod' })
read('log.search', 'observability', 1, 'stream', 180, 130_000, { segment: 'prod', sigma: 1.3, untrusted: 0.15 })
read('k8s.get', 'cluster', 1, 'workload', 420, 8_000, { segment: 'prod' })
write('k8s.exec', 'cluster', 2, 'pod', 900, 700, { segment: 'prod' })
write('deploy.apply', 'cluster', 2, 'service', 130, 18_000, { segment: 'prod', ms: 14_000 })
write('host.restart', 'cluster', 2, 'host', 180, 300, { segment: 'prod', ms: 20_000 })
write('host.ssh', 'hosts', 2, 'host', 180, 2_500, { segment: 'prod', sigma: 1.3, ms: 30_000 })
read('secret.read', 'secrets', 3, 'secret', 220, 600, { segment: 'prod' })
read('incident.read', 'observability', 1, 'incident', 0, 5_000, { segment: 'prod' })
write('incident.page', 'messaging', 1, 'incident', 0, 700)

read('web.search', 'web', 0, null, 0, 18_000, { untrusted: 1, ms: 700 })
read('web.fetch', 'web', 0, null, 0, 120_000, { to: 'web', untrusted: 1, sigma: 1.4, ms: 900 })
read('file.list', 'files', 1, 'folder', 900, 6_000)
read('file.read', 'files', 1, 'doc', 16_000, 240_000, { sigma: 1.5, untrusted: 0.08 })
write('file.write', 'files', 1, 'doc', 16_000, 90_000, { sigma: 1.4 })
write('file.share', 'files', 1, 'doc', 16_000, 220_000, { to: 'contact', sigma: 1.4 })
write('file.upload', 'files', 1, 'doc', 16_000, 900_000, { to: 'saas', sigma: 1.5, ms: 1_800 })
read('mail.list', 'mail', 1, 'folder', 30, 14_000)
read('mail.read', 'mail', 1, 'message', 0, 22_000, { untrusted: 0.55, sigma: 1.3 })
write('mail.send', 'messaging', 1, 'message', 0, 18_000, { to: 'contact', sigma: 1.3 })
read('calendar.read', 'calendar', 1, 'calendar', 260, 7_000)
write('calendar.create', 'calendar', 1, 'calendar', 260, 900)
read('msg.read', 'messaging', 1, 'channel', 300, 6_000)
write('msg.send', 'messaging', 1, 'channel', 300, 500)

read('dw.query', 'warehouse', 2, 'table', 520, 420_000, { segment: 'data', sigma: 1.6, ms: 3_500 })
read('dw.export', 'warehouse', 2, 'table', 520, 14_000_000, { segment: 'data', sigma: 1.3, ms: 20_000 })
read('dataset.read', 'datasets', 1, 'dataset', 700, 30_000_000, { segment: 'data', sigma: 1.3, ms: 4_000 })
write('dataset.upload', 'datasets', 1, 'dataset', 700, 9_000_000, { segment: 'data', to: 'partner', sigma: 1.3, ms: 6_000 })
read('paper.read', 'library', 0, 'paper', 30_000, 900_000, { untrusted: 0.9, ms: 600 })
read('object.get', 'storage', 1, 'object', 90_000, 6_000_000, { segment: 'data', sigma: 1.0, ms: 500 })
write('object.put', 'storage', 1, 'object', 90_000, 5_000_000, { segment: 'data', sigma: 1.0, ms: 700 })
write('table.load', 'warehouse', 2, 'table', 520, 40_000_000, { segment: 'data', sigma: 0.8, ms: 40_000 })

read('backup.read', 'storage', 2, 'volume', 60, 260_000_000, { segment: 'data', sigma: 0.15, ms: 22_000 })
write('backup.write', 'backup', 2, 'volume', 60, 240_000_000, { segment: 'data', to: 'archive', sigma: 0.15, ms: 30_000 })

read('campaign.read', 'marketing', 1, 'campaign', 90, 30_000)
write('campaign.send', 'marketing', 1, 'campaign', 90, 1_600_000, { to: 'saas', sigma: 1.1 })
write('social.post', 'marketing', 0, 'post', 0, 60_000, { to: 'social', sigma: 1.4 })
read('contract.read', 'contracts', 2, 'contract', 1_800, 380_000, { untrusted: 0.35 })
write('contract.redline', 'contracts', 2, 'contract', 1_800, 160_000)

write('probe.ping', 'monitoring', 0, 'target', 40, 120, { segment: 'prod', sigma: 0, ms: 8 })
write('sensor.report', 'telemetry', 0, 'line', 30, 512, { segment: 'plant', sigma: 0, ms: 12 })
read('site.crawl', 'web', 0, null, 0, 80_000, { to: 'web', untrusted: 1, sigma: 1.2, ms: 350 })
write('index.put', 'search', 0, 'index', 12, 40_000, { sigma: 0.8 })
read('scan.host', 'hosts', 1, 'host', 180, 4_000, { segment: 'prod', sigma: 0.7, ms: 2_000 })
read('billing.read', 'billing', 2, 'account', 40_000, 2_600, { segment: 'finance' })
write('billing.charge', 'billing', 2, 'account', 40_000, 700, { segment: 'finance' })

read('iam.list_roles', 'iam', 2, 'account', 18, 9_000, { segment: 'prod' })
write('iam.assume_role', 'iam', 2, 'role', 60, 500, { segment: 'prod' })
write('token.refresh', 'iam', 1, null, 0, 300)
write('pdf.convert', 'documents', 1, 'doc', 16_000, 210_000, { ms: 800, sigma: 1.1 })
write('translate.text', 'documents', 1, 'doc', 16_000, 6_000, { ms: 500 })
read('ocr.extract', 'documents', 1, 'doc', 16_000, 9_000, { ms: 1_200, untrusted: 0.4 })

export const TOOLS: readonly Tool[] = tools

/** The tool of that name; throws for a name not in the catalogue. */
export const tool = (action: string): Tool => {
  const t = byAction.get(action)
  if (t === undefined) throw new RangeError(`no tool named ${action}`)
  return t
}
