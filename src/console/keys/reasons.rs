//! The texts for the reasons why calls are refused.

use crate::signature::diagnosis::Cause;
use crate::texts::{Text, Texts};
use crate::types::reason::Reason;

/// The text for a stored reason. A reason that only another version knows has a general text.
pub(super) fn of_refusal(stored: &str, texts: &Texts) -> Text {
    let texts = &texts.refused;
    let Some(reason) = Reason::parse(stored) else { return texts.other };
    match reason {
        Reason::Disabled => texts.disabled,
        Reason::DisabledUnread => texts.disabled_unread,
        Reason::Deleted => texts.deleted,
        Reason::WrongSignature => texts.wrong_signature,
        Reason::Expired => texts.expired,
        Reason::Token => texts.token,
        // These are not recorded for any key: there is no key, or the reason has nothing to do with it.
        Reason::Malformed | Reason::UnknownKey | Reason::Fault => texts.other,
    }
}

/// The text that says what to do, for a stored reason and cause. The cause is empty if none was found.
pub(super) fn of_cause(reason: &str, cause: &str, texts: &Texts) -> Text {
    let texts = &texts.refused;
    match (Cause::parse(cause), Reason::parse(reason)) {
        (Some(Cause::Date), _) => texts.cause_date,
        (Some(Cause::Host), _) => texts.cause_host,
        (Some(Cause::ContentType), _) => texts.cause_content_type,
        (Some(Cause::Body), _) => texts.cause_body,
        (Some(Cause::Query), _) => texts.cause_query,
        (Some(Cause::Method), _) => texts.cause_method,
        (Some(Cause::Path), _) => texts.cause_path,
        (Some(Cause::FoldedPath), _) => texts.cause_folded_path,
        (None, Some(Reason::Disabled)) => texts.cause_disabled,
        (None, Some(Reason::Expired)) => texts.cause_expired,
        (None, Some(Reason::Token)) => texts.cause_token,
        (None, _) => texts.cause_unknown,
    }
}
