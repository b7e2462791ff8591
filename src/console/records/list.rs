//! The page of the audit records, `/cam/records`: every operation and sign-in of the account, filtered by the query.

use std::time::Duration;

use askama::Template;
use axum::extract::Query;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use url::form_urlencoded;

use super::wording;
use crate::account::records::{self, Filter, Position, Start};
use crate::audit::reading::AuditRow;
use crate::console::Console;
use crate::console::frame::form_state::{FieldError, FormState};
use crate::console::frame::moment::Moment;
use crate::console::frame::page::{self, AccountPage, Page};
use crate::console::frame::problem::PageError;
use crate::console::frame::urls;
use crate::console::session::SignedIn;
use crate::keys::lifecycle;
use crate::texts::Texts;
use crate::types::clock::Timestamp;
use crate::types::event::{Action, Actor, Detail, Outcome};
use crate::types::id::SecretId;
use crate::types::key_state::KeyState;

/// The number of keys to suggest beside the field. Any other key can be typed.
const KEYS_OFFERED: i64 = 50;
const DAY: Duration = Duration::from_hours(24);

/// The filter and the position, as they are in the query string.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct RecordsQuery {
    from: String,
    to: String,
    event: String,
    key: String,
    result: String,
    before: String,
    after: String,
}

impl RecordsQuery {
    /// Trims what was typed or pasted.
    pub(crate) fn trimmed(self) -> Self {
        let trim = |text: String| text.trim().to_owned();
        Self {
            from: trim(self.from),
            to: trim(self.to),
            event: trim(self.event),
            key: trim(self.key),
            result: trim(self.result),
            ..self
        }
    }

    /// Parses the filter, or returns its errors.
    pub(crate) fn filter(&self, texts: &Texts) -> Result<Filter, Vec<FieldError>> {
        let mut errors = Vec::new();
        let filter = Filter {
            from: field(&self.from, "from", texts.records.date_invalid, &mut errors, Timestamp::of_utc_date),
            until: field(&self.to, "to", texts.records.date_invalid, &mut errors, |day| {
                Some(Timestamp::of_utc_date(day)?.plus(DAY))
            }),
            action: field(&self.event, "event", texts.records.event_unknown, &mut errors, Action::parse),
            outcome: field(&self.result, "result", texts.records.result_unknown, &mut errors, Outcome::parse),
            key: field(&self.key, "key", texts.records.secret_id_invalid, &mut errors, |id| id.parse().ok()),
        };
        if let (Some(from), Some(until)) = (filter.from, filter.until)
            && from >= until
        {
            errors.push(FieldError { field: "to", text: texts.records.dates_reversed.into() });
        }
        if errors.is_empty() { Ok(filter) } else { Err(errors) }
    }

    /// The start of the page. A malformed position counts as none, which leads to the first page.
    fn start(&self) -> Start {
        match (self.before.parse(), self.after.parse()) {
            (Ok(before), _) => Start::Before(before),
            (_, Ok(after)) => Start::After(after),
            _ => Start::Newest,
        }
    }

    /// The URL of `path` with the same filter and, if given, a position.
    fn address(&self, path: &str, page: Option<(&str, Position)>) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let fields = [
            ("from", &self.from),
            ("to", &self.to),
            ("event", &self.event),
            ("key", &self.key),
            ("result", &self.result),
        ];
        query.extend_pairs(fields.iter().filter(|(_, value)| !value.is_empty()));
        if let Some((name, position)) = page {
            query.append_pair(name, &position.to_string());
        }
        let query = query.finish();
        if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
    }
}

/// Parses a field. Returns `None` if it is empty. If it is malformed, adds an error and returns `None`.
fn field<T>(
    text: &str,
    field: &'static str,
    wrong: &'static str,
    errors: &mut Vec<FieldError>,
    read: impl FnOnce(&str) -> Option<T>,
) -> Option<T> {
    if text.is_empty() {
        return None;
    }
    let value = read(text);
    if value.is_none() {
        errors.push(FieldError { field, text: wrong.into() });
    }
    value
}

