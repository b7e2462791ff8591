//! What the console's handlers have at hand.

use std::sync::Arc;

use super::frame::problem::{PageError, Problem};
use super::frame::site::Site;
use crate::account::webauthn::RelyingParty;
use crate::app::App;

/// The state of the console's handlers.
#[derive(Clone, Debug)]
pub struct Console {
    /// The product.
    pub app: App,
    /// How it is reached.
    pub site: Arc<Site>,
}

impl Console {
    /// The console as passkeys know it. Where browsers know none, what is about them is not there.
    pub fn relying_party(&self) -> Result<&RelyingParty, PageError> {
        self.site.passkeys.as_ref().ok_or_else(|| Problem::NotFound.into())
    }
}
