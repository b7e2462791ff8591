// Lighthouse on the sign-in page, the page of the keys and the page of a key in use, as on a phone: performance, accessibility
// and best practices are 100. Search engines are left aside, because the console asks them to stay away.
//
// The score of the performance must not depend on how fast or busy the machine is. So Lighthouse simulates: it takes the
// observed requests, their sizes and what waits for what, and computes the time on a slow phone network (150 ms a round
// trip, 1.6 Mbit/s) from them. What it would otherwise take from the machine is fixed: the server answers in 20 ms, and
// the processor's time counts as nothing. So this asserts how much is sent, in how many steps, and that nothing moves
// while the page is built. It does not assert how long scripts run: the total blocking time is always 0 here. The one
// observed time that is left, the speed index, loses the score only when a page takes more than two seconds to paint.

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';

import lighthouse from 'lighthouse';

import { launchWithPort } from './support/browser.js';
import * as people from './support/people.js';
import { row, secretIds } from './support/people.js';
import { Server } from './support/server.js';
import { callerIdentity } from './support/signed.js';

/** More than a page has with all that belongs to it, in bytes as they are sent. */
const MOST_BYTES = 25_000;

describe('Lighthouse finds nothing to improve', () => {
  let server;
  let folder;
  let context;
  let page;
  let port;

  before(async () => {
    server = await Server.start();
    folder = await mkdtemp(path.join(tmpdir(), 'latchkey-lighthouse-'));
    ({ context, port } = await launchWithPort(folder, { baseURL: server.console }));
    page = await context.newPage();
  });

  after(async () => {
    await context?.close();
    await server?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  async function audit(address) {
    // As on a first visit, but still signed in.
    const inspector = await context.newCDPSession(page);
    await inspector.send('Network.clearBrowserCache');
    const result = await lighthouse(`${server.console}${address}`, {
      port,
      logLevel: 'error',
      onlyCategories: ['performance', 'accessibility', 'best-practices'],
      disableStorageReset: true,
      throttlingMethod: 'simulate',
      throttling: { rttMs: 150, throughputKbps: 1638.4, cpuSlowdownMultiplier: 0 },
      precomputedLanternData: {
        additionalRttByOrigin: { [server.console]: 0 },
        serverResponseTimeByOrigin: { [server.console]: 20 },
      },
    });
    const { audits, categories, finalDisplayedUrl, runtimeError } = result.lhr;
    assert.equal(runtimeError, undefined);
    assert.equal(new URL(finalDisplayedUrl).pathname, address, 'this page was measured, and not sign-in');
    for (const { id, score, auditRefs } of Object.values(categories)) {
      const poor = auditRefs
        .map((ref) => audits[ref.id])
        .filter((one) => one.score !== null && one.score < 1)
        .map((one) => `${one.id}: ${one.title} ${one.displayValue ?? ''}`);
      assert.equal(Math.round(score * 100), 100, `${id} of ${address}:\n${poor.join('\n')}`);
    }
    const bytes = audits['total-byte-weight'].numericValue;
    assert.ok(bytes > 1_000 && bytes <= MOST_BYTES, `${bytes} bytes are sent for ${address}`);
  }

  /** How much moves when the scripts come only after the first picture, as on a slow network. */
  async function moved(address) {
    await page.setViewportSize({ width: 412, height: 823 });
    let release;
    const painted = new Promise((resolve) => {
      release = resolve;
    });
    await page.route('**/*.js', async (route) => {
      await painted;
      await route.continue();
    });
    const loaded = page.waitForEvent('load');
    await page.goto(address, { waitUntil: 'commit' });
    await page.waitForFunction(() => performance.getEntriesByType('paint').length > 0);
    release();
    await loaded;
    await page.unrouteAll();
    return page.evaluate(async () => {
      const seen = [];
      const observer = new PerformanceObserver((list) => seen.push(...list.getEntries()));
      observer.observe({ type: 'layout-shift', buffered: true });
      await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, 200)));
      return seen.reduce((sum, { value }) => sum + value, 0);
    });
  }

  /** Lighthouse sees what moves only if the page is painted before its scripts run, which it is not each time. */
  async function staysPut(address) {
    const much = await moved(address);
    assert.ok(much < 0.01, `${address} moves by ${much} when its scripts start`);
  }

  test('on the sign-in page', { timeout: 120_000 }, async () => {
    await audit('/login');
    await staysPut('/login');
  });

  test('on the page of the keys and the page of a key in use', { timeout: 240_000 }, async () => {
    const { authenticator } = await people.setUp(page, server.setup);
    await people.createKey(page);
    await people.createKey(page);
    const [secretId] = await secretIds(page);
    await page.goto(`/cam/capi/keys/${secretId}/show`);
    await people.verify(page, { code: await authenticator.code() });
    const secretKey = await row(page, secretId).secret.innerText();
    await callerIdentity(server.api, { secretId, secretKey });
    for (const address of ['/cam/capi', `/cam/capi/keys/${secretId}`]) {
      await audit(address);
      await staysPut(address);
    }
  });
});
