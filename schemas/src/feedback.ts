import { z } from 'zod'

/** confirmed: raise and stop learning from it. safe: this is normal, learn it. dismissed: benign, keep flagging alike. */
export const VERDICTS = ['confirmed', 'safe', 'dismissed'] as const
export type Verdict = (typeof VERDICTS)[number]

/** Body of POST /v1/alerts/:id/verdict. */
export const VerdictRequest = z.strictObject({
  verdict: z.enum(VERDICTS).meta({ description: 'confirmed, safe or dismissed.' }),
  author: z.string().min(1).max(128).default('analyst'),
  note: z.string().max(2000).optional(),
})
export type VerdictRequest = z.infer<typeof VerdictRequest>
