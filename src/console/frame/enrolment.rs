//! The pages that show a new authenticator's seed and new recovery codes, during setup and from the security page.

use std::fmt::Write as _;

use askama::Template;
use qrcode::{Color, EcLevel, QrCode};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::form_state::FormState;
use super::page::Page;
use super::urls;
use crate::secret::totp::Seed;
use crate::types::error::Error;

/// The occasion on which the pages are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// A step of the setup.
    SetUp,
    /// A replacement of the account's present authenticator or codes.
    Replacement,
}

/// The page with the seed and a field for its first code.
#[derive(Template)]
#[template(path = "authenticator.html")]
pub struct AuthenticatorPage {
    page: Page,
    at: At,
    action: &'static str,
    qr: Qr,
    seed: String,
    otpauth: String,
    form: FormState,
}

/// A QR code as one SVG path, quiet zone included.
struct Qr {
    side: usize,
    path: String,
}

impl Qr {
    fn new(text: &str) -> Result<Self, Error> {
        const QUIET: usize = 4;
        let code = QrCode::with_error_correction_level(text, EcLevel::M).map_err(Error::internal)?;
        let width = code.width();
        let mut path = String::new();
        for (at, color) in code.to_colors().into_iter().enumerate() {
            if color == Color::Dark {
                let _ = write!(path, "M{} {}h1v1h-1z", at % width + QUIET, at / width + QUIET);
            }
        }
        Ok(Self { side: width + 2 * QUIET, path })
    }
}

impl AuthenticatorPage {
    /// Creates the page for the authenticator of the account with this name.
    pub fn new(page: Page, at: At, account_name: &str, seed: &Seed, form: FormState) -> Result<Self, Error> {
        let otpauth = seed.otpauth_url(account_name);
        let qr = Qr::new(&otpauth)?;
        let action = match at {
            At::SetUp => urls::SETUP_AUTHENTICATOR,
            At::Replacement => urls::NEW_AUTHENTICATOR,
        };
        Ok(Self { page, at, action, qr, seed: seed.for_typing(), otpauth, form })
    }
}

/// The form with the first code.
#[derive(Deserialize)]
pub struct ConfirmForm {
    /// The code, as typed.
    pub code: SecretString,
}

/// The page that shows recovery codes, once.
#[derive(Template)]
#[template(path = "recovery_codes.html")]
pub struct RecoveryCodesPage {
    page: Page,
    at: At,
    account_name: String,
    codes: Vec<String>,
    download: String,
    next: &'static str,
}

impl RecoveryCodesPage {
    /// Creates the page with these codes for the account with this name. It has no switches for language and theme,
    /// because they could not lead back to it.
    pub fn new(page: Page, at: At, account_name: &str, codes: &[SecretString]) -> Self {
        let page = Page { here: None, ..page };
        let codes: Vec<String> = codes.iter().map(|code| code.expose_secret().to_owned()).collect();
        let next = match at {
            At::SetUp => urls::KEYS,
            At::Replacement => urls::SECURITY,
        };
        Self { page, at, account_name: account_name.to_owned(), download: codes.join("%0A"), codes, next }
    }
}
