// Takes the README's pictures of `latchkey demo`, along the path that the README describes:
//   npm run pictures -- FOLDER

import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';

import { launch, press } from './support/browser.js';
import * as people from './support/people.js';
import { BINARY, environment } from './support/server.js';

const WIDTH = 1280;
const MARGIN = 24;
/** The number of the last row that is shown of a long table, from 0. */
const ROWS = 8;

const [folder] = process.argv.slice(2);
if (!folder) {
  console.error('usage: npm run pictures -- FOLDER');
  process.exit(2);
}
await mkdir(folder, { recursive: true });

/** Starts the demo, and reads from what it prints for a person how to sign in. */
class Demo {
  static async start() {
    const demo = new Demo();
    demo.directory = await mkdtemp(path.join(tmpdir(), 'latchkey-pictures-'));
    const listeners = ['--console', '127.0.0.1:0', '--api', '127.0.0.1:0'];
    demo.process = spawn(BINARY, ['demo', ...listeners], {
      cwd: demo.directory,
      env: environment,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    demo.ended = new Promise((resolve) => {
      demo.process.once('close', resolve);
    });
    for await (const line of createInterface(demo.process.stdout)) {
      const [, what, said] = line.match(/^ {2}(open|name|password|code) +(\S+)/) ?? [];
      if (what) demo[what] = said;
      if (what === 'code') break;
    }
    if (!demo.code) throw new Error('the demo did not say how to sign in');
    demo.process.stdout.resume();
    return demo;
  }

  async stop() {
    this.process.kill('SIGINT');
    await this.ended;
    await rm(this.directory, { recursive: true, force: true });
  }
}

/** A picture of the page from its top to the bottom of `to`. */
async function take(page, name, to, margin = MARGIN) {
  const { y, height } = await to.boundingBox();
  const clip = { x: 0, y: 0, width: WIDTH, height: y + height + margin };
  await page.screenshot({ path: path.join(folder, `${name}.png`), fullPage: true, clip });
}

async function walk(page, demo) {
  const link = (name) => page.getByRole('link', { name });
  await page.goto('/login');
  await people.givePassword(page, { name: demo.name, password: demo.password });
  await people.giveCode(page, 'Authenticator code', demo.code);
  for (const colorScheme of ['dark', 'light']) {
    await page.emulateMedia({ colorScheme });
    await take(page, `keys-${colorScheme}`, page.locator('details.notes'));
  }

  await press(link('Continue the rotation'));
  await take(page, 'rotation', page.locator('ol.rotation'));

  await page.goto('/cam/capi');
  await press(link(/^All calls/).last());
  await page.getByLabel('Result').selectOption('Refused');
  await press(page.getByRole('button', { name: 'Filter' }));
  const refused = page.locator('.calls tbody tr');
  await take(page, 'refused-calls', refused.last());

  await press(refused.first().getByRole('link'));
  await take(page, 'diagnosis', page.locator('main pre').first());

  await press(link('Operation Records'));
  await take(page, 'records', page.locator('.records tbody tr').nth(ROWS), 0);
}

const demo = await Demo.start();
const browser = await launch();
try {
  const context = await browser.newContext({
    baseURL: demo.open,
    viewport: { width: WIDTH, height: 800 },
    locale: 'en',
    timezoneId: 'UTC',
    reducedMotion: 'reduce',
  });
  await walk(await context.newPage(), demo);
} finally {
  await browser.close();
  await demo.stop();
}
