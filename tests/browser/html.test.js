// The HTML of every page in every state is valid as the server sends it, before a browser corrects anything.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { HtmlValidate } from 'html-validate';

import { launch } from './support/browser.js';
import { Server } from './support/server.js';
import { states } from './support/states.js';

const validator = new HtmlValidate({ extends: ['html-validate:standard'] });

test('Every page in every state is valid HTML', { timeout: 300_000 }, async () => {
  const server = await Server.start();
  const browser = await launch();
  const sent = [];
  try {
    const context = await browser.newContext({ baseURL: server.console });
    context.on('response', (response) => {
      if (!response.headers()['content-type']?.startsWith('text/html')) return;
      // The text of a page that was left before it was read is no longer available.
      sent.push(
        response
          .text()
          .then((html) => ({ html, at: response.url() }))
          .catch(() => null),
      );
    });
    const page = await context.newPage();
    for await (const _ of states(server, page));
    const pages = (await Promise.all(sent)).filter((one) => one);
    assert.ok(pages.length > 40, `${pages.length} pages were seen`);
    const found = new Set();
    for (const { html, at } of pages) {
      const { results } = await validator.validateString(html);
      for (const { ruleId, message, line } of results.flatMap((result) => result.messages)) {
        found.add(`${new URL(at).pathname}, line ${line}: ${message} (${ruleId})`);
      }
    }
    assert.deepEqual([...found], []);
  } finally {
    await browser.close();
    await server.stop();
  }
});
