//! The messages of the signed API.

use crate::texts::Text;

/// Error messages for callers of the API.
#[derive(Debug)]
pub struct Api {
    /// The error in the signature, in English, for the languages that can include it.
    pub authorization: fn(&str) -> String,
    pub secret_id_shape: Text,
    pub secret_id_not_found: Text,
    /// The maximum clock skew, in seconds.
    pub expired: fn(u64) -> String,
    pub signature_failure: Text,
    pub token: Text,
    pub unauthorized: Text,
    pub stopped: Text,
    pub invalid_action: fn(&str) -> String,
    pub no_such_version: fn(&str) -> String,
    pub missing_parameter: fn(&str) -> String,
    pub unknown_parameter: fn(&str) -> String,
    pub repeated_parameter: fn(&str) -> String,
    pub invalid_body: Text,
    pub invalid_parameter: fn(&str) -> String,
    pub invalid_parameter_value: fn(&str) -> String,
    pub uin_not_match: Text,
    pub over_limit: Text,
    pub secret_not_exist: Text,
    pub state_forbids: Text,
    pub rate_limit: Text,
    pub unsupported_protocol: Text,
    pub unsigned_payload: Text,
    pub contradictory_forward: Text,
    pub target: Text,
    pub upstream_down: Text,
    pub upstream_slow: Text,
    pub too_large: Text,
    pub incomplete: Text,
    pub crowded: Text,
    /// The maximum number of parameters.
    pub too_many_parameters: fn(usize) -> String,
    pub fault: Text,
}
