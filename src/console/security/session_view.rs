//! One session as the pages show it.

use crate::account::sessions::SessionRow;
use crate::console::frame::moment::Moment;
use crate::console::frame::user_agent;
use crate::console::session::SignedIn;
use crate::texts::Texts;
use crate::types::id::SessionHandle;

/// A session as the pages show it.
pub struct SessionView {
    /// What it is named by.
    pub handle: SessionHandle,
    /// "Firefox on Linux".
    pub device: String,
    /// Where it was signed in from.
    pub address: String,
    /// When that was.
    pub started: Moment,
    /// When it was last used.
    pub seen: Moment,
    /// Is it the one that looks?
    pub present: bool,
}

impl SessionView {
    /// As `owner` sees it.
    pub fn new(texts: &Texts, owner: &SignedIn, session: SessionRow) -> Self {
        let (browser, system) = user_agent::families(session.user_agent.as_deref().unwrap_or_default());
        Self {
            present: session.handle == *owner.handle(),
            handle: session.handle,
            device: (texts.security.device_name)(browser, system),
            address: session.address.unwrap_or_default(),
            started: session.started_at.into(),
            seen: session.seen_at.into(),
        }
    }
}
