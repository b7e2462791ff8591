//! The pages under `/cam/capi`: the table of the keys, the page of a key, rotation, the emergency stop, and looking up
//! a refused call. The domain logic is in `crate::keys`. Imports `frame`, `session` and `step_up`.

pub mod advice;
mod calls;
pub mod changes;
mod chart;
pub mod detail;
pub mod disable_all;
pub mod list;
pub mod live;
mod reasons;
pub mod refused;
pub mod rotation;
pub mod sent_from;
pub mod show;
pub mod view;
