//! Pages.

pub mod authenticator;
pub mod overview;
pub mod passkeys;
pub mod password;
pub mod recovery_codes;
pub mod session_view;
