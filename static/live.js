'use strict';
// Adds new calls to the list of a key's page as they arrive, and reloads the page of a rotation when its keys are called.
(() => {
  // As many as the page shows.
  const MOST = 20;

  // While the page is in the background, the stream is closed: a browser allows only a few connections to one server.
  const follow = (address, { news, over }) => {
    let stream;
    let ended = false;
    const open = () => {
      if (stream || ended || document.hidden) return;
      stream = new EventSource(address());
      stream.addEventListener('message', (event) => news(JSON.parse(event.data)));
      stream.addEventListener('over', () => {
        ended = true;
        close();
        over();
      });
    };
    const close = () => {
      stream?.close();
      stream = undefined;
    };
    document.addEventListener('visibilitychange', () => (document.hidden ? close() : open()));
    addEventListener('pagehide', close);
    addEventListener('pageshow', open);
    open();
  };

  const note = document.querySelector('[data-live]');
  if (note) {
    const table = document.querySelector('table.calls');
    const reload = note.parentElement.querySelector('a');
    const rows = table.tBodies[0];

    const row = (call) => {
      const added = document.getElementById('new-call').content.firstElementChild.cloneNode(true);
      const [at, action, address, result, requestId] = added.cells;
      added.id = `call-${call.request_id}`;
      added.className = 'new';
      at.firstElementChild.dateTime = call.at;
      action.textContent = call.action;
      address.firstElementChild.textContent = call.address;
      const state = result.firstElementChild;
      state.classList.add(call.accepted ? 'on' : 'no');
      if (call.diagnosis) {
        const link = document.createElement('a');
        link.href = call.diagnosis;
        link.textContent = call.result;
        state.append(link);
      } else state.textContent = call.result;
      requestId.firstElementChild.textContent = call.request_id;
      requestId.firstElementChild.title = call.request_id;
      return added;
    };

    const address = () => {
      const latest = rows.querySelector('time');
      const url = new URL(note.dataset.live, location.href);
      if (latest) url.searchParams.set('since', Date.parse(latest.dateTime));
      return url;
    };
    const news = (call) => {
      // The stream and the page overlap.
      if (document.getElementById(`call-${call.request_id}`)) return;
      const added = row(call);
      rows.prepend(added);
      table.hidden = false;
      document.querySelector('.none-yet')?.remove();
      document.dispatchEvent(new CustomEvent('added', { detail: added }));
      while (rows.rows.length > MOST) rows.lastElementChild.remove();
    };
    const over = () => {
      note.textContent = note.dataset.over;
      reload.hidden = false;
    };
    note.hidden = false;
    reload.hidden = true;
    follow(address, { news, over });
  }

  // The progress of a rotation is worked out by the server. Nothing is reloaded under a pop-up or while somebody types.
  const steps = document.querySelector('[data-watch]');
  if (steps) {
    const opened = Date.now();
    let called = false;
    const news = () => {
      called = true;
    };
    for (const address of steps.dataset.watch.split(' ')) {
      follow(() => `${address}?since=${opened}`, { news, over: () => {} });
    }
    setInterval(() => {
      if (called && !document.querySelector('dialog[open]')) location.reload();
    }, 5000);
  }
})();
