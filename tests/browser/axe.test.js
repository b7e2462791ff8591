// Automated accessibility checks of every page in every state, in every language and both themes, at a wide and a
// narrow size. Also checks that nothing overflows and that the browser blocks nothing.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import axe from 'axe-core';

import { launch, Watch } from './support/browser.js';
import { Server } from './support/server.js';
import { states } from './support/states.js';

const THEMES = ['light', 'dark'];
/** A width of 320 is 1280 at a zoom of 400 %, which WCAG 1.4.10 requires. */
const SIZES = [
  { width: 1280, height: 800 },
  { width: 320, height: 640 },
];

/** Runs in the page. Returns descriptions of the violations. */
async function findings() {
  // This rule is off by default, because it is new in WCAG 2.2.
  const { violations, passes } = await globalThis.axe.run(document, { rules: { 'target-size': { enabled: true } } });
  if (!passes.some(({ id }) => id === 'color-contrast')) return ['nothing was checked'];
  return violations.flatMap(({ id, help, nodes }) =>
    nodes.map((node) => `${id} (${help}): ${node.target.join(' ')}: ${node.failureSummary.replace(/\s+/g, ' ')}`),
  );
}

/** Runs in the page. Returns descriptions of the elements that overflow the window or their own box to the right. */
function stickingOut() {
  const wide = document.documentElement.scrollWidth;
  const found = wide > innerWidth ? [`the page is ${wide} wide in a window of ${innerWidth}`] : [];
  for (const element of document.body.querySelectorAll('*')) {
    const { width, right } = element.getBoundingClientRect();
    if (width <= 1) continue; // only for screen readers
    if (element.matches('td, dd, li, p, .card, dialog') && element.scrollWidth > element.clientWidth + 1) {
      found.push(`${element.localName}.${element.className} holds ${element.scrollWidth} in ${element.clientWidth}`);
    }
    if (right <= innerWidth + 0.5) continue;
    found.push(`${element.localName}.${element.className} ends at ${right} in a window of ${innerWidth}`);
  }
  return found;
}

for (const locale of ['en', 'zh-CN', 'ja']) {
  test(`Every page in ${locale}, in both themes, wide and narrow`, (t) => everyPage(t, locale));
}

async function everyPage(t, locale) {
  const server = await Server.start();
  const browser = await launch();
  try {
    // Reduced motion, so that no colour is measured during a transition.
    const context = await browser.newContext({ baseURL: server.console, locale, reducedMotion: 'reduce' });
    context.setDefaultTimeout(20_000);
    const watch = new Watch(context, server.console);
    const page = await context.newPage();
    const inspector = await context.newCDPSession(page);
    for await (const name of states(server, page, { extreme: true })) {
      await t.test(name, async () => {
        // Unlike the page's own scripts, the inspector is not subject to the page's content security policy.
        await inspector.send('Runtime.evaluate', { expression: axe.source });
        const found = [];
        for (const colorScheme of THEMES) {
          await page.emulateMedia({ colorScheme });
          for (const size of SIZES) {
            await page.setViewportSize(size);
            const all = [...(await page.evaluate(stickingOut)), ...(await page.evaluate(findings))];
            found.push(...all.map((finding) => `${colorScheme}, ${size.width} wide: ${finding}`));
          }
        }
        await page.setViewportSize(SIZES[0]);
        found.push(...watch.take());
        assert.deepEqual(found, [], `\n${found.join('\n')}`);
      });
    }
  } finally {
    await browser.close();
    await server.stop();
  }
}
