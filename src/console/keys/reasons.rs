//! Why a call was refused, in words.

use crate::signature::diagnosis::Cause;
use crate::texts::{Text, Texts};

/// The reason as it is stored: `check::checker::Refusal`'s.
pub(super) fn of_refusal(stored: &str, texts: &Texts) -> Text {
    let texts = &texts.refused;
    match stored {
        "disabled" => texts.disabled,
        "disabled unread" => texts.disabled_unread,
        "deleted" => texts.deleted,
        "wrong signature" => texts.wrong_signature,
        "expired" => texts.expired,
        "token" => texts.token,
        _ => texts.other,
    }
}

/// What to do about it. Reason and cause as they are stored; the cause is empty where none was found.
pub(super) fn of_cause(reason: &str, cause: &str, texts: &Texts) -> Text {
    let texts = &texts.refused;
    match (Cause::parse(cause), reason) {
        (Some(Cause::Date), _) => texts.cause_date,
        (Some(Cause::Host), _) => texts.cause_host,
        (Some(Cause::ContentType), _) => texts.cause_content_type,
        (Some(Cause::Body), _) => texts.cause_body,
        (Some(Cause::Query), _) => texts.cause_query,
        (Some(Cause::Method), _) => texts.cause_method,
        (Some(Cause::Path), _) => texts.cause_path,
        (None, "disabled") => texts.cause_disabled,
        (None, "expired") => texts.cause_expired,
        (None, "token") => texts.cause_token,
        (None, _) => texts.cause_unknown,
    }
}
