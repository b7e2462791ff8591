//! New calls of a key, for the page that shows its calls: `/cam/capi/keys/{id}/calls`, a stream of server-sent events
//! (HTML Standard, section 9.2).

use std::collections::HashSet;
use std::convert::Infallible;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::extract::{Path, Query};
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Deserialize;
use tokio::sync::OwnedSemaphorePermit;

use super::calls::{CallView, CallsQuery};
use super::sent_from::named;
use crate::account::owner::Owner;
use crate::account::sessions;
use crate::app::App;
use crate::console::Console;
use crate::console::frame::problem::{PageError, Problem};
use crate::console::session::SignedIn;
use crate::keys::calls::{self, CallFilter};
use crate::keys::lifecycle::{self, ApiKeyRow};
use crate::texts::Texts;
use crate::types::clock::Timestamp;
use crate::types::error::Error;
use crate::types::id::SessionHandle;

/// How often the database is asked for new calls. Servers write theirs every second.
const EVERY: Duration = Duration::from_secs(1);
/// A call may be written this long after it was made: the servers write in batches, and their clocks differ.
const LATE: Duration = Duration::from_secs(10);
/// How far back a page that was in the background may catch up.
const CATCHES_UP: Duration = Duration::from_hours(1);
/// The most calls that are sent at a time.
const CALLS: i64 = 50;
/// The time after which a browser opens a stream again that was cut off.
const RETRY: Duration = Duration::from_secs(5);

/// The query of a stream: the filter of the page's list, and its latest call.
#[derive(Debug, Deserialize)]
pub struct LiveQuery {
    #[serde(flatten)]
    calls: CallsQuery,
    /// The time of the latest call on the page, in milliseconds since 1970.
    #[serde(default)]
    since: String,
}

/// The state of a stream.
struct Live {
    app: App,
    owner: Owner,
    session: SessionHandle,
    key: ApiKeyRow,
    filter: CallFilter,
    texts: &'static Texts,
    /// Calls before this time have been sent.
    from: Timestamp,
    /// The request IDs of the calls since `from` that have been sent.
    sent: HashSet<String>,
    /// Watching does not count as using the session, so the stream ends when the idle session does.
    until: Timestamp,
    is_over: bool,
    _permit: OwnedSemaphorePermit,
}

/// `GET /cam/capi/keys/{id}/calls`
pub async fn calls_stream(
    console: Console,
    owner: SignedIn,
    Path(secret_id): Path<String>,
    Query(query): Query<LiveQuery>,
) -> Result<Response, PageError> {
    let app = console.app.clone();
    let key = lifecycle::find(&app, owner.proof(), &named(&secret_id)?).await?;
    let permit = console.streams.clone().try_acquire_owned().map_err(|_| Problem::Unavailable)?;
    let now = app.clock.now();
    let since = query.since.parse().map_or(now, Timestamp).clamp(now.minus(CATCHES_UP), now);
    let live = Live {
        owner: owner.proof().clone(),
        session: owner.handle().clone(),
        key,
        filter: query.calls.filter(),
        texts: owner.texts(),
        from: since.minus(LATE),
        sent: HashSet::new(),
        until: now.plus(app.settings.session_idle),
        is_over: false,
        app,
        _permit: permit,
    };
    let events = stream::unfold(live, |mut live| async {
        let events = live.next().await?;
        Some((stream::iter(events), live))
    });
    let events = futures_util::StreamExt::flatten(events);
    let keep_alive = KeepAlive::new().interval(Duration::from_secs(15));
    let no_store = (header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // A reverse proxy would hold events back until its buffer is full. nginx reads this header.
    let unbuffered = (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    Ok(([no_store, unbuffered], Sse::new(events).keep_alive(keep_alive)).into_response())
}

impl Live {
    /// Waits for the next events. Returns `None` at the end of the stream.
    async fn next(&mut self) -> Option<Vec<Result<Event, Infallible>>> {
        while !self.is_over && !self.app.stopping.load(Ordering::Relaxed) {
            let events = match self.news().await {
                Ok(events) => events,
                Err(Error::SessionNotFound) => {
                    self.is_over = true;
                    vec![Event::default().event("over").data("")]
                }
                // The browser comes back later.
                Err(error) => {
                    tracing::warn!(%error, "new calls could not be read");
                    return None;
                }
            };
            if !events.is_empty() {
                return Some(events.into_iter().map(Ok).collect());
            }
            tokio::time::sleep(EVERY).await;
        }
        None
    }

    /// The calls since the last time, oldest first. Fails with [`Error::SessionNotFound`] once the session is over.
    async fn news(&mut self) -> Result<Vec<Event>, Error> {
        if self.app.clock.now() >= self.until {
            return Err(Error::SessionNotFound);
        }
        sessions::find(&self.app, &self.owner, &self.session).await?;
        let mut rows = calls::since(&self.app, &self.key, &self.filter, self.from, CALLS).await?;
        if let Some(latest) = rows.first() {
            self.from = self.from.max(latest.at.minus(LATE));
        }
        let still_asked_for = rows.iter().map(|call| call.request_id.clone()).collect();
        rows.retain(|call| !self.sent.contains(&call.request_id));
        self.sent = still_asked_for;
        let events = rows.into_iter().rev().map(|call| {
            let view = CallView::new(call, self.texts);
            Event::default().retry(RETRY).json_data(view).map_err(Error::internal)
        });
        events.collect()
    }
}
