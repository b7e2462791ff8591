//! Every text of the console, in one place for each language. A field a language lacks does not compile.

use super::words_en::EN;
use super::words_zh::ZH;
use crate::clock::Timestamp;
use crate::language::Language;
use crate::secret::password::PasswordFlaw;
use crate::web::error::Problem;
use crate::web::flash::Flash;

/// The texts of one language.
#[expect(missing_docs, reason = "the English texts say what each field is")]
#[derive(Debug)]
pub struct Words {
    pub product: &'static str,
    // Around every page.
    pub skip_to_content: &'static str,
    pub navigation: &'static str,
    pub nav_keys: &'static str,
    pub uin: &'static str,
    pub language: &'static str,
    pub theme: &'static str,
    pub theme_system: &'static str,
    pub theme_light: &'static str,
    pub theme_dark: &'static str,
    pub sign_out: &'static str,
    pub copied: &'static str,
    pub copy_failed: &'static str,
    pub copy: &'static str,
    pub print: &'static str,
    pub download: &'static str,
    pub next: &'static str,
    pub cancel: &'static str,
    pub confirm: &'static str,
    pub save: &'static str,
    pub edit: &'static str,
    pub please_correct: &'static str,
    pub back_to_start: &'static str,
    pub request_id: &'static str,
    // Signing in.
    pub sign_in: &'static str,
    pub account_name: &'static str,
    pub password: &'static str,
    pub second_step: &'static str,
    pub code: &'static str,
    pub code_hint: &'static str,
    pub code_once_hint: &'static str,
    pub recovery_code: &'static str,
    pub recovery_code_hint: &'static str,
    pub use_recovery_code: &'static str,
    pub use_authenticator: &'static str,
    pub start_over: &'static str,
    pub sign_in_refused: &'static str,
    pub code_refused: &'static str,
    pub signed_out: &'static str,
    pub session_expired: &'static str,
    // Setting up.
    pub setup: &'static str,
    pub setup_intro: &'static str,
    pub setup_mfa: &'static str,
    pub setup_mfa_intro: &'static str,
    pub setup_step_1: &'static str,
    pub setup_step_2: &'static str,
    pub setup_step_3: &'static str,
    pub new_password: &'static str,
    pub password_advice: &'static str,
    pub password_again: &'static str,
    pub password_differs: &'static str,
    pub password_wrong: &'static str,
    pub name_invalid: &'static str,
    pub setup_authenticator: &'static str,
    pub setup_authenticator_intro: &'static str,
    pub setup_code_hint: &'static str,
    pub setup_code_refused: &'static str,
    pub qr_label: &'static str,
    pub cannot_scan: &'static str,
    pub open_in_app: &'static str,
    pub recovery_codes: &'static str,
    pub recovery_codes_intro: &'static str,
    pub codes_saved: &'static str,
    pub to_the_keys: &'static str,
    // The security page.
    pub security: &'static str,
    pub password_about: &'static str,
    pub change_password: &'static str,
    pub change_password_effect: &'static str,
    pub current_password: &'static str,
    pub authenticator: &'static str,
    pub authenticator_about: &'static str,
    pub replace_authenticator: &'static str,
    pub replace_authenticator_title: &'static str,
    pub replace_authenticator_effect: &'static str,
    pub old_authenticator_holds: &'static str,
    pub keep_old_authenticator: &'static str,
    pub recovery_codes_about: &'static str,
    pub new_recovery_codes: &'static str,
    pub new_recovery_codes_title: &'static str,
    pub new_recovery_codes_effect: &'static str,
    pub make_recovery_codes: &'static str,
    pub old_codes_void: &'static str,
    pub to_security: &'static str,
    pub sessions: &'static str,
    pub sessions_about: &'static str,
    pub device: &'static str,
    pub signed_in_at: &'static str,
    pub last_seen: &'static str,
    pub this_session: &'static str,
    pub end: &'static str,
    pub end_title: &'static str,
    pub end_effect: &'static str,
    pub end_others: &'static str,
    pub end_others_title: &'static str,
    pub end_others_effect: &'static str,
    // The page of the keys.
    pub keys_title: &'static str,
    pub last_sign_in: &'static str,
    pub notes: &'static str,
    pub note_limit: &'static str,
    pub note_identity: &'static str,
    pub note_rotate: &'static str,
    pub create_key: &'static str,
    pub at_limit: &'static str,
    pub no_keys: &'static str,
    pub no_keys_hint: &'static str,
    pub app_id: &'static str,
    pub key: &'static str,
    pub created: &'static str,
    pub last_used: &'static str,
    pub never: &'static str,
    pub status: &'static str,
    pub operation: &'static str,
    pub enabled: &'static str,
    pub disabled: &'static str,
    pub show: &'static str,
    pub hide: &'static str,
    pub masked: &'static str,
    pub masks_itself: &'static str,
    pub seconds_left: &'static str,
    pub longer: &'static str,
    pub remark: &'static str,
    pub no_remark: &'static str,
    pub remark_invalid: &'static str,
    pub verify_title: &'static str,
    pub verify_intro: &'static str,
    pub verify_proof: &'static str,
    pub verify_code_refused: &'static str,
    pub verification_over: &'static str,
    pub enable: &'static str,
    pub disable: &'static str,
    pub disable_title: &'static str,
    pub disable_effect: &'static str,
    pub calls_24h: &'static str,
    pub addresses_24h: &'static str,
    pub delete: &'static str,
    pub delete_title: &'static str,
    pub delete_effect: &'static str,
    pub disabled_since: &'static str,
    pub refused_since: &'static str,
    // The page of one key.
    pub all_calls: &'static str,
    pub calls_a_day: &'static str,
    pub days_are_utc: &'static str,
    pub as_a_table: &'static str,
    pub day: &'static str,
    pub accepted: &'static str,
    pub refused: &'static str,
    pub latest_calls: &'static str,
    pub no_calls: &'static str,
    pub time: &'static str,
    pub action: &'static str,
    pub address: &'static str,
    pub result: &'static str,
    // A refused call.
    pub why_refused: &'static str,
    pub refused_title: &'static str,
    pub refused_intro: &'static str,
    pub refused_unknown: &'static str,
    pub look_up: &'static str,
    pub arrived: &'static str,
    pub signed_at: &'static str,
    pub canonical_request: &'static str,
    pub string_to_sign: &'static str,
    pub compare_with_yours: &'static str,
    // With something filled in.
    pub refused_cause: fn(&str, &str) -> &'static str,
    pub since_disabled: fn(i64, i64) -> String,
    pub chart_bar: fn(&str, i64, i64) -> String,
    pub refusal: fn(&str) -> &'static str,
    pub device_name: fn(Option<&str>, Option<&str>) -> String,
    pub recovery_codes_left: fn(i64) -> String,
    pub last_sign_in_rest: fn(Option<&str>, i64) -> String,
    pub flash: fn(&Flash) -> String,
    pub flaw: fn(PasswordFlaw) -> &'static str,
    pub problem: fn(Problem) -> (&'static str, &'static str),
}

impl Words {
    /// The texts of this language.
    pub fn of(language: Language) -> &'static Self {
        match language {
            Language::English => &EN,
            Language::Chinese => &ZH,
        }
    }
}

/// An instant for a `<time>` element: for machines and, without script, for people.
#[derive(Clone, Debug)]
pub struct Moment {
    /// `datetime`, in UTC.
    pub rfc3339: String,
    /// The text, in UTC with its offset.
    pub people: String,
}

impl From<Timestamp> for Moment {
    fn from(at: Timestamp) -> Self {
        Self { rfc3339: at.rfc3339(), people: at.for_people() }
    }
}
