//! The pair's life.

pub mod lifecycle;
