//! The ways in for programs: the signed API, the questions of proxies and back ends, the guard, and the metrics. May import
//! `check`, which decides about every signed request, `keys`, `http`, `signature`, `texts`, `types` and `app`, but nothing of the
//! console or of accounts. A request is admitted in one place, `ask`, and refused with an `api_error`; the files beside them
//! say how each entry point reads requests and answers them.

mod actions;
pub mod api;
mod api_error;
mod ask;
mod envelope;
mod forward_auth;
pub mod guard;
mod messages;
pub mod metrics;
mod target;
mod verify_api;
