//! The URLs of the console, in one place.

use crate::types::id::{PasskeyHandle, SecretId, SessionHandle};

/// The start page, which redirects to the keys.
pub const HOME: &str = "/";
/// Sign-in, first step.
pub const LOGIN: &str = "/login";
/// Sign-in after a session has ended.
pub const LOGIN_EXPIRED: &str = "/login?notice=expired";
/// Sign-in after signing out.
pub const LOGIN_SIGNED_OUT: &str = "/login?notice=signed-out";
/// Sign-in, second step.
pub const LOGIN_CODE: &str = "/login/code";
/// The second step of sign-in, with a recovery code.
pub const LOGIN_RECOVERY: &str = "/login/code?kind=recovery";
/// Sign-in with a passkey.
pub const LOGIN_PASSKEY: &str = "/login/passkey";
/// The challenge for sign-in with a passkey.
pub const LOGIN_PASSKEY_OPTIONS: &str = "/login/passkey/options";
/// Sign-out.
pub const LOGOUT: &str = "/logout";
/// Setup, first step.
pub const SETUP: &str = "/setup";
/// Setup, second step.
pub const SETUP_AUTHENTICATOR: &str = "/setup/authenticator";
/// The page of the keys.
pub const KEYS: &str = "/cam/capi";
/// Changing language and theme.
pub const PREFERENCES: &str = "/preferences";
/// Creating a key.
pub const CREATE_KEY: &str = "/cam/capi/keys";
/// The page of a key.
pub const KEY: &str = "/cam/capi/keys/{secret_id}";
/// New calls of a key, as a stream.
pub const CALLS: &str = "/cam/capi/keys/{secret_id}/calls";
/// Showing a key's secret.
pub const SHOW_KEY: &str = "/cam/capi/keys/{secret_id}/show";
/// Disabling a key.
pub const DISABLE_KEY: &str = "/cam/capi/keys/{secret_id}/disable";
/// Enabling a key.
pub const ENABLE_KEY: &str = "/cam/capi/keys/{secret_id}/enable";
/// Deleting a key.
pub const DELETE_KEY: &str = "/cam/capi/keys/{secret_id}/delete";
/// A key's remark.
pub const REMARK_KEY: &str = "/cam/capi/keys/{secret_id}/remark";
/// Replacing a key.
pub const ROTATE_KEY: &str = "/cam/capi/keys/{secret_id}/rotate";
/// The security page.
pub const SECURITY: &str = "/cam/security";
/// Changing the password.
pub const PASSWORD: &str = "/cam/security/password";
/// Replacing the authenticator, before the new one is shown.
pub const AUTHENTICATOR: &str = "/cam/security/authenticator";
/// Replacing the authenticator with a recovery code, for an owner who has lost it.
pub const AUTHENTICATOR_RECOVERY: &str = "/cam/security/authenticator?kind=recovery";
/// The new authenticator, until its first code.
pub const NEW_AUTHENTICATOR: &str = "/cam/security/authenticator/new";
/// New recovery codes.
pub const RECOVERY_CODES: &str = "/cam/security/recovery-codes";
/// Ending all other sessions.
pub const END_OTHERS: &str = "/cam/security/sessions/end-others";
/// Ending a session.
pub const END_SESSION: &str = "/cam/security/sessions/{handle}/end";
/// The challenge for a verification with a passkey.
pub const PASSKEY_OPTIONS: &str = "/cam/security/passkeys/options";
/// Adding a passkey, before it has a name.
pub const ADD_PASSKEY: &str = "/cam/security/passkeys/add";
/// The new passkey.
pub const NEW_PASSKEY: &str = "/cam/security/passkeys/new";
/// The challenge for a new passkey.
pub const NEW_PASSKEY_OPTIONS: &str = "/cam/security/passkeys/new/options";
/// Renaming a passkey.
pub const RENAME_PASSKEY: &str = "/cam/security/passkeys/{handle}/name";
/// Removing a passkey.
pub const REMOVE_PASSKEY: &str = "/cam/security/passkeys/{handle}/remove";

/// Looking up a refused call.
pub const REFUSED: &str = "/cam/capi/refused";

/// The page of the records.
pub const RECORDS: &str = "/cam/records";
/// The records as CSV.
pub const RECORDS_CSV: &str = "/cam/records.csv";
/// Disabling every key.
pub const DISABLE_ALL: &str = "/cam/capi/disable-all";

/// The shown secret on the page of the keys, which has the focus.
pub const SHOWN_SECRET: &str = "/cam/capi#secret";

/// The page of a key.
pub fn key_page(secret_id: &SecretId) -> String {
    format!("{CREATE_KEY}/{secret_id}")
}

/// The URL of an action on a key, such as `disable`.
pub fn key_act(secret_id: &SecretId, act: &str) -> String {
    format!("{CREATE_KEY}/{secret_id}/{act}")
}

/// The URL that shows a key's secret.
pub fn show(secret_id: &SecretId) -> String {
    key_act(secret_id, "show")
}

/// The URL that ends a session.
pub fn end_session(handle: &SessionHandle) -> String {
    format!("{SECURITY}/sessions/{handle}/end")
}

/// The URL that renames a passkey.
pub fn rename_passkey(handle: &PasskeyHandle) -> String {
    format!("{SECURITY}/passkeys/{handle}/name")
}

/// The URL that removes a passkey.
pub fn remove_passkey(handle: &PasskeyHandle) -> String {
    format!("{SECURITY}/passkeys/{handle}/remove")
}

/// The page about a refused call.
pub fn refused_call(request_id: &str) -> String {
    format!("{REFUSED}?request_id={request_id}")
}

/// A path on this site. It is safe to redirect to, no matter who has named it, because it cannot lead to another site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalPath(String);

impl LocalPath {
    /// The maximum length.
    const MAX: usize = 1024;

    /// Checks a path, with or without a query, as it is in a request. Returns `None` if a browser could read it as a
    /// URL of another site (`//host`, `/\host`, or one of these with a tab or line break in it).
    pub fn new(path: &str) -> Option<Self> {
        let printable = path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
        let local = path.starts_with('/') && !path.starts_with("//");
        (local && printable && path.len() <= Self::MAX).then(|| Self(path.to_owned()))
    }

    /// The path.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The start page.
impl Default for LocalPath {
    fn default() -> Self {
        Self("/".to_owned())
    }
}

impl std::fmt::Display for LocalPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
