//! The page of a key, `/cam/capi/keys/{id}`: its age and remark, how to use it, and its recent calls.

use askama::Template;
use axum::extract::Path;
use axum::http::{HeaderMap, header};
use url::{Position, Url};

use super::reasons;
use super::sent_from::named;
use crate::check::usage;
use crate::console::Console;
use crate::console::frame::moment::Moment;
use crate::console::frame::page::{AccountPage, Page};
use crate::console::frame::problem::PageError;
use crate::console::frame::urls;
use crate::console::session::SignedIn;
use crate::keys::advice;
use crate::keys::lifecycle;
use crate::keys::recent_use::{DayCounts, Diagnosed};
use crate::texts::Texts;
use crate::types::clock::Timestamp;
use crate::types::id::SecretId;
use crate::types::key_state::KeyState;

/// The number of days in the chart.
const DAYS: i64 = 30;
/// The maximum number of calls in the list.
const CALLS: i64 = 50;

/// The page of a key.
#[derive(Template)]
#[template(path = "key.html")]
pub struct KeyPage {
    page: Page,
    secret_id: SecretId,
    short: String,
    enabled: bool,
    remark: Option<String>,
    created: Moment,
    age: String,
    /// `true` if the key is so old that it should be replaced.
    old: bool,
    never_used: bool,
    api: Option<Api>,
    since: Option<Since>,
    /// `None` if there were no calls.
    chart: Option<Chart>,
    days: Vec<Day>,
    calls: Vec<Call>,
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

/// The time at which a key was disabled, and the calls since then.
struct Since {
    at: Moment,
    calls: String,
}

struct Day {
    date: String,
    accepted: i64,
    refused: i64,
}

struct Call {
    at: Moment,
    action: String,
    address: String,
    accepted: bool,
    reason: &'static str,
    /// The page that explains the refusal, if there is one.
    diagnosis: Option<String>,
}

/// `GET /cam/capi/keys/{id}`
pub async fn key_page(
    console: Console,
    mut owner: SignedIn,
    Path(secret_id): Path<String>,
    headers: HeaderMap,
) -> Result<AccountPage<KeyPage>, PageError> {
    let app = &console.app;
    let key = lifecycle::find(app, owner.proof(), &named(&secret_id)?).await?;
    app.usage.flush().await;
    let now = app.clock.now();
    let first_day = now.day() - DAYS + 1;
    let since_day = Timestamp::of_day(first_day);
    let report = usage::report(&app.db, &key.secret_id, since_day, key.state_changed_at, CALLS).await?;
    let days: Vec<Day> = (first_day..=now.day()).map(|day| Day::new(day, &report.days)).collect();
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let age = advice::days(key.created_at, now);
    let page = owner.page(&console).await?;
    let texts = page.t;
    let since = (key.state == KeyState::Disabled).then(|| Since {
        at: key.state_changed_at.into(),
        calls: (texts.key.calls_since_disabled)(report.in_state.accepted, report.in_state.refused),
    });
    let mut diagnosed = Diagnosed::of(app, &key, CALLS).await?;
    let calls = report.calls.into_iter().map(|call| Call {
        diagnosis: (!call.accepted)
            .then(|| diagnosed.take(call.at, &call.address))
            .flatten()
            .map(|id| urls::refused_call(&id)),
        at: call.at.into(),
        action: call.action,
        address: call.address,
        accepted: call.accepted,
        reason: reasons::of_refusal(&call.reason, texts),
    });
    Ok(AccountPage(KeyPage {
        short: key.secret_id.short(),
        enabled: key.state == KeyState::Enabled,
        remark: key.remark,
        created: key.created_at.into(),
        age: (texts.key.age)(age),
        old: age >= advice::ROTATE_AFTER_DAYS,
        never_used: key.last_used_at.is_none(),
        api: console.site.api_url(host).map(Api::from),
        since,
        chart: Chart::new(&days, texts),
        days,
        calls: calls.collect(),
        secret_id: key.secret_id,
        page,
    }))
}

impl Day {
    fn new(day: i64, counted: &[DayCounts]) -> Self {
        let counts = counted.iter().find(|counts| counts.day == day);
        Self {
            date: Timestamp::of_day(day).utc_date(),
            accepted: counts.map_or(0, |counts| counts.accepted),
            refused: counts.map_or(0, |counts| counts.refused),
        }
    }
}

/// A bar chart of accepted calls, with the refused ones on top.
struct Chart {
    width: i64,
    height: i64,
    /// The y coordinate of the axis.
    base: i64,
    /// The y coordinate of the top of the tallest bar.
    top: i64,
    /// The number of calls that the tallest bar stands for.
    highest: String,
    bar_width: i64,
    bars: Vec<Bar>,
}

struct Bar {
    title: String,
    x: i64,
    accepted_y: i64,
    accepted_height: i64,
    refused_y: i64,
    refused_height: i64,
}

impl Chart {
    fn new(days: &[Day], texts: &Texts) -> Option<Self> {
        const STEP: i64 = 20;
        const TALLEST: i64 = 120;
        let highest = days.iter().map(|day| day.accepted + day.refused).max().filter(|calls| *calls > 0)?;
        // Every call is visible: even one among thousands has a thin bar.
        let tall = |calls: i64| if calls == 0 { 0 } else { (calls * TALLEST / highest).max(2) };
        let mut x = 0;
        let bars = days.iter().map(|day| {
            let (accepted, refused) = (tall(day.accepted), tall(day.refused));
            x += STEP;
            Bar {
                title: (texts.key.chart_bar)(&day.date, day.accepted, day.refused),
                x: x - STEP + 2,
                accepted_y: TALLEST + 4 - accepted,
                accepted_height: accepted,
                refused_y: TALLEST + 4 - accepted - refused,
                refused_height: refused,
            }
        });
        let bars = bars.collect();
        Some(Self {
            width: x,
            height: TALLEST + 6,
            base: TALLEST + 4,
            top: 3,
            highest: (texts.key.busiest_day)(highest),
            bar_width: STEP - 4,
            bars,
        })
    }
}
