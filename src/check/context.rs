//! The context of a check, for usage records and counters.

use std::borrow::Cow;
use std::net::IpAddr;

use crate::http::tracked::known_method;
use crate::metrics::EntryPoint;
use crate::types::id::RequestId;

/// The longest `METHOD path` that is recorded, in characters.
const RECORDED_LIMIT: usize = 128;

/// The entry point, the purpose and the sender of a request.
#[derive(Clone, Copy, Debug)]
pub struct CheckContext<'a> {
    /// The entry point at which the request came in.
    pub entry_point: EntryPoint,
    /// The purpose of the request.
    pub requested: Requested<'a>,
    /// The client's address.
    pub address: IpAddr,
    /// The ID that the caller is told.
    pub request_id: RequestId,
}

/// The purpose of a request. Anybody can name a key and send any text, so only what is known to be harmless is
/// recorded.
#[derive(Clone, Copy, Debug)]
pub enum Requested<'a> {
    /// One of the API's own actions, by name.
    Action(&'static str),
    /// A request to a back end.
    OfBackEnd {
        /// The method, as sent.
        method: &'a str,
        /// The path, as sent.
        path: &'a str,
    },
}

/// The parts of a request that its key has signed, even though another part may differ.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Proved {
    pub(super) method: bool,
    pub(super) path: bool,
}

impl<'a> Requested<'a> {
    /// The text for the usage record. Of a request to a back end, it contains the parts that the key has signed, with
    /// region and service of the signature's `scope`, and otherwise only a method that HTTP defines.
    pub(super) fn recorded(self, proved: Proved, scope: Option<(&str, &str)>) -> Cow<'a, str> {
        let (method, path) = match self {
            Self::Action(name) => return name.into(),
            Self::OfBackEnd { method, path } => (if proved.method { method } else { known_method(method) }, path),
        };
        if !proved.path {
            return method[..method.floor_char_boundary(RECORDED_LIMIT)].into();
        }
        let scope = scope.map_or_else(String::new, |(region, service)| format!(" ({region}/{service})"));
        format!("{method} {path}{scope}").chars().filter(|c| !c.is_control()).take(RECORDED_LIMIT).collect()
    }
}
