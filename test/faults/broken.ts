import { type StoreChunks, writeOutputs, writePosition } from '../../packages/adapters/src/lmdb/commit.ts'

/** The negative control: outputs in one transaction, position in the next. A kill between the two must be noticed. */
export const storeApart: StoreChunks = async (env, heads, writer, commits) => {
  await writer.run({
    kind: 'commit',
    bytes: 0,
    apply() {
      for (const commit of commits) writeOutputs(env, heads, commit)
    },
  })
  await writer.run({
    bytes: 0,
    apply() {
      for (const commit of commits) writePosition(env, heads, commit)
    },
  })
}
