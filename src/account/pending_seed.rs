//! A TOTP seed that waits for its first code. The session in which it is enrolled holds only its name. The seed itself
//! is sealed in the database, where a rotation of the master key can reseal it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::db::sealed::PENDING_SEED;
use crate::db::{Tx, pending_seeds as db};
use crate::master_key;
use crate::secret::totp::Seed;
use crate::types::error::Error;
use crate::types::id::Uin;
use crate::types::random;

/// The seed's random name, and the account that it is for. There is no account yet if the first code creates it.
#[derive(Clone, Serialize, Deserialize)]
pub struct PendingSeed {
    name: String,
    uin: Option<Uin>,
}

impl std::fmt::Debug for PendingSeed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PendingSeed")
    }
}

impl PendingSeed {
    /// Generates a seed that can be confirmed for the time `lifetime`.
    pub async fn generate(app: &App, uin: Option<Uin>, lifetime: Duration) -> Result<Self, Error> {
        let pending = Self { name: random::alphanumeric(22), uin };
        let mut tx = app.db.begin().await?;
        let place = PENDING_SEED.place(&pending.name, uin);
        let sealed = master_key::seal(&app.vault, &mut tx, place, Seed::generate().expose()).await?;
        db::insert(&mut tx, &pending.name, uin, &sealed, app.clock.now().plus(lifetime)).await?;
        tx.commit().await?;
        Ok(pending)
    }

    /// Opens the seed, to show it or to check a code. Returns `None` if it has expired or has been confirmed.
    pub async fn open(&self, app: &App) -> Result<Option<Seed>, Error> {
        let Some(sealed) = db::find(&app.db, &self.name, app.clock.now()).await? else { return Ok(None) };
        let bytes = app.vault.open(PENDING_SEED.place(&self.name, self.uin), &sealed)?;
        Seed::from_bytes(&bytes).map(Some).ok_or_else(|| Error::internal("an enrolment's seed is not 20 bytes"))
    }

    /// Deletes the seed, in the transaction of the change that it was confirmed for.
    pub async fn forget(&self, tx: &mut Tx) -> Result<(), Error> {
        Ok(db::delete(tx, &self.name).await?)
    }
}
