//! The texts about the account: sign-in, setup, verification, security.

use crate::texts::Text;

/// Names, passwords and codes: their fields and their errors.
#[derive(Debug)]
pub struct Credentials {
    pub account_name: Text,
    pub name_invalid: Text,
    pub name_taken: Text,
    pub password: Text,
    pub password_wrong: Text,
    pub current_password: Text,
    pub new_password: Text,
    pub password_advice: Text,
    pub password_again: Text,
    pub password_differs: Text,
    pub too_short: Text,
    pub too_long: Text,
    pub too_common: Text,
    pub made_of_name: Text,
    pub code: Text,
    pub code_hint: Text,
    pub code_once_hint: Text,
    pub code_refused: Text,
    pub code_spent: Text,
    pub code_next: Text,
    pub recovery_code: Text,
    pub recovery_code_hint: Text,
}

/// Signing in.
#[derive(Debug)]
pub struct SignIn {
    pub title: Text,
    pub second_step: Text,
    pub use_recovery_code: Text,
    pub use_authenticator: Text,
    pub start_over: Text,
    pub refused: Text,
    pub signed_out: Text,
    pub session_expired: Text,
    pub no_account: Text,
    pub with_passkey: Text,
    pub passkey_refused: Text,
}

/// Setting up an account.
#[derive(Debug)]
pub struct Setup {
    pub title: Text,
    pub intro: Text,
    pub new_factor_title: Text,
    pub new_factor_intro: Text,
    pub recover_title: Text,
    pub recover_intro: Text,
    pub step_1: Text,
    pub step_2: Text,
    pub step_3: Text,
}

/// Adding an authenticator.
#[derive(Debug)]
pub struct Authenticator {
    pub title: Text,
    pub intro: Text,
    pub code_hint: Text,
    pub code_refused: Text,
    pub qr_label: Text,
    pub cannot_scan: Text,
    pub setup_key: Text,
    pub open_in_app: Text,
    pub old_one_works: Text,
    pub keep_old_one: Text,
}

/// The page that shows new recovery codes.
#[derive(Debug)]
pub struct RecoveryCodes {
    pub title: Text,
    pub intro: Text,
    pub old_ones_void: Text,
    pub saved: Text,
    pub go_to_keys: Text,
    pub back_to_security: Text,
}

/// Verification before an operation that cannot be undone.
#[derive(Debug)]
pub struct StepUp {
    pub title: Text,
    pub secret_key_at_stake: Text,
    pub prompt: Text,
    pub prompt_recovery: Text,
    pub expired: Text,
    pub use_passkey: Text,
    pub passkey_refused: Text,
}

/// The security page.
#[derive(Debug)]
pub struct Security {
    pub title: Text,
    pub password_about: Text,
    pub change_password: Text,
    pub change_password_effect: Text,
    pub passkey_for_code: Text,
    pub authenticator: Text,
    pub authenticator_about: Text,
    pub replace_authenticator: Text,
    pub replace_authenticator_title: Text,
    pub replace_authenticator_effect: Text,
    pub recovery_codes_about: Text,
    pub recovery_codes_left: fn(i64) -> String,
    pub new_recovery_codes: Text,
    pub new_recovery_codes_title: Text,
    pub new_recovery_codes_effect: Text,
    pub generate_codes: Text,
    pub sessions: Text,
    pub sessions_about: Text,
    pub device: Text,
    /// The browser and the system, if they are known.
    pub device_name: fn(Option<&str>, Option<&str>) -> String,
    pub signed_in_at: Text,
    pub last_seen: Text,
    pub this_session: Text,
    pub end: Text,
    /// The device, and the address that it signed in from.
    pub end_session_of: fn(&str, &str) -> String,
    pub end_title: Text,
    pub end_effect: Text,
    pub end_others: Text,
    pub end_others_title: Text,
    pub end_others_effect: Text,
}

/// Passkeys.
#[derive(Debug)]
pub struct Passkeys {
    pub title: Text,
    pub about: Text,
    pub none: Text,
    pub full: Text,
    pub add: Text,
    pub add_title: Text,
    pub add_effect: Text,
    pub new_title: Text,
    pub new_intro: Text,
    pub new_refused: Text,
    pub name: Text,
    pub name_hint: Text,
    pub name_invalid: Text,
    pub added_at: Text,
    pub rename: Text,
    pub rename_title: Text,
    pub remove: Text,
    pub remove_title: Text,
    pub remove_effect: Text,
    pub cancelled: Text,
    pub known: Text,
    pub failed: Text,
    pub remove_named: fn(&str) -> String,
}
