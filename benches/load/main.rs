//! Requests per second at every entry point, next to a bare handler: `cargo bench --bench load [-- --postgres URL]`, or
//! `scripts/bench`.
//!
//! Each subject is a process of its own, on one core; wrk has another core. The subjects take turns for several rounds.
//! For each, the median over the rounds is printed, with the median of its ratios to the bare handler in the same
//! round, because the load of the machine changes from round to round.

mod lookup;

use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use axum::http::{HeaderMap, HeaderValue, header};
use clap::{Parser, Subcommand};
use latchkey::app::App;
use latchkey::config::{GivenSettings, Settings};
use latchkey::db;
use latchkey::keys::lifecycle;
use latchkey::signature::tc3::{self, SignedRequest};
use latchkey::types::clock::Clock;
use latchkey::types::id::{AppId, SecretId, Uin};
use latchkey::types::random;
use secrecy::SecretString;
use serde_json::json;

const CONNECTIONS: &str = "64";

/// Measures requests per second.
#[derive(Parser)]
struct Arguments {
    /// Measure on this PostgreSQL database as well; it must be empty.
    #[arg(long, value_name = "URL")]
    postgres: Option<String>,
    /// Measure only the subjects whose name contains this, and the bare handler.
    #[arg(long, default_value = "")]
    only: String,
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    #[arg(long, default_value_t = 3)]
    seconds: u32,
    /// Cores for the servers, in the syntax of taskset.
    #[arg(long, default_value = "0")]
    server_cores: String,
    /// Cores for wrk.
    #[arg(long, default_value = "1")]
    load_cores: String,
    /// Log filter of the servers, in the syntax of `RUST_LOG`; the log goes to a file that is not kept.
    #[arg(long, default_value = "warn")]
    log: String,
    /// Added by cargo.
    #[arg(long, hide = true)]
    bench: bool,
    #[command(subcommand)]
    serve: Option<Serve>,
}

/// The subcommands with which the benchmark starts itself.
#[derive(Subcommand)]
#[command(hide = true)]
enum Serve {
    ServeBare,
    ServeLookup { data: PathBuf, database: Option<String> },
}

fn main() {
    let arguments = Arguments::parse();
    match &arguments.serve {
        Some(Serve::ServeBare) => lookup::serve(lookup::bare()),
        Some(Serve::ServeLookup { data, database }) => lookup::serve_with(data, database.as_deref()),
        None => measure(&arguments),
    }
}

/// A measured process, with its name and the request that wrk sends to it.
struct Subject {
    name: String,
    address: SocketAddr,
    /// Signed again for each round, because a signature is valid for five minutes.
    call: Box<dyn Fn() -> Call>,
    rounds: Vec<Round>,
    server: Server,
}

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Call {
    method: &'static str,
    path: &'static str,
    body: String,
    headers: Vec<(String, String)>,
}

#[derive(Clone, Copy)]
struct Round {
    per_second: f64,
    p50: f64,
    p99: f64,
}

fn measure(arguments: &Arguments) {
    let dir = tempfile::tempdir().unwrap();
    let mut subjects = vec![bare(arguments, dir.path())];
    let wanted = |name: &str| name.contains(&arguments.only);
    let engines = [("SQLite", None), ("PostgreSQL", arguments.postgres.as_deref())];
    for (engine, database) in engines.into_iter().filter(|(engine, url)| *engine == "SQLite" || url.is_some()) {
        // On PostgreSQL, all sets of keys are in one database, which ends up with all of them.
        let counts: &[usize] = if database.is_some() { &[1, 100_000] } else { &[1, 1_000, 100_000] };
        for &keys in counts {
            let with_keys = format!("{engine}, {keys} keys");
            let one = keys == 1;
            let entry_points = [
                (format!("GetCallerIdentity, {with_keys}"), Some(EntryPoint::Action), true),
                (format!("look-up a request, {with_keys}"), None, one),
                (format!("/v1/verify, {with_keys}"), Some(EntryPoint::Verify), one),
                (format!("/forward-auth, {with_keys}"), Some(EntryPoint::ForwardAuth), one),
                (format!("guard, {with_keys}"), Some(EntryPoint::Guard), one),
            ];
            let entry_points: Vec<_> =
                entry_points.into_iter().filter(|(name, _, offered)| *offered && wanted(name)).collect();
            if entry_points.is_empty() {
                continue;
            }
            // A database has one master key.
            let data = dir.path().join(if database.is_some() { engine.to_owned() } else { format!("{engine}-{keys}") });
            let key = prepare(&data, database, keys);
            for (name, entry_point, _) in entry_points {
                subjects.push(match entry_point {
                    Some(entry_point) => {
                        product(arguments, name, &data, database, &key, entry_point, subjects[0].address)
                    }
                    None => looking_up(arguments, name, &data, database, &key),
                });
            }
        }
    }
    for round in 1..=arguments.rounds {
        for subject in &mut subjects {
            let measured = run_wrk(dir.path(), subject, arguments);
            eprintln!("round {round}: {:<42} {:>8.0}/s", subject.name, measured.per_second);
            subject.rounds.push(measured);
        }
    }
    print_table(&subjects);
}

