//! The console: pages for people. A handler's arguments are its authorisation rule ([`session::SignedIn`] and the other
//! stages). Every form is extracted with [`session::form::OwnForm`]. Each template struct is next to its handler.
//!
//! May import the domain (`account`, `keys`, `audit`), but never `db`: handlers call the domain.

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
