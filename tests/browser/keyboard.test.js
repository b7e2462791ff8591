// The complete journey of an owner by keyboard alone: nothing is clicked, and the focus is always visible.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { launch, says } from './support/browser.js';
import * as people from './support/people.js';
import { NAME, PASSWORD } from './support/people.js';
import { Server } from './support/server.js';

/** More than the number of tab stops of any page. */
const MOST_TABS = 90;

let server;
let browser;

before(async () => {
  server = await Server.start();
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

/** The focused element: its label, and whether the focus is visible. */
function focusOn(page) {
  return page.evaluate(() => {
    const element = document.activeElement;
    const words = element.getAttribute('aria-label') ?? element.labels?.[0]?.innerText ?? element.innerText ?? '';
    const { outlineStyle, outlineWidth } = getComputedStyle(element);
    return { words: words.trim(), seen: outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2 };
  });
}

/** Presses Tab until the element with this label has the focus, wrapping around at the end of the page. */
async function tabTo(page, name) {
  for (let tabs = 0; tabs < MOST_TABS; tabs += 1) {
    const { words, seen } = await focusOn(page);
    if (words === name || (tabs > 0 && words.startsWith(`${name} `))) {
      assert.ok(seen, `the focus on "${words}" can be seen`);
      return;
    }
    await page.keyboard.press('Tab');
  }
  assert.fail(`"${name}" cannot be reached by Tab on ${page.url()}`);
}

async function typeInto(page, label, text) {
  await tabTo(page, label);
  await page.keyboard.type(text);
}

/** Presses Enter and waits for the next page. */
async function enter(page) {
  const arrived = page.waitForEvent('load');
  await page.keyboard.press('Enter');
  await arrived;
}

async function activate(page, name) {
  await tabTo(page, name);
  await enter(page);
}

test('An owner sets up, uses and deletes a key by keyboard alone', { timeout: 180_000 }, async () => {
  const context = await browser.newContext({ baseURL: server.console });
  const page = await context.newPage();
  const heading = (name) => page.getByRole('heading', { level: 1, name, exact: true }).waitFor();
  const flash = (text) => says(page.locator('.flash'), text);

  await page.goto(server.setup);
  await typeInto(page, 'Account name', NAME);
  await typeInto(page, 'New password', PASSWORD);
  await typeInto(page, 'Confirm new password', PASSWORD);
  await enter(page);
  const authenticator = await people.scan(page);
  await typeInto(page, 'Authenticator code', await authenticator.code());
  await enter(page);
  await tabTo(page, 'I have saved these codes');
  await page.keyboard.press('Space');
  await activate(page, 'Go to API keys');

  await heading('API Key Management');
  await activate(page, 'Create Key');
  await flash(/was created and is enabled/);
  await tabTo(page, 'Show');
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').waitFor();
  await typeInto(page, 'Password', PASSWORD);
  await typeInto(page, 'Authenticator code', await authenticator.code());
  await enter(page);
  assert.match(await page.locator('[data-secret] code').innerText(), /^[A-Za-z0-9]{32}$/);

  for (const [act, confirm, done] of [
    ['Disable', 'Confirm', /is disabled/],
    ['Delete', 'Delete', /was deleted/],
  ]) {
    await tabTo(page, act);
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').waitFor();
    assert.equal((await focusOn(page)).words, 'Cancel', 'the safe way has the focus');
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'hidden' });
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').waitFor();
    await page.keyboard.press('Tab');
    await activate(page, confirm);
    await flash(done);
  }

  await activate(page, 'Operation Records');
  await heading('Operation Records');
  await activate(page, 'Security');
  await heading('Security');
  await activate(page, 'Sign out');
  await heading('Sign in');

  // Browsing the languages with the arrow keys does not choose one.
  await tabTo(page, 'Language');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowDown');
  await activate(page, 'Change');
  await heading('サインイン');
  await context.close();
});
