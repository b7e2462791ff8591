// Passkeys, with the browser's virtual authenticator. Some tests send what a browser would not send, to check that the
// server does not rely on browsers. Only in Chromium: WebDriver BiDi, over which Firefox is driven, has no virtual
// authenticator.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { launch, press, says, visible, Watch } from './support/browser.js';
import { Passkeys } from './support/passkeys.js';
import * as people from './support/people.js';
import { NAME, PASSWORD, row, secretIds } from './support/people.js';
import { Server } from './support/server.js';

const REFUSED = /This passkey was not accepted/;

describe('Passkeys', () => {
  let server;
  let browser;
  let page;
  let passkeys;
  let watch;
  let totp;
  let other;
  let failed = false;

  const open = async () => {
    const context = await browser.newContext({ baseURL: server.console });
    context.setDefaultTimeout(20_000);
    const opened = await context.newPage();
    return { page: opened, passkeys: await Passkeys.on(opened), watch: new Watch(context, server.console) };
  };

  before(async () => {
    server = await Server.start();
    browser = await launch();
    ({ page, passkeys, watch } = await open());
    ({ authenticator: totp } = await people.setUp(page, server.setup));
    await people.createKey(page);
    other = await open();
    const link = server.linkFrom(await server.command('account', 'create', 'somebody else'));
    const { authenticator } = await people.setUp(other.page, link, 'somebody else');
    await add(other.page, 'theirs', await authenticator.code());
  });

  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  const button = (name, on = page) => on.getByRole('button', { name, exact: true });
  const flash = (text, on = page) => says(on.locator('.flash'), text);
  const inList = (name) => page.locator('section[aria-labelledby="passkeys"] tbody tr').filter({ hasText: name });

  async function add(on, name, code) {
    await on.goto('/cam/security');
    await press(on.getByRole('link', { name: 'Add a passkey' }));
    await people.verify(on, { code, act: 'Next' });
    await on.getByLabel('Name', { exact: true }).fill(name);
    await press(button('Add a passkey', on));
  }

  const signInWith = async (refused = false) => {
    await page.goto('/login');
    const response = await press(button('Sign in with a passkey'));
    assert.equal(response.status(), refused ? 422 : 203);
    if (refused) await says(page.getByRole('alert').first(), REFUSED);
    else await visible(page.getByRole('heading', { level: 1, name: 'API Key Management' }));
    return response;
  };

  /** Opens the pop-up to show the secret of the only key. */
  const askToShow = async () => {
    await page.goto('/cam/capi');
    const [key] = await secretIds(page);
    await row(page, key).button('Show').click();
    const dialog = page.getByRole('dialog');
    await visible(dialog);
    return dialog;
  };

  /** Changes the options that the page passes to the browser. */
  const askInstead = (change) =>
    page.evaluate((change) => {
      const real = CredentialsContainer.prototype.get;
      CredentialsContainer.prototype.get = function get(options) {
        Object.assign(options.publicKey, change);
        return real.call(this, options);
      };
    }, change);

  const step = (name, walk) =>
    test(name, { timeout: 120_000 }, async (t) => {
      if (failed) return t.skip('an earlier step failed');
      try {
        await walk();
        watch.assertNone();
        other.watch.assertNone();
      } catch (error) {
        failed = true;
        t.diagnostic(
          `at ${page.url()} the page said:\n${await page
            .locator('body')
            .innerText()
            .catch(() => 'nothing')}`,
        );
        t.diagnostic(`the end of the server's log:\n${server.log.trimEnd().split('\n').slice(-10).join('\n')}`);
        throw error;
      }
    });

  step('An account without one is not asked for one', async () => {
    const dialog = await askToShow();
    await visible(dialog.getByLabel('Password', { exact: true }));
    assert.equal(await button('Use a passkey', dialog).count(), 0);
  });

  step('One is added, after a verification, under a name', async () => {
    await page.goto('/cam/security/passkeys/new');
    assert.equal(new URL(page.url()).pathname, '/cam/security/passkeys/add', 'not without a verification');
    await add(page, 'Blue key ring', await totp.code());
    await flash(/The passkey was added/);
    await says(inList('Blue key ring'), 'Never');
    const [{ isResidentCredential, userHandle }] = await passkeys.all();
    assert.ok(isResidentCredential && userHandle, 'it is found without naming the account');
  });

  step('The same device does not take a second one', async () => {
    await press(button('Add a passkey'));
    await page.getByLabel('Name', { exact: true }).fill('once more');
    await button('Add a passkey').click();
    await says(page.getByRole('alert'), /already has a passkey/);
    assert.equal((await passkeys.all()).length, 1);
  });

  step('It signs in, without name, password and code', async () => {
    await people.signOut(page);
    await signInWith();
    await visible(page.locator('.who').getByText(NAME));
    await page.goto('/cam/security');
    assert.doesNotMatch(await inList('Blue key ring').innerText(), /Never/);
  });

  step('It opens a SecretKey', async () => {
    const dialog = await askToShow();
    await press(button('Use a passkey', dialog));
    const [key] = await secretIds(page);
    assert.match(await row(page, key).secret.innerText(), /^[A-Za-z0-9]{32}$/);
  });

  step('It is renamed', async () => {
    await page.goto('/cam/security');
    await inList('Blue key ring').getByText('Rename', { exact: true }).click();
    await inList('Blue key ring').getByLabel('Rename this passkey').fill('<b>Old key ring</b>');
    await press(button('Save'));
    await flash(/renamed/);
    await visible(inList('<b>Old key ring</b>'));
  });

  step('An answer works once', async () => {
    await people.signOut(page);
    const sent = page.waitForRequest((request) => new URL(request.url()).pathname === '/login/passkey');
    await signInWith();
    const passkey = new URLSearchParams((await sent).postData()).get('passkey');
    await people.signOut(page);
    const status = await page.evaluate(async (passkey) => {
      const token = document.querySelector('input[name=form_token]').value;
      const post = (to, more) =>
        fetch(to, { method: 'POST', body: new URLSearchParams({ form_token: token, ...more }), redirect: 'manual' });
      await post('/login/passkey/options', {}); // another challenge is pending
      return (await post('/login/passkey', { passkey })).status;
    }, passkey);
    assert.equal(status, 422);
    assert.equal(watch.take().length, 1, 'that refusal');
    await signInWith();
  });

  step('Without user verification it is refused', async () => {
    await people.signOut(page);
    const own = await passkeys.all();
    await passkeys.recognise(false);
    // The browser obeys the server's options …
    await page.goto('/login');
    await button('Sign in with a passkey').click();
    await says(page.getByRole('alert'), /No passkey was used/);
    // … but the server does not rely on that.
    await passkeys.have(own);
    await askInstead({ userVerification: 'discouraged' });
    const response = await press(button('Sign in with a passkey'));
    assert.equal(response.status(), 422);
    await says(page.getByRole('alert').first(), REFUSED);
    await passkeys.recognise(true);
    await signInWith();
  });

  step('A copy that is behind the original is refused', async () => {
    await people.signOut(page);
    const own = await passkeys.all();
    await passkeys.have(own.map((credential) => ({ ...credential, signCount: 1 })));
    await signInWith(true);
    await passkeys.have(own);
    await signInWith();
  });

  step("Another account's passkey opens nothing of this one", async () => {
    const own = await passkeys.all();
    await passkeys.have(await other.passkeys.all());
    let dialog = await askToShow();
    await button('Use a passkey', dialog).click();
    await says(dialog.locator('[data-passkey-error]'), /No passkey was used/);
    await page.reload();
    dialog = await askToShow();
    await askInstead({ allowCredentials: [] });
    const response = await press(button('Use a passkey', dialog));
    assert.equal(response.status(), 422);
    await says(page.getByRole('alert').first(), REFUSED);
    assert.equal(await page.locator('[data-secret]').count(), 0);
    await passkeys.have(own);
    // The page with the error offers a passkey as well.
    await press(button('Use a passkey'));
    const [key] = await secretIds(page);
    await visible(row(page, key).secret);
  });

  step('It stands in for the code where the password is changed', async () => {
    await people.signOut(page);
    await signInWith();
    await page.goto('/cam/security/password');
    const fill = (label, value) => page.getByLabel(label, { exact: true }).fill(value);
    await fill('Current password', PASSWORD);
    await fill('New password', 'nine pewter spoons ring');
    // Nothing is asked of the authenticator while a field is empty.
    await button('Use a passkey in place of the code').click();
    assert.equal(await page.locator('#again').evaluate((field) => field.matches(':focus')), true);
    await fill('Confirm new password', 'nine pewter spoons ring');
    await press(button('Use a passkey in place of the code'));
    await flash(/password was changed|password has been changed/i);
  });

  step('It is removed after a verification, and is worth nothing from then on', async () => {
    await people.signOut(page);
    await signInWith();
    await page.goto('/cam/security');
    await press(page.getByRole('link', { name: 'Remove <b>Old key ring</b>' }));
    await visible(page.getByText('<b>Old key ring</b>'));
    await press(button('Use a passkey'));
    assert.equal(new URL(page.url()).pathname, '/cam/security');
    await flash(/The passkey was removed/);
    assert.equal(await inList('<b>Old key ring</b>').count(), 0);
    await people.signOut(page);
    await signInWith(true);
    assert.equal(new URL(page.url()).pathname, '/login/passkey');
  });

  step('Without JavaScript nothing asks for one', async () => {
    const context = await browser.newContext({ baseURL: server.console, javaScriptEnabled: false });
    const plain = await context.newPage();
    await plain.goto('/login');
    await visible(button('Next', plain));
    assert.equal(await button('Sign in with a passkey', plain).count(), 0);
    await context.close();
  });
});
