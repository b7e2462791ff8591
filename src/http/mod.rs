//! Below every router.

pub mod body;
pub mod listener;
pub mod tracked;
