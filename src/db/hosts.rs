//! PostgreSQL's hosts: finding the one that accepts writes, at the start and after a failover.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{Connection as _, PgConnection};
use tokio::time::MissedTickBehavior;

use super::address::Address;
use super::{AT_START, OpenError};

/// The time limit for one of several hosts, so that the others are tried in time.
const HOST_PATIENCE: Duration = Duration::from_secs(2);
/// The number of connections in a pool.
const MOST: u32 = 8;
/// The interval at which the elected one of several hosts is asked whether it still accepts writes.
const LOOK_EVERY: Duration = Duration::from_secs(1);

impl Address {
    /// The options for the first suitable host, in the order of the address. If there is no choice, no host is asked.
    pub async fn elect(&self) -> Result<PgConnectOptions, OpenError> {
        if let ([only], false) = (&self.hosts[..], self.writable) {
            return Ok(only.clone());
        }
        let mut why = Vec::new();
        for host in &self.hosts {
            let name = name_of(host);
            match tokio::time::timeout(HOST_PATIENCE, self.will_do(host)).await {
                Ok(Ok(true)) => return Ok(host.clone()),
                Ok(Ok(false)) => why.push(format!("{name} does not take writes")),
                Ok(Err(error)) => why.push(format!("{name}: {}", OpenError::from(error))),
                Err(_) => why.push(format!("{name} did not answer within {} s", HOST_PATIENCE.as_secs())),
            }
        }
        Err(OpenError::NoHost(why.join("; ")))
    }

    async fn will_do(&self, host: &PgConnectOptions) -> sqlx::Result<bool> {
        let mut connection = PgConnection::connect_with(host).await?;
        let suits = self.suits(&mut connection).await?;
        connection.close().await?;
        Ok(suits)
    }

    async fn suits(&self, connection: &mut PgConnection) -> sqlx::Result<bool> {
        if self.writable { takes_writes(connection).await } else { connection.ping().await.map(|()| true) }
    }

    /// Opens a pool of connections to the suitable host, whichever that is over time. `patience` is the time limit for
    /// a statement.
    pub async fn pool(self, patience: Duration) -> Result<PgPool, OpenError> {
        let host = self.elect().await?;
        let pool = match self.open(patience, &host).await {
            // The pool has kept trying, and does not report what the cause was.
            Err(OpenError::Engine(sqlx::Error::PoolTimedOut)) => return Err(why_no_connection(&host).await),
            opened => opened?,
        };
        if self.hosts.len() > 1 {
            tokio::spawn(self.follow(pool.clone(), host));
        }
        Ok(pool)
    }

    async fn open(&self, patience: Duration, host: &PgConnectOptions) -> Result<PgPool, OpenError> {
        let pool = |most, patience| {
            let options = PgPoolOptions::new().max_connections(most).acquire_timeout(patience);
            if self.writable { options.after_connect(|c, _| Box::pin(only_writable(c))) } else { options }
        };
        if patience >= AT_START {
            return Ok(pool(MOST, patience).connect_with(host.clone()).await?);
        }
        // The start may take longer than a request.
        let first = pool(2, AT_START).connect_with(host.clone()).await?;
        keeps_statements(&first).await?;
        first.close().await;
        // Two connections are kept open, so that a database on which connecting is slow is slow only once.
        Ok(pool(MOST, patience).min_connections(2).connect_lazy_with(host.clone()))
    }

    /// Makes the pool open its connections to the suitable host, for as long as the pool is open. Existing connections
    /// end with the server that they lead to: PostgreSQL becomes a standby only by restarting.
    async fn follow(self, pool: PgPool, mut elected: PgConnectOptions) {
        let mut watched: Option<PgConnection> = None;
        let mut tick = tokio::time::interval(LOOK_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = pool.close_event() => return,
                _ = tick.tick() => {}
            }
            if let Some(connection) = &mut watched
                && matches!(tokio::time::timeout(HOST_PATIENCE, self.suits(connection)).await, Ok(Ok(true)))
            {
                continue;
            }
            watched = None;
            let host = match self.elect().await {
                Ok(host) => host,
                Err(error) => {
                    tracing::warn!(%error, "the database has no server to write to");
                    continue;
                }
            };
            if name_of(&host) != name_of(&elected) {
                tracing::warn!(
                    host = name_of(&host),
                    before = name_of(&elected),
                    "another server of the database takes writes"
                );
            }
            let connected = tokio::time::timeout(HOST_PATIENCE, PgConnection::connect_with(&host)).await;
            watched = connected.ok().and_then(Result::ok);
            pool.set_connect_options(host.clone());
            elected = host;
        }
    }
}

fn name_of(host: &PgConnectOptions) -> String {
    host.get_socket()
        .map_or_else(|| format!("{}:{}", host.get_host(), host.get_port()), |path| path.display().to_string())
}

async fn only_writable(connection: &mut PgConnection) -> sqlx::Result<()> {
    if takes_writes(connection).await? {
        return Ok(());
    }
    Err(sqlx::Error::Protocol("the server does not take writes".to_owned()))
}

/// Checks that statements prepared on one connection do not get in the way of others. Behind a pooler that gives each
/// transaction another connection, their names clash. It is better to fail now than now and then.
async fn keeps_statements(pool: &PgPool) -> Result<(), OpenError> {
    let (mut one, mut other) = (pool.acquire().await?, pool.acquire().await?);
    for connection in [&mut one, &mut other] {
        sqlx::query("select 1").execute(&mut **connection).await?;
    }
    Ok(())
}

/// Returns `true` if the server accepts writes. A standby does not, whatever it is asked.
async fn takes_writes(connection: &mut PgConnection) -> sqlx::Result<bool> {
    let read_only: String = sqlx::query_scalar("show transaction_read_only").fetch_one(connection).await?;
    Ok(read_only == "off")
}

/// Opens a connection outside the pool to find out the cause, which the pool does not report.
async fn why_no_connection(options: &PgConnectOptions) -> OpenError {
    match tokio::time::timeout(AT_START, PgConnection::connect_with(options)).await {
        Ok(Ok(_)) => OpenError::Engine(sqlx::Error::PoolTimedOut),
        Ok(Err(cause)) => cause.into(),
        Err(_) => OpenError::Silent(name_of(options)),
    }
}
