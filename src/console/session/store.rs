//! tower-sessions' store over the database: ids are stored hashed, rows carry the account, times come from the clock.

use std::time::Duration;

use async_trait::async_trait;
use tower_sessions::SessionStore;
use tower_sessions::session::{Id, Record};
use tower_sessions::session_store::{Error, Result};

use super::{STAGE, Stage};
use crate::app::App;
use crate::db::{is_outage, sessions as db};
use crate::secret::token;
use crate::types::clock::Timestamp;
use crate::types::id::{SessionHandle, Uin};

/// A session's use is noted when the note is this old; the idle limit is exact to within this.
const TOUCH_AFTER: Duration = Duration::from_secs(10);

/// Keeps sessions in the database.
#[derive(Clone, Debug)]
pub struct Store(pub App);

fn backend(error: impl std::fmt::Display) -> Error {
    Error::Backend(error.to_string())
}

/// What of a record becomes columns.
struct Row {
    id_hash: Vec<u8>,
    uin: Option<Uin>,
    handle: Option<SessionHandle>,
    data: String,
    expires_at: Timestamp,
}

impl Store {
    fn row(&self, record: &Record) -> Result<Row> {
        let encode = |error: serde_json::Error| Error::Encode(error.to_string());
        let stage = record.data.get(STAGE).cloned().map(serde_json::from_value::<Stage>).transpose().map_err(encode)?;
        let now = self.0.clock.now();
        Ok(Row {
            id_hash: hash(&record.id),
            uin: stage.as_ref().and_then(Stage::uin),
            handle: stage.as_ref().and_then(Stage::handle).cloned(),
            data: serde_json::to_string(&record.data).map_err(encode)?,
            expires_at: stage.map_or(now, |stage| stage.expires_at(self.0.settings.session_max)),
        })
    }
}

fn hash(id: &Id) -> Vec<u8> {
    token::digest(&id.to_string())
}

#[async_trait]
impl SessionStore for Store {
    async fn create(&self, record: &mut Record) -> Result<()> {
        let Row { id_hash, uin, handle, data, expires_at } = self.row(record)?;
        let now = self.0.clock.now();
        let inserted = db::insert(&self.0.db, &id_hash, uin, handle.as_ref(), &data, now, expires_at).await;
        if inserted.map_err(backend)? {
            Ok(())
        } else {
            // One in 2^128; the visitor tries again.
            Err(backend("a session id collided"))
        }
    }

    async fn save(&self, record: &Record) -> Result<()> {
        let Row { id_hash, uin, data, expires_at, .. } = self.row(record)?;
        db::update(&self.0.db, &id_hash, uin, &data, expires_at).await.map_err(backend)
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        let (now, id_hash) = (self.0.clock.now(), hash(id));
        let idle_since = now.minus(self.0.settings.session_idle);
        let Some((data, seen_at)) = db::load(&self.0.db, &id_hash, now, idle_since).await.map_err(backend)? else {
            return Ok(None);
        };
        if now.since(seen_at) >= TOUCH_AFTER {
            // Where nothing can be written, pages can still be read; the session just ends earlier than it would.
            match db::touch(&self.0.db, &id_hash, now).await {
                Err(error) if is_outage(&error) => tracing::warn!(%error, "the use of a session could not be noted"),
                touched => touched.map_err(backend)?,
            }
        }
        let data = serde_json::from_str(&data).map_err(|error| Error::Decode(error.to_string()))?;
        // The cookie ends with the browser and the row by our clock; this date decides nothing.
        let expiry_date = tower_sessions::cookie::time::PrimitiveDateTime::MAX.assume_utc();
        Ok(Some(Record { id: *id, data, expiry_date }))
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        db::delete(&self.0.db, &hash(id)).await.map_err(backend)
    }
}
