//! The page of a key, `/cam/capi/keys/{id}`: what can be done with it, its calls, and how to use it.

use askama::Template;
use axum::extract::{Path, Query};
use axum::http::{HeaderMap, header};
use url::{Position, Url};

use super::calls::{CallView, CallsQuery, LISTED};
use super::chart::Chart;
use super::sent_from::{SentFrom, named};
use super::view::KeyView;
use crate::console::Console;
use crate::console::frame::page::{AccountPage, Page};
use crate::console::frame::problem::PageError;
use crate::console::frame::urls;
use crate::console::session::SignedIn;
use crate::console::step_up;
use crate::keys::calls::{self, Period};
use crate::keys::{advice, lifecycle};
use crate::types::key_state::KeyState;

/// The page of a key.
#[derive(Template)]
#[template(path = "key.html")]
#[expect(clippy::struct_excessive_bools, reason = "each is a condition of the template")]
pub struct KeyPage {
    page: Page,
    key: KeyView,
    account_name: String,
    verified: bool,
    has_passkeys: bool,
    age: String,
    /// `true` if the key is so old that it should be replaced.
    old: bool,
    api: Option<Api>,
    /// The calls since the key was disabled, in words. `None` if it is enabled.
    since_disabled: Option<String>,
    period: Period,
    /// `None` if there were no calls.
    chart: Option<Chart>,
    /// The filter, as it was sent.
    sent: CallsQuery,
    calls: Vec<CallView>,
    is_latest: bool,
    /// The query string of the page with older calls.
    older: Option<String>,
    from: SentFrom,
}

/// The API's URL, in the parts that client libraries expect.
struct Api {
    origin: String,
    scheme: String,
    authority: String,
    https: bool,
}

impl From<Url> for Api {
    fn from(url: Url) -> Self {
        Self {
            origin: url[..Position::BeforePath].to_owned(),
            scheme: url.scheme().to_owned(),
            authority: url[Position::BeforeHost..Position::BeforePath].to_owned(),
            https: url.scheme() == "https",
        }
    }
}

/// `GET /cam/capi/keys/{id}`
pub async fn key_page(
    console: Console,
    mut owner: SignedIn,
    Path(secret_id): Path<String>,
    Query(sent): Query<CallsQuery>,
    headers: HeaderMap,
) -> Result<AccountPage<KeyPage>, PageError> {
    let app = &console.app;
    let id = named(&secret_id)?;
    app.usage.flush().await;
    let row = lifecycle::find(app, owner.proof(), &id).await?;
    let page = owner.page(&console).await?;
    let texts = page.t;
    let in_state = calls::in_state(app, &row).await?;
    let since_disabled = (row.state == KeyState::Disabled)
        .then(|| (texts.key.calls_since_disabled)(in_state.accepted, in_state.refused));
    let (period, before) = (sent.period(), sent.before());
    let counts = calls::counts(app, &row, period).await?;
    // One more than is shown tells whether there are older ones.
    let limit = i64::try_from(LISTED).unwrap_or(i64::MAX).saturating_add(1);
    let mut rows = calls::list(app, &row, &sent.filter(), before.as_ref(), limit).await?;
    let has_older = rows.len() > LISTED;
    rows.truncate(LISTED);
    let age = advice::days(row.created_at, app.clock.now());
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    Ok(AccountPage(KeyPage {
        account_name: owner.account.name.clone(),
        verified: owner.verified(&console).is_some(),
        has_passkeys: step_up::can_use_passkey(&console, &owner).await?,
        age: (texts.key.age)(age),
        old: age >= advice::ROTATE_AFTER_DAYS,
        api: console.site.api_url(host).map(Api::from),
        since_disabled,
        chart: Chart::new(&counts, period, texts),
        period,
        is_latest: before.is_none(),
        older: rows.last().filter(|_| has_older).map(|last| sent.older(last)),
        calls: rows.into_iter().map(|call| CallView::new(call, texts)).collect(),
        sent,
        from: SentFrom::key(&row.secret_id),
        key: KeyView::new(&console, row).await?,
        page,
    }))
}

impl KeyPage {
    fn is_by_hour(&self) -> bool {
        self.period == Period::Hour
    }

    fn by_hour(&self) -> String {
        self.sent.by(Period::Hour)
    }

    fn by_day(&self) -> String {
        self.sent.by(Period::Day)
    }
}
