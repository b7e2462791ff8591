//! Commands whose output cannot be written, or that nobody reads: one line, no panic, and nothing created that nobody
//! saw.

use std::fs::OpenOptions;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Output, Stdio};

use crate::support::process::{Server, latchkey, run};
use crate::support::{Engine, Product, Store};

const PASSWORD: &str = "a quiet blue lantern";

/// Runs a command whose stdout accepts nothing.
fn on_full(mut command: Command, input: &str) -> Output {
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut child = command.stdin(Stdio::piped()).stdout(full).stderr(Stdio::piped()).spawn().unwrap();
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

/// Runs a command whose stdout is a pipe that nobody reads any more.
fn on_closed_pipe(mut command: Command, input: &str) -> Output {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut child = command.stdin(Stdio::piped()).stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
    // Otherwise, this process would still hold the other end of the pipe.
    drop(command);
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

#[track_caller]
fn failed_in_one_line(output: &Output, what: &str) {
    let stderr = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(1), "{what}: {stderr}");
    assert!(stderr.contains("cannot write to standard output") && stderr.contains("No space left"), "{what}: {stderr}");
    assert!(!stderr.contains("panicked"), "{what}: {stderr}");
    assert_eq!(stderr.lines().filter(|line| line.starts_with("latchkey: ")).count(), 1, "{what}: {stderr}");
}

#[track_caller]
fn ended_quietly(output: &Output, what: &str) {
    let stderr = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!((output.status.code(), &*stderr), (Some(141), ""), "{what}");
}

fn accounts(store: &Store) -> String {
    String::from_utf8(run(latchkey(store, &["account", "list"]), "").stdout).unwrap()
}

#[apply(on_both_engines!)]
async fn what_nobody_saw_is_not_made(engine: Engine) {
    let store = Store::new(engine).await;
    let create = ["account", "create", "root", "--password-stdin", "--json"];
    failed_in_one_line(&on_full(latchkey(&store, &create), PASSWORD), "create");
    failed_in_one_line(&on_full(latchkey(&store, &["account", "create", "root"]), ""), "create");
    ended_quietly(&on_closed_pipe(latchkey(&store, &create), PASSWORD), "create");
    assert!(!accounts(&store).contains("root"));
    // The first setup is still open.
    let mut server = Server::start(&store);
    assert!(server.read_setup_link().contains("/setup?token="));
    server.terminate();

    assert!(run(latchkey(&store, &create), PASSWORD).status.success());
    failed_in_one_line(&on_full(latchkey(&store, &["account", "reset-mfa", "root"]), ""), "reset-mfa");
    assert!(accounts(&store).contains("never"), "the second factor is as it was: {}", accounts(&store));
    let verified = run(latchkey(&store, &["audit", "verify"]), "");
    let verified = String::from_utf8(verified.stdout).unwrap();
    // The setup link of that one start, and the account that was created.
    assert!(verified.starts_with("3 records, intact"), "{verified}");
}

#[apply(on_both_engines!)]
async fn keys_are_disabled_though_nobody_is_told(engine: Engine) {
    let product = Product::start(engine).await;
    let (_, mut browser) = product.signed_in("root").await;
    for _ in 0..2 {
        browser.create_key().await;
    }
    let keys = crate::support::browser::key_ids(&browser.get("/cam/capi").await);
    failed_in_one_line(&on_full(latchkey(&product.store, &["key", "disable", "--all-of", "root"]), ""), "--all-of");
    let list = String::from_utf8(run(latchkey(&product.store, &["key", "list"]), "").stdout).unwrap();
    assert_eq!(list.matches("disabled").count(), 2, "{list}");
    failed_in_one_line(&on_full(latchkey(&product.store, &["key", "enable", &keys[0], &keys[1]]), ""), "enable");
    let list = String::from_utf8(run(latchkey(&product.store, &["key", "list"]), "").stdout).unwrap();
    assert_eq!(list.matches("enabled").count(), 2, "{list}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_command_panics() {
    let store = Store::new(Engine::Sqlite).await;
    let create = ["account", "create", "root", "--password-stdin", "--json"];
    assert!(run(latchkey(&store, &create), PASSWORD).status.success());
    let commands: [&[&str]; 16] = [
        &["account", "list"],
        &["account", "list", "--json"],
        &["account", "unlock", "root"],
        &["account", "end-sessions", "root"],
        &["key", "list"],
        &["key", "list", "--json"],
        &["audit", "verify"],
        &["audit", "verify", "--json"],
        &["audit", "export"],
        &["audit", "export", "--csv"],
        &["migrate"],
        &["master-key", "rotate"],
        &["completions", "bash"],
        &["sign"],
        &["--help"],
        &["--version"],
    ];
    let command = |arguments: &[&str]| {
        let mut command = latchkey(&store, arguments);
        command.env("TENCENTCLOUD_SECRET_ID", "AKID").env("TENCENTCLOUD_SECRET_KEY", "x");
        command
    };
    for arguments in commands {
        failed_in_one_line(&on_full(command(arguments), ""), arguments[0]);
        let output = on_closed_pipe(command(arguments), "");
        if arguments[0] == "master-key" {
            assert_eq!(output.status.code(), Some(141), "{arguments:?}");
        } else {
            ended_quietly(&output, arguments[0]);
        }
    }
    // The rotations have been completed nevertheless.
    let key = std::fs::read_to_string(store.dir.path().join("data/master.key")).unwrap();
    assert!(key.starts_with("3:") && key.lines().count() == 1, "{key}");
    // Also if stderr accepts nothing.
    let full = || OpenOptions::new().write(true).open("/dev/full").unwrap();
    for arguments in [["account", "unlock", "nobody"].as_slice(), &["--colour"], &["account", "list"]] {
        let mut command = latchkey(&store, arguments);
        let status = command.stdin(Stdio::null()).stdout(full()).stderr(full()).status().unwrap();
        assert!(matches!(status.code(), Some(1 | 2)), "{arguments:?}: {status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_serves_though_nobody_reads_where() {
    let store = Store::new(Engine::Sqlite).await;
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("127.0.0.1:{port}");
    let mut command = latchkey(&store, &["--console", "off", "--api", &address]);
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut child = command.env("RUST_LOG", "off").stdout(full).spawn().unwrap();
    let mut answer = String::new();
    // Until it responds or has ended.
    while answer.is_empty() && child.try_wait().unwrap().is_none() {
        if let Ok(mut stream) = TcpStream::connect(&address) {
            stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
            stream.read_to_string(&mut answer).unwrap();
        }
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer:?}");
}
