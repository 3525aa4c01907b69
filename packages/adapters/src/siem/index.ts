export { addressRangeProblem } from './address.ts'
export { AlertBudget, type BudgetDay, type BudgetedAlert, type BudgetState, type Delivery, type HeldAlert } from './budget.ts'
export { createFileSink, type FileSinkOptions } from './file-sink.ts'
export {
  type AlertSource,
  createForwarder,
  type CursorStore,
  type Forwarder,
  type ForwarderOptions,
  type ForwarderStatus,
  type SinkReport,
  type SinkStatus,
  type SourcedAlert,
} from './forwarder.ts'
export { OCSF_VERSION, type ProductInfo, toOcsf } from './ocsf.ts'
export { type AlertOutbox, type NamedValues, outboxPorts } from './outbox.ts'
export type { AlertSink } from './sink.ts'
export { createStdoutSink } from './stdout-sink.ts'
export { humanLine, laterLine, lineSafe, toCef } from './text.ts'
export { createWebhookSink, signatureOf, type WebhookOptions, webhookUrlProblem } from './webhook.ts'
