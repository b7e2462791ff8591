//! The messages of API errors, and the choice of their language.

use axum::http::{HeaderMap, HeaderName, header};

use super::api_error::{ApiError, BODY, MOST_PARAMETERS};
use crate::check::checker::MAX_SKEW_SECONDS;
use crate::http::headers::only;
use crate::texts::Texts;

const X_TC_LANGUAGE: HeaderName = HeaderName::from_static("x-tc-language");

/// The texts in the language that a caller asks for, by `X-TC-Language` or else by `Accept-Language`.
pub(crate) fn texts_for(headers: &HeaderMap) -> &'static Texts {
    let named = |tag: &str| Texts::of_tag(tag).unwrap_or_else(Texts::fallback);
    let accepted = || only(headers, header::ACCEPT_LANGUAGE).map(Texts::preferred);
    only(headers, X_TC_LANGUAGE).map(named).or_else(accepted).unwrap_or_else(Texts::fallback)
}

/// The message for an error.
pub(crate) fn of_error(error: &ApiError, texts: &Texts) -> String {
    let texts = &texts.api;
    let text = match error {
        ApiError::Authorization(why) => return (texts.authorization)(why),
        ApiError::SecretIdShape => texts.secret_id_shape,
        ApiError::SecretIdNotFound => texts.secret_id_not_found,
        ApiError::Expired => return (texts.expired)(MAX_SKEW_SECONDS),
        ApiError::SignatureFailure => texts.signature_failure,
        ApiError::Token => texts.token,
        ApiError::Unauthorized => texts.unauthorized,
        ApiError::Stopped => texts.stopped,
        ApiError::InvalidAction(name) => return (texts.invalid_action)(name),
        ApiError::NoSuchVersion(version) => return (texts.no_such_version)(version),
        ApiError::MissingParameter(name) => return (texts.missing_parameter)(name),
        ApiError::UnknownParameter(name) => return (texts.unknown_parameter)(name),
        ApiError::RepeatedParameter(name) => return (texts.repeated_parameter)(name),
        ApiError::InvalidParameter(BODY) => texts.invalid_body,
        ApiError::InvalidParameter(name) => return (texts.invalid_parameter)(name),
        ApiError::InvalidParameterValue(name) => return (texts.invalid_parameter_value)(name),
        ApiError::UinNotMatch => texts.uin_not_match,
        ApiError::OverLimit => texts.over_limit,
        ApiError::SecretNotExist => texts.secret_not_exist,
        ApiError::StateForbids => texts.state_forbids,
        ApiError::RateLimit => texts.rate_limit,
        ApiError::UnsupportedProtocol => texts.unsupported_protocol,
        ApiError::UnsignedPayload => texts.unsigned_payload,
        ApiError::ContradictoryForward => texts.contradictory_forward,
        ApiError::Target => texts.target,
        ApiError::UpstreamDown => texts.upstream_down,
        ApiError::UpstreamSlow => texts.upstream_slow,
        ApiError::TooLarge => texts.too_large,
        ApiError::Incomplete => texts.incomplete,
        ApiError::Crowded => texts.crowded,
        ApiError::TooManyParameters => return (texts.too_many_parameters)(MOST_PARAMETERS),
        ApiError::Fault => texts.fault,
    };
    text.to_owned()
}
