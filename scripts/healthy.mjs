// Health check of a container without curl: `node healthy.mjs http://127.0.0.1:7071/health/ready`. 0 when it answers 2xx.
try {
  const answer = await fetch(process.argv[2] ?? '', { signal: AbortSignal.timeout(5000), redirect: 'error' })
  process.stdout.write(`${answer.status} ${(await answer.text()).slice(0, 1000)}\n`)
  process.exitCode = answer.ok ? 0 : 1
} catch (error) {
  process.stdout.write(`${error.cause?.code ?? error.message}\n`)
  process.exitCode = 1
}
