//! The texts that every language has. Their values are in the files of the languages; the English ones are the easiest
//! to read.

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
