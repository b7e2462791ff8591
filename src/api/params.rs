//! The parameters of an action, from a JSON body or a query, and their validation.

use serde_json::{Map, Value};

use super::envelope::ApiError;
use crate::id::Uin;

/// An action's parameters, taken out one by one; what is left at the end is unknown.
#[derive(Debug)]
pub(super) struct Params(Map<String, Value>);

/// From the body of a POST; an empty one has none.
pub(super) fn from_json(body: &[u8]) -> Result<Params, ApiError> {
    if body.is_empty() {
        return Ok(Params(Map::new()));
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(params)) => Ok(Params(params)),
        _ => Err(ApiError::InvalidParameter("The body is not a JSON object".to_owned())),
    }
}

/// From the query of a GET: every value is text.
pub(super) fn from_query(query: &str) -> Params {
    let pairs = url::form_urlencoded::parse(query.as_bytes());
    Params(pairs.map(|(name, value)| (name.into_owned(), Value::String(value.into_owned()))).collect())
}

impl Params {
    /// The optional account that is meant: a number or its decimal text, and none but the key's own.
    pub(super) fn target_uin(&mut self, own: Uin) -> Result<(), ApiError> {
        let uin = match self.0.remove("TargetUin") {
            None | Some(Value::Null) => return Ok(()),
            Some(Value::Number(number)) => number.as_u64(),
            Some(Value::String(text)) => text.parse().ok(),
            Some(_) => None,
        };
        match uin {
            None => Err(ApiError::InvalidParameterValue("TargetUin is not a UIN, a whole number".to_owned())),
            Some(uin) if i64::try_from(uin) == Ok(own.0) => Ok(()),
            Some(_) => Err(ApiError::UinNotMatch),
        }
    }

    /// No parameter may be left.
    pub(super) fn end(self) -> Result<(), ApiError> {
        match self.0.into_iter().next() {
            None => Ok(()),
            Some((name, _)) => {
                Err(ApiError::UnknownParameter(name.chars().filter(|c| !c.is_control()).take(64).collect()))
            }
        }
    }
}
