//! The texts around every page: the frame, messages and errors.

use crate::texts::Text;

/// Texts used on several pages.
#[derive(Debug)]
pub struct Common {
    pub copy: Text,
    pub print: Text,
    pub download: Text,
    pub next: Text,
    pub cancel: Text,
    pub confirm: Text,
    pub save: Text,
    pub edit: Text,
    pub show: Text,
    pub enable: Text,
    pub disable: Text,
    pub delete: Text,
    pub request_id: Text,
    pub key: Text,
    pub remark: Text,
    pub no_remark: Text,
    pub enabled: Text,
    pub disabled: Text,
    pub deleted: Text,
    pub created: Text,
    pub last_used: Text,
    pub never: Text,
    pub status: Text,
    pub operation: Text,
    pub time: Text,
    pub action: Text,
    pub address: Text,
    pub result: Text,
    pub accepted: Text,
    pub refused: Text,
    pub days_in_utc: Text,
    pub times_in_utc: Text,
    pub times_in: Text,
    pub back_to_console: Text,
}

/// The frame of every page.
#[derive(Debug)]
pub struct Frame {
    pub skip_to_content: Text,
    pub navigation: Text,
    pub access_key: Text,
    pub keys: Text,
    pub records: Text,
    pub security: Text,
    pub uin: Text,
    pub language: Text,
    pub change_language: Text,
    pub theme: Text,
    pub theme_system: Text,
    pub theme_light: Text,
    pub theme_dark: Text,
    pub sign_out: Text,
    pub account_menu: Text,
    pub copied: Text,
    pub copy_failed: Text,
    pub please_correct: Text,
}

/// Messages about what has just been done.
#[derive(Debug)]
pub struct Flash {
    pub key_created: fn(&str) -> String,
    pub key_enabled: fn(&str) -> String,
    pub key_disabled: fn(&str) -> String,
    pub key_deleted: fn(&str) -> String,
    pub key_already_enabled: fn(&str) -> String,
    pub key_already_disabled: fn(&str) -> String,
    pub takes_effect: Text,
    pub key_limit: Text,
    pub key_not_disabled: fn(&str) -> String,
    pub remark_saved: fn(&str) -> String,
    pub recovery_codes_left: fn(i64) -> String,
    pub password_changed: Text,
    pub totp_replaced: Text,
    pub session_ended: Text,
    pub other_sessions_ended: Text,
    pub all_keys_disabled: fn(usize) -> String,
    pub passkey_added: Text,
    pub passkey_renamed: Text,
    pub passkey_removed: Text,
    pub passkey_limit: Text,
}

/// Error pages, with heading and text.
#[derive(Debug)]
pub struct Errors {
    pub not_found: (Text, Text),
    pub key_not_found: (Text, Text),
    pub session_not_found: (Text, Text),
    pub passkey_not_found: (Text, Text),
    pub link_invalid: (Text, Text),
    pub form_expired: (Text, Text),
    pub form_malformed: (Text, Text),
    pub cross_site: (Text, Text),
    pub method_not_allowed: (Text, Text),
    pub too_large: (Text, Text),
    pub wrong_host: (Text, Text),
    pub too_many_attempts: (Text, Text),
    pub busy: (Text, Text),
    pub unavailable: (Text, Text),
    pub timed_out: (Text, Text),
    pub fault: (Text, Text),
    /// The heading above the following texts.
    pub not_done: Text,
    pub name_taken: Text,
    pub key_limit: Text,
    pub key_not_disabled: Text,
    pub key_stopped: Text,
    pub key_already: Text,
    /// The number of seconds to wait.
    pub try_again: fn(i64) -> String,
}
