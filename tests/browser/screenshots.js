// Takes screenshots of every page in every state, in every language, light and dark, wide and narrow, for people to
// look at:
//   npm run screenshots -- FOLDER [WORD…]
// With words, takes only the states whose names contain one of them.

import { mkdir } from 'node:fs/promises';
import path from 'node:path';

import { launch } from './support/browser.js';
import { Server } from './support/server.js';
import { states } from './support/states.js';

const [folder, ...words] = process.argv.slice(2);
if (!folder) {
  console.error('usage: npm run screenshots -- FOLDER [WORD…]');
  process.exit(2);
}
await mkdir(folder, { recursive: true });

const browser = await launch();
try {
  for (const locale of ['en', 'zh-CN', 'ja']) await takeAll(locale);
} finally {
  await browser.close();
}

async function takeAll(locale) {
  const server = await Server.start();
  const context = await browser.newContext({ baseURL: server.console, locale, reducedMotion: 'reduce' });
  try {
    const page = await context.newPage();
    let number = 0;
    for await (const name of states(server, page)) {
      number += 1;
      if (words.length > 0 && !words.some((word) => name.includes(word))) continue;
      const stem = `${String(number).padStart(2, '0')}-${name.replace(/\W+/g, '-')}-${locale}`;
      for (const colorScheme of ['light', 'dark']) {
        await page.emulateMedia({ colorScheme });
        for (const width of [1280, 320]) {
          await page.setViewportSize({ width, height: 800 });
          await page.screenshot({ path: path.join(folder, `${stem}-${colorScheme}-${width}.png`), fullPage: true });
        }
      }
      await page.setViewportSize({ width: 1280, height: 800 });
    }
  } finally {
    await context.close();
    await server.stop();
  }
}
