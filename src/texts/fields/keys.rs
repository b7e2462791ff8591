//! The texts about keys: their pages, rotation, and refused calls.

use crate::texts::Text;

/// The page of the keys.
#[derive(Debug)]
pub struct Keys {
    pub title: Text,
    pub previous_sign_in: Text,
    pub recovery_link_made: Text,
    pub failed_attempts_since: fn(i64) -> String,
    pub notes: Text,
    pub note_limit: Text,
    pub note_identity: Text,
    pub note_rotate: Text,
    pub create: Text,
    pub at_limit: Text,
    pub at_limit_with_disabled: Text,
    pub none: Text,
    pub none_hint: Text,
    pub app_id: Text,
    pub masked: Text,
    pub hide: Text,
    pub masks_itself: Text,
    /// For the script, which replaces `{n}` with the number.
    pub seconds_left: Text,
    pub more_time: Text,
    pub copy_secret_id: fn(&str) -> String,
    pub copy_secret_key: fn(&str) -> String,
    pub show_secret_key_of: fn(&str) -> String,
    pub enable_key: fn(&str) -> String,
    pub disable_key: fn(&str) -> String,
    pub delete_key: fn(&str) -> String,
    pub remark_of: fn(&str) -> String,
    pub remark_invalid: Text,
    pub all_calls: Text,
    pub all_calls_of: fn(&str) -> String,
    pub disable_title: Text,
    pub disable_effect: Text,
    pub delete_title: Text,
    pub delete_effect: Text,
    pub calls_24h: Text,
    pub addresses_24h: Text,
    pub disabled_since: Text,
    pub refused_since: Text,
    pub disable_all: Text,
    pub disable_all_hint: Text,
    pub disable_all_title: Text,
    pub disable_all_effect: Text,
    pub stopped: Text,
    pub enable_stopped_title: Text,
    pub enable_stopped_effect: Text,
}

/// Advice for the owner, and what to do about it.
#[derive(Debug)]
pub struct Advice {
    pub title: Text,
    pub urgent: Text,
    pub never_used: fn(&str) -> String,
    pub use_it: Text,
    pub unused: fn(&str, i64) -> String,
    pub disable_it: Text,
    pub old: fn(&str, i64) -> String,
    pub rotate_it: Text,
    pub full_with_disabled: fn(&str) -> String,
    pub delete_it: Text,
    pub full: Text,
    pub continue_rotation: Text,
    pub few_recovery_codes: fn(i64) -> String,
    pub generate_codes: Text,
    pub one_device: Text,
    pub to_security: Text,
}

/// The page of a key.
#[derive(Debug)]
pub struct Key {
    pub title: Text,
    pub age: fn(i64) -> String,
    pub time_to_rotate: Text,
    pub calls_since_disabled: fn(i64, i64) -> String,
    pub calls_per_day: Text,
    pub no_calls_per_day: Text,
    pub as_table: Text,
    pub day: Text,
    pub busiest_day: fn(i64) -> String,
    pub chart_bar: fn(&str, i64, i64) -> String,
    pub latest_calls: Text,
    pub no_calls: Text,
    pub why_refused: Text,
}

/// Instructions for using a key.
#[derive(Debug)]
pub struct Snippets {
    pub title: Text,
    pub intro: Text,
    pub endpoint: Text,
    pub secret_variable: Text,
    pub environment: Text,
    pub environment_hint: Text,
    pub nginx_hint: Text,
    pub copy_named: fn(&str) -> String,
}

/// Replacing a key with a new one.
#[derive(Debug)]
pub struct Rotation {
    pub title: Text,
    pub intro: Text,
    pub step_done: Text,
    pub step_not_needed: Text,
    pub step_current: Text,
    pub step_later: Text,
    pub create: Text,
    pub create_text: Text,
    pub full: Text,
    pub older: Text,
    pub rotate_older: Text,
    pub take_into_use: Text,
    pub take_into_use_text: Text,
    pub nothing_to_switch: Text,
    pub show_secret_key: Text,
    pub old_key: Text,
    pub new_key: Text,
    pub disable: Text,
    pub quiet: Text,
    pub still_used: Text,
    pub not_used_yet: Text,
    pub enable_again: Text,
    pub delete: Text,
    pub delete_text: Text,
    pub more_addresses: fn(i64) -> String,
    pub still_refused: fn(i64) -> String,
}

/// Looking up a refused call.
#[derive(Debug)]
pub struct Refused {
    pub title: Text,
    pub intro: Text,
    pub unknown: Text,
    pub look_up: Text,
    pub received: Text,
    pub signed_at: Text,
    pub canonical_request: Text,
    pub string_to_sign: Text,
    pub compare: Text,
    pub disabled: Text,
    pub disabled_unread: Text,
    pub deleted: Text,
    pub wrong_signature: Text,
    pub expired: Text,
    pub token: Text,
    pub other: Text,
    pub cause_date: Text,
    pub cause_host: Text,
    pub cause_content_type: Text,
    pub cause_body: Text,
    pub cause_query: Text,
    pub cause_method: Text,
    pub cause_path: Text,
    pub cause_disabled: Text,
    pub cause_expired: Text,
    pub cause_token: Text,
    pub cause_unknown: Text,
}
