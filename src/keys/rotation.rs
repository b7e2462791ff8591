//! Replacing a key with a new one, in four steps. Nothing about a rotation is stored: its progress is derived from the
//! account's two keys and their use.

use super::recent_use;
use crate::account::owner::Owner;
use crate::app::App;
use crate::db::api_keys::ApiKeyRow;
use crate::keys::lifecycle;
use crate::types::error::Error;
use crate::types::id::SecretId;
use crate::types::key_state::KeyState;

/// The progress of a key rotation.
#[derive(Debug)]
pub struct Rotation {
    /// The key to be replaced.
    pub old: ApiKeyRow,
    /// The account's other key, if it has one.
    pub other: Other<ApiKeyRow>,
    /// The steps.
    pub steps: Steps,
}

/// The account's other key, in relation to the one to be replaced.
#[derive(Clone, Debug)]
pub enum Other<K> {
    /// There is no other key.
    Free,
    /// The key that replaces the old one.
    New(K),
    /// A disabled key, which first has to be deleted or enabled.
    Disabled(K),
    /// An enabled key that is older than the one to be replaced; it should be replaced first.
    Older(K),
}

impl<K> Other<K> {
    /// Returns `true` if there is a key that replaces the old one.
    pub fn is_new(&self) -> bool {
        matches!(self, Self::New(_))
    }
}

impl Other<ApiKeyRow> {
    fn beside(old: &ApiKeyRow, other: Option<ApiKeyRow>) -> Self {
        let Some(other) = other else { return Self::Free };
        match (other.state, old.state) {
            (KeyState::Enabled, KeyState::Enabled) if other.created_at < old.created_at => Self::Older(other),
            (KeyState::Enabled, _) => Self::New(other),
            _ => Self::Disabled(other),
        }
    }
}

/// The progress of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The step is done.
    Done,
    /// The step is not needed.
    NotNeeded,
    /// The step is the next to take.
    Current,
    /// Another step comes first.
    Later,
}

impl Progress {
    /// Returns `true` if nothing is left to do.
    pub fn is_done(self) -> bool {
        matches!(self, Self::Done | Self::NotNeeded)
    }

    /// Returns `true` if the step is not needed.
    pub fn is_not_needed(self) -> bool {
        self == Self::NotNeeded
    }

    /// Returns `true` if the step is the next to take.
    pub fn is_current(self) -> bool {
        self == Self::Current
    }
}

/// The steps of a rotation. The first that is not done is the current one.
#[derive(Clone, Copy, Debug)]
pub struct Steps {
    /// Create the new key.
    pub create: Progress,
    /// Have programs sign with the new key.
    pub take_into_use: Progress,
    /// Disable the old key.
    pub disable: Progress,
    /// Delete the old key.
    pub delete: Progress,
}

impl Steps {
    fn new(created: bool, in_use: bool, disabled: bool) -> Self {
        let mut found = false;
        let mut progress = |done: bool| match (done, found) {
            (true, _) => Progress::Done,
            (false, true) => Progress::Later,
            (false, false) => {
                found = true;
                Progress::Current
            }
        };
        Self {
            create: progress(created),
            take_into_use: progress(in_use),
            disable: progress(disabled),
            // A deleted key has no page, so this step is never seen as done.
            delete: progress(false),
        }
    }
}

/// The rotation of one of the account's keys. Fails with [`Error::KeyNotFound`] if there is no such key.
pub async fn rotation(app: &App, owner: &Owner, secret_id: &SecretId) -> Result<Rotation, Error> {
    let (mut found, mut others): (Vec<ApiKeyRow>, Vec<ApiKeyRow>) =
        lifecycle::list(app, owner).await?.into_iter().partition(|key| key.secret_id == *secret_id);
    let old = found.pop().ok_or(Error::KeyNotFound)?;
    let other = others.pop();
    let disabled = old.state == KeyState::Disabled;
    let new_is_used = other.as_ref().is_some_and(|key| key.last_used_at.is_some());
    let nothing_to_switch = old.last_used_at.is_none() && !new_is_used;
    let switched = new_is_used && (disabled || recent_use::is_quiet(&old, app.clock.now()));
    let other = Other::beside(&old, other);
    let created = other.is_new();
    let mut steps = Steps::new(created, created && (switched || nothing_to_switch), disabled);
    if created && nothing_to_switch {
        steps.take_into_use = Progress::NotNeeded;
    }
    Ok(Rotation { old, other, steps })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_step_that_is_not_done_is_the_current_one() {
        let steps = Steps::new(true, false, true);
        assert!(steps.create.is_done() && steps.take_into_use.is_current() && steps.disable.is_done());
        assert_eq!(steps.delete, Progress::Later);
        assert!(Steps::new(true, true, true).delete.is_current());
    }
}
