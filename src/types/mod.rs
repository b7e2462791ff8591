//! The types that every module uses: IDs, timestamps, errors, key states, audit events, randomness. They have no
//! behaviour beyond their own rules, so that any module may hold and store them. Imports nothing from the crate.

pub mod boot_clock;
pub mod clock;
pub mod error;
pub mod event;
pub mod id;
pub mod key_state;
pub mod random;
pub mod reason;
pub(crate) mod stored_names;
pub mod subscriber;
