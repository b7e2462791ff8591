// Chromium, and what must never happen in it.

import assert from 'node:assert/strict';

import { chromium } from 'playwright-core';

export function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    headless: true,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
    // People's browsers keep pages whole in memory for Back; so must this one.
    ignoreDefaultArgs: ['--disable-back-forward-cache'],
  });
}

/** Notes everything in `context` that is a defect wherever it happens. */
export class Watch {
  #found = [];

  constructor(context, origin) {
    context.on('console', (message) => {
      if (!['error', 'warning'].includes(message.type())) return;
      // The browser's note about a page that is a refusal. Whether the refusal is right is each test's to say.
      if (/^Failed to load resource: .* status of 4\d\d/.test(message.text())) return;
      this.#found.push(`console: ${message.text()} (${message.location().url})`);
    });
    context.on('weberror', (error) => this.#found.push(`script: ${error.error()}`));
    context.on('response', (response) => {
      const request = response.request();
      const refusal = response.status() >= 400 && !request.isNavigationRequest();
      if (response.status() >= 500 || refusal) {
        this.#found.push(`${response.status()} for ${request.method()} ${response.url()}`);
      }
    });
    context.on('request', (request) => {
      if (/^https?:/.test(request.url()) && new URL(request.url()).origin !== origin) {
        this.#found.push(`a request to another place: ${request.url()}`);
      }
    });
    context.on('dialog', async (dialog) => {
      this.#found.push(`a script's dialog: ${dialog.message()}`);
      await dialog.dismiss();
    });
  }

  /** What was found since the last time. */
  take() {
    return this.#found.splice(0);
  }

  assertNone() {
    const found = this.take();
    assert.deepEqual(found, [], `\n${found.join('\n')}`);
  }
}

/** Does something that leads to another page, waits for that page and returns its response. */
export async function leads(page, action) {
  const [response] = await Promise.all([page.waitForNavigation(), action()]);
  return response;
}

/** Presses a button or a link that leads to another page; returns that page's response. */
export function press(locator) {
  return leads(locator.page(), () => locator.click());
}

export async function visible(locator) {
  await locator.waitFor({ state: 'visible' });
}

/** Waits until `locator` is seen with this text. */
export async function says(locator, text) {
  await locator.filter({ hasText: text }).waitFor({ state: 'visible' });
}

/** Waits until `locator` has the focus. */
export async function focused(locator) {
  await locator.and(locator.page().locator(':focus')).waitFor({ state: 'visible' });
}

/** What assistive technology reads out as the description of a field or button. */
export function description(locator) {
  return locator.evaluate((element) =>
    (element.getAttribute('aria-describedby') ?? '')
      .split(/\s+/)
      .map((id) => element.ownerDocument.getElementById(id)?.textContent.trim() ?? '')
      .join(' ')
      .trim(),
  );
}

/** The one thing wrong with a form is said beside its field, once, and the field has the focus. */
export async function refusedAt(page, label, text) {
  const field = page.getByLabel(label, { exact: true });
  await visible(field);
  assert.equal(await field.getAttribute('aria-invalid'), 'true', `${label} is marked as wrong`);
  assert.match(await description(field), text, `what is wrong is said beside ${label}`);
  assert.equal(await page.locator('main').getByText(text).count(), 1, 'it is said once');
  await focused(field);
}
