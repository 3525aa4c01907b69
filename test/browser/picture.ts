// Takes the picture of the page for the docs from a running service: node test/browser/picture.ts ORIGIN TOKEN FILE.png
import { launch } from './chromium.ts'

const [origin, token, file] = process.argv.slice(2)
if (origin === undefined || token === undefined || file === undefined) throw new Error('usage: picture.ts ORIGIN TOKEN FILE.png')
const browser = await launch()
try {
  const page = await browser.newPage({ viewport: { width: 1440, height: 960 } })
  await page.goto(`${origin}/#token=${token}`)
  const worst = page.locator('.row.sev-edge-critical, .row.sev-edge-high').first()
  await worst.click()
  await page.waitForSelector('.timeline canvas')
  await page.mouse.move(1439, 959)
  await page.screenshot({ path: file })
} finally {
  await browser.close()
}
