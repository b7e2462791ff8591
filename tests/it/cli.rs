//! The command line and the start: clear lines, nothing lost.

use std::net::TcpListener;

use serde_json::Value;

use crate::setup::{enrol, path_of, token_of};
use crate::support::browser::key_ids;
use crate::support::process::{Server, failure, latchkey, run};
use crate::support::{Browser, Engine, Store};

fn create(store: &Store, name: &str, password: &str) -> std::process::Output {
    run(latchkey(store, &["account", "create", name, "--password-stdin", "--json"]), password)
}

#[track_caller]
fn one_line(stderr: &str, words: &[&str]) {
    assert_eq!(stderr.trim_end().lines().count(), 1, "{stderr}");
    for word in words {
        assert!(stderr.contains(word), "{word:?} in {stderr:?}");
    }
}

#[apply(on_both_engines!)]
async fn an_account_is_made_without_a_browser(engine: Engine) {
    let store = Store::new(engine).await;
    let output = create(&store, "Ops", "a quiet blue lantern\n");
    let made: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(made["uin"].as_str().unwrap().len(), 12);
    assert_eq!(made["app_id"].as_str().unwrap().len(), 10);
    assert!(made["totp_uri"].as_str().unwrap().starts_with("otpauth://totp/Latchkey:Ops?"));
    assert_eq!(made["recovery_codes"].as_array().unwrap().len(), 10);

    let again = create(&store, " ops ", "a quiet blue lantern\n");
    assert_eq!(again.status.code(), Some(1));
    one_line(&String::from_utf8(again.stderr).unwrap(), &["an account with this name exists"]);
    let weak = create(&store, "other", "password\n");
    one_line(&String::from_utf8(weak.stderr).unwrap(), &["most common"]);

    let list = run(latchkey(&store, &["account", "list"]), "");
    assert!(String::from_utf8(list.stdout).unwrap().contains("Ops"));
    let json = run(latchkey(&store, &["account", "list", "--json"]), "");
    let json: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json[0]["complete"], Value::Bool(true));

    one_line(&failure(latchkey(&store, &["account", "unlock", "nobody"]), 1), &["no account with this name"]);
    for command in ["unlock", "end-sessions", "reset-mfa"] {
        assert!(run(latchkey(&store, &["account", command, "OPS"]), "").status.success(), "{command}");
    }
    let verified = run(latchkey(&store, &["audit", "verify"]), "");
    let verified = String::from_utf8(verified.stdout).unwrap();
    assert!(verified.contains("5 records, intact; note 5:"), "{verified}");
    let note = verified.trim().rsplit(' ').next().unwrap().to_owned();
    assert!(run(latchkey(&store, &["audit", "verify", "--noted", &note]), "").status.success());
    let forged = format!("5:{}", "0".repeat(64));
    one_line(&failure(latchkey(&store, &["audit", "verify", "--noted", &forged]), 3), &["record 5", "noted"]);
    let longer = note.replace("5:", "6:");
    one_line(&failure(latchkey(&store, &["audit", "verify", "--noted", &longer]), 3), &["was longer"]);
}

#[apply(on_both_engines!)]
async fn the_server_says_where_it_is_and_stops_when_told(engine: Engine) {
    let store = Store::new(engine).await;
    let mut server = Server::start(&store);
    let link = server.read_setup_link();
    assert!(link.starts_with(&format!("http://localhost:{}/setup?token=", server.console.port())), "{link}");
    let mut browser = Browser::new(format!("http://localhost:{}", server.console.port()));
    browser.get(&link[link.find("/setup").unwrap()..]).await.is(200);
    browser.get("/login").await.says("No account exists yet");
    let (console, api) = (server.console.to_string(), server.api.to_string());
    let health = || latchkey(&store, &["healthcheck", "--console", &console, "--api", &api]);
    assert!(run(health(), "").status.success());
    assert_eq!(server.terminate(), (0, String::new()));
    one_line(&failure(health(), 1), &["is not healthy", "(console)"]);

    // A command that does not have the server's settings prints the URL that the server had.
    let made = run(latchkey(&store, &["account", "create", "other"]), "");
    let made = String::from_utf8(made.stdout).unwrap();
    let origin = &link[..link.find("/setup").unwrap()];
    assert!(made.starts_with(&format!("setup {origin}/setup?token=")), "{made}");
    let elsewhere = ["account", "recover", "other", "--public-url", "https://keys.example"];
    let made = String::from_utf8(run(latchkey(&store, &elsewhere), "").stdout).unwrap();
    assert!(made.starts_with("setup https://keys.example/setup?token="), "{made}");

    // If there is an account, there is no setup link.
    let mut server = Server::start(&store);
    let mut browser = Browser::new(format!("http://localhost:{}", server.console.port()));
    browser.get("/login").await.does_not_say("No account exists yet");
    assert_eq!(server.terminate(), (0, String::new()));
}

