//! The list of a key's calls: its filter, and how a call is shown.

use serde::{Deserialize, Serialize};
use url::form_urlencoded;

use super::reasons;
use crate::console::frame::moment::Moment;
use crate::console::frame::urls;
use crate::keys::calls::{CallFilter, CallRow, Period, Place};
use crate::texts::{Text, Texts};
use crate::types::clock::Timestamp;
use crate::types::id::RequestId;

/// The number of calls that the page lists, and that the script `live.js` keeps on it.
pub(super) const LISTED: usize = 20;
/// The values of `result` in the query string.
const ACCEPTED: &str = "accepted";
const REFUSED: &str = "refused";
/// The value of `by` for a chart by hour.
const HOUR: &str = "hour";
/// The length to which a typed filter is cut, in characters: that of the longest recorded action.
const LONGEST: usize = 128;

/// The filter of the list, the position in it, and the period of the chart, as they are in the query string. A value
/// that is not known selects nothing: it counts as none.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct CallsQuery {
    pub(super) result: String,
    pub(super) action: String,
    pub(super) address: String,
    before: String,
    by: String,
}

impl CallsQuery {
    /// The filter.
    pub(super) fn filter(&self) -> CallFilter {
        let accepted = match self.result.as_str() {
            ACCEPTED => Some(true),
            REFUSED => Some(false),
            _ => None,
        };
        // Control characters are never recorded, and PostgreSQL takes no NUL.
        let typed = |text: &str| text.trim().chars().filter(|c| !c.is_control()).take(LONGEST).collect();
        CallFilter { accepted, action: typed(&self.action), address: typed(&self.address) }
    }

    /// The place before which the list begins.
    pub(super) fn before(&self) -> Option<Place> {
        let (at, request_id) = self.before.split_once('-')?;
        let request_id: RequestId = request_id.parse().ok()?;
        Some((Timestamp(at.parse().ok()?), request_id.to_string()))
    }

    /// The period of the chart.
    pub(super) fn period(&self) -> Period {
        if self.by == HOUR { Period::Hour } else { Period::Day }
    }

    /// Returns `true` if there is a filter.
    pub(super) fn is_filtered(&self) -> bool {
        [&self.result, &self.action, &self.address].iter().any(|value| !value.is_empty())
    }

    /// The query string with the same filter and period, from the latest call on.
    pub(super) fn latest(&self) -> String {
        self.query(self.period(), None)
    }

    /// The query string with the same filter, and another period.
    pub(super) fn by(&self, period: Period) -> String {
        self.query(period, None)
    }

    /// The query string that continues after `last`.
    pub(super) fn older(&self, last: &CallRow) -> String {
        self.query(self.period(), Some(last))
    }

    /// The query string, with its question mark unless it is empty.
    fn query(&self, period: Period, last: Option<&CallRow>) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let by = if period == Period::Hour { HOUR } else { "" };
        let before = last.map(|call| format!("{}-{}", call.at.0, call.request_id)).unwrap_or_default();
        let fields = [
            ("result", self.result.as_str()),
            ("action", &self.action),
            ("address", &self.address),
            ("by", by),
            ("before", &before),
        ];
        query.extend_pairs(fields.iter().filter(|(_, value)| !value.is_empty()));
        let query = query.finish();
        if query.is_empty() { query } else { format!("?{query}") }
    }

    /// Returns `true` if only calls with this result are selected.
    pub(super) fn is_of(&self, result: &str) -> bool {
        self.result == result
    }
}

/// A call, for the template and for the script that adds new ones.
#[derive(Clone, Debug, Serialize)]
pub(super) struct CallView {
    #[serde(serialize_with = "machine_readable")]
    pub(super) at: Moment,
    pub(super) action: String,
    pub(super) address: String,
    pub(super) accepted: bool,
    /// The result in words.
    pub(super) result: Text,
    pub(super) request_id: String,
    /// The page that explains the refusal, if there is one.
    pub(super) diagnosis: Option<String>,
}

fn machine_readable<S: serde::Serializer>(at: &Moment, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&at.rfc3339)
}

impl CallView {
    pub(super) fn new(call: CallRow, texts: &Texts) -> Self {
        let result = if call.accepted { texts.common.accepted } else { reasons::of_refusal(&call.reason, texts) };
        Self {
            at: call.at.into(),
            action: call.action,
            address: call.address,
            accepted: call.accepted,
            result,
            diagnosis: call.is_diagnosed.then(|| urls::refused_call(&call.request_id)),
            request_id: call.request_id,
        }
    }
}
