//! The query string of the records: the filter, which every link on the page keeps, and the position.

use std::time::Duration;

use serde::Deserialize;
use url::form_urlencoded;

use super::wording;
use crate::account::records::{Filter, Position, Start};
use crate::console::frame::form_state::FieldError;
use crate::console::frame::urls;
use crate::texts::{Text, Texts};
use crate::types::clock::Timestamp;
use crate::types::event::{Action, Outcome};
use crate::types::id::SecretId;

const DAY: Duration = Duration::from_hours(24);

/// The filter and the position, as they are in the query string.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct RecordsQuery {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) event: String,
    pub(super) key: String,
    pub(super) result: String,
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
    pub(super) fn start(&self) -> Start {
        match (self.before.parse(), self.after.parse()) {
            (Ok(before), _) => Start::Before(before),
            (_, Ok(after)) => Start::After(after),
            _ => Start::Newest,
        }
    }

    /// The fields of the filter.
    fn fields(&self) -> [(&'static str, &str); 5] {
        let Self { from, to, event, key, result, .. } = self;
        [("from", from), ("to", to), ("event", event), ("key", key), ("result", result)]
    }

    /// Returns `true` if any field of the filter is filled in.
    pub(super) fn is_filtered(&self) -> bool {
        self.fields().iter().any(|(_, value)| !value.is_empty())
    }

    /// The URL of `path` with the same filter and, if given, a position.
    pub(super) fn address(&self, path: &str, page: Option<(&str, Position)>) -> String {
        let position = page.map(|(name, position)| (name, position.to_string()));
        let position = position.iter().map(|(name, position)| (*name, position.as_str()));
        url(path, self.fields().into_iter().chain(position))
    }

    /// The parts of this valid filter in words.
    pub(super) fn parts(&self, texts: &Texts) -> Vec<Part> {
        let in_words = |name, value: &str| -> (Text, String) {
            let event = || Action::parse(value).map(|action| wording::of_action(action, texts).to_owned());
            let result = || Outcome::parse(value).map(|outcome| wording::of_outcome(outcome, texts).to_owned());
            let key = || value.parse::<SecretId>().ok().map(|key| key.short());
            let (label, said) = match name {
                "from" => (texts.records.from, None),
                "to" => (texts.records.to, None),
                "event" => (texts.records.event, event()),
                "key" => (texts.common.key, key()),
                _ => (texts.common.result, result()),
            };
            (label, said.unwrap_or_else(|| value.to_owned()))
        };
        let filled = self.fields().into_iter().filter(|(_, value)| !value.is_empty());
        filled
            .map(|(name, value)| {
                let (label, value) = in_words(name, value);
                let others = self.fields().into_iter().filter(|(other, _)| *other != name);
                Part { said: (texts.records.filter_part)(label, &value), without: url(urls::RECORDS, others) }
            })
            .collect()
    }
}

/// A part of the filter.
pub(super) struct Part {
    /// The field and its value.
    pub(super) said: String,
    /// The URL of the page with the rest of the filter.
    pub(super) without: String,
}

/// The URL of `path` with those of the fields that are not empty.
fn url<'a>(path: &str, fields: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(fields.filter(|(_, value)| !value.is_empty()));
    let query = query.finish();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
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