#[apply(on_both_engines!)]
async fn a_wrong_or_missing_master_key_is_a_refusal_to_start(engine: Engine) {
    let store = Store::new(engine).await;
    create(&store, "root", "a quiet blue lantern");
    let key = store.dir.path().join("data/master.key");
    let right = std::fs::read(&key).unwrap();
    let other = Store::new(Engine::Sqlite).await;
    create(&other, "root", "a quiet blue lantern");
    std::fs::copy(other.dir.path().join("data/master.key"), &key).unwrap();
    let serve = ["--console", "127.0.0.1:0", "--api", "127.0.0.1:0"];
    one_line(&failure(latchkey(&store, &serve), 1), &["not the one this database was sealed under"]);
    std::fs::write(&key, "nonsense").unwrap();
    one_line(&failure(latchkey(&store, &serve), 1), &["malformed", "line 1"]);
    std::fs::remove_file(&key).unwrap();
    one_line(&failure(latchkey(&store, &serve), 1), &["does not exist", "--master-key-file"]);
    assert!(!key.exists(), "no new key is made for an old database");
    std::fs::write(&key, &right).unwrap();
    assert!(run(latchkey(&store, &["account", "list"]), "").status.success());

    // The variable takes precedence.
    std::fs::write(&key, "nonsense").unwrap();
    let mut command = latchkey(&store, &["account", "list"]);
    command.env("LATCHKEY_MASTER_KEY", String::from_utf8(right).unwrap());
    assert!(run(command, "").status.success());
}

