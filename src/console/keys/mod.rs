//! Pages.

pub mod advice;
pub mod detail;
pub mod disable_all;
pub mod list;
mod reasons;
pub mod refused;
pub mod rotation;
pub mod view;
