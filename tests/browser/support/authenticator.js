// An authenticator app that never shows the server a code twice.

import { setTimeout as wait } from 'node:timers/promises';

import { TOTP } from 'otpauth';

const PERIOD = 30_000;
/** A code of the step before is only handed out if there is this much time left to type it. */
const TIME_TO_TYPE = 10_000;

export class Authenticator {
  #totp;
  #last = -Infinity;

  /** Takes the set-up key as the page shows it. */
  constructor(seed) {
    this.#totp = new TOTP({ secret: seed.replace(/\s/g, ''), digits: 6, period: PERIOD / 1000, algorithm: 'SHA1' });
  }

  #at(step) {
    return this.#totp.generate({ timestamp: step * PERIOD });
  }

  /**
   * A code the server accepts now. Each step works once and one step of drift is allowed, so the steps rise from the
   * one before the present to the one after it; after that it waits for the clock.
   */
  async code() {
    for (;;) {
      const now = Date.now();
      const step = Math.floor(now / PERIOD);
      const earliest = PERIOD - (now % PERIOD) > TIME_TO_TYPE ? step - 1 : step;
      const next = Math.max(this.#last + 1, earliest);
      if (next <= step + 1) {
        this.#last = next;
        return this.#at(next);
      }
      await wait((next - 1) * PERIOD - now);
    }
  }

  /** A code the server does not accept, now or soon. */
  wrongCode() {
    const step = Math.floor(Date.now() / PERIOD);
    const right = new Set([-2, -1, 0, 1, 2, 3].map((offset) => this.#at(step + offset)));
    const wrong = ['000000', '111111', '222222', '333333', '444444', '555555', '666666'];
    return wrong.find((code) => !right.has(code));
  }
}
