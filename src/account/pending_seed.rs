//! A TOTP seed that waits for its first code. It lives in the session of whoever began, sealed.

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::secret::token;
use crate::secret::totp::Seed;
use crate::secret::vault::{Place, Sealed};
use crate::state::App;

/// The sealed seed, bound to a random name.
#[derive(Clone, Serialize, Deserialize)]
pub struct PendingSeed {
    row: String,
    key_version: i64,
    sealed: Vec<u8>,
}

impl std::fmt::Debug for PendingSeed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PendingSeed")
    }
}

impl PendingSeed {
    /// A new one, at random.
    pub fn generate(app: &App) -> Result<Self, Error> {
        let row = token::alphanumeric(22);
        let Sealed { key_version, bytes } = app.vault.seal(place(&row), Seed::generate().expose())?;
        Ok(Self { row, key_version, sealed: bytes })
    }

    /// Opens it, to show it to whoever enrols or to check their code.
    pub fn open(&self, app: &App) -> Result<Seed, Error> {
        let sealed = Sealed { key_version: self.key_version, bytes: self.sealed.clone() };
        let bytes = app.vault.open(place(&self.row), &sealed)?;
        Seed::from_bytes(&bytes).ok_or_else(|| Error::internal("an enrolment's seed is not 20 bytes"))
    }
}

fn place(row: &str) -> Place<'_> {
    Place { table: "session", row, column: "enrolment" }
}
