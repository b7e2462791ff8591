// The complete journey of an owner: from the printed setup link to a deleted key, then signed out and in again. The
// steps are the same with and without JavaScript, on both databases, and in both browsers.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { description, focused, launch, leads, press, refusedAt, says, visible, Watch } from './support/browser.js';
import * as people from './support/people.js';
import { NAME, row, secretIds } from './support/people.js';
import { Server } from './support/server.js';
import { callerIdentity } from './support/signed.js';

const SECRET_KEY = /^[A-Za-z0-9]{32}$/;
const SCRIPT = '<script>alert(1)</script>"><img src=x onerror=alert(2)>';

for (const [name, database] of [
  ['Chromium', 'SQLite'],
  ['Chromium', 'PostgreSQL'],
  ['Firefox', 'SQLite'],
]) {
  for (const javaScript of [true, false]) {
    describe(`${name}, ${javaScript ? 'with' : 'without'} JavaScript, on ${database}`, () =>
      journey({ name, database, javaScript }));
  }
}

function journey({ name, database, javaScript }) {
  let server;
  let browser;
  let context;
  let watch;
  let page;
  let authenticator;
  let recoveryCodes;
  /** The two keys, oldest first. */
  let first;
  let second;
  let secretKey;
  let failed = false;

  before(async () => {
    server = await Server.start({ database });
    browser = await launch({ name, javaScript });
    context = await browser.newContext({
      baseURL: server.console,
      javaScriptEnabled: javaScript,
      timezoneId: 'Asia/Kolkata',
    });
    context.setDefaultTimeout(20_000);
    // Runs before the page's own script. Detects a page that is restored from memory with its content.
    await context.addInitScript(() => {
      addEventListener('pageshow', (event) => {
        if (event.persisted && document.querySelector('[data-secret]')) console.error('the secret was kept in memory');
      });
    });
    watch = new Watch(context, server.console);
    page = await context.newPage();
  });

  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  /** A step of the journey. Each depends on those before, so after a failure the others are skipped. */
  const step = (name, walk) =>
    test(name, { timeout: 120_000 }, async (t) => {
      if (failed) return t.skip('an earlier step failed');
      try {
        await walk();
        watch.assertNone();
      } catch (error) {
        failed = true;
        const shown = await page
          .locator('body')
          .innerText()
          .catch(() => 'nothing');
        t.diagnostic(`at ${page.url()} the page said:\n${shown}`);
        t.diagnostic(`the end of the server's log:\n${server.log.trimEnd().split('\n').slice(-10).join('\n')}`);
        throw error;
      }
    });

  const button = (name) => page.getByRole('button', { name, exact: true });
  const dialog = () => page.getByRole('dialog');
  const flash = (text) => says(page.locator('.flash'), text);
  const heading = (name, on = page) => visible(on.getByRole('heading', { level: 1, name, exact: true }));
  const onKeysPage = async () => {
    await heading('API Key Management');
    assert.equal(new URL(page.url()).pathname, '/cam/capi');
  };
  /** Sends a form that no page offers, with the token of the current page. */
  const sendByHand = (action) =>
    leads(page, () =>
      page.evaluate((action) => {
        const form = document.createElement('form');
        form.method = 'post';
        form.action = action;
        form.append(document.querySelector('input[name=form_token]').cloneNode());
        document.body.append(form);
        form.submit();
      }, action),
    );
  /** Signs out, and checks that the Back button shows nothing of the account. */
  const signOutForGood = async () => {
    const own = [NAME, ...(await secretIds(page))];
    await people.signOut(page);
    await heading('Sign in');
    await says(page.getByRole('status'), 'You are signed out.');
    assert.ok(!(await context.cookies()).some((cookie) => cookie.name.endsWith('session')), 'the cookie is gone');
    await page.goBack({ waitUntil: 'commit' });
    await heading('Sign in');
    const shown = await page.content();
    for (const text of own) assert.ok(!shown.includes(text), `${text} is not in the page`);
  };
  const secretIsNowhere = async (on = page) => {
    assert.ok(!(await on.content()).includes(secretKey), 'the secret is not in the page');
  };

  step('The printed link opens the set-up, and a common password is refused in words', async () => {
    await page.goto(server.setup);
    await heading('Set up your account');
    const response = await people.giveNameAndPassword(page, { password: 'password123' });
    assert.equal(response.status(), 422);
    await refusedAt(page, 'New password', /common/);
    assert.equal(await page.getByLabel('Account name').inputValue(), NAME, 'the name need not be typed again');
    assert.equal(await page.getByLabel('New password', { exact: true }).inputValue(), '');
  });

  step('A good password leads to the authenticator, where a wrong code is refused', async () => {
    await people.giveNameAndPassword(page);
    await heading('Add your authenticator app');
    await visible(page.getByRole('img', { name: /QR code/ }));
    const seed = await page.locator('#seed').innerText();
    assert.match(seed, /^([A-Z2-7]{4} ){7}[A-Z2-7]{4}$/);
    const otpauth = new URL(await page.getByRole('link', { name: /Open in an app/ }).getAttribute('href'));
    assert.equal(otpauth.protocol, 'otpauth:');
    assert.equal(otpauth.searchParams.get('secret'), seed.replaceAll(' ', ''));
    assert.equal(otpauth.searchParams.get('issuer'), 'Latchkey');

    authenticator = await people.scan(page);
    const response = await people.giveFirstCode(page, authenticator.wrongCode());
    assert.equal(response.status(), 422);
    await refusedAt(page, 'Authenticator code', /does not match this QR code/);
    assert.equal(await page.locator('#seed').innerText(), seed, 'the enrolled key stays the same');
  });

  step('The right code shows ten recovery codes, and they have to be saved before going on', async () => {
    await people.giveFirstCode(page, await authenticator.code());
    await heading('Recovery codes');
    recoveryCodes = await people.readRecoveryCodes(page);
    assert.equal(new Set(recoveryCodes).size, 10);
    const download = await page.getByRole('link', { name: 'Download' }).getAttribute('href');
    assert.deepEqual(decodeURIComponent(download.split(',')[1]).trim().split('\n'), recoveryCodes);

    await button('Go to API keys').click();
    const saved = page.getByRole('checkbox', { name: 'I have saved these codes' });
    await focused(saved);
    await heading('Recovery codes');
    await saved.check();
    await press(button('Go to API keys'));
    await onKeysPage();
    await visible(page.locator('.who').getByText(NAME));
    await visible(page.getByText('No keys yet'));
    assert.equal(await page.locator('p.last').count(), 0, 'there was no sign-in before');
  });

  step('The link works once', async () => {
    const other = await context.newPage();
    const response = await other.goto(server.setup);
    assert.equal(response.status(), 410);
    await heading('This link cannot be used', other);
    await other.close();
  });

  step('Two keys can be created, and no secret is shown for it', async () => {
    await people.createKey(page);
    await flash(/was created/);
    await people.createKey(page);
    await flash(/was created/);
    [first, second] = await secretIds(page);
    assert.match(first, /^AKID[A-Za-z0-9]{32}$/);
    assert.match(second, /^AKID[A-Za-z0-9]{32}$/);
    assert.notEqual(first, second);
    for (const secretId of [first, second]) {
      const key = row(page, secretId);
      await says(key.status, 'Enabled');
      await says(key.lastUsed, 'Never');
      await visible(key.mask);
      assert.equal(await key.secret.count(), 0);
      assert.equal(await key.button('Delete').count(), 0, 'an enabled key offers no Delete');
    }
    const time = row(page, first).whole.locator('[data-label="Creation Time"] time');
    assert.match(await time.getAttribute('datetime'), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);
    assert.match(await time.innerText(), /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/);
    // The zone is named once, and with each time's title.
    await visible(page.getByText(javaScript ? 'Times are in UTC+05:30.' : 'Times are in UTC.'));
    if (javaScript) assert.match(await time.getAttribute('title'), /\+05:30$/);
  });

  step('A third key is not offered, and a request made anyway is refused in words', async () => {
    const create = button('Create Key');
    assert.ok(await create.isDisabled());
    assert.match(await description(create), /disable one of them and delete it/);
    await sendByHand('/cam/capi/keys');
    await flash(/No key was created/);
    assert.deepEqual(await secretIds(page), [first, second]);
  });

  step('Show asks for the password and a code, and says which of them is wrong', async () => {
    await row(page, first).button('Show').click();
    await focused(dialog().getByLabel('Password'));
    await page.keyboard.press('Escape');
    await dialog().waitFor({ state: 'hidden' });
    await row(page, first).button('Show').click();
    const wrong = { password: 'not the password', code: authenticator.wrongCode() };
    if (javaScript) {
      const inPopUp = async (label, text, right) => {
        await says(dialog().getByRole('alert'), text);
        await focused(dialog().getByLabel(label));
        assert.equal(await dialog().getByLabel(label).getAttribute('aria-invalid'), 'true');
        assert.equal(await dialog().getByLabel(right).getAttribute('aria-invalid'), 'false');
      };
      await people.verifyInVain(dialog(), wrong);
      await inPopUp('Password', /password is wrong/, 'Authenticator code');
      await people.verifyInVain(dialog(), { code: wrong.code });
      await inPopUp('Authenticator code', /code is wrong/, 'Password');
      watch.take(); // the browser's messages about the two refusals
      return;
    }
    let response = await people.verify(dialog(), wrong);
    assert.equal(response.status(), 422);
    await refusedAt(page, 'Password', /password is wrong/);
    response = await people.verify(page, { code: wrong.code });
    assert.equal(response.status(), 422);
    await refusedAt(page, 'Authenticator code', /code is wrong/);
  });

  step('With both right it shows the secret, and the secret signs requests', async () => {
    await people.verify(javaScript ? dialog() : page, { code: await authenticator.code() });
    await onKeysPage();
    const key = row(page, first);
    await visible(key.secret);
    await focused(key.secret);
    secretKey = await key.secret.innerText();
    assert.match(secretKey, SECRET_KEY);
    assert.equal(await page.locator('[data-secret]').count(), 1, 'one secret and no other');
    const identity = await callerIdentity(server.api, { secretId: first, secretKey });
    assert.match(identity.AccountId ?? JSON.stringify(identity), /^\d{12}$/);
    await visible(page.getByText(`UIN ${identity.AccountId}`));
  });

  if (javaScript) {
    step('A countdown says how long the secret is seen, and can be made longer', async () => {
      const countdown = page.locator('[data-countdown]');
      const left = async () => Number((await countdown.innerText()).match(/(\d+) s/)[1]);
      const before = await left();
      assert.ok(before > 0 && before <= 60, `${before} s are left`);
      await button('Keep 1 more minute').click();
      const after = await left();
      assert.ok(after > 60 && after <= before + 60, `${before} s became ${after} s`);
    });

    step('Copying says that it is done', async () => {
      if (name === 'Chromium') {
        await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: server.console });
      }
      const copied = async (what, copy, text) => {
        await copy.click();
        await says(page.locator('#status'), `${what} copied.`);
        assert.equal(await page.evaluate(() => navigator.clipboard.readText()), text);
      };
      await copied('SecretId', row(page, first).button('Copy SecretId'), first);
      await copied('SecretKey', row(page, first).whole.locator('[data-copy=secret]'), secretKey);
    });

    step('Where copying is not allowed, the text is selected and the reader told', async () => {
      if (name === 'Firefox') return; // it has no such permission
      const { targetInfo } = await (await context.newCDPSession(page)).send('Target.getTargetInfo');
      await (await browser.newBrowserCDPSession()).send('Browser.setPermission', {
        permission: { name: 'clipboard-write' },
        setting: 'denied',
        origin: server.console,
        browserContextId: targetInfo.browserContextId,
      });
      await row(page, first).whole.locator('[data-copy=secret]').click();
      await says(page.locator('#status'), /selected/);
      assert.equal(await page.evaluate(() => getSelection().toString()), secretKey);
      await context.clearPermissions();
    });
  } else {
    step('What needs a script is not offered', async () => {
      assert.equal(await page.locator('[data-copy]:visible, [data-extend]:visible').count(), 0);
      await says(page.locator('[data-countdown]'), /after a minute/);
    });
  }

  step('The secret is masked again by Hide, on leaving, and on going back', async () => {
    const show = async () => {
      await press(row(page, first).button('Show')); // just verified, so nothing is asked for
      await visible(row(page, first).secret);
      assert.equal(await row(page, first).secret.innerText(), secretKey);
    };
    const masked = async () => {
      await secretIsNowhere();
      await visible(row(page, first).mask);
    };
    await press(page.getByRole('link', { name: 'Hide' }));
    await masked();
    await show();
    await page.reload();
    await masked();
    for (const elsewhere of ['/cam/capi', '/no-such-page', 'about:blank']) {
      await show();
      await page.goto(elsewhere);
      await page.goBack({ waitUntil: 'commit' }); // a page that is restored from memory fires no load event
      await visible(row(page, first).secret.or(row(page, first).mask));
      await masked();
    }
  });

  step('The secret masks itself', async () => {
    const other = await context.newPage();
    if (javaScript) await other.clock.install();
    await other.goto('/cam/capi');
    await press(row(other, second).button('Show'));
    const key = row(other, second);
    if (javaScript) {
      await visible(key.secret);
      await other.clock.runFor(50_000);
      await visible(key.secret);
      await other.getByRole('button', { name: 'Keep 1 more minute' }).click();
      await other.clock.runFor(62_000);
      await says(other.locator('#status'), /Hides in (10|\d) s/);
      await visible(key.secret);
      await other.clock.runFor(10_000);
    } else {
      // A minute is too long to wait, so shorten the page's refresh time. The browser's reaction is unchanged.
      await other.locator('meta[http-equiv=refresh]').evaluate((refresh) => {
        const sooner = refresh.cloneNode();
        sooner.content = sooner.content.replace('60;', '1;');
        refresh.replaceWith(sooner);
      });
    }
    await visible(key.mask);
    assert.equal(await key.secret.count(), 0);
    await other.close();
  });

  step('A remark is edited in place, and is never more than text', async () => {
    const write = async (remark, said) => {
      await row(page, first).remark.locator('summary').click();
      await row(page, first).remark.getByRole('textbox').fill(remark);
      await press(row(page, first).remark.getByRole('button', { name: 'Save' }));
      await flash(/remark of key .* was saved/i);
      await visible(row(page, first).remark.locator('summary').getByText(said, { exact: true }));
    };
    await page.goto('/cam/capi');
    await write('Nightly back-up, 字', 'Nightly back-up, 字');
    await write(SCRIPT, SCRIPT);
    assert.equal(await page.locator('tbody img[src]').count(), 0);
    await row(page, first).remark.locator('summary').click();
    assert.equal(await row(page, first).remark.getByRole('textbox').inputValue(), SCRIPT);
    await page.reload();
    await write('', 'None');
    await write(SCRIPT, SCRIPT);
  });

  step('Disable asks first: the pop-up says what will break, starts on Cancel and closes with Esc', async () => {
    await page.goto('/cam/capi');
    await says(row(page, first).lastUsed, /GetCallerIdentity/);
    await row(page, first).button('Disable').click();
    await visible(page.getByRole('dialog', { name: 'Disable this key?' }));
    await focused(dialog().getByRole('button', { name: 'Cancel' }));
    await says(dialog(), first);
    await says(dialog(), /every request signed with this key is refused/);
    await says(dialog(), /GetCallerIdentity/);
    await says(dialog(), /Calls in the last 24 hours\s*1\b/);
    await says(dialog(), /IP addresses in the last 24 hours\s*1\b/);
    await page.keyboard.press('Escape');
    await dialog().waitFor({ state: 'hidden' });
    await focused(row(page, first).button('Disable'));
    await says(row(page, first).status, 'Enabled');

    await row(page, first).button('Disable').click();
    await dialog().getByRole('button', { name: 'Cancel' }).click();
    await dialog().waitFor({ state: 'hidden' });
    await says(row(page, first).status, 'Enabled');
  });

  step('Confirm disables: the very next request signed with the key is refused', async () => {
    await row(page, first).button('Disable').click();
    await press(dialog().getByRole('button', { name: 'Confirm' }));
    const { Error: refusal } = await callerIdentity(server.api, { secretId: first, secretKey });
    assert.equal(refusal?.Code, 'AuthFailure.SecretIdNotFound');
    await onKeysPage();
    await flash(/is disabled\. Every request signed with it is refused/);
    await says(row(page, first).status, 'Disabled');
    await says(row(page, second).status, 'Enabled');
    assert.ok(await button('Create Key').isDisabled(), 'a disabled key counts');
  });

  step('Enable needs no pop-up', async () => {
    await press(row(page, first).button('Enable'));
    await onKeysPage();
    await flash(/is enabled/);
    await says(row(page, first).status, 'Enabled');
    const identity = await callerIdentity(server.api, { secretId: first, secretKey });
    assert.equal(identity.Error, undefined);
  });

  step('An enabled key is not deleted, however it is asked for', async () => {
    await sendByHand(`/cam/capi/keys/${first}/delete`);
    await flash(/not deleted, because it is enabled\. Disable it first/);
    await page.goto(`/cam/capi/keys/${first}/delete`);
    await onKeysPage();
    await flash(/not deleted, because it is enabled\. Disable it first/);
    await says(row(page, first).status, 'Enabled');
  });

  step('Where the browser has no pop-ups, a page asks in their place', async () => {
    await page.goto(`/cam/capi/keys/${first}/disable`);
    await heading('Disable this key?');
    await visible(page.getByText(first));
    await press(page.getByRole('link', { name: 'Cancel' }));
    await says(row(page, first).status, 'Enabled');
    await page.goto(`/cam/capi/keys/${first}/disable`);
    await press(button('Confirm'));
    await flash(/is disabled/);
    await callerIdentity(server.api, { secretId: first, secretKey });

    await page.goto(`/cam/capi/keys/${first}/disable`);
    await onKeysPage();
    await flash(/was already disabled/);

    await page.goto(`/cam/capi/keys/${first}/delete`);
    await heading('Delete this key?');
    await says(page.locator('main'), /cannot be recovered/);
    await says(page.locator('main'), /Calls refused since then\s*1\b/);
    await press(page.getByRole('link', { name: 'Cancel' }));
    await says(row(page, first).status, 'Disabled');
  });

  step('What another tab has done meanwhile is said, and nothing breaks', async () => {
    const other = await context.newPage();
    const inOther = (text) => says(other.locator('.flash'), text);
    const confirmIn = async (where, operation) => {
      await row(where, second).button(operation).click();
      return press(where.getByRole('dialog').getByRole('button', { name: 'Confirm' }));
    };
    await page.goto('/cam/capi');
    await other.goto('/cam/capi');
    await confirmIn(page, 'Disable');
    await flash(/is disabled/);
    await confirmIn(other, 'Disable');
    await inOther(/was already disabled, perhaps in another tab/);

    await press(row(page, second).button('Enable'));
    await press(row(other, second).button('Enable'));
    await inOther(/was already enabled, perhaps in another tab/);

    // The key is enabled again while the other tab still offers to delete it.
    await confirmIn(page, 'Disable');
    await other.goto('/cam/capi');
    await press(row(page, second).button('Enable'));
    await confirmIn(other, 'Delete');
    await inOther(/not deleted, because it is enabled/);

    await confirmIn(page, 'Disable');
    const gone = [];
    for (let tab = 0; tab < 4; tab += 1) gone.push(await context.newPage());
    for (const tab of gone) await tab.goto('/cam/capi');
    await confirmIn(page, 'Delete');
    await flash(/was deleted/);
    const [deleting, enabling, showing, remarking] = gone;
    const asked = [
      [deleting, await confirmIn(deleting, 'Delete')],
      [enabling, await press(row(enabling, second).button('Enable'))],
      [showing, await press(row(showing, second).button('Show'))],
    ];
    await row(remarking, second).remark.locator('summary').click();
    asked.push([remarking, await press(row(remarking, second).remark.getByRole('button', { name: 'Save' }))]);
    for (const [tab, response] of asked) {
      assert.equal(response.status(), 404);
      await heading('Key not found', tab);
      await says(tab.locator('main'), /perhaps in another tab/);
      await press(tab.getByRole('link', { name: 'Back to the console' }));
      assert.deepEqual(await secretIds(tab), [first]);
      await tab.close();
    }
    await other.close();
  });

  step('A pop-up names what is lost, and Confirm deletes', async () => {
    await page.goto('/cam/capi');
    assert.ok(await button('Create Key').isEnabled(), 'there is room again');
    await row(page, first).button('Delete').click();
    await visible(page.getByRole('dialog', { name: 'Delete this key?' }));
    await focused(dialog().getByRole('button', { name: 'Cancel' }));
    await says(dialog(), first);
    await says(dialog(), /cannot be recovered/);
    await says(dialog(), /GetCallerIdentity/);
    await says(dialog(), /Calls refused since then\s*1\b/);
    await page.keyboard.press('Escape');
    await dialog().waitFor({ state: 'hidden' });
    await row(page, first).button('Delete').click();
    await press(dialog().getByRole('button', { name: 'Confirm' }));
    await flash(/was deleted/);
    assert.deepEqual(await secretIds(page), []);
    await visible(page.getByText('No keys yet'));
    const { Error: refusal } = await callerIdentity(server.api, { secretId: first, secretKey });
    assert.equal(refusal?.Code, 'AuthFailure.SecretIdNotFound');
  });

  step('A rotation leads from the old key to the new one', async () => {
    const current = async (name) => {
      await heading('Rotate this key');
      await visible(page.locator('[aria-current=step]').getByRole('heading', { name }));
    };
    /** Shows a secret. Just verified, so nothing is asked for. */
    const pair = async (secretId, show) => {
      await press(show);
      return { secretId, secretKey: await row(page, secretId).secret.innerText() };
    };
    await people.createKey(page);
    [first] = await secretIds(page);
    const old = await pair(first, row(page, first).button('Show'));
    await callerIdentity(server.api, old);
    await press(page.getByRole('link', { name: /^All calls/ }));
    await press(page.getByRole('link', { name: /^Rotate/ }));
    await current('Create the new key');
    const rotation = page.url();
    await press(button('Create Key'));
    await flash(/was created/);
    await current('Switch to the new key');
    await press(page.getByRole('link', { name: 'Show SecretKey' }));
    second = new URL(page.url()).pathname.split('/').at(-2);
    const renewed = await pair(second, button('Show'));
    await callerIdentity(server.api, renewed);

    await page.goto(rotation);
    await says(page.locator('main'), /The old key is still in use/);
    await page.getByRole('button', { name: /^Disable/ }).click();
    await focused(dialog().getByRole('button', { name: 'Cancel' }));
    await press(dialog().getByRole('button', { name: 'Confirm' }));
    await flash(/is disabled/);
    await current('Delete the old key');
    assert.equal((await callerIdentity(server.api, old)).Error?.Code, 'AuthFailure.SecretIdNotFound');
    assert.equal((await callerIdentity(server.api, renewed)).Error, undefined);
    await page.reload();
    await says(page.locator('main'), /1 call has been refused/);
    await page.getByRole('button', { name: /^Delete/ }).click();
    await press(dialog().getByRole('button', { name: 'Confirm' }));
    await onKeysPage();
    await flash(/was deleted/);
    assert.deepEqual(await secretIds(page), [second]);
    secretKey = renewed.secretKey;
  });

  step('The emergency stop takes one confirmation', async () => {
    const stop = page.getByRole('link', { name: 'Disable all keys' });
    await press(stop);
    await heading('Disable all keys?');
    await says(page.locator('main'), second);
    await press(page.getByRole('link', { name: 'Cancel' }));
    await says(row(page, second).status, 'Enabled');
    await press(stop);
    await press(button('Disable all keys'));
    const { Error: refusal } = await callerIdentity(server.api, { secretId: second, secretKey });
    assert.equal(refusal?.Code, 'AuthFailure.SecretIdNotFound');
    await onKeysPage();
    await flash(/1 key was disabled/);
    await says(row(page, second).status, /Disabled\s*by the emergency stop/);
    await press(row(page, second).button('Enable')); // just verified, so nothing is asked for
    await flash(/is enabled/);
    assert.equal((await callerIdentity(server.api, { secretId: second, secretKey })).Error, undefined);
  });

  step('After signing out, Back shows nothing of the account', async () => {
    await press(row(page, second).button('Show'));
    assert.equal(await row(page, second).secret.innerText(), secretKey);
    await signOutForGood();
    await secretIsNowhere();
  });

  step('A wrong password and a wrong code are refused without saying too much', async () => {
    await page.goto('/login');
    let response = await people.givePassword(page, { password: 'not the password' });
    assert.equal(response.status(), 422);
    await refusedAt(page, 'Password', /name or password is wrong/);
    assert.equal(await page.getByLabel('Account name').inputValue(), NAME);
    await people.givePassword(page);
    await heading('Two-factor authentication');
    response = await people.giveCode(page, 'Authenticator code', authenticator.wrongCode());
    assert.equal(response.status(), 422);
    await refusedAt(page, 'Authenticator code', /code is wrong/);
  });

  step('Back from the page after a refused form shows that form, and sends nothing again', async () => {
    if (!javaScript) return;
    await page.goto('/setup?token=none');
    await page.goBack();
    await heading('Two-factor authentication');
  });

  step('Password and code sign in, and the page says when the last time was', async () => {
    await people.giveCode(page, 'Authenticator code', await authenticator.code());
    await onKeysPage();
    const last = page.locator('p.last');
    await says(last, /127\.0\.0\.1|::1/);
    await says(last, /2 failed attempts since/);
    const ago = Date.now() - Date.parse(await last.locator('time').getAttribute('datetime'));
    assert.ok(ago >= 0 && ago < 600_000, `it was ${ago} ms ago`);
    await visible(row(page, (await secretIds(page))[0]).mask);
  });

  step('A recovery code stands in for the authenticator once, and the page says how many are left', async () => {
    const withRecoveryCode = async (code) => {
      await signOutForGood();
      await people.givePassword(page);
      await press(page.getByRole('link', { name: 'Use a recovery code instead' }));
      return people.giveCode(page, 'Recovery code', code);
    };
    await withRecoveryCode(recoveryCodes[0]);
    await flash(/You have 9 codes left/);
    await page.goto('/cam/capi'); // so that the Back button leads to a page without that message
    const response = await withRecoveryCode(recoveryCodes[0]);
    assert.equal(response.status(), 422);
    await refusedAt(page, 'Recovery code', /already used/);
    await people.giveCode(page, 'Recovery code', recoveryCodes[9]);
    await flash(/You have 8 codes left/);
  });

  step('After the emergency stop, a key is only enabled with password and code', async () => {
    const [secretId] = await secretIds(page);
    await press(page.getByRole('link', { name: 'Disable all keys' }));
    await press(button('Disable all keys'));
    await press(row(page, secretId).button('Enable'));
    await heading('Enable this key again?');
    await says(page.locator('main'), secretId);
    const response = await people.verify(page, {
      password: 'not the password',
      code: authenticator.wrongCode(),
      act: 'Enable',
    });
    assert.equal(response.status(), 422);
    await refusedAt(page, 'Password', /password is wrong/);
    await press(page.getByRole('link', { name: 'Cancel' }));
    await says(row(page, secretId).status, 'Disabled');
  });

  step('Language and theme are switched in the bar, lead back to the page, and outlive the session', async () => {
    const look = () =>
      page.evaluate(() => [document.documentElement.lang, getComputedStyle(document.documentElement).colorScheme]);
    const chooseLanguage = async (name, change) => {
      const menu = page.locator('#language');
      if (javaScript) {
        assert.equal(await button(change).count(), 0, 'no button is needed');
        await leads(page, () => menu.selectOption({ label: name }));
      } else {
        await menu.selectOption({ label: name });
        await press(button(change));
      }
    };
    await page.goto('/cam/capi');
    await visible(page.getByRole('combobox', { name: 'Language' }));
    await chooseLanguage('简体中文', 'Change');
    await heading('API 密钥管理');
    assert.deepEqual(await look(), ['zh-CN', 'light dark']);
    await press(button('深色'));
    await heading('API 密钥管理');
    assert.equal(await button('深色').getAttribute('aria-pressed'), 'true');
    await press(button('退出登录'));
    await heading('登录');
    assert.deepEqual(await look(), ['zh-CN', 'dark']);
    await chooseLanguage('日本語', '切换');
    await heading('サインイン');
    assert.deepEqual(await look(), ['ja', 'dark']);
    await chooseLanguage('English', '変更');
    await heading('Sign in');
    await press(button('System'));
    assert.deepEqual(await look(), ['en', 'light dark']);
  });

  step('The server met no fault', async () => {
    assert.doesNotMatch(server.log, /a request failed|panicked|"level":"ERROR"/);
  });
}
