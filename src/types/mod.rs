//! The words that every room uses: ids, instants, errors, a key's state, what the audit log can say, randomness. They carry no
//! behaviour beyond their own rules, so that any room may hold and store them. Imports nothing of the crate.

pub mod clock;
pub mod error;
pub mod event;
pub mod id;
pub mod key_state;
pub mod random;
pub mod reason;
pub(crate) mod stored_names;
pub mod subscriber;
