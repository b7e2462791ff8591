//! The inputs, outputs and errors of the command line.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use latchkey::db::Db;
use serde_json::Value;

use crate::support::process::{Server, failure, latchkey, run};
use crate::support::{Engine, Store};

fn printed(output: Output) -> String {
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(output.status.success(), "{said}");
    said
}

fn with(store: &Store, arguments: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = latchkey(store, arguments);
    command.envs(variables.iter().copied());
    command
}

async fn statement(store: &Store, statement: &'static str) {
    match store.db().await {
        Db::Sqlite(pool, _) => sqlx::query(statement).execute(&pool).await.map(drop).unwrap(),
        Db::Postgres(pool) => sqlx::query(statement).execute(&pool).await.map(drop).unwrap(),
    }
}

#[apply(on_both_engines!)]
async fn what_an_account_lacks_is_said(engine: Engine) {
    let store = Store::new(engine).await;
    let created =
        run(latchkey(&store, &["account", "create", "root", "--password-stdin", "--json"]), "a quiet blue lantern");
    assert!(created.status.success());
    let list = || printed(run(latchkey(&store, &["account", "list"]), ""));
    assert!(list().contains("never"), "{}", list());
    printed(run(latchkey(&store, &["account", "reset-mfa", "root"]), ""));
    assert!(list().contains("second factor to be set up"), "{}", list());
    printed(run(latchkey(&store, &["account", "create", "second"]), ""));
    assert!(list().contains("not set up"), "{}", list());
}

#[apply(on_both_engines!)]
async fn looking_at_the_chain_changes_nothing(engine: Engine) {
    let store = Store::new(engine).await;
    printed(run(latchkey(&store, &["account", "create", "root"]), ""));
    let intact = run(latchkey(&store, &["audit", "verify", "--json"]), "");
    let intact: Value = serde_json::from_slice(&intact.stdout).unwrap();
    assert_eq!((&intact["intact"], &intact["records"]), (&true.into(), &2.into()));

    statement(&store, "update audit_record set action = 'sign-in' where number = 2").await;
    let broken = run(latchkey(&store, &["audit", "verify", "--json"]), "");
    assert_eq!(broken.status.code(), Some(3));
    let broken: Value = serde_json::from_slice(&broken.stdout).unwrap();
    assert_eq!((&broken["intact"], &broken["broken_at"]), (&false.into(), &2.into()));

    statement(&store, "delete from _sqlx_migrations").await;
    let said = failure(latchkey(&store, &["audit", "verify"]), 1);
    assert!(said.contains("older than this program") && said.contains("latchkey migrate"), "{said}");
    let again = failure(latchkey(&store, &["audit", "verify"]), 1);
    assert_eq!(said, again, "the schema is as it was");
}

