//! The state of the console's handlers.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::frame::problem::{PageError, Problem};
use super::frame::site::Site;
use crate::account::webauthn::RelyingParty;
use crate::app::App;

/// The state that every handler can access.
#[derive(Clone, Debug)]
pub struct Console {
    /// The parts of the running server.
    pub app: App,
    /// The console's public address.
    pub site: Arc<Site>,
    /// A permit for each stream of new calls. Every stream asks the database once a second.
    pub streams: Arc<Semaphore>,
}

/// The most streams of new calls at a time.
const STREAMS: usize = 64;

impl Console {
    /// Creates the state.
    pub fn new(app: App, site: Site) -> Self {
        Self { app, site: Arc::new(site), streams: Arc::new(Semaphore::new(STREAMS)) }
    }

    /// The console as a relying party for passkeys. If browsers support no passkeys there, the pages for them do not
    /// exist.
    pub fn relying_party(&self) -> Result<&RelyingParty, PageError> {
        self.site.passkeys.as_ref().ok_or_else(|| Problem::NotFound.into())
    }
}
