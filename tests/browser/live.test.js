// New calls appear on a key's page by themselves, and move a rotation on.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { launch, press, visible, Watch } from './support/browser.js';
import * as people from './support/people.js';
import { row, secretIds } from './support/people.js';
import { Server } from './support/server.js';
import { callerIdentity } from './support/signed.js';

describe('New calls', () => {
  let server;
  let browser;
  let page;
  let watch;
  let key;
  let secret;

  before(async () => {
    server = await Server.start();
    browser = await launch();
    const context = await browser.newContext({ baseURL: server.console });
    context.setDefaultTimeout(20_000);
    page = await context.newPage();
    watch = new Watch(context, server.console);
    const { authenticator } = await people.setUp(page, server.setup);
    await people.createKey(page);
    [key] = await secretIds(page);
    await row(page, key).button('Show').click();
    await people.verify(page.getByRole('dialog'), { code: await authenticator.code() });
    secret = await row(page, key).secret.innerText();
  });

  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  const calls = () => page.locator('table.calls tbody tr');
  const send = (secretKey) => callerIdentity(server.api, { secretId: key, secretKey });

  test('They appear without a reload, each with its result, and as the filter says', { timeout: 120_000 }, async () => {
    await page.goto(`/cam/capi/keys/${key}`);
    await visible(page.getByText('New calls appear here by themselves.'));
    await page.evaluate(() => {
      window.notReloaded = true;
    });
    const accepted = await send(secret);
    const first = calls().filter({ hasText: accepted.RequestId });
    await visible(first);
    assert.match(await first.innerText(), /GetCallerIdentity[\s\S]*Accepted/);
    assert.match(await first.locator('time').innerText(), /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/, 'in the local zone');

    const refused = await send('x'.repeat(32));
    const second = calls().filter({ hasText: refused.RequestId });
    await visible(second);
    assert.equal(await calls().first().getAttribute('id'), `call-${refused.RequestId}`, 'the newest is first');
    assert.ok(await page.evaluate(() => window.notReloaded));
    await press(second.getByRole('link'));
    await visible(page.getByRole('heading', { name: 'Canonical request' }));

    await page.goto(`/cam/capi/keys/${key}?result=refused`);
    await visible(page.getByText('New calls appear here by themselves.'));
    const [before, another] = [await calls().count(), await send(secret)];
    const last = await send('x'.repeat(32));
    await visible(calls().filter({ hasText: last.RequestId }));
    assert.equal(await calls().filter({ hasText: another.RequestId }).count(), 0);
    assert.equal(await calls().count(), before + 1);
    watch.assertNone();
  });

  test('A page that was in the background catches up', { timeout: 120_000 }, async () => {
    await page.goto(`/cam/capi/keys/${key}`);
    await visible(page.getByText('New calls appear here by themselves.'));
    const hide = (hidden) =>
      page.evaluate((hidden) => {
        Object.defineProperty(document, 'hidden', { configurable: true, value: hidden });
        document.dispatchEvent(new Event('visibilitychange'));
      }, hidden);
    await hide(true);
    const meanwhile = await send(secret);
    await hide(false);
    await visible(calls().filter({ hasText: meanwhile.RequestId }));
    watch.assertNone();
  });

  test('The page of a rotation follows its keys', { timeout: 120_000 }, async () => {
    await page.goto(`/cam/capi/keys/${key}/rotate`);
    await press(page.getByRole('button', { name: 'Create Key' }));
    await page.evaluate(() => {
      window.notReloaded = true;
    });
    const reloaded = page.waitForFunction(() => !window.notReloaded);
    await send(secret);
    await reloaded;
    await visible(page.getByRole('heading', { level: 1, name: 'Rotate this key' }));
    watch.assertNone();
  });
});
