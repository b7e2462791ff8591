//! What a check is asked for: for records of use and for counters.

use std::borrow::Cow;
use std::net::IpAddr;

use crate::http::tracked::known_method;
use crate::metrics::EntryPoint;
use crate::types::id::RequestId;

/// Longest `METHOD path` that is recorded, in characters.
const RECORDED_LIMIT: usize = 128;

/// Where a request came in, from whom, and what for.
#[derive(Clone, Copy, Debug)]
pub struct CheckContext<'a> {
    /// Where it came in.
    pub entry_point: EntryPoint,
    /// What it asks for.
    pub requested: Requested<'a>,
    /// Where it comes from.
    pub address: IpAddr,
    /// The id its caller is told.
    pub request_id: RequestId,
}

/// What a request asks for. Only what is known to be harmless is recorded of it: anybody can name a key and say anything.
#[derive(Clone, Copy, Debug)]
pub enum Requested<'a> {
    /// One of the API's own actions, by its name.
    Action(&'static str),
    /// Something of a back end.
    OfBackEnd {
        /// As sent.
        method: &'a str,
        /// As sent.
        path: &'a str,
    },
}

/// Which parts of a request its key has signed, though perhaps something else of it differs.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Proved {
    pub(super) method: bool,
    pub(super) path: bool,
}

impl<'a> Requested<'a> {
    /// For the record: of a request to a back end, what its key has signed of it, and otherwise a method that HTTP has.
    pub(super) fn recorded(self, proved: Proved) -> Cow<'a, str> {
        let (method, path) = match self {
            Self::Action(name) => return name.into(),
            Self::OfBackEnd { method, path } => (if proved.method { method } else { known_method(method) }, path),
        };
        if !proved.path {
            return method[..method.floor_char_boundary(RECORDED_LIMIT)].into();
        }
        format!("{method} {path}").chars().filter(|c| !c.is_control()).take(RECORDED_LIMIT).collect()
    }
}
