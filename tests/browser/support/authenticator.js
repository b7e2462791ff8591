// An authenticator app that never gives out the same code twice.

import { setTimeout as wait } from 'node:timers/promises';

import { TOTP } from 'otpauth';

const PERIOD = 30_000;
/** A code of the previous step is only given out if at least this much time is left to type it. */
const TIME_TO_TYPE = 10_000;

export class Authenticator {
  #totp;
  #last = -Infinity;

  /** Takes the setup key as the page shows it. */
  constructor(seed) {
    this.#totp = new TOTP({ secret: seed.replace(/\s/g, ''), digits: 6, period: PERIOD / 1000, algorithm: 'SHA1' });
  }

  #at(step) {
    return this.#totp.generate({ timestamp: step * PERIOD });
  }

  /**
   * Returns a code that the server accepts now. Each step works once, and one step of clock skew is allowed, so the
   * codes come from the previous step, then the present, then the next one. After that, this waits for the clock.
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

  /** Returns a code that the server accepts neither now nor soon. */
  wrongCode() {
    const step = Math.floor(Date.now() / PERIOD);
    const right = new Set([-2, -1, 0, 1, 2, 3].map((offset) => this.#at(step + offset)));
    const wrong = ['000000', '111111', '222222', '333333', '444444', '555555', '666666'];
    return wrong.find((code) => !right.has(code));
  }
}
