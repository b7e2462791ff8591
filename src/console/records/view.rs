//! A record, as the page and the CSV show it.

use std::collections::HashSet;

use super::wording;
use crate::audit::reading::AuditRow;
use crate::console::frame::moment::Moment;
use crate::console::frame::urls;
use crate::texts::Texts;
use crate::types::event::{Action, Actor, Detail, Outcome};
use crate::types::id::SecretId;

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

/// A key in a record.
pub(super) struct KeyView {
    pub(super) id: SecretId,
    /// The key's page. A deleted key has none.
    pub(super) page: Option<String>,
}

impl KeyView {
    /// Returns `None` for a text that is no SecretId.
    fn new(text: &str, live: &HashSet<SecretId>) -> Option<Self> {
        let id: SecretId = text.parse().ok()?;
        Some(Self { page: live.contains(&id).then(|| urls::key_page(&id)), id })
    }
}

/// A record, as the page shows it.
pub(super) struct RecordView {
    pub(super) at: Moment,
    pub(super) said: InWords,
    pub(super) done: bool,
    pub(super) actor_key: Option<KeyView>,
    pub(super) key: Option<KeyView>,
    pub(super) address: Option<String>,
    pub(super) request_id: Option<String>,
}

impl RecordView {
    /// The view of a record. The pages of `live` keys are linked.
    pub(super) fn new(row: AuditRow, live: &HashSet<SecretId>, texts: &Texts) -> Self {
        let key = |text: Option<&String>| KeyView::new(text?, live);
        Self {
            at: row.at.into(),
            said: InWords::new(&row, texts),
            done: row.result == Outcome::Done.as_str(),
            actor_key: key(row.actor_key.as_ref()),
            // Other targets, such as a session's handle, tell the reader nothing.
            key: key(row.target.as_ref()),
            address: row.address,
            request_id: row.request_id,
        }
    }
}