#[apply(on_both_engines!)]
async fn an_empty_database_is_not_made_one_of_ours_by_looking(engine: Engine) {
    let store = Store::new(engine).await;
    let said = failure(latchkey(&store, &["audit", "verify"]), 1);
    let why = if engine == Engine::Sqlite { "there is no database" } else { "not a database of Latchkey" };
    assert!(said.contains(why), "{said}");
    assert!(!store.dir.path().join("data").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn variables_that_are_empty_count_as_unset() {
    let store = Store::new(Engine::Sqlite).await;
    let empty = [("LATCHKEY_CONSOLE", ""), ("LATCHKEY_TRUSTED_PROXY", ""), ("LATCHKEY_SESSION_IDLE", "")];
    printed(run(with(&store, &["migrate"], &empty), ""));
    let wrong = failure(with(&store, &["account", "list"], &[("LATCHKEY_SESSION_IDLE", "soon")]), 2);
    assert!(wrong.contains("length of time"), "{wrong}");
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_taken_before_and_after_a_command() {
    let store = Store::new(Engine::Sqlite).await;
    for arguments in [["--session-idle", "13h", "key", "list"], ["key", "list", "--session-idle", "13h"]] {
        let said = failure(latchkey(&store, &arguments), 1);
        assert!(said.contains("--session-max"), "{said}");
    }
    printed(run(latchkey(&store, &["migrate", "--trusted-proxy", "127.0.0.1,10.0.0.0/8,::1"]), ""));
    let said = failure(latchkey(&store, &["--trusted-proxy", "localhost"]), 2);
    assert!(said.contains("an address or a network"), "{said}");
    let said = failure(latchkey(&store, &["--console", "off", "--api", "off"]), 1);
    assert!(said.contains("all listeners are off"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn help_shows_what_matters_and_completions_know_it() {
    let store = Store::new(Engine::Sqlite).await;
    let help = |arguments: &[&str]| printed(run(latchkey(&store, arguments), ""));
    for command in ["key", "account", "audit", "master-key", "backup", "restore", "migrate"] {
        let help = help(&[command, "--help"]);
        assert!(help.contains("--data-dir") && !help.contains("--session-idle"), "{help}");
    }
    for arguments in [["serve", "--help"].as_slice(), &["serve", "-h"], &["--help"]] {
        assert!(help(arguments).contains("--session-idle"), "{arguments:?}");
    }
    assert!(help(&["--help"]).contains("Exit status:"));
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = help(&["completions", shell]);
        assert!(script.contains("master-key") && script.contains("session-idle"), "{shell}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_opened_is_not_called_a_directory() {
    let store = Store::new(Engine::Sqlite).await;
    std::fs::create_dir_all(store.dir.path().join("data/latchkey.db")).unwrap();
    let said = failure(latchkey(&store, &["migrate"]), 1);
    assert!(said.contains("cannot open the database file") && said.contains("latchkey.db"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_master_key_may_be_a_credential() {
    let store = Store::new(Engine::Sqlite).await;
    printed(run(latchkey(&store, &["migrate"]), ""));
    let credentials = store.dir.path().join("credentials");
    std::fs::create_dir(&credentials).unwrap();
    let given = [("CREDENTIALS_DIRECTORY", credentials.to_str().unwrap())];
    // The credential is missing, and the key is in the data directory.
    printed(run(with(&store, &["account", "list"], &given), ""));
    let (key, credential) = (store.dir.path().join("data/master.key"), credentials.join("latchkey.master.key"));
    std::fs::rename(&key, &credential).unwrap();
    std::fs::set_permissions(&credential, std::fs::Permissions::from_mode(0o440)).unwrap();
    let quiet = run(with(&store, &["account", "list"], &given), "");
    assert_eq!(String::from_utf8(quiet.stderr).unwrap(), "");
    let named = [given[0], ("LATCHKEY_MASTER_KEY_FILE", credential.to_str().unwrap())];
    let quiet = run(with(&store, &["account", "list"], &named), "");
    assert_eq!(String::from_utf8(quiet.stderr).unwrap(), "");
    // In any other place, the same mode causes a warning.
    let warned = printed(run(with(&store, &["account", "list"], &named[1..]), ""));
    assert!(warned.contains("users other than its owner can read"), "{warned}");
    let said = failure(with(&store, &["master-key", "rotate"], &given), 1);
    assert!(said.contains("credential latchkey.master.key") && said.contains("version 2"), "{said}");

    std::fs::remove_file(&credential).unwrap();
    let said = failure(with(&store, &["account", "list"], &given), 1);
    assert!(said.contains("no credential latchkey.master.key in"), "{said}");
    assert!(!key.exists(), "no new key is made for an old database");
}

#[tokio::test(flavor = "multi_thread")]
async fn log_lines_are_one_object_each_with_numbers_as_numbers() {
    let store = Store::new(Engine::Sqlite).await;
    let mut command = latchkey(&store, &["--console", "off", "--api", "127.0.0.1:0"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("api http://").unwrap();
    // An unknown path does not get into the log.
    let forging = "/\",\"level\":\"ERROR\",\"x\":\"";
    for path in ["/\r\nlevel", "/\u{1b}[2J", forging, "/readyz"] {
        let mut stream = TcpStream::connect(address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
        stream.read_to_end(&mut Vec::new()).unwrap();
    }
    let log = BufReader::new(child.stderr.take().unwrap());
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap());
    let mut answers = lines.filter(|line| line["message"] == "answered");
    let forged = answers.next().unwrap();
    assert_eq!((&forged["path"], &forged["level"]), (&"unknown".into(), &"INFO".into()));
    let answered = answers.next().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(answered["path"], "/readyz");
    assert!(answered["micros"].is_u64(), "{answered}");
    assert_eq!((&answered["listener"], &answered["status"]), (&"api".into(), &200.into()));
    assert!(answered["span"]["request_id"].is_string() && answered.get("spans").is_none(), "{answered}");
}

/// Sends this number of requests on one connection, and reads all responses.
fn ask_often(address: SocketAddr, path: &str, times: usize) {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    ask_on(stream, path, times);
}

fn ask_on(stream: TcpStream, path: &str, times: usize) -> TcpStream {
    let address = stream.peer_addr().unwrap();
    let mut stream = BufReader::new(stream);
    for n in 0..times {
        stream.get_mut().write_all(format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n\r\n").as_bytes()).unwrap();
        let (mut length, mut line) = (0, String::new());
        stream.read_line(&mut line).unwrap();
        assert!(line.starts_with("HTTP/1.1 200"), "{line:?} to request {n}");
        while line != "\r\n" {
            line.clear();
            stream.read_line(&mut line).unwrap();
            length = line.strip_prefix("content-length: ").map_or(length, |told| told.trim().parse().unwrap());
        }
        stream.read_exact(&mut vec![0; length]).unwrap();
    }
    stream.into_inner()
}

fn lines_lost(metrics: SocketAddr) -> u64 {
    let mut stream = TcpStream::connect(metrics).unwrap();
    write!(stream, "GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let lost = text.lines().find_map(|line| line.strip_prefix("latchkey_log_lines_lost_total "));
    lost.unwrap_or_else(|| panic!("{text}")).parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_cannot_be_written_ends_nothing() {
    let store = Store::new(Engine::Sqlite).await;
    printed(run(latchkey(&store, &["account", "create", "root"]), ""));
    let (closed, nobody) = std::io::pipe().map(|(reader, writer)| (writer, reader)).unwrap();
    drop(nobody);
    // More lines than a pipe and the buffer before it can hold.
    let (blocked, _deaf) = std::io::pipe().map(|(reader, writer)| (writer, reader)).unwrap();
    let full = File::options().write(true).open("/dev/full").unwrap();
    for (stderr, requests) in [(Stdio::from(full), 20), (closed.into(), 20), (blocked.into(), 10_000)] {
        let mut command =
            latchkey(&store, &["--console", "127.0.0.1:0", "--api", "127.0.0.1:0", "--metrics", "127.0.0.1:0"]);
        command.env("RUST_LOG", "info").stderr(stderr);
        let mut server = Server::spawn(command);
        let metrics = server.read_address("metrics");
        ask_often(server.console, "/robots.txt", requests);
        ask_often(server.api, "/readyz", 1);
        let listeners = [server.console, server.api, metrics].map(|address| address.to_string());
        let [console, api, metrics_address] = &listeners;
        let health = ["healthcheck", "--console", console, "--api", api, "--metrics", metrics_address];
        printed(run(latchkey(&store, &health), ""));
        assert!(lines_lost(metrics) > 0, "lost lines are counted");
        assert_eq!(server.terminate(), (0, String::new()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_make_way_where_descriptors_run_out() {
    let store = Store::new(Engine::Sqlite).await;
    printed(run(latchkey(&store, &["account", "create", "root"]), ""));
    let program = latchkey(&store, &["--console", "127.0.0.1:0", "--api", "127.0.0.1:0"]);
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "ulimit -n 100; exec \"$0\" \"$@\""]).arg(program.get_program()).args(program.get_args());
    command.current_dir(store.dir.path()).env_clear().env("RUST_LOG", "warn");
    let server = Server::spawn(command);
    let at_rest: Vec<TcpStream> = (0..150)
        .map(|_| {
            let stream = TcpStream::connect(server.api).unwrap();
            // Less than the idle timeout of a connection.
            stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
            ask_on(stream, "/readyz", 1)
        })
        .collect();
    drop(at_rest);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_health_check_asks_every_listener() {
    let store = Store::new(Engine::Sqlite).await;
    let back_end = TcpListener::bind("127.0.0.1:0").unwrap();
    let upstream = format!("http://{}", back_end.local_addr().unwrap());
    let guard = ["--guard", "127.0.0.1:0", "--guard-upstream", &upstream, "--metrics", "127.0.0.1:0"];
    printed(run(latchkey(&store, &["account", "create", "root"]), ""));
    let mut server = Server::start_with(&store, &guard);
    let (console, api) = (server.console.to_string(), server.api.to_string());
    let (guard, metrics) = (server.read_address("guard").to_string(), server.read_address("metrics").to_string());
    let listeners = [("--console", console), ("--api", api), ("--guard", guard), ("--metrics", metrics)];
    let health = |listeners: &[(&str, String)]| {
        let mut command = latchkey(&store, &["healthcheck", "--guard-upstream", &upstream]);
        command.args(listeners.iter().flat_map(|(flag, address)| [*flag, address]));
        command
    };
    printed(run(health(&listeners), ""));
    // A port that is bound but never responds.
    let dead = TcpListener::bind("127.0.0.1:0").unwrap();
    for n in 0..listeners.len() {
        let mut listeners = listeners.clone();
        listeners[n].1 = dead.local_addr().unwrap().to_string();
        let said = failure(health(&listeners), 1);
        assert!(said.contains(&format!("({})", &listeners[n].0[2..])) && said.contains("did not respond"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_health_check_speaks_tls() {
    let store = Store::new(Engine::Sqlite).await;
    let dir = store.dir.path();
    let made = rcgen::generate_simple_self_signed(["keys.example".to_owned()]).unwrap();
    std::fs::write(dir.join("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(dir.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    let tls = ["--console", "off", "--tls-cert", "cert.pem", "--tls-key", "key.pem", "--api"];
    let mut server = latchkey(&store, &[&tls[..], &["127.0.0.1:0"]].concat());
    let mut server = server.stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let api = line.trim().strip_prefix("api https://").unwrap();
    printed(run(latchkey(&store, &[&["healthcheck"], &tls[..], &[api]].concat()), ""));
    server.kill().unwrap();
    server.wait().unwrap();
    // The port responds, but does not speak TLS.
    let plain = Server::start(&store);
    let said = failure(latchkey(&store, &[&["healthcheck"], &tls[..], &[&plain.api.to_string()]].concat()), 1);
    assert!(said.contains("is not healthy"), "{said}");
}

/// The last line of a command must not be lost, and nothing must wait for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_command_fails_with_its_status_wherever_its_words_go() {
    let store = Store::new(Engine::Sqlite).await;
    for stderr in [File::options().write(true).open("/dev/full").unwrap().into(), Stdio::null()] {
        let mut command = latchkey(&store, &["audit", "verify"]);
        let status = command.stdout(Stdio::null()).stderr(stderr).status().unwrap();
        assert_eq!(status.code(), Some(1));
    }
}
