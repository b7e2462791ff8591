//! The page of the audit records, `/cam/records`: every operation and sign-in of the account, filtered by the query.

use std::collections::HashSet;

use askama::Template;
use axum::extract::Query;
use axum::response::{IntoResponse, Response};

use super::query::{Part, RecordsQuery};
use super::view::RecordView;
use super::wording;
use crate::account::records::{self, Position};
use crate::console::Console;
use crate::console::frame::form_state::{FieldError, FormState};
use crate::console::frame::page::{self, AccountPage, Page};
use crate::console::frame::problem::PageError;
use crate::console::frame::urls;
use crate::console::session::SignedIn;
use crate::keys::lifecycle;
use crate::texts::Text;
use crate::types::event::{Action, Outcome};
use crate::types::id::SecretId;
use crate::types::key_state::KeyState;

/// The number of keys to suggest beside the field. Any other key can be typed.
const KEYS_OFFERED: i64 = 50;

#[derive(Template)]
#[template(path = "records.html")]
struct RecordsPage {
    page: Page,
    form: FormState,
    /// The filter, as it was sent.
    sent: RecordsQuery,
    events: Vec<Choice>,
    results: Vec<Choice>,
    /// The account's keys, the live ones among them first.
    keys: Vec<(SecretId, KeyState)>,
    /// The parts of a valid filter.
    parts: Vec<Part>,
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
        let keys = lifecycle::latest(&console.app, owner.proof(), KEYS_OFFERED).await?;
        Ok(Self {
            page,
            events: choices(events, &sent.event),
            results: choices(results, &sent.result),
            keys,
            parts: if errors.is_empty() { sent.parts(texts) } else { Vec::new() },
            csv: sent.address(urls::RECORDS_CSV, None),
            sent,
            form: FormState { errors, ..FormState::default() },
            records: None,
            newer: None,
            older: None,
        })
    }

    fn live_keys(&self) -> HashSet<SecretId> {
        let live = self.keys.iter().filter(|(_, state)| *state != KeyState::Deleted);
        live.map(|(id, _)| id.clone()).collect()
    }

    fn state(&self, state: KeyState) -> Text {
        let texts = &self.page.t.common;
        match state {
            KeyState::Enabled => texts.enabled,
            KeyState::Disabled => texts.disabled,
            KeyState::Deleted => texts.deleted,
        }
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
    let page = RecordsPage::new(&console, owner, query, Vec::new()).await?;
    let live = page.live_keys();
    let records = found.rows.into_iter().map(|row| RecordView::new(row, &live, texts)).collect();
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
