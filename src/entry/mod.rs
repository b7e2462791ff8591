//! The ways in for programs.

pub mod actions;
pub mod api;
pub mod envelope;
pub mod forward_auth;
pub mod guard;
pub mod messages;
pub mod metrics;
pub mod params;
pub mod target;
pub mod verify_api;