fn print_table(subjects: &[Subject]) {
    println!("{:<42} {:>9} {:>7} {:>9} {:>9} {:>8}", "", "req/s", "ratio", "p50 ms", "p99 ms", "MiB");
    for subject in subjects {
        let per_second = median(subject, |round| round.per_second);
        let to_bare =
            subject.rounds.iter().zip(&subjects[0].rounds).map(|(own, bare)| own.per_second / bare.per_second);
        println!(
            "{:<42} {per_second:>9.0} {:>7.2} {:>9.2} {:>9.2} {:>8.1}",
            subject.name,
            median_of(to_bare.collect()),
            median(subject, |round| round.p50),
            median(subject, |round| round.p99),
            resident_mib(&subject.server.0),
        );
    }
}

fn median(subject: &Subject, of: impl Fn(&Round) -> f64) -> f64 {
    median_of(subject.rounds.iter().map(of).collect())
}

fn median_of(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The key pair that signs.
#[derive(Clone)]
struct Key {
    id: SecretId,
    secret: SecretString,
}

/// Creates `keys` keys in a database, two per account, and returns the first, which signs.
fn prepare(data: &Path, database: Option<&str>, keys: usize) -> Key {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let app = App::open(settings(data, database), Clock::system()).await.unwrap();
        let (mut signer, mut uin) = (None, Uin(0));
        let mut tx = app.db.begin().await.unwrap();
        // Each set begins at a number that no other set uses.
        for at in keys..2 * keys {
            if (at - keys).is_multiple_of(2) {
                uin = Uin(100_000_000_000 + i64::try_from(at).unwrap());
                let name = format!("account{at}");
                let app_id = AppId(1_000_000_000 + i64::try_from(at).unwrap());
                db::accounts::insert(&mut tx, uin, app_id, &name, &name, app.clock.now()).await.unwrap();
            }
            let (id, secret) = (SecretId::generate(), SecretString::from(random::alphanumeric(32)));
            let sealed = lifecycle::seal_secret(&app.vault, uin, &id, &secret).unwrap();
            let change = db::api_keys::next_change(&mut tx).await.unwrap().number;
            db::api_keys::insert(&mut tx, uin, &id, &sealed, None, app.clock.now(), change).await.unwrap();
            signer.get_or_insert(Key { id, secret });
        }
        tx.commit().await.unwrap();
        app.db.close().await;
        signer.unwrap()
    })
}

pub(crate) fn settings(data: &Path, database: Option<&str>) -> Settings {
    let given = GivenSettings {
        data_dir: Some(data.into()),
        database: database.map(|url| url.to_owned().into()),
        ..GivenSettings::default()
    };
    Settings::resolve(given).unwrap()
}

#[derive(Clone, Copy)]
enum EntryPoint {
    Action,
    ForwardAuth,
    Verify,
    Guard,
}

const TOKEN: &str = "a token for the benchmark only";

fn product(
    arguments: &Arguments,
    name: String,
    data: &Path,
    database: Option<&str>,
    key: &Key,
    entry_point: EntryPoint,
    upstream: SocketAddr,
) -> Subject {
    let tokens = data.join("tokens");
    std::fs::write(&tokens, TOKEN).unwrap();
    let mut command = pinned(arguments, env!("CARGO_BIN_EXE_latchkey"));
    command.arg("--data-dir").arg(data).args(["--console", "off", "--api-rate-limits", "false"]);
    command.arg("--verify-token-file").arg(&tokens);
    match entry_point {
        EntryPoint::Guard => command.args(["--api", "off", "--guard", "127.0.0.1:0", "--guard-upstream"]),
        _ => command.args(["--api", "127.0.0.1:0"]),
    };
    if let EntryPoint::Guard = entry_point {
        command.arg(format!("http://{upstream}"));
    }
    if let Some(database) = database {
        command.args(["--database", database]);
    }
    let (server, address) = start(command);
    let key = key.clone();
    let call = Box::new(move || match entry_point {
        EntryPoint::Action | EntryPoint::Guard => signed("POST", "/", "{}", &key, address),
        EntryPoint::ForwardAuth => signed("GET", "/forward-auth", "", &key, address),
        EntryPoint::Verify => verify_call(&key, address),
    });
    Subject { name, address, call, rounds: Vec::new(), server }
}

fn looking_up(arguments: &Arguments, name: String, data: &Path, database: Option<&str>, key: &Key) -> Subject {
    let mut command = pinned(arguments, std::env::current_exe().unwrap());
    command.arg("serve-lookup").arg(data).args(database);
    let (server, address) = start(command);
    let key = key.clone();
    let call = Box::new(move || signed("POST", "/", "{}", &key, address));
    Subject { name, address, call, rounds: Vec::new(), server }
}

