import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { launch } from './support/browser.js';
const out = process.argv[2];
const wanted = process.argv.slice(3);
const p = spawn(process.env.LATCHKEY_BIN, ['demo', '--console', '127.0.0.1:18080', '--api', '127.0.0.1:18081'], { stdio: ['ignore', 'pipe', 'inherit'] });
const got = {};
const ready = new Promise((res) => createInterface({ input: p.stdout }).on('line', (l) => {
  const m = l.match(/^\s+(open|password|code)\s+(\S+)/); if (m) { got[m[1]] = m[2]; if (m[1] === 'code') res(); }
}));
await ready;
const browser = await launch();
const ctx = await browser.newContext({ viewport: { width: 1280, height: 800 } });
const page = await ctx.newPage();
page.on('console', (m) => console.log('console', m.text()));
page.on('pageerror', (m) => console.log('error', m));
await page.goto(got.open);
await page.getByLabel('Account name').fill('demo');
await page.getByLabel('Password').fill(got.password);
await page.getByRole('button', { name: 'Next' }).click();
await page.getByLabel('Authenticator code').fill(got.code);
await page.getByRole('button', { name: 'Sign in' }).click();
await page.waitForURL('**/cam/capi');
const ids = await page.locator('tbody tr').evaluateAll((r) => r.map((x) => x.id));
const places = { keys: '/cam/capi', old: `/cam/capi/keys/${ids[0]}`, new: `/cam/capi/keys/${ids[1]}`, hour: `/cam/capi/keys/${ids[0]}?by=hour&result=refused`, rotate: `/cam/capi/keys/${ids[0]}/rotate`, records: '/cam/records', security: '/cam/security' };
for (const lang of ['en', 'zh-CN', 'ja']) {
  if (lang !== 'en' && !wanted.includes('langs')) continue;
  for (const [name, at] of Object.entries(places)) {
    if (!wanted.includes(name)) continue;
    for (const width of [1280, 320]) for (const scheme of ['light', 'dark']) {
      if (lang !== 'en' && scheme === 'dark') continue;
      await ctx.addCookies([]);
      await page.emulateMedia({ colorScheme: scheme });
      await page.setViewportSize({ width, height: width === 320 ? 700 : 800 });
      const origin = new URL(got.open).origin;
      await page.goto(origin + at);
      if ((await page.locator('html').getAttribute('lang')) !== lang) {
        await page.evaluate((l) => { const s = document.querySelector('#language'); s.value = l; s.form.submit(); }, lang);
        await page.waitForLoadState();
        await page.goto(origin + at);
      }
      await page.waitForTimeout(200);
      await page.screenshot({ path: `${out}/${name}-${lang}-${scheme}-${width}.png`, fullPage: true });
    }
  }
}
await browser.close(); p.kill('SIGINT');
