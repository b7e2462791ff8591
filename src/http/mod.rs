//! Below every router.

pub mod body;
pub mod headers;
pub mod listener;
pub mod tracked;
