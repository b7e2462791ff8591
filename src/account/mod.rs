//! Root accounts: setup, sign-in, identity verification (step-up), credentials, passkeys, sessions, and the owner's own
//! audit records. Every proof of identity is created here, except for that of a signature.
//!
//! May import `app` and the modules below it. Knows nothing of HTTP and does not change key pairs.

pub mod credentials;
pub mod owner;
pub mod passkey_use;
pub mod passkeys;
pub mod pending_seed;
pub mod records;
pub mod second_factor;
pub mod session_rows;
pub mod sessions;
pub mod setup;
pub mod sign_in;
pub mod verification;
pub mod webauthn;

use unicode_normalization::UnicodeNormalization;

use crate::app::App;
use crate::db::Tx;
use crate::db::accounts;
pub use crate::db::accounts::AccountRow;
use crate::db::sealed::TOTP_SEED;
use crate::master_key;
use crate::secret::totp::Seed;
use crate::types::error::Error;
use crate::types::id::Uin;

/// The longest account name, in characters.
pub const NAME_MAX_CHARS: usize = 64;

/// The canonical form of a name for look-ups, throttling and records: trimmed, NFKC, lower case.
pub fn canonical_name(name: &str) -> String {
    // Lower-casing can undo the normalisation, so normalise again at the end.
    let folded: String = name.nfkc().flat_map(char::to_lowercase).collect();
    folded.nfkc().collect::<String>().trim().to_owned()
}

/// Checks a new account's name. Returns it trimmed, or fails with [`Error::NameInvalid`].
pub fn check_name(name: &str) -> Result<&str, Error> {
    let name = name.trim();
    let printable = !name.chars().any(|c| c.is_control() || c == ':');
    let length = name.chars().count();
    if printable && (1..=NAME_MAX_CHARS).contains(&length) && !canonical_name(name).is_empty() {
        Ok(name)
    } else {
        Err(Error::NameInvalid)
    }
}

/// Opens the account's TOTP seed. Returns `None` if no second factor is enrolled.
fn open_totp_seed(app: &App, account: &AccountRow) -> Result<Option<Seed>, Error> {
    let Some(sealed) = account.sealed_totp_seed() else { return Ok(None) };
    let row = account.uin.to_string();
    let bytes = app.vault.open(TOTP_SEED.place(&row, Some(account.uin)), &sealed)?;
    Seed::from_bytes(&bytes).map(Some).ok_or_else(|| Error::internal("a stored TOTP seed is not 20 bytes"))
}

/// Stores the account's second factor, whose step `spent_step` has just been spent. Returns the new credential epoch.
async fn store_totp_seed(app: &App, tx: &mut Tx, uin: Uin, seed: &Seed, spent_step: i64) -> Result<i64, Error> {
    let row = uin.to_string();
    let sealed = master_key::seal(&app.vault, tx, TOTP_SEED.place(&row, Some(uin)), seed.expose()).await?;
    Ok(accounts::set_totp(tx, uin, &sealed, spent_step).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_name_is_one_name() {
        for spelling in ["root", "Root", "ROOT", " root ", "ｒｏｏｔ", "ROOT\u{3000}"] {
            assert_eq!(canonical_name(spelling), "root", "{spelling:?}");
        }
        assert_eq!(canonical_name("ﬁnance"), "finance");
    }

    #[test]
    fn names_are_checked() {
        assert_eq!(check_name("  Ops team ").unwrap(), "Ops team");
        for bad in ["", "   ", "a:b", "a\nb", "\u{0}", &"x".repeat(65)] {
            assert!(check_name(bad).is_err(), "{bad:?}");
        }
    }
}
