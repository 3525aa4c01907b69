import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createAdam } from './adam.ts'
import { chooseBackend } from './backend.ts'

test("steps like TensorFlow's own Adam", async () => {
  const backend = await chooseBackend()
  const { tf } = backend
  const start = [3, -2, 0.5, 1]
  const ours = tf.variable(tf.tensor1d(start))
  const theirs = tf.variable(tf.tensor1d(start))
  const scale = tf.tensor1d([1, 10, 0.01, 0])
  const adam = createAdam(backend, [ours])
  const reference = tf.train.adam(0.05)
  for (let i = 0; i < 50; i++) {
    adam.step(tf.variableGrads(() => tf.sum(tf.mul(scale, tf.square(ours))).asScalar(), [ours]).grads, 0.05)
    reference.minimize(() => tf.sum(tf.mul(scale, tf.square(theirs))).asScalar())
  }
  const [a, b] = [ours.dataSync(), theirs.dataSync()]
  a.forEach((v, i) => assert.ok(Math.abs(v - b[i]!) < 1e-4, `${v} ${b[i]}`))
  assert.notEqual(a[0], 3)
})
