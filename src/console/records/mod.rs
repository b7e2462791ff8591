//! Pages.

pub mod csv;
pub mod list;
mod wording;
