//! The pages under `/cam/security`: password, authenticator, recovery codes, passkeys and sessions. The domain logic is
//! in `crate::account`. Imports `frame`, `session` and `step_up`.

pub mod authenticator;
pub mod overview;
pub mod passkeys;
pub mod password;
pub mod recovery_codes;
pub mod session_view;
