// Debian's Firefox, unpatched. Playwright drives it over WebDriver BiDi, the protocol that Firefox itself offers.

import { firefox } from 'playwright-core';

/** The commands that Playwright sends for every page and that this Firefox does not have. No test depends on them. */
const MISSING = new Set(['emulation.setMediaFeaturesOverride']);

/** Runs in the browser's own window: tabs that are opened from now on run no script of a page. */
const SCRIPTS_OFF = `Services.obs.addObserver((tab) => {
  if (tab.isContent && !tab.parent) tab.allowJavascript = false;
}, 'browsing-context-attached')`;

/** Starts Firefox. Without script, all its pages are without: BiDi has no command for a single one. */
export async function launchFirefox({ javaScript }) {
  const browser = await firefox.launch({
    channel: 'moz-firefox',
    executablePath: process.env.FIREFOX ?? '/usr/bin/firefox-esr',
    args: ['--remote-allow-system-access'],
    firefoxUserPrefs: {
      // The page of a test may read the clipboard without a person's consent.
      'dom.events.testing.asyncClipboard': true,
    },
  });
  const session = browser._connection.toImpl(browser)._browserSession;
  const send = session.send.bind(session);
  session.send = (method, params) => (MISSING.has(method) ? Promise.resolve({}) : send(method, params));
  if (!javaScript) {
    const { contexts } = await send('browsingContext.getTree', { 'moz:scope': 'chrome' });
    const { type } = await send('script.evaluate', {
      expression: SCRIPTS_OFF,
      target: { context: contexts[0].context },
      awaitPromise: false,
    });
    if (type !== 'success') throw new Error('Firefox did not turn scripts off');
  }
  return browser;
}
