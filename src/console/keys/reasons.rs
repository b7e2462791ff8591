//! The texts for the reasons why calls are refused.

use crate::keys::recent_use::RefusedCallRow;
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

/// The text that says what to do about a refused call.
pub(super) fn of_cause(call: &RefusedCallRow, texts: &Texts) -> String {
    let texts = &texts.refused;
    let text = match (Cause::parse(&call.cause), Reason::parse(&call.reason)) {
        (Some(Cause::Date), _) => texts.cause_date,
        (Some(Cause::Host), _) => texts.cause_host,
        (Some(Cause::ContentType), _) => texts.cause_content_type,
        (Some(Cause::Body), _) => texts.cause_body,
        (Some(Cause::EmptyBody), _) => texts.cause_empty_body,
        (Some(Cause::TrailingNewline), _) => texts.cause_trailing_newline,
        (Some(Cause::Reserialised), _) => texts.cause_reserialised,
        (Some(Cause::RepeatedHeader), _) => texts.cause_repeated_header,
        (Some(Cause::Query), _) => texts.cause_query,
        (Some(Cause::Method), _) => texts.cause_method,
        (Some(Cause::Path), _) => texts.cause_path,
        (Some(Cause::FoldedPath), _) => texts.cause_folded_path,
        (None, Some(Reason::Disabled)) => texts.cause_disabled,
        // What was signed is shown, because the signature is right.
        (None, Some(Reason::Expired)) if call.canonical_request.contains("X-Amz-Expires=") => texts.cause_url_expired,
        (None, Some(Reason::Expired)) => {
            let (signed, received) = (call.signed_at.seconds(), call.at.seconds());
            let of_clock = if signed > received { texts.cause_clock_ahead } else { texts.cause_clock_behind };
            return of_clock(signed.abs_diff(received));
        }
        (None, Some(Reason::Token)) => texts.cause_token,
        (None, _) => texts.cause_unknown,
    };
    text.to_owned()
}
