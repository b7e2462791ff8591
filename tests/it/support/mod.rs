//! Starts the product, and simulates the people and programs that use it.

pub mod browser;
pub mod forwarder;
pub mod html;
pub mod owner;
pub mod passkey;
pub mod process;
pub mod signer;
pub mod walk;

use std::net::SocketAddr;
use std::time::Duration;

use latchkey::app::App;
use latchkey::config::{GivenSettings, Settings};
use latchkey::db::Db;
use latchkey::serve::{self, Listeners};
use latchkey::types::boot_clock::BootClock;
use latchkey::types::clock::{Clock, Timestamp};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub use browser::{Browser, Page};
pub use owner::Owner;

/// Generates two tests from one, `…::sqlite` and `…::postgres`: `#[apply(on_both_engines!)] async fn name(engine:
/// Engine) { … }`.
macro_rules! on_both_engines {
    ($(#[$meta:meta])* async fn $name:ident($engine:ident: $type:ty) $body:block) => {
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            $(#[$meta])*
            async fn check($engine: $type) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                check(crate::support::Engine::Sqlite).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                check(crate::support::Engine::Postgres).await;
            }
        }
    };
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

/// A new database and a directory for the master key, shared by all processes of an installation.
pub struct Store {
    pub dir: TempDir,
    pub database: Option<String>,
}

impl Store {
    pub async fn new(engine: Engine) -> Self {
        let dir = TempDir::new().unwrap();
        let database = match engine {
            Engine::Sqlite => None,
            Engine::Postgres => Some(new_postgres_database().await),
        };
        Self { dir, database }
    }

    pub fn given(&self) -> GivenSettings {
        GivenSettings {
            data_dir: Some(self.dir.path().join("data")),
            database: self.database.clone().map(Into::into),
            console: Some("127.0.0.1:0".parse().unwrap()),
            api: Some("127.0.0.1:0".parse().unwrap()),
            // The tests' clock stands still, so the rates would never refill.
            api_rate_limits: Some(false),
            ..GivenSettings::default()
        }
    }

    /// Opens the database itself, to look behind the scenes.
    pub async fn db(&self) -> Db {
        let file = self.dir.path().join("data/latchkey.db");
        let url = self.database.clone().unwrap_or_else(|| format!("sqlite:{}", file.display()));
        Db::open(&url, latchkey::db::OF_A_REQUEST).await.unwrap()
    }
}

/// The same database, reached through a forwarder.
pub async fn behind_forwarder(database: &str) -> (forwarder::Forwarder, String) {
    let mut url: url::Url = database.parse().unwrap();
    let way = forwarder::Forwarder::to(&format!("{}:{}", url.host_str().unwrap(), url.port().unwrap())).await;
    url.set_port(Some(way.address.port())).unwrap();
    (way, url.to_string())
}

/// Changes the database directly.
pub async fn statement(db: &Db, statement: &str) {
    let statement = sqlx::AssertSqlSafe(statement.to_owned());
    match db {
        Db::Sqlite(pool, _) => sqlx::query(statement).execute(pool).await.map(drop),
        Db::Postgres(pool) => sqlx::query(statement).execute(pool).await.map(drop),
    }
    .unwrap();
}

async fn new_postgres_database() -> String {
    use sqlx::{Connection, Executor};
    #[expect(clippy::disallowed_methods, reason = "the tests' own setting")]
    let Ok(admin) = std::env::var("LATCHKEY_TEST_POSTGRES") else {
        eprintln!("this test needs PostgreSQL: run scripts/postgres in another terminal, and here what it prints");
        // The line above says everything, so print no source location and no backtrace.
        std::panic::resume_unwind(Box::new("no PostgreSQL"));
    };
    let name = format!("test_{}", latchkey::types::random::alphanumeric(12).to_lowercase());
    let mut connection = sqlx::PgConnection::connect(&admin).await.unwrap();
    connection.execute(sqlx::AssertSqlSafe(format!("create database {name}"))).await.unwrap();
    let (server, _) = admin.rsplit_once('/').unwrap();
    format!("{server}/{name}")
}

/// A running product, with a clock that the test sets.
pub struct Product {
    pub app: App,
    pub clock: Clock,
    pub console: SocketAddr,
    pub api: SocketAddr,
    pub guard: Option<SocketAddr>,
    pub metrics: Option<SocketAddr>,
    stop: Option<oneshot::Sender<()>>,
    task: Option<JoinHandle<()>>,
    /// Kept so that the data lives as long as the product.
    pub store: std::sync::Arc<Store>,
}

/// The machine may be busy, or stand still for a while, and its speed is not what is tested.
fn unhurried(given: GivenSettings) -> Settings {
    let mut settings = Settings::resolve(given).unwrap();
    settings.patience = Duration::from_mins(2);
    settings
}

pub const START: Timestamp = Timestamp(1_800_000_000_000);

impl Product {
    pub async fn start(engine: Engine) -> Self {
        Self::start_with(engine, |given| given).await
    }

    pub async fn start_on(store: Store) -> Self {
        let given = store.given();
        Self::run(store.into(), unhurried(given), Clock::manual(START)).await
    }

    /// Starts a product that waits for its database only as long as a server does.
    pub async fn start_impatient(engine: Engine) -> Self {
        let store = std::sync::Arc::new(Store::new(engine).await);
        let settings = Settings::resolve(store.given()).unwrap();
        Self::run(store, settings, Clock::manual(START)).await
    }

    pub async fn start_with(engine: Engine, change: impl FnOnce(GivenSettings) -> GivenSettings) -> Self {
        let store = std::sync::Arc::new(Store::new(engine).await);
        let given = change(store.given());
        Self::run(store, unhurried(given), Clock::manual(START)).await
    }

    /// Starts another process of the same installation, with the same clock.
    pub async fn sibling(&self) -> Self {
        self.sibling_with(|given| given).await
    }

    /// Starts another process with different settings.
    pub async fn sibling_with(&self, change: impl FnOnce(GivenSettings) -> GivenSettings) -> Self {
        let settings = unhurried(change(self.store.given()));
        Self::run(self.store.clone(), settings, self.clock.clone()).await
    }

    /// Starts a process with leases of ten seconds on PostgreSQL, by a clock that the test sets.
    pub async fn start_node(store: std::sync::Arc<Store>, boot_clock: BootClock) -> Self {
        let given = GivenSettings { lease: Some("10s".parse().unwrap()), ..store.given() };
        let settings = unhurried(given);
        Self::run_by(store, settings, Clock::manual(START), boot_clock).await
    }

    async fn run(store: std::sync::Arc<Store>, settings: Settings, clock: Clock) -> Self {
        Self::run_by(store, settings, clock, BootClock::system()).await
    }

    async fn run_by(store: std::sync::Arc<Store>, settings: Settings, clock: Clock, boot_clock: BootClock) -> Self {
        let tls = serve::load_tls(&settings).unwrap();
        let listeners = Listeners::bind(&settings).unwrap();
        let console = listeners.console.as_ref().unwrap().address;
        let api = listeners.api.as_ref().unwrap().address;
        let guard = listeners.guard.as_ref().map(|bound| bound.address);
        let metrics = listeners.metrics.as_ref().map(|bound| bound.address);
        let app = App::open_by(settings, clock.clone(), boot_clock).await.unwrap();
        let (stop, stopped) = oneshot::channel();
        let running = app.clone();
        let task = tokio::spawn(async move {
            let stopped = async {
                let _ = stopped.await;
            };
            serve::run(running, listeners, tls, stopped).await.unwrap();
        });
        Self { app, clock, console, api, guard, metrics, stop: Some(stop), task: Some(task), store }
    }

    /// The console's URL.
    pub fn url(&self) -> String {
        format!("http://localhost:{}", self.console.port())
    }

    pub fn browser(&self) -> Browser {
        Browser::new(self.url())
    }

    pub async fn owner(&self, name: &str) -> Owner {
        Owner::create(self, name).await
    }

    /// Creates an owner and signs them in.
    pub async fn signed_in(&self, name: &str) -> (Owner, Browser) {
        let mut owner = self.owner(name).await;
        let browser = owner.sign_in(self).await;
        (owner, browser)
    }

    /// The listed calls of a key, newest first.
    pub async fn calls(&self, secret_id: &str) -> Vec<latchkey::db::calls::CallRow> {
        let (id, all) = (secret_id.parse().unwrap(), latchkey::db::calls::CallFilter::default());
        latchkey::db::calls::latest(&self.app.db, &id, &all, Timestamp(0), None, 1000).await.unwrap()
    }

    pub fn advance(&self, span: Duration) {
        self.clock.advance(span);
    }

    /// Stops the product, and waits until everything is written.
    pub async fn stop(mut self) {
        let _ = self.stop.take().unwrap().send(());
        self.task.take().unwrap().await.unwrap();
    }
}

/// Changes the database directly.
pub async fn execute(db: &latchkey::db::Db, statement: &str) {
    let statement = sqlx::AssertSqlSafe(statement.to_owned());
    match db {
        latchkey::db::Db::Sqlite(pool, _) => sqlx::raw_sql(statement).execute(pool).await.map(drop),
        latchkey::db::Db::Postgres(pool) => sqlx::raw_sql(statement).execute(pool).await.map(drop),
    }
    .unwrap();
}
