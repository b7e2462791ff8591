//! The pages before there is a session: signing in and setting up an account. What is proved, and recorded, is the room
//! `account`'s. Imports `frame` and `session`.

pub mod login;
pub mod setup;
