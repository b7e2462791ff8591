// The complete journey of an owner by keyboard alone: nothing is clicked, the focus is always visible, and after each act
// it is where its owner goes on: at what went wrong, at the message of what was done, at the secret, or where it was.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { focused, launch, says, visible } from './support/browser.js';
import * as people from './support/people.js';
import { NAME, PASSWORD, row, secretIds } from './support/people.js';
import { Server } from './support/server.js';

/** More than the number of tab stops of any page. */
const MOST_TABS = 90;

/** The focused element: its label, and whether the focus is visible. */
function focusOn(page) {
  return page.evaluate(() => {
    const element = document.activeElement;
    const label = element.getAttribute('aria-label') ?? element.labels?.[0]?.innerText;
    const words = label || element.innerText || element.title;
    const { outlineStyle, outlineWidth } = getComputedStyle(element);
    return { words: words.trim().replace(/\s+/g, ' '), seen: outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2 };
  });
}

/** Presses Tab, or another key, until the element with this label has the focus. */
async function tabTo(page, name, key = 'Tab') {
  for (let tabs = 0; tabs < MOST_TABS; tabs += 1) {
    const { words, seen } = await focusOn(page);
    if (words === name || (tabs > 0 && words.startsWith(`${name} `))) {
      assert.ok(seen, `the focus on "${words}" can be seen`);
      return;
    }
    await page.keyboard.press(key);
  }
  assert.fail(`"${name}" cannot be reached by Tab on ${page.url()}`);
}

async function typeInto(page, label, text, key) {
  await tabTo(page, label, key);
  await page.keyboard.type(text);
}

/** Presses Enter and waits for the next page. */
async function enter(page) {
  const arrived = page.waitForEvent('load');
  await page.keyboard.press('Enter');
  await arrived;
}

async function activate(page, name, key) {
  await tabTo(page, name, key);
  await enter(page);
}

for (const name of ['Chromium', 'Firefox']) describe(`By keyboard alone, in ${name}`, () => journey(name));

