//! The command line and the start: clear lines, nothing lost.

use std::net::TcpListener;

use serde_json::Value;

use crate::setup::{enrol, path_of, token_of};
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

on_both_engines! {
    async fn an_account_is_made_without_a_browser(engine) {
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

    async fn the_server_says_where_it_is_and_stops_when_told(engine) {
        let store = Store::new(engine).await;
        let mut server = Server::start(&store);
        let link = server.read_setup_link();
        assert!(link.starts_with(&format!("http://localhost:{}/setup?token=", server.console.port())), "{link}");
        let mut browser = Browser::new(format!("http://localhost:{}", server.console.port()));
        browser.get(&link[link.find("/setup").unwrap()..]).await.is(200);
        let (console, api) = (server.console.to_string(), server.api.to_string());
        let health = || latchkey(&store, &["healthcheck", "--console", &console, "--api", &api]);
        assert!(run(health(), "").status.success());
        assert_eq!(server.terminate(), (0, String::new()));
        one_line(&failure(health(), 1), &["is not healthy", "(console)"]);

        // With an account there is no set-up link.
        create(&store, "root", "a quiet blue lantern");
        let mut server = Server::start(&store);
        assert_eq!(server.terminate(), (0, String::new()));
    }

    async fn a_wrong_or_missing_master_key_is_a_refusal_to_start(engine) {
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

        // The variable comes first.
        std::fs::write(&key, "nonsense").unwrap();
        let mut command = latchkey(&store, &["account", "list"]);
        command.env("LATCHKEY_MASTER_KEY", String::from_utf8(right).unwrap());
        assert!(run(command, "").status.success());
    }

    async fn a_database_of_a_newer_version_is_left_alone(engine) {
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
    browser.create_key().await;

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
    product.clock.set(latchkey::clock::Clock::system().now());

    let store = Store::new(Engine::Sqlite).await;
    let url = format!("http://{}/", product.api);
    let sign = || latchkey(&store, &["sign", "--url", &url, "--data", "{ }"]);
    one_line(&failure(sign(), 1), &["TENCENTCLOUD_SECRET_ID"]);
    let mut command = sign();
    command.env("TENCENTCLOUD_SECRET_ID", &key).env("TENCENTCLOUD_SECRET_KEY", &secret);
    let printed = String::from_utf8(run(command, "").stdout).unwrap();
    assert!(!printed.contains(&secret));
    // What the shell would make of it.
    let words = shlex::split(&printed).unwrap();
    assert_eq!(words[0], "curl");
    let mut request = reqwest::Client::new().post(&words[3]).body(words.last().unwrap().clone());
    for pair in words.windows(2).filter(|pair| pair[0] == "-H") {
        let (name, value) = pair[1].split_once(": ").unwrap();
        request = request.header(name, value);
    }
    let answer = crate::support::signer::answer(request).await;
    assert_eq!(answer["Type"], "CAMUser", "{answer}");
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
    enrol(&mut browser, latchkey::clock::Clock::system().now()).await.is_account_page();
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
