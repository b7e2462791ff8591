'use strict';
// All functions of the pages work without this script. It adds what only a script can do: the clipboard, the countdown,
// times in the reader's time zone.
(() => {
  const HOME = '/cam/capi';
  // Back and reload ask for a page again that a form has led to, and do not send the form again.
  history.replaceState(history.state, '', location.href);
  const words = document.body.dataset;
  const status = document.getElementById('status');
  let saying;

  // Empty the status first: screen readers do not announce a text again that replaces itself.
  const say = (text) => {
    clearTimeout(saying);
    status.textContent = '';
    saying = setTimeout(() => {
      status.textContent = text;
      saying = setTimeout(() => {
        status.textContent = '';
      }, 10000);
    }, 60);
  };

  const copy = async (element, what) => {
    const items = [...element.querySelectorAll('li')];
    // A setup key is shown in groups, and not every authenticator app accepts the spaces.
    let text = element.textContent;
    if (items.length) text = items.map((item) => item.textContent.trim()).join('\n');
    else if (element.localName !== 'pre') text = text.replace(/\s/g, '');
    try {
      await navigator.clipboard.writeText(text); // there is no clipboard except on https and localhost
      say(words.copied.replace('{n}', what));
    } catch {
      getSelection().selectAllChildren(element);
      say(words.copyFailed);
    }
  };

  for (const button of document.querySelectorAll('[data-copy], [data-print], [data-extend]')) {
    button.hidden = false;
  }
  for (const button of document.querySelectorAll('[data-copy]')) {
    button.addEventListener('click', () => copy(document.getElementById(button.dataset.copy), button.dataset.what));
  }
  for (const button of document.querySelectorAll('[data-print]')) {
    button.addEventListener('click', () => print());
  }

  const secret = document.querySelector('[data-secret]');
  if (secret) {
    const countdown = secret.querySelector('[data-countdown]');
    // A point in time rather than a count, because timers of a page in the background run late.
    let end = Date.now() + secret.dataset.secret * 1000;
    let shown;
    let warned = false;

    const left = () => Math.max(0, Math.ceil((end - Date.now()) / 1000));
    const phrase = () => secret.dataset.left.replace('{n}', left());
    const leave = () => {
      clearInterval(timer);
      secret.remove();
      location.replace(HOME);
    };
    const tick = () => {
      const now = left();
      if (now === 0) return leave();
      if (now === shown) return;
      shown = now;
      countdown.textContent = phrase();
      if (now <= 10 && !warned) {
        warned = true;
        say(phrase());
      }
    };
    const timer = setInterval(tick, 250);

    countdown.setAttribute('aria-live', 'off');
    secret.querySelector('[data-extend]').addEventListener('click', () => {
      end += 60000;
      warned = false;
      tick();
      say(phrase());
    });
    document.addEventListener('visibilitychange', tick);
    document.getElementById('secret').focus();
    // The browser may keep the whole page in memory for the Back button, so remove the secret first.
    addEventListener('pagehide', () => secret.remove());
    addEventListener('pageshow', (event) => {
      if (event.persisted) leave();
    });
    tick();
  }

  // The wait for the next code. Screen readers announce it at the start and at the end, not every second.
  const countDown = (element, { seconds, left, over }) => {
    const end = Date.now() + seconds * 1000;
    clearInterval(element.countdown);
    element.setAttribute('aria-live', 'off');
    const tick = () => {
      const now = Math.ceil((end - Date.now()) / 1000);
      if (now <= 0) {
        clearInterval(element.countdown);
        element.setAttribute('aria-live', 'assertive');
      }
      const text = now > 0 ? left.replace('{n}', now) : over;
      if (element.textContent !== text) element.textContent = text;
    };
    element.countdown = setInterval(tick, 250);
  };
  for (const element of document.querySelectorAll('.error[data-seconds]')) countDown(element, element.dataset);

  // While a form in a pop-up has errors, it stays in the pop-up.
  const stay = async (form) => {
    let response;
    try {
      response = await fetch(form.action, {
        method: 'POST',
        headers: { accept: 'application/json' },
        body: new URLSearchParams(new FormData(form)),
        redirect: 'manual',
      });
    } catch {
      return form.submit(); // the browser shows the connection error
    }
    // The target of a redirect is hidden from scripts: it is the page with the secret, or leads on to sign-in.
    if (response.type === 'opaqueredirect') return location.assign(form.dataset.stays);
    if (response.status !== 422) return location.assign(form.action);
    const { fields: errors, countdown } = await response.json();
    const fields = [...form.querySelectorAll('[name=password], [name=code]')];
    for (const field of fields) {
      const said = document.getElementById(`${field.id}-error`);
      clearInterval(said.countdown);
      said.textContent = errors[field.name] ?? '';
      if (countdown && field.name === 'code') countDown(said, countdown);
      field.setAttribute('aria-invalid', field.name in errors);
    }
    const wrong = fields.find((field) => field.name in errors);
    if (!wrong) return location.assign(form.action);
    wrong.focus();
    return wrong.select();
  };
  for (const form of document.querySelectorAll('form[data-stays]')) {
    form.addEventListener('submit', async (event) => {
      event.preventDefault();
      event.submitter.disabled = true;
      try {
        await stay(form);
      } finally {
        event.submitter.disabled = false;
      }
    });
  }

  const two = (number) => String(Math.floor(number)).padStart(2, '0');
  const zoneAt = (at) => {
    const offset = -at.getTimezoneOffset();
    return `${offset < 0 ? '-' : '+'}${two(Math.abs(offset) / 60)}:${two(Math.abs(offset) % 60)}`;
  };
  const zone = zoneAt(new Date());
  const UNITS = { minute: 60, hour: 3600 };
  const ago = (at) => {
    const seconds = (Date.now() - at) / 1000;
    const unit = seconds < UNITS.hour ? 'minute' : 'hour';
    return new Intl.RelativeTimeFormat(document.documentElement.lang).format(-Math.floor(seconds / UNITS[unit]), unit);
  };
  const localise = (time) => {
    const at = new Date(time.dateTime);
    if (Number.isNaN(at.getTime())) return;
    const local = new Date(at.getTime() - at.getTimezoneOffset() * 60000).toISOString();
    const exact = `${local.slice(0, 10)} ${local.slice(11, 19)}`;
    const inTable = time.closest('td') !== null;
    time.title = `${exact} ${zoneAt(at)}`;
    // In a table the zone is named once, but for a time of the other half of the year.
    time.textContent = inTable && zoneAt(at) === zone ? exact : `${exact}\u00a0${zoneAt(at)}`;
    const isRecent = at <= Date.now() && Date.now() - at < 24 * 3600 * 1000;
    if ('recent' in time.dataset && isRecent) {
      const tell = () => {
        time.textContent = ago(at);
      };
      tell();
      setInterval(tell, 60000);
    }
  };
  const localiseIn = (part) => {
    for (const time of part.querySelectorAll('time[datetime]')) localise(time);
  };
  localiseIn(document);
  document.addEventListener('added', (event) => localiseIn(event.detail));
  for (const note of document.querySelectorAll('[data-zone]')) {
    note.textContent = note.dataset.zone.replace('{n}', `UTC${zone}`);
  }

  for (const details of document.querySelectorAll('.remark')) {
    details.addEventListener('toggle', () => {
      if (details.open) details.querySelector('input:not([type=hidden])').focus();
    });
  }

  for (const choice of document.querySelectorAll('select[data-submits]')) {
    const button = choice.form.querySelector('button');
    let byKeyboard = false;
    choice.addEventListener('pointerdown', () => {
      byKeyboard = false;
    });
    choice.addEventListener('keydown', () => {
      byKeyboard = true;
    });
    // An arrow key on a closed list changes the value at once, so a keyboard user submits it with the button.
    choice.addEventListener('change', () => {
      if (byKeyboard) button.classList.add('offered');
      else choice.form.submit();
    });
  }

  document.querySelector('.summary')?.focus();
})();
