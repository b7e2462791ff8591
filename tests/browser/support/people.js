// The recurring actions of an owner: set up an account, sign in, find a key.

import { Authenticator } from './authenticator.js';
import { press } from './browser.js';
import { beginning, named } from './names.js';

export const NAME = 'Mara Lindqvist';
export const PASSWORD = 'seven tin kettles hum';

const field = (page, label) => page.getByLabel(named(label));
const button = (page, name) => page.getByRole('button', { name: named(name) });

/** Fills in and submits the first page of a setup. */
export async function giveNameAndPassword(page, { name = NAME, password = PASSWORD, again = password } = {}) {
  const called = field(page, 'Account name');
  if (await called.isEditable()) await called.fill(name); // for an existing account, the page shows its name
  await field(page, 'New password').fill(password);
  await field(page, 'Confirm new password').fill(again);
  return press(button(page, 'Next'));
}

/** Adds the setup key on the page to an authenticator. */
export async function scan(page) {
  return new Authenticator(await page.locator('#seed').innerText());
}

export async function giveFirstCode(page, code) {
  await field(page, 'Authenticator code').fill(code);
  return press(button(page, 'Confirm'));
}

export async function readRecoveryCodes(page) {
  return page.getByRole('listitem').locator('code').allInnerTexts();
}

/** Performs the whole setup, from its link to the page of the keys. */
export async function setUp(page, link, name = NAME) {
  await page.goto(link);
  await giveNameAndPassword(page, { name });
  const authenticator = await scan(page);
  await giveFirstCode(page, await authenticator.code());
  const recoveryCodes = await readRecoveryCodes(page);
  await page.getByRole('checkbox').check();
  await press(button(page, 'Go to API keys'));
  return { authenticator, recoveryCodes };
}

export async function givePassword(page, { name = NAME, password = PASSWORD } = {}) {
  await field(page, 'Account name').fill(name);
  await field(page, 'Password').fill(password);
  return press(button(page, 'Next'));
}

export async function giveCode(page, label, code) {
  await field(page, label).fill(code);
  return press(button(page, 'Sign in'));
}

export async function signOut(page) {
  return press(button(page, 'Sign out'));
}

export async function createKey(page) {
  return press(button(page, 'Create Key'));
}

/** The keys on the page, oldest first. */
export async function secretIds(page) {
  return page.locator('tbody tr').evaluateAll((rows) => rows.map((row) => row.id));
}

/** The row of a key, and its parts. */
export function row(page, secretId) {
  const whole = page.locator(`tr[id="${secretId}"]`);
  return {
    whole,
    secret: whole.locator('[data-secret] code'),
    mask: whole.getByRole('img', { name: named('hidden') }),
    status: whole.locator('[data-label="Status"]'),
    lastUsed: whole.locator('[data-label="Last Used"]'),
    remark: whole.locator('details'),
    // The label of a button also contains the end of the key's ID.
    button: (name) => whole.getByRole('button', { name: beginning(name) }),
  };
}

/** Enters password and code in the pop-up or the full page that asks for them before `act`. */
export async function verify(scope, { password = PASSWORD, code, act = 'Show' }) {
  await field(scope, 'Password').fill(password);
  await field(scope, 'Authenticator code').fill(code);
  return press(button(scope, act));
}

/** The same in a pop-up that stays open because of an error. */
export async function verifyInVain(dialog, { password = PASSWORD, code }) {
  await field(dialog, 'Password').fill(password);
  await field(dialog, 'Authenticator code').fill(code);
  await button(dialog, 'Show').click();
}

/** Fills in and submits the form that changes the password, with `code` if one is required. */
export async function changePassword(page, { current = PASSWORD, code, password, again = password }) {
  await field(page, 'Current password').fill(current);
  if (code) await field(page, 'Authenticator code').fill(code);
  await field(page, 'New password').fill(password);
  await field(page, 'Confirm new password').fill(again);
  return press(button(page, 'Change password'));
}
