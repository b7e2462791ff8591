//! The console: pages for people.
//!
//! Invariant: no SQL here. A handler's arguments are its authorisation rule ([`session::SignedIn`] and the other
//! stages); every form comes through [`forms::OwnForm`]; the template struct stands beside its handler.

pub mod frame;
pub mod keys;
pub mod preferences;
pub mod records;
mod routes;
pub mod security;
pub mod session;
pub mod sign_in;
mod state;
pub mod step_up;
mod table;

pub use self::routes::{panicked, router};
pub use self::state::Console;
pub use self::table::{Route, Who, routes};
