// What a screen reader is told about every page in every state: roles, names, states and descriptions, compared with the
// text in trees/. A change of it is a change for those who do not see the page, so read what has changed. To accept it:
//   npm run trees

import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { test } from 'node:test';

import { launch } from './support/browser.js';
import { Server } from './support/server.js';
import { states } from './support/states.js';
import { Placeholders, treeOf } from './support/tree.js';

const FOLDER = new URL('./trees/', import.meta.url);
const writing = process.argv.includes('--write');

const fileOf = (state) => `${state.replace(/\W+/g, '-')}.txt`;

async function check(state, tree) {
  const stored = await readFile(new URL(fileOf(state), FOLDER), 'utf8').catch(() => '');
  const hint = `The accessibility tree of "${state}" has changed. If it reads well, run in tests/browser: npm run trees`;
  assert.ok(tree === stored, `${hint}\n${difference(stored, tree)}`);
}

/** The lines that only one of two texts has. */
function difference(before, now) {
  const [old, recent] = [before.split('\n'), now.split('\n')];
  const gone = old.filter((line) => !recent.includes(line)).map((line) => `- ${line}`);
  const added = recent.filter((line) => !old.includes(line)).map((line) => `+ ${line}`);
  return [...gone, ...added].join('\n') || 'the same lines, in another order or number';
}

test('What a screen reader is told is what was read and accepted', async (t) => {
  const server = await Server.start();
  const browser = await launch();
  try {
    const context = await browser.newContext({ baseURL: server.console, timezoneId: 'UTC' });
    context.setDefaultTimeout(20_000);
    const page = await context.newPage();
    const inspector = await context.newCDPSession(page);
    const placeholders = new Placeholders();
    const files = new Set();
    if (writing) {
      await rm(FOLDER, { recursive: true, force: true });
      await mkdir(FOLDER);
    }
    for await (const state of states(server, page)) {
      const tree = placeholders.in(await treeOf(page, inspector));
      files.add(fileOf(state));
      if (writing) await writeFile(new URL(fileOf(state), FOLDER), tree);
      else await t.test(state, () => check(state, tree));
    }
    assert.deepEqual((await readdir(FOLDER)).sort(), [...files].sort(), 'a file for each state, and no other');
  } finally {
    await browser.close();
    await server.stop();
  }
});
