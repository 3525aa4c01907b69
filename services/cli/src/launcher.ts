/**
 * `npm start` and `node scripts/plumbline.mjs` start this process as their child and pass signals on. One they cannot pass on is
 * SIGKILL: the channel between the two closes then, and this process stops in order, as for SIGTERM. Without a launcher nothing happens.
 */
export const endWithLauncher = (): void => {
  if (process.channel === undefined || process.channel === null) return
  process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'))
  // It must not keep a command from ending that is done.
  process.channel.unref()
}
