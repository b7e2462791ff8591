//! Sign-ins per second, and their effect on other requests: `cargo bench --bench sign_in [-- DATABASE_URL]`.
//!
//! Creates accounts in a fresh database, starts the real server on it, signs in to each account once (password and
//! code, 32 at a time) while another client keeps requesting a page, and prints the figures.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use latchkey::app::App;
use latchkey::config::{GivenSettings, Settings};
use latchkey::operate::accounts;
use latchkey::secret::totp::Seed;
use latchkey::types::clock::Clock;
use reqwest::Client;
use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};

const ACCOUNTS: usize = 1500;
const AT_ONCE: usize = 32;
const PASSWORD: &str = "a quiet blue lantern";

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

    let (server, base) = start(dir.path(), database.as_deref());
    let idle = resident_mib(&server);
    let mut calm = probe(&base, Duration::from_secs(3)).await;
    let figures = sign_in_all(&base, accounts).await;
    let peak = peak_mib(&server);
    stop(server);

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
                let client = Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap();
                while let Some((name, seed)) = accounts.get(next.fetch_add(1, Ordering::Relaxed)) {
                    sign_in(&client, &base, name, seed).await;
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

async fn sign_in(client: &Client, base: &str, name: &str, seed: &Seed) {
    let mut cookies = Vec::new();
    let password = [("name", name), ("password", PASSWORD)];
    submit(client, base, "/login", &mut cookies, &password, "/login/code").await;
    let code = seed.code_at(Clock::system().now());
    submit(client, base, "/login/code", &mut cookies, &[("kind", "totp"), ("code", &code)], "/cam/capi").await;
}

async fn submit(
    client: &Client,
    base: &str,
    path: &str,
    cookies: &mut Vec<String>,
    fields: &[(&str, &str)],
    leads_to: &str,
) {
    let page = client.get(format!("{base}{path}")).header(COOKIE, cookies.join("; ")).send().await.unwrap();
    keep(cookies, &page);
    let body = page.text().await.unwrap();
    let token = body.split("name=\"form_token\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let form: Vec<(&str, &str)> = [("form_token", token)].iter().chain(fields).copied().collect();
    let request = client.post(format!("{base}{path}")).header(COOKIE, cookies.join("; ")).form(&form);
    let done = request.send().await.unwrap();
    keep(cookies, &done);
    assert_eq!(done.headers().get(LOCATION).map(|to| to.to_str().unwrap()), Some(leads_to), "{}", done.status());
}

fn keep(cookies: &mut Vec<String>, response: &reqwest::Response) {
    for cookie in response.headers().get_all(SET_COOKIE) {
        let pair = cookie.to_str().unwrap().split(';').next().unwrap();
        let name = pair.split('=').next().unwrap();
        cookies.retain(|kept| !kept.starts_with(&format!("{name}=")));
        cookies.push(pair.to_owned());
    }
}

/// Requests a page again and again, and returns how long each response took.
async fn probe(base: &str, span: Duration) -> Vec<Duration> {
    let client = Client::builder().no_proxy().build().unwrap();
    let started = Instant::now();
    let mut taken = Vec::new();
    while started.elapsed() < span {
        let asked = Instant::now();
        client.get(format!("{base}/login")).send().await.unwrap().bytes().await.unwrap();
        taken.push(asked.elapsed());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    taken
}

fn percentile(taken: &mut [Duration], percent: usize) -> f64 {
    taken.sort_unstable();
    taken[(taken.len() * percent / 100).min(taken.len() - 1)].as_secs_f64() * 1000.0
}

fn start(dir: &std::path::Path, database: Option<&str>) -> (Child, String) {
    use std::io::{BufRead, BufReader};
    let mut command = Command::new(env!("CARGO_BIN_EXE_latchkey"));
    command.arg("--data-dir").arg(dir).args(["--console", "127.0.0.1:0", "--api", "off"]).stderr(Stdio::null());
    if let Some(database) = database {
        command.args(["--database", database]);
    }
    let mut server = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.strip_prefix("console ").unwrap().trim().to_owned();
    (server, address)
}

fn stop(mut server: Child) {
    server.kill().unwrap();
    server.wait().unwrap();
}

fn resident_mib(server: &Child) -> f64 {
    status_mib(server, "VmRSS:")
}

fn peak_mib(server: &Child) -> f64 {
    status_mib(server, "VmHWM:")
}

fn status_mib(server: &Child, field: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}
