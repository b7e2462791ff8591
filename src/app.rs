//! The parts of a running server.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use zeroize::Zeroizing;

use crate::audit::AuditLog;
use crate::check::call_rates::CallRates;
use crate::check::checker::Checker;
use crate::check::readiness::Readiness;
use crate::check::registry::{Leasing, Registry};
use crate::check::usage::UsageRecorder;
use crate::config::Settings;
use crate::db::sealed::DATA_KEY;
use crate::db::{Db, installation};
use crate::http::body::BodyBudget;
use crate::master_key;
use crate::metrics::Metrics;
use crate::secret::password::PasswordHasher;
use crate::secret::token::TokenDigest;
use crate::secret::vault::{Sealed, Vault};
use crate::start_error::StartError;
use crate::types::boot_clock::BootClock;
use crate::types::clock::Clock;
use crate::types::error::Error;
use crate::types::random;

/// Everything that a request may need. Clones share it.
#[derive(Clone, Debug)]
pub struct App(Arc<Parts>);

/// The parts of an [`App`].
#[derive(Debug)]
pub struct Parts {
    /// The settings that the server was started with.
    pub settings: Settings,
    /// The database.
    pub db: Db,
    /// Seals and opens the secrets at rest.
    pub vault: Arc<Vault>,
    /// The keys in memory, behind the freshness barrier.
    pub registry: Registry,
    /// Checks signed requests.
    pub checker: Checker,
    /// Hashes passwords on dedicated threads.
    pub hasher: PasswordHasher,
    /// Tells the time.
    pub clock: Clock,
    /// The audit log.
    pub audit: AuditLog,
    /// Records the usage of keys.
    pub usage: UsageRecorder,
    /// Digests of the tokens that callers of `/v1/verify` present.
    pub verify_tokens: Vec<TokenDigest>,
    /// The memory budget for the bodies of signed requests.
    pub body_budget: BodyBudget,
    /// The rate limits on API calls.
    pub call_rates: CallRates,
    /// Authenticates form tokens.
    pub form_key: FormKey,
    /// The server's metrics.
    pub metrics: Metrics,
    /// The server's readiness.
    pub readiness: Readiness,
    /// `true` once the server has been told to stop. Load balancers are then asked to send requests elsewhere.
    pub stopping: AtomicBool,
}

/// The key that authenticates form tokens.
pub struct FormKey(pub(crate) Zeroizing<Vec<u8>>);

impl std::fmt::Debug for FormKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FormKey")
    }
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl App {
    /// Opens the database, brings its schema up to date, opens the vault, checks that the two belong together, and
    /// starts the background tasks.
    pub async fn open(settings: Settings, clock: Clock) -> Result<Self, StartError> {
        Self::open_by(settings, clock, BootClock::system()).await
    }

    /// The same, with leases by the given clock.
    pub async fn open_by(settings: Settings, clock: Clock, boot_clock: BootClock) -> Result<Self, StartError> {
        let verify_tokens = settings.verify_tokens()?;
        let url = settings.database_url()?;
        let database = Db::open(&url, settings.patience).await.map_err(|cause| settings.could_not_open(cause))?;
        database.migrate().await.map_err(|cause| settings.could_not_open(cause))?;
        let vault = master_key::open(&settings, &database, &clock).await?;

        let audit_key = data_key(&database, &vault, "audit").await?;
        let form_key = FormKey(data_key(&database, &vault, "form").await?);
        let audit = AuditLog::new(audit_key, clock.clone());
        let metrics = Metrics::default();
        let usage = UsageRecorder::start(database.clone(), metrics.clone());
        let hasher = PasswordHasher::start();
        let call_rates = CallRates::new(clock.clone());
        let vault = Arc::new(vault);
        let leasing = Leasing { length: settings.lease, name: name_of_process(), boot_clock, clock: clock.clone() };
        let registry = Registry::start(database.clone(), vault.clone(), metrics.clone(), leasing);
        let checker = Checker::new(registry.clone(), usage.clone(), metrics.clone(), clock.clone());
        Ok(Self(Arc::new(Parts {
            settings,
            db: database,
            vault,
            registry,
            checker,
            hasher,
            clock,
            audit,
            usage,
            call_rates,
            verify_tokens,
            body_budget: BodyBudget::default(),
            form_key,
            metrics,
            readiness: Readiness::default(),
            stopping: AtomicBool::new(false),
        })))
    }

    /// Closes every connection to the database. On SQLite, closing the last one copies the write-ahead log into the
    /// database file.
    pub async fn close(&self) {
        self.registry.close().await;
        self.db.close().await;
    }
}

/// The name of this process among the nodes: the machine's, and the number of the process.
fn name_of_process() -> String {
    format!("{}/{}", rustix::system::uname().nodename().to_string_lossy(), std::process::id())
}

/// Opens the audit log and its database for reading only: nothing is created, and the schema stays as it is.
pub async fn open_audit(settings: &Settings) -> Result<(Db, AuditLog), StartError> {
    let database = settings.existing_database().await?;
    database.check_schema().await.map_err(|cause| settings.could_not_open(cause))?;
    let vault = master_key::open_existing(settings, &database).await?;
    let audit = audit_of(&database, &vault).await?;
    Ok((database, audit))
}

/// The audit log of a database, for reading only.
pub async fn audit_of(database: &Db, vault: &Vault) -> Result<AuditLog, Error> {
    let stored = installation::data_key(database, "audit").await?;
    Ok(AuditLog::new(open_data_key(vault, "audit", stored)?, Clock::system()))
}

/// One of the product's own keys, which is created on first use. The first process to store it decides for all.
async fn data_key(database: &Db, vault: &Vault, name: &'static str) -> Result<Zeroizing<Vec<u8>>, Error> {
    let mut stored = installation::data_key(database, name).await?;
    if stored.is_none() {
        let key = Zeroizing::new(random::bytes::<32>());
        let mut tx = database.begin().await?;
        let sealed = master_key::seal(vault, &mut tx, DATA_KEY.place(name, None), key.as_slice()).await?;
        installation::insert_data_key(&mut tx, name, &sealed).await?;
        tx.commit().await?;
        stored = installation::data_key(database, name).await?;
    }
    open_data_key(vault, name, stored)
}

fn open_data_key(vault: &Vault, name: &'static str, stored: Option<Sealed>) -> Result<Zeroizing<Vec<u8>>, Error> {
    let sealed = stored.ok_or_else(|| Error::internal("one of the product's own keys is missing"))?;
    Ok(vault.open(DATA_KEY.place(name, None), &sealed)?)
}
