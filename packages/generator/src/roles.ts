import { type Role, task } from './role.ts'
import { type Tool, tool } from './tools.ts'

const roles: Role[] = []
type Shape = Pick<Role, 'kind' | 'share' | 'segment' | 'rate' | 'tasks'> & Partial<Omit<Role, 'rare'>> & { readonly rare?: string }

const role = (name: string, shape: Shape): void => {
  const person = shape.kind === 'user'
  roles.push({
    index: roles.length,
    name,
    rhythm: person ? 'office' : shape.kind === 'agent' ? 'assistant' : 'flat',
    crons: [],
    constant: false,
    burst: 1,
    gapMs: person ? 22_000 : shape.kind === 'agent' ? 2_600 : 600,
    model: shape.kind === 'agent' ? 'atlas-4' : null,
    actsFor: null,
    person,
    ...shape,
    rare: (shape.rare ?? '')
      .split(' ')
      .filter((x) => x !== '')
      .map(tool),
  })
}

role('support-bot', {
  kind: 'agent',
  share: 14,
  segment: 'support',
  rate: 190,
  rhythm: 'demand',
  tasks: [
    task('answer', 7, 'ticket.read chat crm.read_contact?.8 kb.search?.6 kb.read*0-3 chat ticket.reply?.9 ticket.update'),
    task('order', 3, 'ticket.read crm.read_contact order.lookup*1-2 chat order.refund?.25 ticket.reply ticket.update'),
    task('triage', 2, 'ticket.list ticket.read*2-5 chat*1-2 ticket.update*2-4 msg.send?.3'),
  ],
  rare: 'crm.search crm.update_contact file.read calendar.read translate.text pdf.convert',
})
role('research-assistant', {
  kind: 'agent',
  share: 8,
  segment: 'research',
  rate: 120,
  actsFor: 'analyst',
  tasks: [
    task('survey', 5, 'chat web.search*1-3 web.fetch*2-7 paper.read*0-3 chat*1-3 file.write'),
    task('data', 4, 'dw.query?.5 dataset.read*1-2 chat*1-2 file.write?.6 dataset.upload?.3 file.share?.12'),
    task('publish', 1.5, 'file.read chat dataset.upload*1-2 file.share?.5'),
  ],
  crons: [{ task: task('archive', 1, 'dataset.read*3-6 dataset.upload*18-40'), hours: [1, 2], when: 'habit', runs: 1 }],
  rare: 'mail.send kb.search repo.read object.get pdf.convert ocr.extract',
})
role('hr-assistant', {
  kind: 'agent',
  share: 4,
  segment: 'hr',
  rate: 90,
  actsFor: 'hr',
  tasks: [
    task('question', 5, 'msg.read chat hr.read_employee*1-3 chat msg.send'),
    task('onboarding', 1.2, 'hr.list_employees*1-2 hr.read_employee*8-45 hr.update_employee*2-12 chat mail.send?.6 calendar.create*1-4'),
    task('recruiting', 3, 'applicant.read*1-5 chat*1-2 mail.send?.5 calendar.create?.4'),
  ],
  rare: 'payroll.read file.read kb.search pdf.convert ocr.extract',
})
role('finance-agent', {
  kind: 'agent',
  share: 5,
  segment: 'finance',
  rate: 110,
  actsFor: 'finance',
  tasks: [
    task('invoices', 6, 'invoice.read*1-4 chat ledger.read?.6 invoice.approve?.7 ledger.post?.7'),
    task('pay', 2, 'ledger.read payment.create*1-4 ledger.post'),
    task('report', 1, 'ledger.read*2-5 report.export?.5 chat file.write'),
  ],
  crons: [
    {
      task: task('close', 1, 'ledger.read*8-20 ledger.post*6-14 report.export*1-3 file.write'),
      hours: [18, 19, 20],
      when: 'monthEnd',
      runs: 3,
    },
  ],
  rare: 'mail.send crm.read_contact contract.read ocr.extract pdf.convert',
})
role('coding-agent', {
  kind: 'agent',
  share: 10,
  segment: 'dev',
  rate: 210,
  actsFor: 'engineer',
  tasks: [
    task('change', 6, 'issue.read?.6 chat repo.search*1-3 repo.read*2-8 chat*1-3 shell.exec*1-5 ci.run?.5 repo.push?.6'),
    task('review', 3, 'repo.read*2-6 chat pr.comment*1-3'),
    task('upgrade', 1, 'package.fetch*1-4 repo.read chat shell.exec*1-3 ci.run repo.push'),
  ],
  rare: 'web.fetch log.search k8s.get kb.read secret.read',
})
role('sre-bot', {
  kind: 'agent',
  share: 4,
  segment: 'prod',
  rate: 230,
  rhythm: 'flat',
  tasks: [
    task('watch', 8, 'metrics.query*2-5 log.search?.5 chat'),
    task('repair', 2, 'incident.read metrics.query*1-3 log.search*1-3 chat k8s.get*1-3 k8s.exec?.5 host.ssh*0-3 host.restart?.3 msg.send'),
    task('rotate', 0.6, 'iam.assume_role secret.read*2-5 host.ssh*1-4 deploy.apply?.4'),
  ],
  rare: 'incident.page iam.list_roles repo.read kb.search',
})
role('sales-copilot', {
  kind: 'agent',
  share: 7,
  segment: 'sales',
  rate: 100,
  actsFor: 'sales',
  tasks: [
    task('prepare', 5, 'crm.search crm.read_contact*1-4 web.fetch*0-2 chat file.write?.4'),
    task('follow-up', 5, 'mail.read chat crm.read_contact mail.send?.8 crm.update_contact?.6'),
    task('list', 0.6, 'crm.search*1-3 crm.export chat file.write'),
  ],
  rare: 'calendar.create file.share contract.read kb.read translate.text pdf.convert',
})
role('marketing-writer', {
  kind: 'agent',
  share: 4,
  segment: 'marketing',
  rate: 80,
  actsFor: 'marketing',
  tasks: [
    task('draft', 6, 'campaign.read chat*2-6 file.write web.fetch*0-3'),
    task('post', 2, 'chat social.post*1-3'),
    task('newsletter', 1, 'campaign.read crm.export?.3 chat*1-3 campaign.send'),
  ],
  rare: 'file.upload mail.send translate.text pdf.convert',
})
role('exec-agent', {
  kind: 'agent',
  share: 4,
  segment: 'corp',
  rate: 95,
  actsFor: 'exec-assistant',
  tasks: [
    task('mail', 6, 'mail.list mail.read*2-6 chat mail.send*0-2 calendar.create?.3'),
    task('brief', 3, 'calendar.read file.read*1-3 web.fetch*0-2 chat*1-2 file.write'),
  ],
  rare: 'file.share contract.read report.export pdf.convert',
})
role('legal-reviewer', {
  kind: 'agent',
  share: 3,
  segment: 'legal',
  rate: 60,
  actsFor: 'finance',
  tasks: [
    task('review', 6, 'contract.read*1-3 kb.search?.4 chat*2-5 contract.redline?.7'),
    task('answer', 2, 'mail.read contract.read chat mail.send?.7'),
  ],
  rare: 'file.read file.share ocr.extract pdf.convert',
})
role('helpdesk-bot', {
  kind: 'agent',
  share: 4,
  segment: 'support',
  rate: 110,
  rhythm: 'assistant',
  actsFor: 'support-staff',
  tasks: [
    task('help', 7, 'ticket.read chat kb.search?.7 kb.read*0-2 msg.send ticket.update'),
    task('onboarding', 1.2, 'ticket.read hr.read_employee*1-6 iam.list_roles?.5 msg.send ticket.update*1-2'),
    task('access', 2, 'ticket.read iam.list_roles chat iam.assume_role?.3 ticket.update'),
  ],
  rare: 'token.refresh file.read mail.send translate.text',
})
role('pipeline', {
  kind: 'service',
  share: 8,
  segment: 'data',
  rate: 180,
  rhythm: 'flat',
  tasks: [task('stream', 1, 'object.get*1-6 object.put*1-4 table.load?.3')],
  crons: [{ task: task('nightly', 1, 'object.get*20-60 table.load*4-10 object.put*10-30'), hours: [2, 3], when: 'daily', runs: 1 }],
  rare: 'dw.query secret.read',
})
role('backup', {
  kind: 'service',
  share: 2,
  segment: 'data',
  rate: 70,
  rhythm: 'none',
  gapMs: 28_000,
  tasks: [task('nightly', 1, 'backup.read*2-3 backup.write*2-3')],
  crons: [{ task: task('nightly', 1, 'backup.read*16-34 backup.write*16-34'), hours: [1], when: 'daily', runs: 1.4 }],
})
role('monitor', {
  kind: 'service',
  share: 5,
  segment: 'prod',
  rate: 240,
  rhythm: 'none',
  constant: true,
  tasks: [task('probe', 1, 'probe.ping')],
})
role('line-robot', {
  kind: 'service',
  share: 5,
  segment: 'plant',
  rate: 144,
  rhythm: 'none',
  constant: true,
  tasks: [task('report', 1, 'sensor.report')],
})
role('billing-batch', {
  kind: 'service',
  share: 2,
  segment: 'finance',
  rate: 120,
  rhythm: 'none',
  tasks: [task('run', 1, 'billing.read billing.charge')],
  crons: [
    { task: task('daily', 1, 'billing.read*30-40 billing.charge*20-30'), hours: [4], when: 'daily', runs: 2 },
    { task: task('month', 1, 'billing.read*60-80 billing.charge*60-80'), hours: [3, 4, 5, 6], when: 'monthEnd', runs: 4 },
  ],
})
role('crawler', {
  kind: 'service',
  share: 3,
  segment: 'dmz',
  rate: 160,
  rhythm: 'flat',
  burst: 25,
  tasks: [task('crawl', 1, 'site.crawl*4-16 index.put*1-3')],
})
role('scanner', {
  kind: 'service',
  share: 2,
  segment: 'prod',
  rate: 110,
  rhythm: 'none',
  gapMs: 3_000,
  tasks: [task('scan', 1, 'scan.host*4-8')],
  crons: [
    {
      task: task('sweep', 1, 'iam.assume_role scan.host*20-30 host.ssh*3-8 secret.read*0-2'),
      hours: [0, 6, 12, 18],
      when: 'daily',
      runs: 1,
    },
  ],
})
role('sales', {
  kind: 'user',
  share: 18,
  segment: 'sales',
  rate: 70,
  tasks: [
    task('mail', 6, 'mail.list mail.read*1-5 mail.send*0-2'),
    task('crm', 5, 'crm.search crm.read_contact*1-5 crm.update_contact?.5'),
    task('offer', 2, 'file.read*1-3 contract.read?.3 file.share?.6 mail.send?.7'),
    task('export', 0.15, 'crm.search crm.export file.upload?.3'),
  ],
  rare: 'web.fetch calendar.create dw.query kb.read file.upload',
})
role('engineer', {
  kind: 'user',
  share: 22,
  segment: 'dev',
  rate: 95,
  tasks: [
    task('code', 6, 'repo.read*2-7 repo.search*0-2 ci.run?.4 repo.push?.5'),
    task('review', 3, 'repo.read*1-4 pr.comment*1-3'),
    task('debug', 2, 'log.search*1-4 metrics.query*1-3 k8s.get*0-2'),
    task('talk', 3, 'msg.read*1-4 msg.send*0-2 mail.read?.5'),
  ],
  rare: 'package.fetch web.fetch secret.read shell.exec dw.query file.upload kb.write',
})
role('oncall', {
  kind: 'user',
  share: 7,
  segment: 'prod',
  rate: 85,
  tasks: [
    task('ops', 5, 'metrics.query*1-4 log.search*1-3 k8s.get*0-2'),
    task('deploy', 2, 'repo.read ci.run deploy.apply metrics.query*1-3'),
    task('fix', 2, 'incident.read metrics.query*1-3 log.search*1-4 k8s.exec?.5 host.ssh*0-2 host.restart?.3 msg.send'),
    task('talk', 2, 'msg.read*1-3 msg.send'),
  ],
  rare: 'secret.read iam.assume_role iam.list_roles repo.push mail.send',
})
role('hr', {
  kind: 'user',
  share: 8,
  segment: 'hr',
  rate: 65,
  tasks: [
    task('records', 4, 'hr.read_employee*1-5 hr.update_employee?.4'),
    task('recruit', 4, 'applicant.read*1-6 mail.send*0-2 calendar.create?.5'),
    task('mail', 4, 'mail.list mail.read*1-4 mail.send?.6'),
  ],
  crons: [
    { task: task('payroll', 1, 'hr.list_employees*2-4 payroll.read*20-50 payroll.submit'), hours: [10, 14], when: 'monthEnd', runs: 0.5 },
  ],
  rare: 'payroll.read file.share hr.list_employees file.upload',
})
role('support-staff', {
  kind: 'user',
  share: 9,
  segment: 'support',
  rate: 90,
  rhythm: 'early',
  tasks: [
    task('tickets', 7, 'ticket.list?.4 ticket.read*1-3 crm.read_contact?.6 order.lookup?.4 ticket.reply?.8 ticket.update'),
    task('talk', 2, 'msg.read*1-3 msg.send'),
  ],
  rare: 'order.refund kb.read kb.write mail.send crm.update_contact',
})
role('finance', {
  kind: 'user',
  share: 7,
  segment: 'finance',
  rate: 70,
  tasks: [
    task('books', 5, 'ledger.read*1-5 ledger.post*0-3'),
    task('invoices', 4, 'invoice.read*1-5 invoice.approve?.6'),
    task('mail', 3, 'mail.read*1-4 mail.send?.5'),
    task('reports', 0.7, 'report.export file.share?.4'),
  ],
  crons: [
    { task: task('close', 1, 'ledger.read*10-25 ledger.post*5-12 report.export*1-3'), hours: [15, 17, 19], when: 'monthEnd', runs: 1 },
  ],
  rare: 'payment.create contract.read dw.query file.upload',
})
role('marketing', {
  kind: 'user',
  share: 7,
  segment: 'marketing',
  rate: 60,
  tasks: [
    task('campaign', 4, 'campaign.read*1-3 file.read*0-2 file.write campaign.send?.15'),
    task('mail', 4, 'mail.list mail.read*1-4 mail.send?.6'),
    task('web', 3, 'web.fetch*1-4 social.post?.3 file.upload?.3'),
  ],
  rare: 'crm.export dw.query calendar.create file.share',
})
role('exec-assistant', {
  kind: 'user',
  share: 5,
  segment: 'corp',
  rate: 70,
  tasks: [
    task('mail', 5, 'mail.list mail.read*2-7 mail.send*1-2'),
    task('plan', 4, 'calendar.read*1-3 calendar.create*1-3 msg.send?.5'),
    task('papers', 2, 'file.read*1-4 file.share?.5'),
  ],
  rare: 'report.export contract.read web.fetch file.upload',
})
role('analyst', {
  kind: 'user',
  share: 7,
  segment: 'research',
  rate: 75,
  tasks: [
    task('query', 5, 'dw.query*1-6 file.write?.4'),
    task('read', 3, 'paper.read*1-3 web.fetch*0-3'),
    task('data', 2, 'dataset.read*1-2 dw.query?.5 dw.export?.12'),
    task('mail', 3, 'mail.read*1-3 mail.send?.4 msg.send?.4'),
  ],
  rare: 'dataset.upload object.get file.upload repo.read',
})

export const ROLES: readonly Role[] = roles

/** The role of that name; throws for a name not in the catalogue. */
export const roleNamed = (name: string): Role => {
  const r = roles.find((x) => x.name === name)
  if (r === undefined) throw new RangeError(`no role named ${name}`)
  return r
}

const toolsOf = ({ tasks, rare }: Role): ReadonlySet<Tool> => new Set([...tasks.flatMap(({ steps }) => steps.map((s) => s.tool)), ...rare])

/** Names of the tools of each of a role's scripts. */
export const scriptsOf = (name: string): readonly ReadonlySet<string>[] =>
  roleNamed(name).tasks.map(({ steps }) => new Set(steps.map((s) => s.tool.action)))

/** Ordered pairs of roles of one kind that share at least so much of the smaller one's tools: hard to tell apart by tools alone. */
export const alikeRoles = (least: number): readonly (readonly [string, string])[] =>
  roles.flatMap((a) =>
    roles.flatMap((b) => {
      const [mine, theirs] = [toolsOf(a), toolsOf(b)]
      const shared = [...mine].filter((t) => theirs.has(t)).length
      return a !== b && a.kind === b.kind && shared >= least * Math.min(mine.size, theirs.size) ? [[a.name, b.name] as const] : []
    }),
  )
