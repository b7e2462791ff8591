//! A change to a key, from its number to its acknowledgement.

use std::time::Duration;

use crate::account::owner::Owner;
use crate::app::App;
use crate::db::freshness::Change;
use crate::db::{Tx, api_keys, nodes};
use crate::types::error::Error;
use crate::types::event::Actor;
use crate::types::id::SecretId;

/// How long a page waits for the servers. After that, it shows how far the change has come.
const OF_A_PAGE: Duration = Duration::from_millis(300);

/// How far a change has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It holds on every server.
    Everywhere,
    /// It is committed, and some server may not have taken it in yet.
    Spreading,
}

/// A change to a key that is being made. Its transaction can only be committed together with the wait for the servers.
#[derive(Debug)]
pub struct KeyChange {
    tx: Tx,
    change: Change,
}

impl KeyChange {
    /// Begins a transaction and draws the change's number, which makes it the only one under way.
    pub async fn begin(app: &App) -> Result<Self, Error> {
        let mut tx = app.db.begin().await?;
        let change = api_keys::next_change(&mut tx).await?;
        Ok(Self { tx, change })
    }

    /// Draws the number of another change in the same transaction.
    pub async fn next(&mut self) -> Result<(), Error> {
        self.change = api_keys::next_change(&mut self.tx).await?;
        Ok(())
    }

    /// The number that the keys are stamped with, and the transaction.
    pub fn parts(&mut self) -> (i64, &mut Tx) {
        (self.change.number, &mut self.tx)
    }

    /// Commits the change and waits until it holds on every server. A page waits only for a moment; the rest of the wait
    /// goes on without it.
    pub async fn commit(self, app: &App, owner: &Owner) -> Result<Effect, Error> {
        self.tx.commit().await?;
        settle(app, owner, self.change).await
    }

    /// Commits a change that no answer depends on.
    pub async fn commit_remark(self) -> Result<(), Error> {
        Ok(self.tx.commit().await?)
    }

    /// Gives up the change, because things are already as they should be, and waits until that holds on every server.
    pub async fn give_up(self, app: &App, owner: &Owner) -> Result<Effect, Error> {
        drop(self.tx);
        let latest = nodes::latest_change(&app.db).await?;
        settle(app, owner, latest).await
    }
}

async fn settle(app: &App, owner: &Owner, change: Change) -> Result<Effect, Error> {
    let waits = app.registry.acknowledgements().clone();
    // In a task of its own, so that it goes on if the caller goes away.
    let waiting = tokio::spawn(async move { waits.wait(change).await });
    let waited = if owner.origin().actor == Actor::Account {
        match tokio::time::timeout(OF_A_PAGE, waiting).await {
            Ok(waited) => waited,
            Err(_) => return Ok(Effect::Spreading),
        }
    } else {
        waiting.await
    };
    waited.map_err(Error::internal)??;
    Ok(Effect::Everywhere)
}

/// A change that does not hold on every server yet.
#[derive(Clone, Copy, Debug)]
pub struct Spreading {
    behind: i64,
    servers: i64,
    at_most: Duration,
}

impl Spreading {
    /// The number of servers that have not taken it in; 0 if it is not known which.
    pub fn behind(&self) -> i64 {
        self.behind
    }

    /// The number of servers.
    pub fn servers(&self) -> i64 {
        self.servers
    }

    /// The time after which it holds at the latest, in seconds, rounded up.
    pub fn seconds(&self) -> u64 {
        self.at_most.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX)
    }
}

/// How far the latest change to a key has come. `None` if its state holds on every server.
pub async fn spreading(app: &App, secret_id: &SecretId) -> Result<Option<Spreading>, Error> {
    let Some(spread) = nodes::spread(&app.db, secret_id).await? else { return Ok(None) };
    // Whoever made the change may have ended, and somebody has to wait.
    app.registry.acknowledgements().take_over(nodes::latest_change(&app.db).await?);
    let at_most = Duration::from_millis(spread.longest_ms.try_into().unwrap_or(0));
    Ok(Some(Spreading { behind: spread.behind, servers: spread.nodes, at_most }))
}
