// The browsers, and the defects that must never occur in them.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';

import { chromium } from 'playwright-core';

import { launchFirefox } from './firefox.js';

/** Starts a browser: Chromium or Firefox. Whether its pages run scripts is also said to `newContext`. */
export function launch({ name = 'Chromium', javaScript = true } = {}) {
  return name === 'Firefox' ? launchFirefox({ javaScript }) : launchChromium();
}

const CHROMIUM = {
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
  // Ordinary browsers keep whole pages in memory for the Back button, so this one must do so, too.
  ignoreDefaultArgs: ['--disable-back-forward-cache'],
};

function launchChromium() {
  return chromium.launch(CHROMIUM);
}

/** Starts Chromium with its data in `folder`, for a tool that joins it at the port. */
export async function launchWithPort(folder, options) {
  const args = [...CHROMIUM.args, '--remote-debugging-port=0'];
  const context = await chromium.launchPersistentContext(folder, { ...CHROMIUM, ...options, args });
  const [port] = (await readFile(path.join(folder, 'DevToolsActivePort'), 'utf8')).split('\n');
  return { context, port: Number(port) };
}

/** Records everything in `context` that is a defect on any page. */
export class Watch {
  #found = [];

  constructor(context, origin) {
    context.on('console', (message) => {
      if (!['error', 'warning'].includes(message.type())) return;
      // The browser reports every page with an error status. Each test checks for itself whether that status is right.
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

  /** Returns what was found since the last call. */
  take() {
    return this.#found.splice(0);
  }

  assertNone() {
    const found = this.take();
    assert.deepEqual(found, [], `\n${found.join('\n')}`);
  }
}

/** Performs an action that leads to another page, waits for that page, and returns its response. */
export async function leads(page, action) {
  const [response] = await Promise.all([page.waitForNavigation(), action()]);
  return response;
}

/** Clicks a button or link that leads to another page, and returns that page's response. */
export function press(locator) {
  return leads(locator.page(), () => locator.click());
}

export async function visible(locator) {
  await locator.waitFor({ state: 'visible' });
}

/** Waits until `locator` is visible with this text. */
export async function says(locator, text) {
  await locator.filter({ hasText: text }).waitFor({ state: 'visible' });
}

/** Waits until `locator` has the focus. */
export async function focused(locator) {
  await locator.and(locator.page().locator(':focus')).waitFor({ state: 'visible' });
}

/** Returns the description of a field or button that assistive technology reads out. */
export function description(locator) {
  return locator.evaluate((element) =>
    (element.getAttribute('aria-describedby') ?? '')
      .split(/\s+/)
      .map((id) => element.ownerDocument.getElementById(id)?.textContent.trim() ?? '')
      .join(' ')
      .trim(),
  );
}

/** Checks that a form's only error is shown once, beside its field, which has the focus. */
export async function refusedAt(page, label, text) {
  const field = page.getByLabel(label, { exact: true });
  await visible(field);
  assert.equal(await field.getAttribute('aria-invalid'), 'true', `${label} is marked as wrong`);
  assert.match(await description(field), text, `what is wrong is said beside ${label}`);
  assert.equal(await page.locator('main').getByText(text).count(), 1, 'it is said once');
  await focused(field);
}