#[apply(on_both_engines!)]
async fn a_database_of_a_newer_version_is_left_alone(engine: Engine) {
    let store = Store::new(engine).await;
    create(&store, "root", "a quiet blue lantern");
    let newer = "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
            select 9999, 'newer', success, checksum, execution_time from _sqlx_migrations
            where version = 1";
    match store.db().await {
        latchkey::db::Db::Sqlite(pool, _) => sqlx::query(newer).execute(&pool).await.map(drop).unwrap(),
        latchkey::db::Db::Postgres(pool) => sqlx::query(newer).execute(&pool).await.map(drop).unwrap(),
    }
    one_line(&failure(latchkey(&store, &["migrate"]), 1), &["written by a newer version"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_settings_are_one_line_each() {
    let store = Store::new(Engine::Sqlite).await;
    let usage = failure(latchkey(&store, &["--colour", "blue"]), 2);
    assert!(usage.contains("--colour"), "{usage}");
    let usage = failure(latchkey(&store, &["--console", "nowhere"]), 2);
    assert!(usage.contains("ADDRESS:PORT"), "{usage}");
    one_line(&failure(latchkey(&store, &["--verification-window", "1h"]), 1), &["at most 30m"]);
    one_line(&failure(latchkey(&store, &["--config", "missing.toml"]), 1), &["missing.toml", "No such file"]);

    std::fs::write(store.dir.path().join("latchkey.toml"), "data_dri = \"x\"\n").unwrap();
    one_line(&failure(latchkey(&store, &[]), 1), &["latchkey.toml", "data_dri"]);
    std::fs::write(store.dir.path().join("latchkey.toml"), "session_idle = \"1m\"\n").unwrap();
    assert!(run(latchkey(&store, &["migrate"]), "").status.success());
    std::fs::remove_file(store.dir.path().join("latchkey.toml")).unwrap();

    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let busy = failure(latchkey(&store, &["--console", &address, "--api", "off"]), 1);
    one_line(&busy, &[&address, "in use", "--console"]);

    std::fs::write(store.dir.path().join("file"), "").unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_latchkey"));
    command.current_dir(store.dir.path()).args(["--data-dir", "file/below", "migrate"]);
    one_line(&failure(command, 1), &["file/below", "--data-dir"]);
    let mut command = latchkey(&store, &["migrate"]);
    command.args(["--database", "mysql://localhost/x"]);
    one_line(&failure(command, 1), &["sqlite:", "postgres:"]);
    let mut command = latchkey(&store, &["migrate"]);
    command.args(["--database", "postgres://u:hunter2@127.0.0.1:1/x"]);
    let refused = failure(command, 1);
    one_line(&refused, &["127.0.0.1", "refused"]);
    assert!(!refused.contains("hunter2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn data_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let store = Store::new(Engine::Sqlite).await;
    assert!(run(latchkey(&store, &["migrate"]), "").status.success());
    let data = store.dir.path().join("data");
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&data), 0o700);
    assert_eq!(mode(&data.join("master.key")), 0o600);
    assert_eq!(mode(&data.join("latchkey.db")), 0o600);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_is_ready_and_leaves_nothing_behind() {
    use std::io::{BufRead, BufReader, Read};
    let store = Store::new(Engine::Sqlite).await;
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_latchkey"));
    command.current_dir(store.dir.path()).env_clear().env("TMPDIR", store.dir.path());
    command.args(["demo", "--console", "127.0.0.1:0", "--api", "127.0.0.1:0"]);
    let mut child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let (mut url, mut name, mut password, mut code) = <(String, String, String, String)>::default();
    while code.is_empty() {
        let mut line = String::new();
        assert_ne!(stdout.read_line(&mut line).unwrap(), 0, "the demo ended");
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["open", address] => address.trim_end_matches('/').clone_into(&mut url),
            ["name", word] => (*word).clone_into(&mut name),
            ["password", word] => (*word).clone_into(&mut password),
            ["code", word, ..] => (*word).clone_into(&mut code),
            _ => {}
        }
    }
    let mut browser = Browser::new(url);
    browser.submit("/login", "/login", &[("name", &name), ("password", &password)]).await.leads_to("/login/code");
    let done = browser.submit("/login/code", "/login/code", &[("kind", "totp"), ("code", &code)]).await;
    done.leads_to("/cam/capi");
    // There is a story to look at: a rotation that is half done, refused calls with their reasons, and records.
    let keys = browser.get("/cam/capi").await;
    keys.says("Shop back end, new").says("2 failed attempts since");
    let [old, new] = key_ids(&keys).try_into().unwrap();
    browser.get(&format!("/cam/capi/keys/{old}/rotate")).await.says("The old key is still in use").says("192.0.2.77");
    let page = browser.get(&format!("/cam/capi/keys/{new}")).await;
    let diagnosis = page.says("POST /orders").between("<a href=\"/cam/capi/refused?request_id=", "\"").unwrap();
    browser
        .get(&format!("/cam/capi/refused?request_id={diagnosis}"))
        .await
        .says("The signed path is not the one that was sent");
    browser.get("/cam/records").await.says("Key created").says("SecretKey shown");

    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    assert!(child.wait().unwrap().success());
    assert!(rest.contains("The demo is over"));
    assert_eq!(std::fs::read_dir(store.dir.path()).unwrap().count(), 0, "nothing is left");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_command_is_printed_for_trying() {
    use crate::support::Product;
    let product = Product::start(Engine::Sqlite).await;
    let (mut owner, mut browser) = product.signed_in("root").await;
    let key = browser.create_key().await;
    let secret = owner.reveal(&product, &mut browser, &key).await;
    product.clock.set(latchkey::types::clock::Clock::system().now());

    let store = Store::new(Engine::Sqlite).await;
    let url = format!("http://{}/", product.api);
    let sign = || latchkey(&store, &["sign", "--url", &url, "--data", "{ }"]);
    one_line(&failure(sign(), 1), &["TENCENTCLOUD_SECRET_ID"]);
    let mut command = sign();
    command.env("TENCENTCLOUD_SECRET_ID", &key).env("TENCENTCLOUD_SECRET_KEY", &secret);
    let printed = String::from_utf8(run(command, "").stdout).unwrap();
    assert!(!printed.contains(&secret));
    let answer: Value = serde_json::from_slice(&run_in_a_shell(&printed, store.dir.path())).unwrap();
    assert_eq!(answer["Response"]["Type"], "CAMUser", "{answer}");
}

/// Runs a command as if pasted into a shell, with a curl configuration that would spoil any request.
fn run_in_a_shell(printed: &str, home: &std::path::Path) -> Vec<u8> {
    std::fs::write(home.join(".curlrc"), "request = DELETE\nuser-agent = spoilt\nurl = http://127.0.0.1:9/\n").unwrap();
    let mut command = std::process::Command::new("sh");
    command.arg("-c").arg(printed.trim_end()).env_clear().env("PATH", "/usr/bin:/bin").env("HOME", home);
    let output = run(command, "");
    assert!(output.status.success(), "{printed}{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// A back end that responds with the request as it arrived.
async fn echoing() -> std::net::SocketAddr {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut got = Vec::new();
            let is_whole = |got: &[u8]| {
                let text = String::from_utf8_lossy(got).into_owned();
                let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
                body.len() >= length.map_or(0, |length| length.parse().unwrap())
            };
            while !is_whole(&got) {
                let read = stream.read_buf(&mut got).await.unwrap();
                assert!(read > 0, "cut");
            }
            let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", got.len());
            let without_body = got.starts_with(b"HEAD ");
            let answer = [head.as_bytes(), if without_body { b"" } else { &got[..] }].concat();
            stream.write_all(&answer).await.unwrap();
        }
    });
    address
}

/// Inputs that curl would change by default: globs, dots, files, options, empty headers.
#[tokio::test(flavor = "multi_thread")]
async fn curl_sends_what_was_signed_whatever_is_in_it() {
    use crate::support::Product;
    let upstream = format!("http://{}", echoing().await);
    let product = Product::start_with(Engine::Sqlite, |mut given| {
        given.guard = Some("127.0.0.1:0".parse().unwrap());
        given.guard_upstream = Some(upstream.parse().unwrap());
        given
    })
    .await;
    let (mut owner, mut browser) = product.signed_in("root").await;
    let key = browser.create_key().await;
    let secret = owner.reveal(&product, &mut browser, &key).await;
    product.clock.set(latchkey::types::clock::Clock::system().now());
    let store = Store::new(Engine::Sqlite).await;
    let guard = product.guard.unwrap();
    std::fs::write(store.dir.path().join("file"), "of a file").unwrap();

    let curl_reads = |method: &str, target: &str, data: &str, kind: &str| {
        let url = format!("http://{guard}{target}");
        let (data, kind) = (format!("--data={data}"), format!("--content-type={kind}"));
        let mut command = latchkey(&store, &["sign", "--action=", "--method", method, "--url", &url, &data, &kind]);
        command.env("TENCENTCLOUD_SECRET_ID", &key).env("TENCENTCLOUD_SECRET_KEY", &secret);
        let printed = String::from_utf8(run(command, "").stdout).unwrap();
        (String::from_utf8_lossy(&run_in_a_shell(&printed, store.dir.path())).into_owned(), printed)
    };
    for target in [
        "/?x[y]=1",
        "/?x[1-3]=1",
        "/{a,b}?{c,d}",
        "/a/../b/./c",
        "/%2e%2e/x",
        "/a|b^c?d|e^f'g",
        "/?a=$HOME`id`",
        "//x//y",
        "/x?",
        "/?q=\\\"&r=~!*()",
        "/?a=1&b=2;c",
        "/@x",
        "/-x",
        "/#fragment",
    ] {
        let (received, printed) = curl_reads("GET", target, "{}", "application/json");
        // The printed URL is normalised, and arrives unchanged.
        let words = shlex::split(&printed).unwrap();
        let at = words.iter().position(|word| word == "--url").unwrap();
        let sent = words[at + 1].strip_prefix(&format!("http://{guard}")).unwrap();
        assert!(received.starts_with(&format!("GET {sent} HTTP/1.1\r\n")), "{target}: {received}");
        assert!(!received.contains("spoilt"), "{received}");
    }
    for data in ["@file", "@/etc/passwd", "", "-", "--next", "a=b&c={d,e}", "'\"$HOME\\", " x\n\ty ", "é你", "<file"]
    {
        for method in ["POST", "DELETE", "OPTIONS", "PATCH"] {
            let (received, _) = curl_reads(method, "/", data, "text/plain");
            assert!(received.starts_with(&format!("{method} / HTTP/1.1\r\n")), "{received}");
            assert_eq!(received.split_once("\r\n\r\n").unwrap().1, data);
        }
    }
    for kind in ["@file", "text/plain;", "a: b", "", "\"quoted\"; x='y'"] {
        let (received, _) = curl_reads("POST", "/", "{}", kind);
        assert!(received.to_lowercase().contains(&format!("\r\ncontent-type: {kind}\r\n")), "{kind:?}: {received}");
    }
    let (head, _) = curl_reads("HEAD", "/", "{}", "text/plain");
    assert!(head.starts_with("HTTP/1.1 200 OK"), "{head}");

    for (url, says) in [
        ("ftp://127.0.0.1/x", "http or https"),
        ("file:///etc/passwd", "http or https"),
        ("http://a:b@127.0.0.1/", "without a user"),
    ] {
        let mut command = latchkey(&store, &["sign", "--url", url]);
        command.env("TENCENTCLOUD_SECRET_ID", &key).env("TENCENTCLOUD_SECRET_KEY", &secret);
        one_line(&failure(command, 1), &["--url", says]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_says_whose_session_a_refusal_is_in() {
    let store = Store::new(Engine::Sqlite).await;
    let log = store.dir.path().join("log");
    let mut command = latchkey(&store, &["--console", "127.0.0.1:0", "--api", "127.0.0.1:0"]);
    command.env("RUST_LOG", "info").stderr(std::fs::File::create(&log).unwrap());
    let mut server = Server::spawn(command);
    let link = server.read_setup_link();
    let link = path_of(&link);
    let mut browser = Browser::new(format!("http://localhost:{}", server.console.port()));
    let password = "a quiet blue lantern";
    let fields = [("token", token_of(&link)), ("name", "root"), ("password", password), ("again", password)];
    browser.submit(&link, "/setup", &fields).await.leads_to("/setup/authenticator");
    enrol(&mut browser, latchkey::types::clock::Clock::system().now()).await.is_account_page();
    browser.post("/cam/capi/keys", "of another session", &[]).await.is(403);
    browser.get("/cam/capi/keys/AKIDaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa").await.is(404);
    Browser::new(format!("http://localhost:{}", server.console.port())).get("/nowhere").await.is(404);
    server.terminate();

    let log = std::fs::read_to_string(&log).unwrap();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let account = |status: u64, path: &str| {
        let answered =
            |line: &&Value| line["status"] == status && line["path"].as_str().is_some_and(|at| at.starts_with(path));
        lines.iter().find(answered).unwrap()["span"]["uin"].as_i64()
    };
    assert!(account(403, "/cam/capi/keys").is_some_and(|uin| uin.to_string().len() == 12));
    assert_eq!(account(404, "/cam/capi/keys/"), account(403, "/cam/capi/keys"));
    assert_eq!(account(404, "unknown"), None);
    assert!(!log.contains(token_of(&link)) && !log.contains(password));
}
