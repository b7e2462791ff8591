//! Sessions, as the pages show them.

use crate::account::sessions::SessionRow;
use crate::console::frame::moment::Moment;
use crate::console::frame::user_agent;
use crate::console::session::SignedIn;
use crate::texts::Texts;
use crate::types::id::SessionHandle;

/// A session, as the pages show it.
pub struct SessionView {
    /// The session's handle.
    pub handle: SessionHandle,
    /// The browser and system, such as "Firefox on Linux".
    pub device: String,
    /// The address that the sign-in came from.
    pub address: String,
    /// The time of the sign-in.
    pub started: Moment,
    /// The time at which the session was last used.
    pub seen: Moment,
    /// `true` if this is the session that views the page.
    pub present: bool,
}

impl SessionView {
    /// The session as `owner` sees it.
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