#[derive(Template)]
#[template(path = "records.html")]
struct RecordsPage {
    page: Page,
    form: FormState,
    /// The filter, as it was sent.
    sent: RecordsQuery,
    events: Vec<Choice>,
    results: Vec<Choice>,
    keys: Vec<(SecretId, &'static str)>,
    csv: String,
    /// `None` if the filter has errors.
    records: Option<Vec<RecordView>>,
    newer: Option<String>,
    older: Option<String>,
}

impl RecordsPage {
    /// Creates the page without records.
    async fn new(
        console: &Console,
        mut owner: SignedIn,
        sent: RecordsQuery,
        errors: Vec<FieldError>,
    ) -> Result<Self, PageError> {
        let page = owner.page(console).await?;
        let texts = page.t;
        let events = Action::ALL.iter().map(|action| (action.as_str(), wording::of_action(*action, texts)));
        let results = Outcome::ALL.iter().map(|outcome| (outcome.as_str(), wording::of_outcome(*outcome, texts)));
        let state = |state| match state {
            KeyState::Enabled => texts.common.enabled,
            KeyState::Disabled => texts.common.disabled,
            KeyState::Deleted => texts.common.deleted,
        };
        let keys = lifecycle::latest(&console.app, owner.proof(), KEYS_OFFERED).await?;
        Ok(Self {
            page,
            events: choices(events, &sent.event),
            results: choices(results, &sent.result),
            keys: keys.into_iter().map(|(id, of)| (id, state(of))).collect(),
            csv: sent.address(urls::RECORDS_CSV, None),
            sent,
            form: FormState { errors, ..FormState::default() },
            records: None,
            newer: None,
            older: None,
        })
    }
}

/// An option of a select list.
struct Choice {
    value: String,
    text: String,
    chosen: bool,
}

/// The options of a select list. A sent value that is not known is added as an option, so that it is not lost.
fn choices<'a>(known: impl Iterator<Item = (&'a str, &'a str)>, sent: &str) -> Vec<Choice> {
    let choice =
        |value: &str, text: &str| Choice { value: value.to_owned(), text: text.to_owned(), chosen: value == sent };
    let mut choices: Vec<Choice> = known.map(|(value, text)| choice(value, text)).collect();
    if !sent.is_empty() && !choices.iter().any(|choice| choice.chosen) {
        choices.push(choice(sent, sent));
    }
    choices
}

/// The texts of a record. A name that only another version knows is shown as it is stored.
pub(crate) struct InWords {
    pub(crate) who: String,
    pub(crate) event: String,
    pub(crate) outcome: String,
}

impl InWords {
    pub(crate) fn new(row: &AuditRow, texts: &Texts) -> Self {
        let actor = Actor::parse(&row.actor, row.actor_key.as_deref());
        let action = Action::parse(&row.action).map(|action| wording::of_action(action, texts));
        let outcome = Outcome::parse(&row.result).map(|outcome| wording::of_outcome(outcome, texts));
        let outcome = outcome.unwrap_or(&row.result);
        let detail = |stored| Detail::parse(stored).map_or(stored, |detail| wording::of_detail(detail, texts));
        Self {
            who: actor.map_or(row.actor.as_str(), |actor| wording::of_actor(&actor, texts)).to_owned(),
            event: action.unwrap_or(&row.action).to_owned(),
            outcome: row.detail.as_deref().map_or_else(
                || outcome.to_owned(),
                |stored| (texts.events.outcome_with_detail)(outcome, detail(stored)),
            ),
        }
    }
}

/// A record, as the page shows it.
struct RecordView {
    at: Moment,
    said: InWords,
    done: bool,
    actor_key: Option<String>,
    key: Option<String>,
    address: Option<String>,
    request_id: Option<String>,
}

impl RecordView {
    fn new(row: AuditRow, texts: &Texts) -> Self {
        Self {
            at: row.at.into(),
            said: InWords::new(&row, texts),
            done: row.result == Outcome::Done.as_str(),
            actor_key: row.actor_key,
            // Other targets, such as a session's handle, tell the reader nothing.
            key: row.target.filter(|target| target.parse::<SecretId>().is_ok()),
            address: row.address,
            request_id: row.request_id,
        }
    }
}

/// `GET /cam/records`
pub async fn records_page(
    console: Console,
    owner: SignedIn,
    Query(query): Query<RecordsQuery>,
) -> Result<Response, PageError> {
    let (query, texts) = (query.trimmed(), owner.texts());
    let filter = match query.filter(texts) {
        Ok(filter) => filter,
        Err(errors) => return refused(&console, owner, query, errors).await,
    };
    let found = records::page(&console.app, owner.proof(), &filter, query.start()).await?;
    let link = |name: &str, at: Option<Position>| Some(query.address(urls::RECORDS, Some((name, at?))));
    let (newer, older) = (link("after", found.newer), link("before", found.older));
    let records = found.rows.into_iter().map(|row| RecordView::new(row, texts)).collect();
    let page = RecordsPage::new(&console, owner, query, Vec::new()).await?;
    Ok(AccountPage(RecordsPage { records: Some(records), newer, older, ..page }).into_response())
}

/// The page with the errors of the filter, which is shown as it was sent.
pub(crate) async fn refused(
    console: &Console,
    owner: SignedIn,
    query: RecordsQuery,
    errors: Vec<FieldError>,
) -> Result<Response, PageError> {
    let here = query.address(urls::RECORDS, None);
    let refused = RecordsPage::new(console, owner, query, errors).await?;
    Ok(page::refused(RecordsPage { page: refused.page.at(&here), ..refused }))
}
