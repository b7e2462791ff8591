//! The time that every page takes at the server, with a million records and 90 days of calls: `cargo bench --bench
//! pages [-- --postgres URL]`, or `scripts/bench pages`.
//!
//! Fills a fresh database, starts the real server on it, and asks for every GET route of the console's table again and
//! again, one request at a time. The time is from sending the request to the last byte of the response, at a client on
//! the same machine. The download of all records is timed separately.

mod fill;
#[path = "../visitor/mod.rs"]
mod visitor;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use clap::Parser;
use latchkey::app::App;
use latchkey::config::{GivenSettings, Settings};
use latchkey::console::frame::urls;
use latchkey::console::{Who, routes};
use latchkey::db::records::Position;
use latchkey::types::clock::{Clock, Timestamp};
use latchkey::types::id::SecretId;
use reqwest::Method;

use crate::fill::{Filled, NAME, SPAN};
use crate::visitor::{PASSWORD, Server, Visitor, percentile};

/// The goal for the p99 of every page.
const GOAL_MS: f64 = 50.0;

/// Measures pages.
#[derive(Parser)]
struct Arguments {
    /// Measure on this PostgreSQL database as well; it must be empty.
    #[arg(long, value_name = "URL")]
    postgres: Option<String>,
    /// The number of requests for each page.
    #[arg(long, default_value_t = 300)]
    rounds: usize,
    /// The number of records.
    #[arg(long, default_value_t = 1_000_000)]
    records: u32,
    /// Added by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

/// A page and its figures.
struct Measured {
    page: String,
    status: u16,
    kib: usize,
    p50: f64,
    p99: f64,
}

#[tokio::main]
async fn main() {
    let arguments = Arguments::parse();
    let mut engines = vec![("SQLite", measure(&arguments, None).await)];
    if let Some(url) = &arguments.postgres {
        engines.push(("PostgreSQL", measure(&arguments, Some(url)).await));
    }
    print_table(&engines);
}

/// Fills a database, and measures every page on it.
async fn measure(arguments: &Arguments, database: Option<&str>) -> Vec<Measured> {
    let dir = tempfile::tempdir().unwrap();
    let given = GivenSettings {
        data_dir: Some(dir.path().into()),
        database: database.map(|url| url.to_owned().into()),
        ..GivenSettings::default()
    };
    let clock = Clock::manual(Clock::system().now().minus(SPAN));
    let app = App::open(Settings::resolve(given).unwrap(), clock.clone()).await.unwrap();
    let begun = Instant::now();
    let filled = fill::fill(&app, &clock, arguments.records).await;
    eprintln!("filled in {:.0} s", begun.elapsed().as_secs_f64());
    app.db.close().await;
    drop(app);

    let server = Server::start(dir.path(), database);
    let mut visitors = Visitors::arrive(&server, &filled).await;
    let measured = measure_pages(arguments, &filled, &mut visitors).await;
    download(&mut visitors.signed_in).await;
    eprintln!("{:.0} MiB resident", server.mib("VmRSS:"));
    measured
}

/// A visitor at each stage that a route can require.
struct Visitors {
    anybody: Visitor,
    enrolling: Visitor,
    half_way: Visitor,
    signed_in: Visitor,
    /// Signed in, in the middle of replacing the authenticator and of adding a passkey.
    changing: Visitor,
}

impl Visitors {
    async fn arrive(server: &Server, filled: &Filled) -> Self {
        let client = Visitor::client();
        let visitor = || Visitor::new(&client, &server.base);
        // Each code works once. The server accepts the code of the step before and of the step after as well.
        let now = whole_step().await;
        let step = Duration::from_secs(30);
        let [before, at, after] = [now.minus(step), now, now.plus(step)].map(|at| filled.seed.code_at(at));
        let mut signed_in = visitor();
        signed_in.sign_in(NAME, &before).await;
        let mut changing = visitor();
        changing.sign_in(NAME, &at).await;
        let proof = [("password", PASSWORD), ("code", &*after)];
        changing.submit(urls::AUTHENTICATOR, urls::AUTHENTICATOR, &proof, urls::NEW_AUTHENTICATOR).await;
        changing.submit(urls::SECURITY, urls::ADD_PASSKEY, &[], urls::NEW_PASSKEY).await;
        let mut half_way = visitor();
        half_way.give_password(NAME).await;
        let mut enrolling = visitor();
        let fields = [("token", &*filled.setup), ("name", "second"), ("password", PASSWORD), ("again", PASSWORD)];
        let link = format!("{}?token={}", urls::SETUP, filled.setup);
        enrolling.submit(&link, urls::SETUP, &fields, urls::SETUP_AUTHENTICATOR).await;
        Self { anybody: visitor(), enrolling, half_way, signed_in, changing }
    }

