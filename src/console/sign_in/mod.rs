//! The pages for visitors who are not signed in: sign-in and account setup. The domain logic is in `crate::account`.
//! Imports `frame` and `session`.

pub mod login;
pub mod setup;
