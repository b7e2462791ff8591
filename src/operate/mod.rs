//! What operators do: accounts from the command line, backup and restore, rotation of the master key. These acts need no
//! sign-in, since whoever can run the program holds its data. May import the domain (`account`, `keys`) and what is below.

pub mod accounts;
pub mod backup;
pub mod master_key;
