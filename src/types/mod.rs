//! The vocabulary of every room.

pub mod clock;
pub mod error;
pub mod event;
pub mod id;
pub mod key_state;
pub mod random;
pub mod subscriber;
