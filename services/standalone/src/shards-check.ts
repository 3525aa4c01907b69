/** What health says of shards that do not go on, each with its reason. `alone`: they are this process's own. */
export const shardsCheck = (stopped: readonly string[], alone: boolean): { readonly ok: boolean; readonly detail?: string } => {
  if (stopped.length === 0) return { ok: true }
  // Of those that workers elsewhere score it is only known that nobody does, which may be for want of a worker.
  const what = alone ? 'stopped' : 'not scored'
  return { ok: !alone, detail: `${stopped.length} ${stopped.length === 1 ? 'shard' : 'shards'} ${what}: ${stopped[0]}` }
}
