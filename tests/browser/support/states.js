// Every page of the console in every state that looks different, one after the other.

import { focused, leads, press } from './browser.js';
import { beginning, named } from './names.js';
import { Passkeys } from './passkeys.js';
import * as people from './people.js';
import { row, secretIds } from './people.js';
import { call } from './signed.js';

/**
 * Leads `page` through the states, and yields the name of each once the page is in it. With `extreme`, everything whose
 * length an owner can choose has the maximum length.
 */
export async function* states(server, page, { extreme = false } = {}) {
  const name = extreme ? 'W'.repeat(64) : people.NAME;
  const remark = extreme ? 'm'.repeat(1024) : 'Nightly back-up of the shop';
  const action = extreme ? 'DescribeTheStateOfEveryThingThatThisAccountHasInAllOfItsRegions1' : 'GetCallerIdentity';
  const button = (label) => page.getByRole('button', { name: named(label) });
  const dialog = page.getByRole('dialog');
  /** Submits a form of the page as a user could not: despite a disabled button, or with these values. */
  const sendByForce = (form, values = {}) =>
    leads(page, () =>
      form.evaluate((form, values) => {
        for (const [name, value] of Object.entries(values)) form.elements[name].value = value;
        form.submit();
      }, values),
    );
  const openPopUp = async (key, operation) => {
    await key.button(operation).click();
    await dialog.waitFor({ state: 'visible' });
  };

  // Setup.
  await page.goto('/setup?token=of-no-link');
  yield 'link that cannot be used';
  await page.goto(server.setup);
  yield 'set-up';
  await people.giveNameAndPassword(page, { name: 'a:b' });
  yield 'set-up, name refused';
  await people.giveNameAndPassword(page, { name, password: 'password123' });
  yield 'set-up, password refused';
  await people.giveNameAndPassword(page, { name, again: 'something else' });
  yield 'set-up, passwords differ';
  await people.giveNameAndPassword(page, { name });
  yield 'set-up, authenticator';
  const authenticator = await people.scan(page);
  await people.giveFirstCode(page, authenticator.wrongCode());
  yield 'set-up, code refused';
  await people.giveFirstCode(page, await authenticator.code());
  const recoveryCodes = await people.readRecoveryCodes(page);
  yield 'set-up, recovery codes';
  await page.getByRole('checkbox').check();
  await press(button('Go to API keys'));
  yield 'no keys';

  // Two keys.
  await people.createKey(page);
  yield 'one key, created';
  await page.goto(`/cam/capi/keys/${(await secretIds(page))[0]}/rotate`);
  yield 'rotation, to begin';
  await page.goto('/cam/capi');
  await people.createKey(page);
  await page.goto('/cam/capi');
  yield 'two keys';
  await page.goto(`/cam/capi/keys/${(await secretIds(page))[1]}/rotate`);
  yield 'rotation, other key first';
  await page.goto('/cam/capi');
  await sendByForce(page.locator('form.create'));
  yield 'third key refused';
  await page.goto('/cam/capi/disable-all');
  yield 'disable all';
  await page.goto('/cam/capi');
  const [first, second] = await secretIds(page);
  const one = row(page, first);
  const other = row(page, second);

  // Show.
  await openPopUp(one, 'Show');
  yield 'show, pop-up';
  await page.goto(`/cam/capi/keys/${first}/show`);
  yield 'show, page';
  await people.verify(page, { password: 'not the password', code: authenticator.wrongCode() });
  yield 'show, password refused';
  await people.verify(page, { code: authenticator.wrongCode() });
  yield 'show, code refused';
  await people.verify(page, { code: await authenticator.code() });
  const secretKey = await one.secret.innerText();
  yield 'shown';
  await page.goto('/cam/capi');
  yield 'verified a moment ago';
  await page.locator('#status').evaluate((status) => {
    status.textContent = document.body.dataset.copyFailed;
  });
  yield 'message of the script';

  // The remark.
  await page.goto('/cam/capi');
  await one.remark.locator('summary').click();
  await focused(one.remark.getByRole('textbox'));
  yield 'remark, open';
  await one.remark.getByRole('textbox').fill(remark);
  await press(one.remark.getByRole('button', { name: named('Save') }));
  yield 'remark, saved';
  await sendByForce(one.remark.locator('form'), { remark: 'm'.repeat(1025) });
  yield 'remark, refused';

  // A key that is used, disabled, enabled, deleted.
  await call(server.api, { secretId: first, secretKey }, action);
  await page.goto('/cam/capi');
  yield 'used key';
  await page.goto(`/cam/capi/keys/${first}/rotate`);
  yield 'rotation, old key in use';
  await page.goto('/cam/capi');
  await openPopUp(one, 'Disable');
  yield 'disable, pop-up';
  await page.goto(`/cam/capi/keys/${first}/disable`);
  yield 'disable, page';
  await press(button('Confirm'));
  yield 'disabled key';
  await page.goto(`/cam/capi/keys/${first}/disable`);
  yield 'disabled already';
  await openPopUp(one, 'Delete');
  yield 'delete, pop-up';
  await page.goto(`/cam/capi/keys/${first}/delete`);
  yield 'delete, page';
  await page.goto(`/cam/capi/keys/${first}`);
  yield 'key page, used and disabled';
  await page.locator('.chart ~ details summary').click();
  yield 'key page, table of the days';
  await page.goto(`/cam/capi/keys/${first}?by=hour`);
  yield 'key page, by hour';
  await page.goto(`/cam/capi/keys/${first}?result=refused&address=192.0.2.1`);
  yield 'key page, no call matches';
  await page.goto(`/cam/capi/keys/${second}`);
  yield 'key page, never used';
  await page.locator('.snippets summary').last().click();
  yield 'key page, snippet for nginx';
  await page.goto(`/cam/capi/keys/${second}/rotate`);
  yield 'rotation, no room';
  await page.goto(`/cam/capi/keys/${first}/rotate`);
  yield 'rotation, old key disabled';
  const { RequestId } = await call(server.api, { secretId: second, secretKey: 'x'.repeat(32) }, action);
  await page.goto('/cam/capi/refused');
  yield 'refused call, asked for';
  await page.goto(`/cam/capi/refused?request_id=${RequestId}`);
  yield 'refused call';
  await page.goto('/cam/capi/refused?request_id=of-no-call');
  yield 'refused call, unknown';
  await page.goto(`/cam/capi/keys/${second}/delete`);
  yield 'delete, refused';
  await openPopUp(other, 'Disable');
  await press(dialog.getByRole('button', { name: named('Confirm') }));
  yield 'both keys disabled';

  // The records.
  await page.goto('/cam/records');
  yield 'records';
  await page.goto(`/cam/records?event=key.disable&result=done&key=${first}`);
  yield 'records, filtered';
  await page.goto('/cam/records?event=key.delete');
  yield 'records, none match';
  await page.goto(`/cam/records?from=yesterday&to=2026-11-31&event=key.lost&result=maybe&key=${first.slice(0, 20)}`);
  yield 'records, filter refused';

  // Error pages.
  await page.goto('/no-such-page');
  yield 'no such page';
  await page.goto(`/cam/capi/keys/AKID${'0'.repeat(32)}/delete`);
  yield 'no such key';
  await page.goto('/logout');
  yield 'not possible in this way';
  await page.goto('/cam/capi');
  await sendByForce(page.locator('form.create'), { form_token: 'of-another-session' });
  yield 'form out of date';

  // Sign-in.
  await page.goto('/cam/capi');
  await people.signOut(page);
  yield 'signed out';
  await page.goto('/login?notice=expired');
  yield 'session ended';
  await page.goto('/login');
  yield 'sign-in';
  await people.givePassword(page, { name, password: 'not the password' });
  yield 'sign-in, refused';
  await people.givePassword(page, { name });
  yield 'second step';
  await people.giveCode(page, 'Authenticator code', authenticator.wrongCode());
  yield 'second step, refused';
  await press(page.getByRole('link', { name: named('Use a recovery code instead') }));
  yield 'recovery code';
  await people.giveCode(page, 'Recovery code', 'not-a-code');
  yield 'recovery code, refused';
  await people.giveCode(page, 'Recovery code', recoveryCodes[0]);
  yield 'signed in with a recovery code';

  // The emergency stop, while no verification is in force.
  await press(other.button('Enable'));
  await page.goto('/cam/capi/disable-all');
  await press(page.locator('main form button'));
  yield 'stopped key';
  await press(other.button('Enable'));
  yield 'enable a stopped key';

  // The security page, after a sign-in with a recovery code, so that no verification is in force.
  const otherBrowser = await page
    .context()
    .browser()
    .newContext({
      baseURL: server.console,
      userAgent: extreme ? 'W'.repeat(4000) : undefined,
    });
  const elsewhere = await otherBrowser.newPage();
  await elsewhere.goto('/login');
  await people.givePassword(elsewhere, { name });
  await elsewhere.goto('/login/code?kind=recovery');
  await people.giveCode(elsewhere, 'Recovery code', recoveryCodes[1]);
  await otherBrowser.close();
  await page.goto('/cam/security');
  yield 'security';
  await press(page.getByRole('link', { name: named('Change password') }));
  yield 'security, change password';
  await people.changePassword(page, { current: 'x', code: authenticator.wrongCode(), password: 'password123' });
  yield 'security, new password refused';
  await people.changePassword(page, { current: 'x', code: authenticator.wrongCode(), password: 'nine copper spoons' });
  yield 'security, current password refused';
  await page.goto('/cam/security');
  await press(page.getByRole('link', { name: beginning('End') }).and(page.locator('.small')));
  yield 'security, end a session';
  await people.verify(page, { password: 'not the password', code: authenticator.wrongCode(), act: 'End' });
  yield 'security, end a session, refused';
  await page.goto('/cam/security');
  await press(page.getByRole('link', { name: named('End all other sessions') }));
  yield 'security, end all others';
  await page.goto('/cam/security');
  await press(page.getByRole('link', { name: named('Add a passkey') }));
  yield 'security, add a passkey';
  await page.goto('/cam/security');
  await press(page.getByRole('link', { name: named('New recovery codes') }));
  yield 'security, new recovery codes';
  await people.verify(page, { code: await authenticator.code(), act: 'Generate codes' });
  yield 'security, recovery codes shown';
  await page.getByRole('checkbox').check();
  await press(button('Back to Security'));
  yield 'security, verified';
  const passkeys = await Passkeys.on(page);
  await press(button('Add a passkey'));
  yield 'security, new passkey';
  await page.getByLabel(named('Name')).fill(extreme ? 'W'.repeat(64) : 'Phone');
  await press(button('Add a passkey'));
  yield 'security, with a passkey';
  const naming = page.locator('details.remark').filter({ has: page.locator('[name=name]') });
  await naming.locator('summary').click();
  await focused(naming.getByRole('textbox'));
  yield 'security, rename a passkey';
  await sendByForce(naming.locator('form'), { name: ' ' });
  yield 'security, name of a passkey refused';
  await page.goto('/cam/security');
  await page.goto(await page.locator('form[action$="/remove"]').getAttribute('action'));
  yield 'security, remove a passkey';
  await passkeys.stop();
  await page.goto('/cam/security');
  await page.goto('/cam/security');
  await press(page.getByRole('link', { name: named('Replace authenticator') }));
  yield 'security, replace authenticator';
  await press(button('Next'));
  yield 'security, new authenticator';
  const newAuthenticator = await people.scan(page);
  await people.giveFirstCode(page, newAuthenticator.wrongCode());
  yield 'security, new authenticator, code refused';
  await people.giveFirstCode(page, await newAuthenticator.code());
  yield 'security, authenticator replaced';
  await page.goto('/cam/security/sessions/of-nobody/end');
  yield 'security, no such session';

  // Links from the command line.
  await page.context().clearCookies();
  await page.goto(server.linkFrom(await server.command('account', 'create', 'second')));
  yield 'set-up of a further account';
  await page.goto(server.linkFrom(await server.command('account', 'reset-mfa', name)));
  yield 'set-up of a new authenticator';
  await page.goto(server.linkFrom(await server.command('account', 'recover', name)));
  yield 'recovery';
}
