//! The parameters of an action, from a JSON body, a query or a form, and their validation.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use axum::http::{HeaderMap, header};
use serde_json::Value;
use serde_with::{As, Map, Same};

use crate::entry::api_error::{ApiError, BODY, MOST_PARAMETERS, for_message};
use crate::http::headers::agreed;
use crate::keys::lifecycle;
use crate::types::id::{SecretId, Uin};

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

/// The parameters that every version 1 request has in addition to those of its action.
const COMMON: [&str; 11] = [
    "Action",
    "Language",
    "Nonce",
    "Region",
    "RequestClient",
    "SecretId",
    "Signature",
    "SignatureMethod",
    "Timestamp",
    "Token",
    "Version",
];

/// Decodes a query or form body.
pub(super) fn decode(encoded: &[u8]) -> Result<Vec<(String, String)>, ApiError> {
    let mut all = url::form_urlencoded::parse(encoded).into_owned();
    let params = all.by_ref().take(MOST_PARAMETERS).collect();
    if all.next().is_none() { Ok(params) } else { Err(ApiError::TooManyParameters) }
}

/// The value of the first parameter with this name.
pub(super) fn value<'a>(params: &'a [(String, String)], name: &str) -> Option<&'a str> {
    params.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

/// Returns `true` if the body is a form, judging by its content type and its first byte. One client sends forms with
/// the content type of JSON.
pub(super) fn is_form(headers: &HeaderMap, body: &[u8]) -> bool {
    let kind = agreed(headers, header::CONTENT_TYPE).unwrap_or_default();
    let first = body.trim_ascii_start().first();
    kind.starts_with(FORM) || kind.starts_with(JSON) && !matches!(first, None | Some(b'{' | b'['))
}

/// Returns `true` if the content type allows the body to be a form.
pub(super) fn may_be_form(headers: &HeaderMap) -> bool {
    agreed(headers, header::CONTENT_TYPE).is_some_and(|kind| kind.starts_with(FORM) || kind.starts_with(JSON))
}

/// Removes the parameters that every version 1 request has.
pub(super) fn without_common(params: Vec<(String, String)>) -> Vec<(String, String)> {
    params.into_iter().filter(|(name, _)| !COMMON.contains(&name.as_str())).collect()
}

/// The parameters of an action. Each is taken out when it is read; any that are left at the end are unknown.
#[derive(Debug, Default)]
pub(super) struct Params(BTreeMap<String, Value>);

impl Params {
    /// Parses the body of a version 3 POST, which must be a JSON object if it is not empty.
    pub(super) fn from_body(headers: &HeaderMap, body: &[u8]) -> Result<Self, ApiError> {
        let json = agreed(headers, header::CONTENT_TYPE).is_some_and(|kind| kind.starts_with(JSON));
        if body.is_empty() {
            return Ok(Self::default());
        }
        if !json {
            return Err(ApiError::InvalidParameter(BODY));
        }
        let mut json = serde_json::Deserializer::from_slice(body);
        let object = As::<Map<Same, Same>>::deserialize(&mut json).and_then(|object| json.end().map(|()| object));
        let object: Vec<(String, Value)> = object.map_err(|_| ApiError::InvalidParameter(BODY))?;
        let mut params = Self::default();
        object.into_iter().try_for_each(|(name, value)| params.add(name, value))?;
        Ok(params)
    }

    /// Converts decoded pairs. Every value is text, and lists are written `Name.0`, `Name.1` …
    pub(super) fn from_pairs(pairs: Vec<(String, String)>) -> Result<Self, ApiError> {
        let mut params = Self::default();
        let mut lists: BTreeMap<String, BTreeMap<u32, Value>> = BTreeMap::new();
        for (name, value) in pairs {
            let value = Value::String(value);
            match name.rsplit_once('.').and_then(|(list, at)| Some((list.to_owned(), at.parse().ok()?))) {
                Some((list, at)) => {
                    if lists.entry(list).or_default().insert(at, value).is_some() {
                        return Err(ApiError::RepeatedParameter(for_message(&name)));
                    }
                }
                None => params.add(name, value)?,
            }
        }
        lists.into_iter().try_for_each(|(name, list)| params.add(name, list.into_values().collect()))?;
        Ok(params)
    }

