import {
  type AlertSink,
  createFileSink,
  createForwarder,
  createStdoutSink,
  createWebhookSink,
  type Delivery,
  type Forwarder,
  outboxPorts,
  type SinkReport,
} from '@plumbline/adapters/siem'
import type { DeploymentLog } from '@plumbline/detector'
import type { Alert, PlumblineError } from '@plumbline/schemas'
import type { AlertOptions, ServiceConfig } from './options.ts'

const PRODUCT = { name: 'Plumbline', vendorName: 'Plumbline', version: '0.1.0' } as const

export interface DeliveryOptions {
  readonly log: Pick<DeploymentLog, 'outbox' | 'kv'>
  readonly config: AlertOptions & Pick<ServiceConfig, 'alertBudgetPerDay'>
  readonly alertsFile: string
  /** Its alerts go to the page and the terminal, never to a SIEM. */
  readonly demoTenant: string
  readonly onDecision: (alert: Alert, delivery: Delivery) => void
  readonly onSink?: (report: SinkReport) => void
  /** Told of alerts that retention removed before they were delivered. */
  readonly onGap?: (entries: number, gap: PlumblineError) => void
}

const withoutDemo = (sink: AlertSink, demoTenant: string): AlertSink => ({
  ...sink,
  takes: (alert) => alert.facts.tenant !== demoTenant,
})

const sinksOf = ({ config, alertsFile, demoTenant }: DeliveryOptions): AlertSink[] => {
  const sinks = [withoutDemo(createFileSink({ path: alertsFile, product: PRODUCT }), demoTenant)]
  if (config.alertsStdout) sinks.push(createStdoutSink())
  if (config.webhookUrl !== undefined) {
    const hook = createWebhookSink({
      url: config.webhookUrl,
      product: PRODUCT,
      allowHttp: config.webhookAllowHttp,
      allowAddresses: config.webhookAllowAddresses,
      ...(config.webhookSecret === undefined ? {} : { secret: config.webhookSecret }),
    })
    sinks.push(withoutDemo(hook, demoTenant))
  }
  return sinks
}

/** Carries alerts from the outbox to the terminal, the findings file, the webhook and the page. */
export const startDelivery = async (options: DeliveryOptions): Promise<{ readonly forwarder: Forwarder; stop(): Promise<void> }> => {
  const { log, config, onDecision, onSink, onGap } = options
  const forwarder = await createForwarder({
    ...outboxPorts(log.outbox, log.kv, onGap),
    sinks: sinksOf(options),
    budgetPerDay: config.alertBudgetPerDay,
    onDecision,
    ...(onSink === undefined ? {} : { onSink }),
  })
  const unsubscribe = log.outbox.onEntries((topics) => {
    if (topics.includes('alerts')) forwarder.wake()
  })
  return {
    forwarder,
    async stop() {
      unsubscribe()
      await forwarder.close()
    },
  }
}
