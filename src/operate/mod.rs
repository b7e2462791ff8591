//! The operator's tasks: accounts on the command line, backup and restore, rotation of the master key. They need no
//! sign-in, because anyone who can run the program can read its data.
//!
//! May import the domain (`account`, `keys`) and the modules below it.

pub mod accounts;
pub mod backup;
pub mod master_key;