    fn at(&mut self, path: &str, who: Who) -> &mut Visitor {
        match who {
            _ if [urls::NEW_AUTHENTICATOR, urls::NEW_PASSKEY].contains(&path) => &mut self.changing,
            Who::Anybody => &mut self.anybody,
            Who::Enrolling => &mut self.enrolling,
            Who::PasswordAccepted => &mut self.half_way,
            Who::SignedIn => &mut self.signed_in,
        }
    }
}

/// The current time, once at least ten seconds of its step are left.
async fn whole_step() -> Timestamp {
    let into = Clock::system().now().seconds() % 30;
    if into > 20 {
        tokio::time::sleep(Duration::from_secs(u64::try_from(31 - into).unwrap())).await;
    }
    Clock::system().now()
}

/// A route, what is shown of it, and the address to ask for.
struct Asked {
    route: &'static str,
    who: Who,
    page: String,
    address: String,
}

/// Every page, with what it can be asked for.
fn asked(filled: &Filled, handle: &str) -> Vec<Asked> {
    let Filled { enabled, disabled, refused, setup, .. } = filled;
    let mut all = Vec::new();
    // The download is timed by itself, and the stream of new calls has no end.
    let pages = routes().into_iter().filter(|route| ![urls::RECORDS_CSV, urls::CALLS].contains(&route.path));
    for route in pages.filter(|route| route.method == Method::GET) {
        let mut ask = |key: &SecretId, shown: &str, query: String| {
            let address = route.path.replace("{secret_id}", key.as_str()).replace("{handle}", handle);
            let page = format!("{}{shown}", route.path);
            all.push(Asked { route: route.path, who: route.who, page, address: format!("{address}{query}") });
        };
        match route.path {
            urls::SETUP => ask(enabled, "", format!("?token={setup}")),
            urls::ENABLE_KEY | urls::DELETE_KEY => ask(disabled, "", String::new()),
            _ => ask(enabled, "", String::new()),
        }
        match route.path {
            urls::KEY | urls::ROTATE_KEY => ask(disabled, ", disabled", String::new()),
            urls::REFUSED => ask(enabled, ", a call", format!("?request_id={refused}")),
            _ => {}
        }
        let more = match route.path {
            urls::KEY => calls_queries(),
            urls::RECORDS => records_queries(enabled),
            _ => Vec::new(),
        };
        for (shown, query) in more {
            ask(enabled, shown, query);
        }
    }
    all
}

/// What the calls of a key can be asked for.
fn calls_queries() -> Vec<(&'static str, String)> {
    vec![
        (", by hour", "?by=hour".to_owned()),
        (", refused calls", "?result=refused".to_owned()),
        (", calls from an address", "?address=198.51.100.9".to_owned()),
        (", no call matches", "?address=203.0.113.9&result=refused".to_owned()),
    ]
}

/// What the records can be asked for.
fn records_queries(key: &SecretId) -> Vec<(&'static str, String)> {
    let now = Clock::system().now();
    let middle = now.minus(SPAN / 2);
    let at = |at| Position { at, number: 0 };
    vec![
        (", page in the middle", format!("?before={}", at(middle))),
        (", last page", format!("?after={}", Position::FIRST)),
        (", a day", format!("?from={0}&to={0}", middle.utc_date())),
        (", an event", "?event=key.disable".to_owned()),
        (", an event that never occurred", "?event=account.recover".to_owned()),
        (", a result", "?result=refused".to_owned()),
        (", a result, last page", format!("?result=refused&after={}", Position::FIRST)),
        (", an event with a result", "?event=sign-in&result=done".to_owned()),
        (", a key", format!("?key={key}")),
        (", a key, last page", format!("?key={key}&after={}", Position::FIRST)),
        (", a key with an event", format!("?key={key}&event=key.enable")),
        (", a key with a rare event", format!("?key={key}&event=key.create")),
        (", a key with an event that never occurred", format!("?key={key}&event=key.delete")),
        (", a key nobody has", format!("?key=AKID{}", "0".repeat(32))),
        (", all filters", format!("?key={key}&event=key.enable&result=done&from={0}&to={0}", middle.utc_date())),
    ]
}

async fn measure_pages(arguments: &Arguments, filled: &Filled, visitors: &mut Visitors) -> Vec<Measured> {
    let security = visitors.signed_in.get(urls::SECURITY).await.body;
    let handle = security.split("/cam/security/sessions/").find_map(|rest| rest.split_once("/end\"")).unwrap().0;
    let asked = asked(filled, handle);
    let mut taken: BTreeMap<usize, Vec<Duration>> = BTreeMap::new();
    let mut measured = Vec::new();
    // All pages in turn, so that each of them meets the same caches and the same load of the machine.
    for round in 0..=arguments.rounds {
        for (at, Asked { route, who, page, address }) in asked.iter().enumerate() {
            let visitor = visitors.at(route, *who);
            let begun = Instant::now();
            let answer = visitor.get(address).await;
            let took = begun.elapsed();
            if round == 0 {
                let (status, kib) = (answer.status, answer.body.len().div_ceil(1024));
                measured.push(Measured { page: page.clone(), status, kib, p50: 0.0, p99: 0.0 });
            } else {
                assert_eq!(answer.status, measured[at].status, "{page}");
                taken.entry(at).or_default().push(took);
            }
        }
    }
    for (measured, taken) in measured.iter_mut().zip(taken.values_mut()) {
        (measured.p50, measured.p99) = (percentile(taken, 50), percentile(taken, 99));
    }
    measured
}

/// Downloads all records.
async fn download(visitor: &mut Visitor) {
    let begun = Instant::now();
    let csv = visitor.get(urls::RECORDS_CSV).await;
    assert_eq!(csv.status, 200);
    let (lines, bytes, took) = (csv.body.lines().count(), csv.body.len() / 1_000_000, begun.elapsed().as_secs_f64());
    eprintln!("{}: {lines} lines, {bytes} MB in {took:.1} s", urls::RECORDS_CSV);
}

fn print_table(engines: &[(&str, Vec<Measured>)]) {
    let names: Vec<String> = engines.iter().map(|(name, _)| format!(" {name} p50, p99 ms |")).collect();
    println!("| page | status | KiB |{}\n|---|---|---|{}", names.concat(), "---|".repeat(engines.len()));
    let mut slow = 0;
    for (at, Measured { page, status, kib, .. }) in engines[0].1.iter().enumerate() {
        print!("| `{page}` | {status} | {kib} |");
        for (_, measured) in engines {
            let Measured { p50, p99, .. } = &measured[at];
            print!(" {p50:.1}, {p99:.1} |");
            slow += usize::from(*p99 > GOAL_MS);
        }
        println!();
    }
    println!("\n{slow} figures above the goal of {GOAL_MS} ms");
}
