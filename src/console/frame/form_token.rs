//! The CSRF token of every form, so that it cannot be sent from another site.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::app::App;
use crate::types::random;

/// A random salt that makes every page's token different, so that the sizes of compressed pages reveal nothing about
/// it.
type Salt = [u8; 16];

/// Creates a token for forms sent under `binding` (the ID of a session, or a cookie of the browser).
pub fn make(app: &App, binding: &str) -> String {
    let salt: Salt = random::bytes();
    let mac = mac(app, &salt, binding).finalize().into_bytes();
    data_encoding::BASE64URL_NOPAD.encode(&[&salt, mac.as_slice()].concat())
}

fn mac(app: &App, salt: &Salt, binding: &str) -> Hmac<Sha256> {
    Hmac::<Sha256>::new_from_slice(&app.form_key.0)
        .expect("HMAC takes a key of any length")
        .chain_update(salt)
        .chain_update(binding.as_bytes())
}

/// Returns `true` if this token was made for forms sent under `binding`.
pub fn is_of(app: &App, binding: &str, sent: &str) -> bool {
    let sent = data_encoding::BASE64URL_NOPAD.decode(sent.as_bytes()).unwrap_or_default();
    sent.split_first_chunk().is_some_and(|(salt, sent)| mac(app, salt, binding).verify_slice(sent).is_ok())
}
