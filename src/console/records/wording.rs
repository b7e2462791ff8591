//! The texts for the events of audit records. A new event without a text does not compile.

use crate::texts::{Text, Texts};
use crate::types::event::{Action, Actor, Detail, Outcome};

pub(super) fn of_actor(actor: &Actor, texts: &Texts) -> Text {
    match actor {
        Actor::Account => texts.events.by_owner,
        Actor::Key(_) => texts.events.by_key,
        Actor::Operator => texts.events.by_operator,
        Actor::Stranger => texts.events.by_stranger,
    }
}

pub(super) fn of_action(action: Action, texts: &Texts) -> Text {
    let texts = &texts.events;
    match action {
        Action::AccountCreated => texts.account_created,
        Action::SetUp => texts.set_up,
        Action::SetupLinkCreated => texts.setup_link_created,
        Action::PasswordAccepted => texts.password_accepted,
        Action::SignIn => texts.sign_in,
        Action::SignOut => texts.sign_out,
        Action::Verification => texts.verification,
        Action::MfaReset => texts.mfa_reset,
        Action::RecoveryLinkCreated => texts.recovery_link_created,
        Action::Recovered => texts.recovered,
        Action::ThrottleCleared => texts.throttle_cleared,
        Action::SessionsEnded => texts.sessions_ended,
        Action::KeyCreated => texts.key_created,
        Action::KeyRevealed => texts.key_revealed,
        Action::KeyDisabled => texts.key_disabled,
        Action::KeyEnabled => texts.key_enabled,
        Action::KeyDeleted => texts.key_deleted,
        Action::KeyRemarked => texts.key_remarked,
        Action::PasswordChanged => texts.password_changed,
        Action::TotpReplaced => texts.totp_replaced,
        Action::RecoveryCodesReplaced => texts.recovery_codes_replaced,
        Action::SessionEnded => texts.session_ended,
        Action::RecordsDownloaded => texts.records_downloaded,
        Action::PasskeyAdded => texts.passkey_added,
        Action::PasskeyRenamed => texts.passkey_renamed,
        Action::PasskeyRemoved => texts.passkey_removed,
        Action::MasterKeyRotated => texts.master_key_rotated,
        Action::MasterKeyRetired => texts.master_key_retired,
    }
}

pub(super) fn of_detail(detail: Detail, texts: &Texts) -> Text {
    let texts = &texts.events;
    match detail {
        Detail::Password => texts.wrong_password,
        Detail::AddressWaits => texts.address_waits,
        Detail::Code => texts.wrong_code,
        Detail::PasswordAndTotp => texts.with_password_and_totp,
        Detail::PasswordAndRecoveryCode => texts.with_password_and_recovery_code,
        Detail::AtSetUp => texts.at_set_up,
        Detail::AllButTheAsking => texts.all_but_the_asking,
        Detail::OlderVersions => texts.older_versions,
        Detail::Passkey => texts.with_passkey,
        Detail::AllKeys => texts.all_keys,
    }
}

pub(super) fn of_outcome(outcome: Outcome, texts: &Texts) -> Text {
    match outcome {
        Outcome::Done => texts.events.done,
        Outcome::Refused => texts.events.refused,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::texts::LANGUAGES;

    #[test]
    fn every_event_result_and_detail_has_words_of_its_own() {
        for texts in LANGUAGES {
            let actions = Action::ALL.iter().map(|action| (action.as_str(), of_action(*action, texts)));
            let outcomes = Outcome::ALL.iter().map(|outcome| (outcome.as_str(), of_outcome(*outcome, texts)));
            let details = Detail::ALL.iter().map(|detail| (detail.as_str(), of_detail(*detail, texts)));
            let mut said = HashSet::new();
            for (stored, text) in actions.chain(outcomes).chain(details) {
                assert!(!text.is_empty() && said.insert(text), "{stored}: {text}");
            }
        }
    }
}