fn bare(arguments: &Arguments, dir: &Path) -> Subject {
    let mut command = pinned(arguments, std::env::current_exe().unwrap());
    command.arg("serve-bare").current_dir(dir);
    let (server, address) = start(command);
    // Exactly the bytes that the other subjects are sent.
    let key = Key { id: SecretId::generate(), secret: "x".to_owned().into() };
    let call = Box::new(move || signed("POST", "/", "{}", &key, address));
    Subject { name: "a bare handler".to_owned(), address, call, rounds: Vec::new(), server }
}

fn pinned(arguments: &Arguments, program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new("taskset");
    command.args(["--cpu-list", &arguments.server_cores]).arg(program);
    command.env("RUST_LOG", &arguments.log).stderr(tempfile::tempfile().unwrap());
    command
}

fn start(mut command: Command) -> (Server, SocketAddr) {
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let (_, address) = line.trim().split_once(" http://").unwrap_or_else(|| panic!("{line:?}"));
    let address = address.parse().unwrap();
    (Server(child), address)
}

fn signed(method: &'static str, path: &'static str, body: &str, key: &Key, address: SocketAddr) -> Call {
    let now = Clock::system().now();
    let timestamp = now.seconds().to_string();
    let mut headers = HeaderMap::new();
    headers.insert(header::HOST, HeaderValue::from_str(&address.to_string()).unwrap());
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let payload_sha256 = tc3::payload_hash(false, body.as_bytes());
    let request = SignedRequest {
        method,
        path,
        query: "",
        headers: &headers,
        payload_sha256: &payload_sha256,
        timestamp: &timestamp,
    };
    let authorization = tc3::authorize(&request, key.id.as_str(), &key.secret, &now.utc_date(), "sts").unwrap();
    let headers = [
        ("Content-Type", "application/json"),
        ("X-TC-Action", "GetCallerIdentity"),
        ("X-TC-Version", "2018-08-13"),
        ("X-TC-Timestamp", &timestamp),
        ("Authorization", &authorization),
    ];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    Call { method, path, body: body.to_owned(), headers }
}

/// The request of a back end that was sent the signed call.
fn verify_call(key: &Key, address: SocketAddr) -> Call {
    let inner = signed("POST", "/", "{}", key, address);
    let mut headers: serde_json::Map<String, serde_json::Value> =
        inner.headers.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    headers.insert("Host".to_owned(), json!(address.to_string()));
    let question =
        json!({ "method": "POST", "uri": "/", "headers": headers, "body_sha256": tc3::payload_hash(false, b"{}") });
    let headers = [("Content-Type", "application/json"), ("Authorization", &format!("Bearer {TOKEN}"))];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    Call { method: "POST", path: "/v1/verify", body: question.to_string(), headers }
}

fn run_wrk(dir: &Path, subject: &Subject, arguments: &Arguments) -> Round {
    let Subject { address, .. } = subject;
    let call = (subject.call)();
    let script = dir.join("call.lua");
    let quoted = |text: &str| format!("[==[{text}]==]");
    let mut lua = format!("wrk.method = {}\nwrk.body = {}\n", quoted(call.method), quoted(&call.body));
    for (name, value) in &call.headers {
        let _ = writeln!(lua, "wrk.headers[ {} ] = {}", quoted(name), quoted(value));
    }
    lua.push_str(
        "function done(summary, latency) io.write(string.format('FIGURES %d %d %d %d %d\\n', summary.requests, \
         summary.duration, latency:percentile(50), latency:percentile(99), summary.errors.status)) end\n",
    );
    std::fs::write(&script, lua).unwrap();
    let output = Command::new("taskset")
        .args([
            "--cpu-list",
            &arguments.load_cores,
            "wrk",
            "-t1",
            "-c",
            CONNECTIONS,
            "-d",
            &arguments.seconds.to_string(),
            "-s",
        ])
        .arg(&script)
        .arg(format!("http://{address}{}", call.path))
        .output()
        .expect("wrk must be installed");
    let text = String::from_utf8(output.stdout).unwrap();
    let figures: Vec<f64> = text
        .lines()
        .find_map(|line| line.strip_prefix("FIGURES "))
        .unwrap_or_else(|| panic!("{text}"))
        .split(' ')
        .map(|figure| figure.parse().unwrap())
        .collect();
    let [requests, micros, p50, p99, errors] = figures[..] else { panic!("{text}") };
    assert!(errors == 0.0, "{}: {text}", subject.name);
    Round { per_second: requests / micros * 1e6, p50: p50 / 1000.0, p99: p99 / 1000.0 }
}

fn resident_mib(server: &Child) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or("VmRSS: 0 kB");
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}
