//! The advice below the table of the keys. Each piece has a link to the page where the owner can act on it.

use crate::app::App;
use crate::console::frame::urls;
use crate::console::session::SignedIn;
use crate::keys::advice::{self, Advice};
use crate::keys::lifecycle::ApiKeyRow;
use crate::texts::{Text, Texts};
use crate::types::error::Error;

/// A piece of advice, as the template shows it.
pub(crate) struct Card {
    /// Without it, the owner may be locked out.
    pub urgent: bool,
    pub text: String,
    pub act: &'static str,
    pub address: String,
}

/// The advice for the owner's account and its keys, which come oldest first. Urgent advice comes first.
pub(crate) async fn cards(app: &App, owner: &SignedIn, keys: &[ApiKeyRow]) -> Result<Vec<Card>, Error> {
    let texts = owner.texts();
    let card = |advice: Advice| {
        let (text, act) = words(&advice, texts);
        Card { urgent: advice.is_urgent(), text, act, address: address(&advice) }
    };
    let advice = advice::advice(app, owner.proof(), &owner.account, keys).await?;
    let mut cards: Vec<Card> = advice.into_iter().map(card).collect();
    cards.sort_by_key(|card| !card.urgent);
    Ok(cards)
}

/// The page where the owner can act on the advice.
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

/// The text, and the label of the link.
fn words(advice: &Advice, texts: &Texts) -> (String, Text) {
    let texts = &texts.advice;
    match advice {
        Advice::NeverUsed(key) => ((texts.never_used)(&key.short()), texts.use_it),
        Advice::Unused(key, days) => ((texts.unused)(&key.short(), *days), texts.disable_it),
        Advice::Old(key, days) => ((texts.old)(&key.short(), *days), texts.rotate_it),
        Advice::FullWithDisabled(key) => ((texts.full_with_disabled)(&key.short()), texts.delete_it),
        Advice::Full(_) => (texts.full.to_owned(), texts.continue_rotation),
        Advice::FewRecoveryCodes(left) => ((texts.few_recovery_codes)(*left), texts.generate_codes),
        Advice::OneDevice => (texts.one_device.to_owned(), texts.to_security),
    }
}
