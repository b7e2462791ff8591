//! The pages under `/cam/capi`: the table of the keys, one key, rotation, the emergency stop, looking into a refused call. What
//! there is to know and to do comes from the room `keys`. Imports `frame`, `session` and `step_up`.

pub mod advice;
pub mod changes;
pub mod detail;
pub mod disable_all;
pub mod list;
mod reasons;
pub mod refused;
pub mod rotation;
pub mod sent_from;
pub mod show;
pub mod view;
