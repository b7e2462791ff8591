//! The texts that every language has. What each says is in the language's file, and read best in the English one.

#![expect(missing_docs, reason = "the English texts say what each field is")]

mod account;
mod api;
mod frame;
mod keys;
mod records;

pub use self::account::*;
pub use self::api::Api;
pub use self::frame::*;
pub use self::keys::*;
pub use self::records::*;
