import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PlumblineError } from '@plumbline/schemas'
import { accessProblem, brokerErrorType, kafkaError } from './errors.ts'

const wrapped = (fields: object, message = 'x'): Error => {
  const inner = Object.assign(new Error(message), fields)
  return new Error('outer', { cause: new Error('retries', { cause: inner }) })
}
const codeOf = (fields: object, message?: string): string | undefined => accessProblem(wrapped(fields, message))?.code

test('what keeps a process out is found below what the client wraps around it', () => {
  assert.equal(codeOf({ code: 'SELF_SIGNED_CERT_IN_CHAIN' }), 'KAFKA_TLS')
  assert.equal(codeOf({ code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' }), 'KAFKA_TLS')
  assert.equal(codeOf({ code: 'CERT_HAS_EXPIRED' }), 'KAFKA_TLS')
  assert.equal(codeOf({ code: 'ERR_TLS_CERT_ALTNAME_INVALID' }), 'KAFKA_TLS')
  assert.equal(codeOf({ code: 'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED' }), 'KAFKA_TLS')
  assert.equal(codeOf({ name: 'KafkaJSSASLAuthenticationError' }, 'SASL PLAIN authentication failed'), 'KAFKA_AUTH')
  assert.equal(codeOf({ type: 'UNSUPPORTED_SASL_MECHANISM' }), 'KAFKA_AUTH')
  assert.equal(codeOf({ type: 'OPERATION_NOT_ATTEMPTED' }), 'KAFKA_ACCESS')
  assert.equal(codeOf({ type: 'GROUP_AUTHORIZATION_FAILED' }), 'KAFKA_ACCESS')
  for (const fields of [
    { code: 'ECONNREFUSED' },
    { code: 'ECONNRESET' },
    { type: 'NOT_COORDINATOR' },
    { name: 'KafkaJSRequestTimeoutError' },
  ])
    assert.equal(codeOf(fields), undefined, JSON.stringify(fields))
})

test('a refusal inside an aggregate is found, and circles end', () => {
  const aggregate = Object.assign(new Error('several'), {
    errors: [Object.assign(new Error('one'), { type: 'CLUSTER_AUTHORIZATION_FAILED' })],
  })
  assert.equal(brokerErrorType(aggregate), 'CLUSTER_AUTHORIZATION_FAILED')
  const circle = new Error('a')
  circle.cause = new Error('b', { cause: circle })
  assert.equal(accessProblem(circle), undefined)
})

test('words of a broker about a login are not passed on: they may repeat what was sent', () => {
  const problem = accessProblem(
    wrapped({ name: 'KafkaJSSASLAuthenticationError' }, 'SASL OAUTHBEARER authentication failed: token hunter2'),
  )
  assert.match(problem?.message ?? '', /kafkaOauthClientId/)
  assert.ok(!problem?.message.includes('hunter2'))
})

test('only an unreached broker gets the code of what keeps the process out; a commit in doubt stays one, with the remedy in words', () => {
  const denied = wrapped({ type: 'TOPIC_AUTHORIZATION_FAILED' })
  const unreached = kafkaError('KAFKA_UNREACHABLE', 'The log cannot be opened.', denied)
  assert.deepEqual([unreached.code, unreached.retryable], ['KAFKA_ACCESS', false])
  const doubt = kafkaError('COMMIT_UNKNOWN', 'Whether it was stored is not known.', denied)
  assert.deepEqual([doubt.code, doubt.retryable], ['COMMIT_UNKNOWN', true])
  assert.match(doubt.message, /^Whether it was stored is not known\. The brokers do not let .*docs\/security\.md/)
  const own = new PlumblineError('TOPIC_MISSING', 'x')
  assert.equal(kafkaError('KAFKA_UNREACHABLE', 'y', own), own)
  assert.match(kafkaError('A', 'b.', new TypeError('c')).message, /^b\. TypeError: c$/)
})
