import { z } from 'zod'
import { REJECT_CODES, type RejectCode } from './codes.ts'

/** An input that was not scored, with the reason and (bounded) what arrived. */
export const DeadLetter = z.strictObject({
  v: z.literal(1),
  stage: z.enum(['door', 'decode', 'identify', 'recorder']).meta({ description: 'Where it was refused.' }),
  code: z.enum(Object.keys(REJECT_CODES) as [RejectCode, ...RejectCode[]]),
  field: z.string(),
  message: z.string(),
  tenant: z.string(),
  topic: z.string().meta({ description: 'Log it was read from; "http" when refused at the door.' }),
  shard: z.number().int(),
  offset: z.number().int(),
  ingestTime: z.number().int().meta({ unit: 'ms since epoch' }),
  payload: z
    .string()
    .meta({ description: 'The beginning of what arrived, at most 4 KiB, base64; of a request with much garbage less of each.' }),
})
export type DeadLetter = z.infer<typeof DeadLetter>
export const DEAD_LETTER_PAYLOAD_BYTES = 4096
