//! Sign-ins per second, and their effect on other requests: `cargo bench --bench sign_in [-- DATABASE_URL]`.
//!
//! Creates accounts in a fresh database, starts the real server on it, signs in to each account once (password and
//! code, 32 at a time) while another client keeps requesting a page, and prints the figures.

mod visitor;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use latchkey::app::App;
use latchkey::config::{GivenSettings, Settings};
use latchkey::operate::accounts;
use latchkey::secret::totp::Seed;
use latchkey::types::clock::Clock;

use crate::visitor::{PASSWORD, Server, Visitor, percentile};

const ACCOUNTS: usize = 1500;
const AT_ONCE: usize = 32;

#[tokio::main]
async fn main() {
    let database = std::env::args().skip(1).find(|argument| argument.contains(':'));
    let dir = tempfile::tempdir().unwrap();
    let given = GivenSettings {
        data_dir: Some(dir.path().into()),
        database: database.clone().map(Into::into),
        ..Default::default()
    };
    let app = App::open(Settings::resolve(given).unwrap(), Clock::system()).await.unwrap();
    let mut accounts = Vec::new();
    for at in 0..ACCOUNTS {
        let name = format!("account{at}");
        let made = accounts::create_complete(&app, &name, PASSWORD.to_owned().into()).await.unwrap();
        accounts.push((name, made.seed));
    }
    app.db.close().await;

    let server = Server::start(dir.path(), database.as_deref());
    let idle = server.mib("VmRSS:");
    let mut calm = probe(&server.base, Duration::from_secs(3)).await;
    let figures = sign_in_all(&server.base, accounts).await;
    let peak = server.mib("VmHWM:");
    drop(server);

    println!("sign-ins           {:.0}/s ({ACCOUNTS} in {:.1} s, {AT_ONCE} at a time)", figures.rate, figures.seconds);
    println!("other pages, calm  p50 {:.2} ms  p99 {:.2} ms", percentile(&mut calm, 50), percentile(&mut calm, 99));
    let mut busy = figures.pages;
    println!("other pages, busy  p50 {:.2} ms  p99 {:.2} ms", percentile(&mut busy, 50), percentile(&mut busy, 99));
    println!("resident memory    {idle:.1} MiB idle, {peak:.1} MiB at most");
}

struct Figures {
    rate: f64,
    seconds: f64,
    pages: Vec<Duration>,
}

async fn sign_in_all(base: &str, accounts: Vec<(String, Seed)>) -> Figures {
    let (accounts, next) = (Arc::new(accounts), Arc::new(AtomicUsize::new(0)));
    let started = Instant::now();
    let workers: Vec<_> = (0..AT_ONCE)
        .map(|_| {
            let (accounts, next, base) = (accounts.clone(), next.clone(), base.to_owned());
            tokio::spawn(async move {
                let client = Visitor::client();
                while let Some((name, seed)) = accounts.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let code = seed.code_at(Clock::system().now());
                    Visitor::new(&client, &base).sign_in(name, &code).await;
                }
            })
        })
        .collect();
    let probing = {
        let (base, next) = (base.to_owned(), next.clone());
        tokio::spawn(async move {
            let mut pages = Vec::new();
            while next.load(Ordering::Relaxed) < ACCOUNTS {
                pages.extend(probe(&base, Duration::from_millis(200)).await);
            }
            pages
        })
    };
    for worker in workers {
        worker.await.unwrap();
    }
    let seconds = started.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
    let rate = ACCOUNTS as f64 / seconds;
    Figures { rate, seconds, pages: probing.await.unwrap() }
}

/// Requests a page again and again, and returns how long each response took.
async fn probe(base: &str, span: Duration) -> Vec<Duration> {
    let mut visitor = Visitor::new(&Visitor::client(), base);
    let started = Instant::now();
    let mut taken = Vec::new();
    while started.elapsed() < span {
        let asked = Instant::now();
        visitor.get("/login").await;
        taken.push(asked.elapsed());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    taken
}
