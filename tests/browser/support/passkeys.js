// The browser's virtual passkey authenticator.

const AUTHENTICATOR = {
  protocol: 'ctap2',
  transport: 'internal',
  hasResidentKey: true,
  hasUserVerification: true,
  isUserVerified: true,
  automaticPresenceSimulation: true,
};

/** The authenticator of a page. */
export class Passkeys {
  static async on(page) {
    const passkeys = new Passkeys();
    passkeys.cdp = await page.context().newCDPSession(page);
    await passkeys.cdp.send('WebAuthn.enable');
    const { authenticatorId } = await passkeys.cdp.send('WebAuthn.addVirtualAuthenticator', { options: AUTHENTICATOR });
    passkeys.authenticatorId = authenticatorId;
    return passkeys;
  }

  #send(command, more = {}) {
    return this.cdp.send(`WebAuthn.${command}`, { authenticatorId: this.authenticatorId, ...more });
  }

  async all() {
    return (await this.#send('getCredentials')).credentials;
  }

  /** Replaces its credentials with these. */
  async have(credentials) {
    await this.#send('clearCredentials');
    for (const credential of credentials) await this.#send('addCredential', { credential });
  }

  /** Sets whether it recognises its user from now on. */
  recognise(isUserVerified) {
    return this.#send('setUserVerified', { isUserVerified });
  }

  /** Removes it. */
  stop() {
    return this.cdp.detach();
  }
}
