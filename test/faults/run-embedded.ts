import { OUTSIDE, POINTS, differences, runCampaign } from './campaign.ts'

/** A long run over the embedded log; false when it found a difference, or not the one it had to find. */
export const runEmbedded = async ({ faults, seed }: { readonly faults: number; readonly seed: number }): Promise<boolean> => {
  const each = Math.max(1, Math.ceil(faults / (POINTS.length + OUTSIDE.length)))
  const good = await runCampaign({ seed, perPoint: each, perOutside: each, onProgress: (text) => process.stderr.write(`${text}\n`) })
  for (const name of [...POINTS, ...OUTSIDE]) console.log(`${String(good.fired.get(name) ?? 0).padStart(5)}  ${name}`)
  console.log(`${good.kills} faults, ${good.verdict.events} events`, good.verdict)
  const control = await runCampaign({ seed: seed + 1, perPoint: 5, perOutside: 0, points: ['commit:durable'], broken: true })
  console.log('negative control', control.verdict)

  const unfired = [...POINTS, ...OUTSIDE].filter((name) => (good.fired.get(name) ?? 0) === 0)
  const failed = differences(good.verdict) > 0 || unfired.length > 0 || differences(control.verdict) === 0
  if (unfired.length > 0) console.log('never fired:', unfired.join(', '))
  console.log(failed ? 'FAILED' : `passed: 0 of ${good.kills} faults lost or doubled anything; the control was noticed`)
  return !failed
}
