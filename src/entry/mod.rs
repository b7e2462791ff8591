//! The entry points for programs: the signed API, the checks for proxies and back ends, the guard, and the metrics.
//!
//! A request is admitted in one place, `ask`, and refused with an `api_error`. The other files say how each entry point
//! reads requests and responds to them. May import `check`, which checks every signed request, `keys`, `http`,
//! `signature`, `texts`, `types` and `app`, but nothing of the console, and of `account` only the `Owner` that actions
//! need.

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
