'use strict';
// Passkeys need a script. The pages hide everything about them, and this shows it if the browser supports them.
(() => {
  if (!window.PublicKeyCredential?.parseRequestOptionsFromJSON) return;

  const ask = async (button) => {
    const body = new URLSearchParams({ form_token: button.form.elements.form_token.value });
    const response = await fetch(button.dataset.passkey, { method: 'POST', body });
    if (response.redirected) {
      location.assign(response.url); // the session has ended, or the permission to add a passkey has
      return null;
    }
    if (!response.ok) throw new Error(response.status);
    const { publicKey } = await response.json();
    return 'create' in button.dataset
      ? navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(publicKey) })
      : navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(publicKey) });
  };

  // A separate form, so that the fields of the page keep what was typed.
  const send = (action, values) => {
    const form = document.createElement('form');
    form.method = 'post';
    form.action = action;
    for (const [name, value] of Object.entries(values)) {
      const field = document.createElement('input');
      Object.assign(field, { type: 'hidden', name, value });
      form.append(field);
    }
    document.body.append(form);
    form.submit();
  };

  const wordsFor = (error, words) => {
    if (error.name === 'InvalidStateError') return words.known;
    return error instanceof DOMException ? words.cancelled : words.failed;
  };

  const use = async (button) => {
    const { form } = button;
    const said = form.querySelector('[data-passkey-error]');
    // The fields that go with the passkey, such as the name of a new one.
    const fields = (button.dataset.with ?? '').split(' ').filter(Boolean);
    said.textContent = '';
    if (!fields.every((name) => form.elements[name].reportValidity())) return;
    button.disabled = true;
    try {
      const credential = await ask(button);
      if (!credential) return;
      send(form.action, {
        form_token: form.elements.form_token.value,
        passkey: JSON.stringify(credential),
        ...Object.fromEntries(fields.map((name) => [name, form.elements[name].value])),
      });
    } catch (error) {
      said.textContent = wordsFor(error, button.dataset);
    } finally {
      button.disabled = false;
    }
  };

  for (const button of document.querySelectorAll('[data-passkey]')) {
    button.hidden = false;
    // A new passkey has a name, whose field can also submit the form.
    const [target, event] = 'create' in button.dataset ? [button.form, 'submit'] : [button, 'click'];
    target.addEventListener(event, (happened) => {
      happened.preventDefault();
      use(button);
    });
  }
  for (const link of document.querySelectorAll('[data-passkey-page]')) link.hidden = false;
})();