    /// Adds a parameter, which must occur only once: programs differ in which of two values they use.
    fn add(&mut self, name: String, value: Value) -> Result<(), ApiError> {
        match self.0.entry(name) {
            Entry::Vacant(place) => {
                place.insert(value);
                Ok(())
            }
            Entry::Occupied(taken) => Err(ApiError::RepeatedParameter(for_message(taken.key()))),
        }
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name).filter(|value| !value.is_null())
    }

    fn text(&mut self, name: &'static str) -> Result<Option<String>, ApiError> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(ApiError::InvalidParameter(name)),
        }
    }

    /// The optional target account: a number or its decimal text. It must be the key's own account.
    pub(super) fn target_uin(&mut self, own: Uin) -> Result<(), ApiError> {
        let uin = match self.take("TargetUin") {
            None => return Ok(()),
            Some(Value::Number(number)) => number.as_u64(),
            Some(Value::String(text)) if text.bytes().all(|b| b.is_ascii_digit()) => text.parse().ok(),
            Some(Value::String(_)) => None,
            Some(_) => return Err(ApiError::InvalidParameter("TargetUin")),
        };
        match uin {
            None => Err(ApiError::InvalidParameterValue("TargetUin")),
            Some(uin) if i64::try_from(uin) == Ok(own.0) => Ok(()),
            Some(_) => Err(ApiError::UinNotMatch),
        }
    }

    /// The target key. A malformed ID is treated like that of a key that does not exist.
    pub(super) fn access_key_id(&mut self) -> Result<SecretId, ApiError> {
        let id = self.text("AccessKeyId")?.ok_or(ApiError::MissingParameter("AccessKeyId"))?;
        id.parse().map_err(|_| ApiError::SecretNotExist)
    }

    /// One of the named values.
    pub(super) fn one_of<T: Copy>(&mut self, name: &'static str, values: &[(&str, T)]) -> Result<T, ApiError> {
        let sent = self.text(name)?.ok_or(ApiError::MissingParameter(name))?;
        let known = values.iter().find(|(value, _)| *value == sent);
        known.map(|(_, value)| *value).ok_or(ApiError::InvalidParameterValue(name))
    }

    /// A description: 1 to 1024 letters, digits and `_+=,.@:/-`.
    pub(super) fn description(&mut self) -> Result<Option<String>, ApiError> {
        let Some(text) = self.text("Description")? else { return Ok(None) };
        let length = text.chars().count();
        let allowed = text.chars().all(|c| c.is_alphanumeric() || "_+=,.@:/-".contains(c));
        if allowed && (1..=lifecycle::REMARK_MAX_CHARS).contains(&length) {
            Ok(Some(text))
        } else {
            Err(ApiError::InvalidParameterValue("Description"))
        }
    }

    /// A list of 1 to 10 keys.
    pub(super) fn secret_id_list(&mut self) -> Result<Vec<SecretId>, ApiError> {
        const NAME: &str = "SecretIdList";
        let list = match self.take(NAME) {
            None => return Err(ApiError::MissingParameter(NAME)),
            Some(Value::Array(list)) => list,
            Some(_) => return Err(ApiError::InvalidParameter(NAME)),
        };
        if !(1..=10).contains(&list.len()) {
            return Err(ApiError::InvalidParameterValue(NAME));
        }
        list.iter()
            .map(|id| {
                id.as_str().ok_or(ApiError::InvalidParameter(NAME))?.parse().map_err(|_| ApiError::SecretNotExist)
            })
            .collect()
    }

    /// Checks that no parameter is left.
    pub(super) fn end(&self) -> Result<(), ApiError> {
        match self.0.keys().next() {
            None => Ok(()),
            Some(name) => Err(ApiError::UnknownParameter(for_message(name))),
        }
    }
}
