//! The nodes: servers that check requests by leases, and which changes they have taken in. Only PostgreSQL has nodes, so
//! these statements are not for SQLite.

use std::time::Duration;

use sqlx::FromRow;
use sqlx::postgres::{PgListener, PgPoolOptions};

use super::freshness::{Change, Reader};
use super::{Db, within};
use crate::types::clock::Timestamp;
use crate::types::id::SecretId;
use crate::types::random;

/// The notification of a change to a key, sent with its commit. It is only a hint, and has no content.
const CHANGED: &str = "latchkey_change";
/// The notification of a node that has taken in a change. A hint, too.
const SEEN: &str = "latchkey_seen";

/// Raises the change number and, if there are leases, wakes the nodes.
pub(super) const RAISE_AND_WAKE: &str = "update key_change set number = number + 1, mark = $1 where id = 1
    returning number, (select pg_notify('latchkey_change', '')::text from lease_term where id = 1 and longest_ms > 0)";

/// What identifies the incarnation of the database. Every way in which a database goes back changes it: a standby that
/// is promoted begins a timeline and is another process, a restored disk needs a restart, and a restored dump has another
/// table of nodes, or another file of it. An ordinary restart changes it as well, which costs a wait.
macro_rules! incarnation {
    () => {
        "(substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)
            || '-' || (extract(epoch from pg_postmaster_start_time()) * 1000000)::bigint
            || '-' || 'node'::regclass::oid || '-' || pg_relation_filenode('node'::regclass))"
    };
}

/// The condition that a node has not taken in change `$1`: neither it nor a later one of the same history.
macro_rules! behind {
    ($number:literal) => {
        concat!(
            "(node.seen_number < ",
            $number,
            " or not exists (select 1 from key_history
                where key_history.number = node.seen_number and key_history.mark = node.seen_mark))"
        )
    };
}

/// What a node says of itself when it registers.
#[derive(Clone, Debug)]
pub struct Introduction {
    /// Its name, for people.
    pub name: String,
    /// How long its leases are.
    pub lease: Duration,
}

/// The answer to a renewal.
#[derive(Clone, Copy, Debug, FromRow)]
pub struct Renewed {
    /// The latest change.
    #[sqlx(flatten)]
    pub latest: Change,
    /// `true` if another node has not taken in the latest change, or if the registrations may be incomplete: somebody
    /// has to wait for that to pass.
    pub unsettled: bool,
    /// The number of nodes.
    pub nodes: i64,
}

/// Who has taken in a change, at one moment.
#[derive(Clone, Debug)]
pub struct Standing {
    /// `true` if the change is part of the history. Otherwise the database has lost it.
    pub kept: bool,
    /// `true` if the registrations are known to be complete.
    pub settled: bool,
    /// The incarnation of the database.
    pub incarnation: String,
    /// The longest lease that was ever given.
    pub longest: Duration,
    /// The number of nodes.
    pub nodes: i64,
    /// The nodes that have not taken in the change.
    pub behind: Vec<Behind>,
}

/// A node that has not taken in a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Behind {
    /// The registration.
    pub id: i64,
    /// The node's name.
    pub name: String,
    /// How long its leases are.
    pub lease: Duration,
    /// The number of its renewals so far.
    pub renewals: i64,
}

impl Reader {
    /// Registers a node, and returns the registration. A node without a lease lacks nothing, so the row says that it
    /// has seen the latest change.
    pub async fn register(&mut self, node: &Introduction, now: Timestamp) -> sqlx::Result<i64> {
        let id = random::number_in(1..=i64::MAX);
        // One statement is one transaction: whoever sees the row sees the length of its leases as well.
        let statement = "with raised as (update lease_term set longest_ms = $4 where id = 1 and longest_ms < $4)
            insert into node (id, name, version, lease_ms, renewals, seen_number, seen_mark, started_at, renewed_at)
            select $1, $2, $3, $4, 0, number, mark, $5, $5 from key_change where id = 1";
        sqlx::query(statement)
            .bind(id)
            .bind(&node.name)
            .bind(env!("CARGO_PKG_VERSION"))
            .bind(millis(node.lease))
            .bind(now)
            .execute(self.postgres()?)
            .await?;
        Ok(id)
    }

