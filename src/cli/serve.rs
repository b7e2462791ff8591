//! `latchkey serve`

use std::fmt::Write as _;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};

use super::output;
use crate::account::setup;
use crate::app::App;
use crate::config::Settings;
use crate::operate::accounts;
use crate::serve::{self, Listeners};
use crate::start_error::StartError;
use crate::types::clock::Clock;

/// Binds the listeners, opens the database, prints the addresses, and serves until a signal arrives.
pub(super) async fn serve(settings: Settings) -> Result<(), StartError> {
    // This comes first, so that a signal at any moment stops the server in an orderly way instead of killing it.
    let shutdown = stop_signal()?;
    settings.check_listeners()?;
    allow_many_descriptors();
    let tls = serve::load_tls(&settings)?;
    let listeners = Listeners::bind(&settings)?;
    let app = App::open(settings, Clock::system()).await?;
    print_addresses(&app, &listeners).await?;
    serve::run(app, listeners, tls, shutdown).await
}

/// Raises the limit on file descriptors to the maximum. The default is mostly meant for programs that need a few, and
/// each listener may have a thousand connections.
fn allow_many_descriptors() {
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        tracing::debug!(%error, "the limit on file descriptors could not be raised");
    }
}

/// Prints one line per listener and, as long as no account exists, the link to create the first one.
async fn print_addresses(app: &App, listeners: &Listeners) -> Result<(), StartError> {
    let scheme = if app.settings.tls.is_some() { "https" } else { "http" };
    let public_url = serve::public_url(&app.settings, listeners);
    let mut lines = String::new();
    if let Some(console) = &listeners.console {
        let public = public_url.origin().ascii_serialization();
        let _ = match app.settings.public_url {
            // Only under the console's one name, because sessions and passkeys of another name would not work under
            // this one.
            None => writeln!(lines, "console {public}"),
            Some(_) => writeln!(lines, "console {scheme}://{} as {public}", console.address),
        };
    }
    let Listeners { api, guard, metrics, .. } = listeners;
    for (name, scheme, bound) in [("api", scheme, api), ("guard", scheme, guard), ("metrics", "http", metrics)] {
        if let Some(bound) = bound {
            let _ = writeln!(lines, "{name} {scheme}://{}", bound.address);
        }
    }
    if listeners.console.is_some() {
        if let Err(error) = setup::note_console(app, &public_url).await {
            tracing::warn!(%error, "the console's URL could not be stored; commands may print links with another one");
        }
        if let Some(link) = accounts::first_setup_link(app).await? {
            let _ = writeln!(lines, "setup {}", setup::link_address(&public_url, &link));
        }
    }
    // The server runs even if nobody reads its output.
    let _ = output::write(lines.as_bytes());
    Ok(())
}

/// Returns a future that completes on SIGTERM or Ctrl-C.
pub(super) fn stop_signal() -> Result<impl Future<Output = ()>, StartError> {
    let failed = |cause| StartError::Io { what: "cannot listen for signals", cause };
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
