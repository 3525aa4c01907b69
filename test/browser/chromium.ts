import { existsSync } from 'node:fs'
import { type Browser, chromium } from 'playwright-core'

const path = process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium'

export const chromiumProblem = (): string | undefined =>
  existsSync(path) ? undefined : `no Chromium at ${path}: install the Debian package chromium, or set CHROMIUM_PATH`

/** Chromium refuses its sandbox to root, as in containers; everyone else keeps it. */
export const launch = (): Promise<Browser> =>
  chromium.launch({ executablePath: path, chromiumSandbox: process.getuid?.() !== 0, args: ['--disable-dev-shm-usage', '--disable-gpu'] })