    /// Renews a node's lease and reads the latest change, in one statement that sees one moment. `seen` is what the node
    /// has taken in before. Returns `None` if the node is not registered.
    pub async fn renew(&mut self, id: i64, seen: Option<Change>, now: Timestamp) -> sqlx::Result<Option<Renewed>> {
        let statement = concat!(
            "update node as mine set renewals = renewals + 1, renewed_at = $2, seen_number = coalesce($3, seen_number),
                seen_mark = coalesce($4, seen_mark)
            from key_change, lease_term
            where mine.id = $1 and key_change.id = 1 and lease_term.id = 1
            returning key_change.number, key_change.mark, (select count(*) from node) as nodes,
                lease_term.incarnation <> ",
            incarnation!(),
            " or exists (select 1 from node where node.id <> $1 and ",
            behind!("key_change.number"),
            ") as unsettled"
        );
        sqlx::query_as(statement)
            .bind(id)
            .bind(now)
            .bind(seen.map(|seen| seen.number))
            .bind(seen.map(|seen| seen.mark))
            .fetch_optional(self.postgres()?)
            .await
    }

    /// Says what a node has taken in, and wakes those who wait for that.
    pub async fn say_seen(&mut self, id: i64, seen: Change) -> sqlx::Result<()> {
        let statement = "update node set seen_number = $2, seen_mark = $3 where id = $1
            returning pg_notify('latchkey_seen', '')::text";
        sqlx::query(statement).bind(id).bind(seen.number).bind(seen.mark).execute(self.postgres()?).await.map(drop)
    }

    /// Removes a node that has no lease any more.
    pub async fn unregister(&mut self, id: i64) -> sqlx::Result<()> {
        let statement = "with gone as (delete from node where id = $1) select pg_notify('latchkey_seen', '')::text";
        sqlx::query(statement).bind(id).execute(self.postgres()?).await.map(drop)
    }
}

/// A row of [`standing`]. The columns of the node are null if every node has taken in the change.
#[derive(FromRow)]
struct StandingRow {
    kept: i64,
    incarnation: String,
    settled: bool,
    longest_ms: i64,
    nodes: i64,
    id: Option<i64>,
    name: Option<String>,
    lease_ms: Option<i64>,
    renewals: Option<i64>,
}

/// Who has taken in `change`. Returns `None` if there was never a lease. `own` is the length of this process's leases,
/// which the database may have forgotten.
pub async fn standing(db: &Db, change: Change, own: Duration) -> sqlx::Result<Option<Standing>> {
    let Db::Postgres(pool) = db else { return Ok(None) };
    // Without leases, nothing is asked of the database that it may not know.
    let statement = concat!(
        "select kept, term.incarnation, term.incarnation = settled_in as settled, longest_ms,
            (select count(*) from node) as nodes, node.id, node.name, node.lease_ms, node.renewals
        from (select greatest(lease_term.longest_ms, $3) as longest_ms, lease_term.incarnation as settled_in,
                (select count(*) from key_history where number = $1 and mark = $2) as kept,
                case when greatest(lease_term.longest_ms, $3) = 0 then '' else ",
        incarnation!(),
        " end as incarnation from lease_term where lease_term.id = 1) as term left join node on ",
        behind!("$1")
    );
    let read = sqlx::query_as(statement).bind(change.number).bind(change.mark).bind(millis(own)).fetch_all(pool);
    let rows: Vec<StandingRow> = within(db.patience(), read).await?;
    let first = rows.first().ok_or(sqlx::Error::RowNotFound)?;
    if first.longest_ms == 0 {
        return Ok(None);
    }
    let mut standing = Standing {
        kept: first.kept > 0,
        settled: first.settled,
        incarnation: first.incarnation.clone(),
        longest: span(first.longest_ms),
        nodes: first.nodes,
        behind: Vec::new(),
    };
    standing.behind.extend(rows.into_iter().filter_map(|row| {
        Some(Behind { id: row.id?, name: row.name?, lease: span(row.lease_ms?), renewals: row.renewals? })
    }));
    Ok(Some(standing))
}

/// The latest change, outside a transaction.
pub async fn latest_change(db: &Db) -> sqlx::Result<Change> {
    super::on!(db, pool => sqlx::query_as("select number, mark from key_change where id = 1").fetch_one(pool).await)
}

/// Strikes off a node that has not renewed its lease since `behind` was read. Returns `false` if it has, or if the
/// database is in another incarnation, in which the number of renewals may have been lost and reached again.
pub async fn strike_off(db: &Db, behind: &Behind, incarnation: &str) -> sqlx::Result<bool> {
    let Db::Postgres(pool) = db else { return Ok(false) };
    let statement = concat!("delete from node where id = $1 and renewals = $2 and $3 = ", incarnation!());
    let struck = sqlx::query(statement).bind(behind.id).bind(behind.renewals).bind(incarnation).execute(pool);
    within(db.patience(), struck).await.map(|done| done.rows_affected() == 1)
}

/// Notes that the registrations are complete, if the database is still in this incarnation.
pub async fn settle(db: &Db, incarnation: &str) -> sqlx::Result<()> {
    let Db::Postgres(pool) = db else { return Ok(()) };
    let statement = concat!("update lease_term set incarnation = $1 where id = 1 and $1 = ", incarnation!());
    within(db.patience(), sqlx::query(statement).bind(incarnation).execute(pool)).await.map(drop)
}

/// A node, as lists show it.
#[derive(Clone, Debug, FromRow)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// The version of its program.
    pub version: String,
    /// How long its leases are, in milliseconds.
    pub lease_ms: i64,
    /// The number of changes that it has not taken in.
    pub lag: i64,
    /// When it registered.
    pub started_at: Timestamp,
    /// When it last renewed its lease, by its own clock.
    pub renewed_at: Timestamp,
}

