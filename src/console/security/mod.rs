//! The pages under `/cam/security`: password, authenticator, recovery codes, passkeys and sessions. What they change is the room
//! `account`'s. Imports `frame`, `session` and `step_up`.

pub mod authenticator;
pub mod overview;
pub mod passkeys;
pub mod password;
pub mod recovery_codes;
pub mod session_view;
