//! The advice above the table of the keys: only what applies, each with a link to what to do about it.

use crate::app::App;
use crate::console::frame::urls;
use crate::console::session::SignedIn;
use crate::keys::advice::{self, Advice};
use crate::keys::lifecycle::ApiKeyRow;
use crate::types::error::Error;

/// Advice as the template shows it.
pub(crate) struct Card {
    pub text: String,
    pub act: &'static str,
    pub address: String,
}

/// What applies to the owner's account, with its keys, oldest first.
pub(crate) async fn cards(app: &App, owner: &SignedIn, keys: &[ApiKeyRow]) -> Result<Vec<Card>, Error> {
    let words = owner.words();
    let card = |advice: Advice| {
        let (text, act) = (words.advice)(&advice);
        Card { text, act, address: address(&advice) }
    };
    Ok(advice::advice(app, &owner.account, keys).await?.into_iter().map(card).collect())
}

/// The page where something can be done about it.
fn address(advice: &Advice) -> String {
    match advice {
        Advice::NeverUsed(key) => urls::key_page(key),
        Advice::Unused(key, _) => urls::key_act(key, "disable"),
        Advice::Old(key, _) | Advice::Full(key) => urls::key_act(key, "rotate"),
        Advice::FullWithDisabled(key) => urls::key_act(key, "delete"),
        Advice::FewRecoveryCodes(_) => urls::RECOVERY_CODES.to_owned(),
        Advice::OneDevice => urls::SECURITY.to_owned(),
    }
}