/// All nodes, in the order of their names.
pub async fn list(db: &Db) -> sqlx::Result<Vec<Node>> {
    let Db::Postgres(pool) = db else { return Ok(Vec::new()) };
    let statement = "select name, version, lease_ms, started_at, renewed_at,
            greatest(key_change.number - node.seen_number, 0) as lag
        from node, key_change where key_change.id = 1 order by name, started_at, node.id";
    within(db.patience(), sqlx::query_as(statement).fetch_all(pool)).await
}

/// Who has not taken in a key's latest change.
#[derive(Clone, Copy, Debug, FromRow)]
pub struct Spread {
    /// The number of nodes that have not. None, if registrations may be missing.
    pub behind: i64,
    /// The number of all nodes.
    pub nodes: i64,
    /// The longest lease, in milliseconds.
    pub longest_ms: i64,
}

/// How far a key's latest change has spread. `None` if it holds on every server.
pub async fn spread(db: &Db, secret_id: &SecretId) -> sqlx::Result<Option<Spread>> {
    let Db::Postgres(pool) = db else { return Ok(None) };
    let statement = concat!(
        "select behind, nodes, longest_ms from (
            select lease_term.longest_ms, lease_term.incarnation, (select count(*) from node) as nodes,
                (select count(*) from node where ",
        behind!("api_key.change_number"),
        ") as behind
            from api_key, lease_term where api_key.secret_id = $1 and lease_term.id = 1 and longest_ms > 0) as spread
        where behind > 0 or incarnation <> ",
        incarnation!()
    );
    within(db.patience(), sqlx::query_as(statement).bind(secret_id).fetch_optional(pool)).await
}

/// What a notification is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A key has changed.
    Changed,
    /// A node has taken in a change.
    Seen,
    /// The connection was lost, and notifications with it.
    Missed,
}

/// A connection that receives notifications.
#[derive(Debug)]
pub struct Notices(PgListener);

impl Notices {
    /// Opens a connection of its own. Returns `None` on SQLite.
    pub async fn open(db: &Db) -> sqlx::Result<Option<Self>> {
        let Db::Postgres(pool) = db else { return Ok(None) };
        let own = PgPoolOptions::new().max_connections(1).acquire_timeout(super::OF_A_COMMAND);
        let own = own.connect_lazy_with(pool.connect_options().as_ref().clone());
        let mut listener = PgListener::connect_with(&own).await?;
        listener.listen_all([CHANGED, SEEN]).await?;
        Ok(Some(Self(listener)))
    }

    /// The next notification.
    pub async fn next(&mut self) -> sqlx::Result<Notice> {
        Ok(match self.0.try_recv().await? {
            Some(notification) if notification.channel() == SEEN => Notice::Seen,
            Some(_) => Notice::Changed,
            None => Notice::Missed,
        })
    }
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

fn span(millis: i64) -> Duration {
    Duration::from_millis(millis.try_into().unwrap_or(0))
}
