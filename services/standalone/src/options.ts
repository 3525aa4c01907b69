import { RETENTION_FIELDS } from '@plumbline/adapters/clickhouse'
import { addressRangeProblem, webhookUrlProblem } from '@plumbline/adapters/siem'
import { TENANT_LIMITS } from '@plumbline/gateway'
import { LOG_LEVELS } from '@plumbline/runtime'
import { DEFAULT_DETECTION_CONFIG, TenantName } from '@plumbline/schemas'
import { z } from 'zod'

const HOST_NAME = /^[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?$/

const addressRange = z.string().refine((text) => addressRangeProblem(text) === undefined, {
  error: ({ input }) => addressRangeProblem(String(input)),
})

const port = z.number().int().min(0).max(65_535)

/** Of the HTTP door and the page. */
export const doorOptions = {
  host: z.string().min(1).default('127.0.0.1').meta({
    description: 'Address the HTTP door and the page listen on.',
    interacts: 'Anything but loopback puts them on the network: put TLS in front, the token travels with each request.',
    example: '127.0.0.1',
  }),
  httpPort: port.default(7070).meta({ description: 'Port of the HTTP door and the page; 0 takes a free one.' }),
  dataDir: z
    .string()
    .min(1)
    .default('data')
    .meta({ description: 'Folder for the log, the store, keys and alerts. One instance at a time.' }),
  token: z.string().min(16).max(512).optional().meta({
    description: 'Token that senders and the page present. Not set: made once and kept in the data folder, mode 0600.',
    secret: true,
  }),
  tenant: TenantName.optional().meta({
    description:
      'Tenant that every event sent with the token belongs to, and the only one besides the demo that the token reads. Not set: the one the event names, else `default`; the token then reads every tenant.',
  }),
  maxTenants: z.number().int().min(1).max(100_000).default(TENANT_LIMITS.perInstance).meta({
    description: 'Most tenants of this instance. Events of one more are refused (TENANT_LIMIT); those there are go on.',
    unit: 'tenants',
  }),
  maxTenantsPerToken: z.number().int().min(1).max(100_000).default(TENANT_LIMITS.perToken).meta({
    description: 'Most tenants that one token may open.',
    unit: 'tenants',
    interacts: 'Ends at maxTenants.',
  }),
  deployKeysFile: z.string().min(1).optional().meta({
    description:
      'Public keys of the deploy jobs that may announce changes (POST /v1/changes), as plumbline changes key writes them; read at each announcement. Not set: deploy-keys.json in the keys of the data folder. No such file: nobody may.',
    example: '/etc/plumbline/deploy-keys.json',
  }),
  allowedHosts: z
    .array(z.string().regex(HOST_NAME, 'must be a host name without scheme, port or path'))
    .default([])
    .meta({
      description:
        'Names besides localhost by which browsers and senders may ask for this service (Host header); any address in numbers is taken. Others get 421, so that no foreign page can reach the service through a name of its own.',
      example: ['plumbline.internal'],
    }),
  maxLagEvents: z.number().int().min(1000).default(500_000).meta({
    description: 'Events waiting to be scored above which the door answers 503 until they are fewer.',
    unit: 'events',
  }),
}

/** Of what is learned, and how much of it becomes alerts. */
export const learningOptions = {
  policyFile: z.string().min(1).default('plumbline.policy.yaml').meta({
    description:
      'What is sensitive, who owns whom, what is allowed. Looked at every 2 s; absent is the empty policy. Not used for the demo.',
  }),
  alertBudgetPerDay: z.number().min(0).default(DEFAULT_DETECTION_CONFIG.alertBudgetPerDay).meta({
    description: 'Ceiling on new alert groups per tenant and day; never a quota. What is held back is ranked and counted.',
    unit: 'alert groups',
  }),
  trainAfterEvents: z.number().int().min(1000).default(DEFAULT_DETECTION_CONFIG.trainAfterEvents).meta({
    description: 'Events of a tenant at which its first model is trained; before that statistics alone score.',
    unit: 'events',
  }),
  retrainEveryDays: z.number().min(1).default(DEFAULT_DETECTION_CONFIG.retrainEveryDays).meta({
    description: 'Event time between a tenant’s later trainings; 30 at most.',
    unit: 'days',
  }),
  blindSpotsCpuPercent: z.number().min(0).max(50).default(1).meta({
    description:
      'Time that the self-test of what the detector does not see may take on average, of one core; 0 tests only identities that are asked for.',
    unit: '%',
  }),
  trainingRows: z.number().int().min(5000).max(1_000_000).default(200_000).meta({
    description: 'Most recorded events one training reads, newest first.',
    unit: 'events',
  }),
}

/** Of where alerts go. */
export const alertOptions = {
  alertsStdout: z
    .boolean()
    .default(true)
    .meta({ description: 'Print each alert as one line of words, and what becomes of it as a short one.' }),
  alertsFile: z.string().min(1).optional().meta({
    description: 'File that alerts are appended to as OCSF Detection Findings, one per line. Not set: alerts.ndjson in the data folder.',
  }),
  webhookUrl: z
    .url()
    .optional()
    .meta({ description: 'Where each alert is posted.', secret: true, example: 'https://hooks.example.com/plumbline' }),
  webhookSecret: z.string().min(16).optional().meta({ description: 'Key of the signature header of the webhook.', secret: true }),
  webhookAllowHttp: z.boolean().default(false).meta({ description: 'Let the webhook be plain http.', interacts: 'Only with webhookUrl.' }),
  webhookAllowAddresses: z
    .array(addressRange)
    .default([])
    .meta({
      description: 'Addresses or ranges that are not public but that the webhook may reach.',
      example: ['10.1.0.0/16', '192.168.7.9'],
      interacts: 'Only with webhookUrl.',
    }),
}

/** Of the tables in ClickHouse. */
export const storeOptions = RETENTION_FIELDS

export const logOptions = {
  logLevel: z.enum(LOG_LEVELS).default('info').meta({ description: 'How much is logged, as JSON lines on standard error.' }),
}

/** Options that are read together: a webhook's address against what is allowed of it. */
export const checkWebhook = (
  { webhookUrl, webhookAllowHttp }: Pick<AlertOptions, 'webhookUrl' | 'webhookAllowHttp'>,
  context: z.core.$RefinementCtx,
): void => {
  // What is no URL at all was told of already.
  const problem = webhookUrl !== undefined && URL.canParse(webhookUrl) ? webhookUrlProblem(webhookUrl, webhookAllowHttp) : undefined
  if (problem !== undefined) context.addIssue({ code: 'custom', path: ['webhookUrl'], message: problem })
}

type Output<F extends z.ZodRawShape> = z.output<z.ZodObject<F>>

export type AlertOptions = Output<typeof alertOptions>
/** What every process with a door, a page and a trainer is configured with. */
export type ServiceConfig = Output<typeof doorOptions> &
  Output<typeof learningOptions> &
  AlertOptions &
  Output<typeof logOptions> & { readonly shards: number }
