//! The session store of tower-sessions, on the database. Session IDs are stored hashed, rows contain the account, and
//! times come from the clock.

use async_trait::async_trait;
use tower_sessions::SessionStore;
use tower_sessions::session::{Id, Record};
use tower_sessions::session_store::{Error, Result};

use super::{STAGE, Stage};
use crate::account::session_rows::{self, NewRow};
use crate::app::App;
use crate::secret::token::TokenDigest;
use crate::types::clock::Timestamp;

/// The store of sessions in the database.
#[derive(Clone, Debug)]
pub struct Store(pub App);

fn backend(error: impl std::fmt::Display) -> Error {
    Error::Backend(error.to_string())
}

impl Store {
    fn stage(record: &Record) -> Result<Option<Stage>> {
        record.data.get(STAGE).cloned().map(serde_json::from_value).transpose().map_err(encode)
    }

    fn expires_at(&self, stage: Option<&Stage>) -> Timestamp {
        stage.map_or_else(|| self.0.clock.now(), |stage| stage.expires_at(self.0.settings.session_max))
    }
}

fn encode(error: impl std::fmt::Display) -> Error {
    Error::Encode(error.to_string())
}

fn hash(id: &Id) -> TokenDigest {
    TokenDigest::of(&id.to_string())
}

#[async_trait]
impl SessionStore for Store {
    async fn create(&self, record: &mut Record) -> Result<()> {
        let (id_hash, stage) = (hash(&record.id), Self::stage(record)?);
        let data = serde_json::to_string(&record.data).map_err(encode)?;
        let (uin, handle) = (stage.as_ref().and_then(Stage::uin), stage.as_ref().and_then(Stage::handle));
        let expires_at = self.expires_at(stage.as_ref());
        let row = NewRow { id_hash: &id_hash, uin, handle, data: &data, expires_at };
        if session_rows::insert(&self.0, row).await.map_err(backend)? {
            Ok(())
        } else {
            // The odds are one in 2^128. The visitor can try again.
            Err(backend("a new session ID is already in use"))
        }
    }

    async fn save(&self, record: &Record) -> Result<()> {
        let (id_hash, stage) = (hash(&record.id), Self::stage(record)?);
        let data = serde_json::to_string(&record.data).map_err(encode)?;
        let (uin, expires_at) = (stage.as_ref().and_then(Stage::uin), self.expires_at(stage.as_ref()));
        let row = NewRow { id_hash: &id_hash, uin, handle: None, data: &data, expires_at };
        session_rows::update(&self.0, row).await.map_err(backend)
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        let Some(data) = session_rows::load(&self.0, &hash(id)).await.map_err(backend)? else { return Ok(None) };
        let data = serde_json::from_str(&data).map_err(|error| Error::Decode(error.to_string()))?;
        // The cookie ends with the browser, and the clock decides when the row expires. This date has no effect.
        let expiry_date = tower_sessions::cookie::time::PrimitiveDateTime::MAX.assume_utc();
        Ok(Some(Record { id: *id, data, expiry_date }))
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        session_rows::delete(&self.0, &hash(id)).await.map_err(backend)
    }
}
