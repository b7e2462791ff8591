//! The vocabulary of every room.

pub mod clock;
pub mod error;
pub mod id;
pub mod language;
pub mod subscriber;
