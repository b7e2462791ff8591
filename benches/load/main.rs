//! Requests a second through every door, next to a bare handler: `cargo bench --bench load [-- POSTGRES_URL]`, or
//! `scripts/bench`, which brings wrk and a PostgreSQL.
//!
//! Each subject is a process of its own, on one core; wrk has the other. Subjects take turns, several rounds each, and
//! the medians of the rounds are printed with their ratio to the bare handler of the same run.

mod lookup;

use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use axum::http::{HeaderMap, HeaderValue, header};
use latchkey::clock::Clock;
use latchkey::config::{GivenSettings, Settings};
use latchkey::id::{AppId, SecretId, Uin};
use latchkey::secret::token;
use latchkey::signature::v3::{self, SignedRequest};
use latchkey::state::App;
use latchkey::{api_key, db};
use secrecy::SecretString;
use serde_json::json;

const CONNECTIONS: &str = "64";
const ROUNDS: usize = 5;
const SECONDS: &str = "3";
const SERVER_CORE: &str = "0";
const LOAD_CORE: &str = "1";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["serve-bare"] => lookup::serve(lookup::bare()),
        ["serve-lookup", data, database] => {
            lookup::serve_with(data, Some(*database).filter(|url| !url.is_empty()));
        }
        rest => measure(rest.first().copied()),
    }
}

/// What is measured: a name, the process, and what wrk sends it.
struct Subject {
    name: String,
    address: SocketAddr,
    call: Call,
    rounds: Vec<Round>,
    _server: Server,
}

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[derive(Clone)]
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

fn measure(postgres: Option<&str>) {
    let dir = tempfile::tempdir().unwrap();
    let mut subjects = vec![bare(dir.path())];
    for keys in [1, 1_000, 100_000] {
        let data = dir.path().join(format!("sqlite-{keys}"));
        let key = prepare(&data, None, keys);
        subjects.push(product(&format!("GetCallerIdentity, SQLite, {keys} keys"), &data, None, &key, Door::Action));
        if keys == 1 {
            subjects.push(looking_up("look-up a request, SQLite", &data, None, &key));
            subjects.push(product("/forward-auth, SQLite", &data, None, &key, Door::ForwardAuth));
            subjects.push(product("/v1/verify, SQLite", &data, None, &key, Door::Verify));
        }
    }
    if let Some(url) = postgres {
        let data = dir.path().join("postgres");
        let key = prepare(&data, Some(url), 1);
        subjects.push(product("GetCallerIdentity, PostgreSQL, 1 key", &data, Some(url), &key, Door::Action));
        subjects.push(looking_up("look-up a request, PostgreSQL", &data, Some(url), &key));
    }
    for round in 0..ROUNDS {
        for subject in &mut subjects {
            let measured = run_wrk(dir.path(), subject);
            eprintln!("round {} of {ROUNDS}: {:<40} {:>8.0}/s", round + 1, subject.name, measured.per_second);
            subject.rounds.push(measured);
        }
    }
    print_table(&subjects);
}

fn print_table(subjects: &[Subject]) {
    let bare = median(&subjects[0], |round| round.per_second);
    println!("{:<40} {:>9} {:>7} {:>9} {:>9}", "", "req/s", "ratio", "p50 ms", "p99 ms");
    for subject in subjects {
        let per_second = median(subject, |round| round.per_second);
        println!(
            "{:<40} {per_second:>9.0} {:>7.2} {:>9.2} {:>9.2}",
            subject.name,
            per_second / bare,
            median(subject, |round| round.p50),
            median(subject, |round| round.p99)
        );
    }
}