function journey(name) {
  let server;
  let browser;
  let page;
  let authenticator;
  let failed = false;

  before(async () => {
    server = await Server.start();
    browser = await launch({ name });
    const context = await browser.newContext({ baseURL: server.console });
    context.setDefaultTimeout(20_000);
    if (name === 'Chromium') {
      await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: server.console });
    }
    page = await context.newPage();
  });

  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  const step = (what, walk) =>
    test(what, { timeout: 120_000 }, async (t) => {
      if (failed) return t.skip('an earlier step failed');
      failed = true;
      await walk();
      failed = false;
    });

  const heading = (words) => visible(page.getByRole('heading', { level: 1, name: words, exact: true }));
  const dialog = () => page.getByRole('dialog');
  const field = (label, on = page) => focused(on.getByLabel(label, { exact: true }));
  const told = (text) => focused(page.locator('.flash').filter({ hasText: text }));
  /** Opens a pop-up, whose first control has the focus. */
  const open = async (button) => {
    await tabTo(page, button);
    await page.keyboard.press('Enter');
    await visible(dialog());
  };
  /** Opens a pop-up that asks, leaves it with Esc, opens it again from where the focus then is, and confirms. */
  const confirm = async (act, words) => {
    await open(act);
    await focused(dialog().getByRole('button', { name: 'Cancel' }));
    const opener = await page.evaluate(() => document.activeElement.getAttribute('commandfor'));
    await page.keyboard.press('Escape');
    await dialog().waitFor({ state: 'hidden' });
    await focused(page.locator(`[commandfor="${opener}"][command="show-modal"]`));
    assert.ok((await focusOn(page)).seen, `the focus on "${act}" can be seen again`);
    await page.keyboard.press('Enter');
    await focused(dialog().getByRole('button', { name: 'Cancel' }));
    await page.keyboard.press('Tab');
    await activate(page, words);
  };

  step('Set-up', async () => {
    await page.goto(server.setup);
    await typeInto(page, 'Account name', NAME);
    await typeInto(page, 'New password', PASSWORD);
    await typeInto(page, 'Confirm new password', 'something else');
    await enter(page);
    await field('Confirm new password');
    await typeInto(page, 'New password', PASSWORD, 'Shift+Tab');
    await typeInto(page, 'Confirm new password', PASSWORD);
    await enter(page);
    authenticator = await people.scan(page);
    await typeInto(page, 'Authenticator code', authenticator.wrongCode());
    await enter(page);
    await field('Authenticator code');
    await typeInto(page, 'Authenticator code', await authenticator.code());
    await enter(page);
    await tabTo(page, 'I have saved these codes');
    await page.keyboard.press('Space');
    await activate(page, 'Go to API keys');
    await heading('API Key Management');
  });

  step('Past the bar, and create a key', async () => {
    await page.keyboard.press('Tab');
    const { words, seen } = await focusOn(page);
    assert.deepEqual({ words, seen }, { words: 'Skip to content', seen: true }, 'the first stop of a page');
    await page.keyboard.press('Enter');
    await focused(page.locator('main'));
    await page.keyboard.press('Tab');
    assert.equal((await focusOn(page)).words, 'Create Key', 'the bar is skipped');
    await enter(page);
    await told(/was created and is enabled/);
  });

  step('Show and copy the secret', async () => {
    await open('Show');
    await field('Password', dialog());
    await page.keyboard.type('not the password');
    await typeInto(page, 'Authenticator code', authenticator.wrongCode());
    await page.keyboard.press('Enter');
    await says(dialog().getByRole('alert'), /password is wrong/);
    await field('Password', dialog());
    await page.keyboard.type(PASSWORD); // over the wrong one, which is selected
    await tabTo(page, 'Authenticator code');
    await page.keyboard.press('ControlOrMeta+a');
    await page.keyboard.type(await authenticator.code());
    await enter(page);
    const secret = page.locator('[data-secret] code');
    await focused(secret);
    const text = await secret.innerText();
    assert.match(text, /^[A-Za-z0-9]{32}$/);
    await page.keyboard.press('Tab');
    assert.match((await focusOn(page)).words, /^Copy SecretKey/, 'the next stop after the secret');
    await page.keyboard.press('Enter');
    await says(page.locator('#status'), 'SecretKey copied.');
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), text);
    assert.match((await focusOn(page)).words, /^Copy SecretKey/, 'the focus stays');
    await tabTo(page, 'Keep 1 more minute');
    await page.keyboard.press('Enter');
    await says(page.locator('#status'), /Hides in/);
    assert.equal((await focusOn(page)).words, 'Keep 1 more minute', 'the focus stays');
    await activate(page, 'Hide');
    assert.equal(await secret.count(), 0);
  });

  step('Write a remark, disable and enable', async () => {
    await tabTo(page, 'None');
    await page.keyboard.press('Enter');
    await focused(page.getByRole('textbox', { name: /^Remark/ }));
    await page.keyboard.type('Nightly back-up');
    await enter(page);
    await told(/remark of key .* was saved/i);
    await confirm('Disable', 'Confirm');
    await told(/is disabled/);
    await activate(page, 'Enable');
    await told(/is enabled/);
  });

  step('Rotate the key', async () => {
    const [old] = await secretIds(page);
    await activate(page, 'All calls');
    await activate(page, 'Rotate');
    await heading('Rotate this key');
    await activate(page, 'Create Key');
    await told(/was created/);
    await activate(page, 'Show SecretKey');
    await activate(page, 'Show'); // just verified
    await focused(page.locator('[data-secret] code'));
    await activate(page, 'Continue the rotation');
    await heading('Rotate this key');
    await confirm('Disable', 'Confirm');
    await told(/is disabled/);
    await confirm('Delete', 'Confirm');
    await told(/was deleted/);
    assert.ok(!(await secretIds(page)).includes(old));
  });

  step('Stop everything, enable, and delete', async () => {
    const [key] = await secretIds(page);
    await activate(page, 'Disable all keys');
    await heading('Disable all keys?');
    await activate(page, 'Disable all keys');
    await told(/1 key was disabled/);
    await activate(page, 'Enable'); // just verified
    await told(/is enabled/);
    await confirm('Disable', 'Confirm');
    await told(/is disabled/);
    await says(row(page, key).status, 'Disabled');
    await confirm('Delete', 'Confirm');
    await told(/was deleted/);
    await visible(page.getByText('No keys yet'));
  });

  step('Filter the records', async () => {
    await activate(page, 'Operation Records', 'Shift+Tab');
    await heading('Operation Records');
    const rows = page.locator('tbody tr');
    const all = await rows.count();
    await tabTo(page, 'Event');
    await page.keyboard.type('Key deleted');
    await activate(page, 'Filter');
    await heading('Operation Records');
    assert.equal(new URL(page.url()).searchParams.get('event'), 'key.delete');
    assert.equal(await rows.count(), 2);
    await typeInto(page, 'Key', 'AKID1');
    await enter(page);
    await field('Key');
    await activate(page, 'Clear filter');
    assert.equal(await rows.count(), all);
  });

  step('The account menu of a narrow window: theme and sign-out', async () => {
    await page.setViewportSize({ width: 480, height: 800 });
    const menu = page.locator('#menu');
    const opener = page.getByRole('button', { name: /Account menu/ });
    await tabTo(page, NAME);
    await focused(opener);
    assert.ok(await menu.isHidden());
    await page.keyboard.press('Enter');
    await visible(menu);
    await page.keyboard.press('Tab');
    assert.equal((await focusOn(page)).words, 'System', 'the menu follows its button');
    await page.keyboard.press('Escape');
    await menu.waitFor({ state: 'hidden' });
    await focused(opener);
    await page.keyboard.press('Enter');
    await activate(page, 'Dark');
    await heading('Operation Records');
    assert.equal(await page.locator('html').getAttribute('data-theme'), 'dark');
    await tabTo(page, NAME);
    await page.keyboard.press('Enter');
    await activate(page, 'Sign out');
    await heading('Sign in');
    await says(page.getByRole('status'), 'You are signed out.');
  });

  step('Sign in', async () => {
    await typeInto(page, 'Account name', NAME);
    await typeInto(page, 'Password', 'not the password');
    await enter(page);
    await field('Password');
    await page.keyboard.type(PASSWORD);
    await enter(page);
    await typeInto(page, 'Authenticator code', authenticator.wrongCode());
    await enter(page);
    await field('Authenticator code');
    await page.keyboard.type(await authenticator.code());
    await enter(page);
    await heading('API Key Management');
    await activate(page, 'Security');
    await heading('Security');
  });

  step('Browsing the languages with the arrow keys does not choose one', async () => {
    await page.setViewportSize({ width: 1280, height: 800 });
    await tabTo(page, 'Language');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowDown');
    await activate(page, 'Change');
    await heading('セキュリティ');
  });
}