fn median(subject: &Subject, of: impl Fn(&Round) -> f64) -> f64 {
    let mut values: Vec<f64> = subject.rounds.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The pair that signs.
struct Key {
    id: SecretId,
    secret: SecretString,
}

/// A database with this many keys, two an account; the first one signs.
fn prepare(data: &Path, database: Option<&str>, keys: usize) -> Key {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let app = App::open(settings(data, database), Clock::system()).await.unwrap();
        let (mut signer, mut uin) = (None, Uin(0));
        let mut tx = app.db.begin().await.unwrap();
        for at in 0..keys {
            if at % 2 == 0 {
                uin = Uin(100_000_000_000 + i64::try_from(at).unwrap());
                let name = format!("account{at}");
                let app_id = AppId(1_000_000_000 + i64::try_from(at).unwrap());
                db::accounts::insert(&mut tx, uin, app_id, &name, &name, app.clock.now()).await.unwrap();
            }
            let (id, secret) = (SecretId::generate(), SecretString::from(token::alphanumeric(32)));
            let sealed = api_key::seal_secret(&app.vault, &id, &secret).unwrap();
            let change = db::api_keys::next_change_number(&mut tx).await.unwrap();
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
enum Door {
    Action,
    ForwardAuth,
    Verify,
}

const TOKEN: &str = "a token for the benchmark only";

fn product(name: &str, data: &Path, database: Option<&str>, key: &Key, door: Door) -> Subject {
    let tokens = data.join("tokens");
    std::fs::write(&tokens, TOKEN).unwrap();
    let mut command = pinned(env!("CARGO_BIN_EXE_latchkey"));
    command.arg("--data-dir").arg(data).args([
        "--console",
        "off",
        "--api",
        "127.0.0.1:0",
        "--api-rate-limits",
        "false",
    ]);
    command.arg("--verify-token-file").arg(&tokens).env("RUST_LOG", "warn");
    if let Some(database) = database {
        command.args(["--database", database]);
    }
    let (server, address) = start(command);
    let call = match door {
        Door::Action => signed("POST", "/", "{}", key, address),
        Door::ForwardAuth => signed("GET", "/forward-auth", "", key, address),
        Door::Verify => verify_call(key, address),
    };
    eprintln!("{name}: {:.1} MiB resident at the start", resident_mib(&server.0));
    Subject { name: name.to_owned(), address, call, rounds: Vec::new(), _server: server }
}

fn looking_up(name: &str, data: &Path, database: Option<&str>, key: &Key) -> Subject {
    let mut command = pinned(std::env::current_exe().unwrap());
    command.arg("serve-lookup").arg(data).arg(database.unwrap_or_default());
    let (server, address) = start(command);
    let call = signed("POST", "/", "{}", key, address);
    Subject { name: name.to_owned(), address, call, rounds: Vec::new(), _server: server }
}

fn bare(dir: &Path) -> Subject {
    let mut command = pinned(std::env::current_exe().unwrap());
    command.arg("serve-bare").current_dir(dir);
    let (server, address) = start(command);
    // The very bytes that the others are sent.
    let key = Key { id: SecretId::generate(), secret: "x".to_owned().into() };
    let call = signed("POST", "/", "{}", &key, address);
    Subject { name: "a bare handler".to_owned(), address, call, rounds: Vec::new(), _server: server }
}

fn pinned(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new("taskset");
    command.args(["--cpu-list", SERVER_CORE]).arg(program);
    command
}

fn start(mut command: Command) -> (Server, SocketAddr) {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("api http://").unwrap_or_else(|| panic!("{line:?}")).parse().unwrap();
    (Server(child), address)
}

fn signed(method: &'static str, path: &'static str, body: &str, key: &Key, address: SocketAddr) -> Call {
    let now = Clock::system().now();
    let timestamp = now.seconds().to_string();
    let mut headers = HeaderMap::new();
    headers.insert(header::HOST, HeaderValue::from_str(&address.to_string()).unwrap());
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let payload_sha256 = v3::payload_hash(false, body.as_bytes());
    let request = SignedRequest {
        method,
        path,
        query: "",
        headers: &headers,
        payload_sha256: &payload_sha256,
        timestamp: &timestamp,
    };
    let authorization = v3::authorize(&request, key.id.as_str(), &key.secret, &now.utc_date(), "sts").unwrap();
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

/// The question of a back end that was sent the signed call.
fn verify_call(key: &Key, address: SocketAddr) -> Call {
    let inner = signed("POST", "/", "{}", key, address);
    let mut headers: serde_json::Map<String, serde_json::Value> =
        inner.headers.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    headers.insert("Host".to_owned(), json!(address.to_string()));
    let question =
        json!({ "method": "POST", "uri": "/", "headers": headers, "body_sha256": v3::payload_hash(false, b"{}") });
    let headers = [("Content-Type", "application/json"), ("Authorization", &format!("Bearer {TOKEN}"))];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    Call { method: "POST", path: "/v1/verify", body: question.to_string(), headers }
}

fn run_wrk(dir: &Path, subject: &Subject) -> Round {
    let Subject { call, address, .. } = subject;
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
        .args(["--cpu-list", LOAD_CORE, "wrk", "-t1", "-c", CONNECTIONS, "-d", SECONDS, "-s"])
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
