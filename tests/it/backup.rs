//! Backup while the server runs, and restore elsewhere.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use latchkey::operate::accounts;

use crate::support::process::{Server, failure, latchkey, run};
use crate::support::signer::Signer;
use crate::support::{Engine, Product, Store};

fn says(store: &Store, arguments: &[&str]) -> (String, String) {
    let output = run(latchkey(store, arguments), "");
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{arguments:?}: {stderr}");
    (String::from_utf8(output.stdout).unwrap(), stderr)
}

/// An empty installation with the master key of `store`.
async fn elsewhere(store: &Store) -> Store {
    let other = Store::new(Engine::Sqlite).await;
    std::fs::create_dir(other.dir.path().join("data")).unwrap();
    std::fs::copy(store.dir.path().join("data/master.key"), other.dir.path().join("data/master.key")).unwrap();
    other
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

async fn with_backup() -> (Product, PathBuf) {
    let product = Product::start(Engine::Sqlite).await;
    accounts::create_with_link(&product.app, "root").await.unwrap();
    let copy = product.store.dir.path().join("copy.db");
    says(&product.store, &["backup", path(&copy)]);
    (product, copy)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_during_writes_is_whole_and_is_restored_with_its_key() {
    let product = Product::start(Engine::Sqlite).await;
    let (mut owner, mut browser) = product.signed_in("root").await;
    let key = browser.create_key().await;
    let secret = owner.reveal(&product, &mut browser, &key).await;
    let (made, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let writing = tokio::spawn({
        let (app, made, stop) = (product.app.clone(), made.clone(), stop.clone());
        async move {
            while !stop.load(Ordering::SeqCst) {
                let number = made.load(Ordering::SeqCst);
                accounts::create_with_link(&app, &format!("user {number}")).await.unwrap();
                made.fetch_add(1, Ordering::SeqCst);
            }
        }
    });
    let mut copies = Vec::new();
    for round in 0..3 {
        let copy = product.store.dir.path().join(format!("copy{round}.db"));
        let before = made.load(Ordering::SeqCst);
        let (stdout, stderr) = says(&product.store, &["backup", path(&copy)]);
        assert_eq!(stdout.trim(), path(&copy));
        assert!(stderr.contains("master key is not in it"), "{stderr}");
        assert_eq!(std::fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
        copies.push((copy, before));
    }
    stop.store(true, Ordering::SeqCst);
    writing.await.unwrap();
    assert!(made.load(Ordering::SeqCst) > copies[2].1, "nothing was written meanwhile");

    let plain = std::fs::read(&copies[2].0).unwrap();
    assert!(!plain.windows(secret.len()).any(|window| window == secret.as_bytes()));
    for (copy, before) in &copies {
        let other = elsewhere(&product.store).await;
        says(&other, &["restore", path(copy)]);
        let database = other.dir.path().join("data/latchkey.db");
        assert_eq!(std::fs::metadata(&database).unwrap().permissions().mode() & 0o777, 0o600);
        let left = std::fs::read_dir(other.dir.path().join("data")).unwrap().count();
        assert_eq!(left, 2, "database and key");
        assert!(says(&other, &["audit", "verify"]).0.contains("intact"));
        let accounts = says(&other, &["account", "list"]).0.lines().count() - 2;
        assert!(accounts >= *before, "{accounts} of at least {before}");
        let server = Server::start(&other);
        let now = latchkey::types::clock::Clock::system().now();
        assert_eq!(Signer::new(server.api, &key, &secret).refusal(now).await, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_overwritten() {
    let (product, copy) = with_backup().await;
    let old = std::fs::read(&copy).unwrap();
    assert!(failure(latchkey(&product.store, &["backup", path(&copy)]), 1).contains("already exists"));
    assert_eq!(std::fs::read(&copy).unwrap(), old);
    assert!(failure(latchkey(&product.store, &["restore", path(&copy)]), 1).contains("latchkey.db already exists"));
    for rest in ["latchkey.db-wal", "latchkey.db-shm"] {
        let other = elsewhere(&product.store).await;
        std::fs::write(other.dir.path().join("data").join(rest), "x").unwrap();
        assert!(failure(latchkey(&other, &["restore", path(&copy)]), 1).contains(rest));
    }
    let nowhere = Store::new(Engine::Sqlite).await;
    assert!(failure(latchkey(&nowhere, &["backup", "x.db"]), 1).contains("there is no database"));
    assert!(!nowhere.dir.path().join("data").exists(), "nothing is made");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_good_backup_is_refused() {
    let (product, copy) = with_backup().await;
    let refused = |store: &Store, file: &Path, why: &str| {
        let said = failure(latchkey(store, &["restore", path(file)]), 1);
        assert!(said.contains(why), "{said}");
        assert!(!store.dir.path().join("data/latchkey.db").exists());
    };
    let (stranger, _) = with_backup().await;
    refused(&elsewhere(&stranger.store).await, &copy, "not the one this database was sealed under");
    refused(&Store::new(Engine::Sqlite).await, &copy, "does not exist");

    let other = elsewhere(&product.store).await;
    let file = other.dir.path().join("file");
    std::fs::write(&file, "no database at all, whatever its name").unwrap();
    refused(&other, &file, "not a usable backup");
    std::fs::write(&file, "").unwrap();
    refused(&other, &file, "not a database of Latchkey");
    refused(&other, Path::new("missing.db"), "cannot read missing.db");
    let mut damaged = std::fs::read(&copy).unwrap();
    let middle = damaged.len() / 2;
    damaged[middle..].fill(0x55);
    std::fs::write(&file, damaged).unwrap();
    refused(&other, &file, "not a usable backup");
    // The database of a running server has its latest changes in another file.
    refused(&other, &product.store.dir.path().join("data/latchkey.db"), "in use");
    let left = std::fs::read_dir(other.dir.path().join("data")).unwrap().count();
    assert_eq!(left, 1, "the key");
}

/// The length of a backup without its checksum.
fn database_bytes(backup: &[u8]) -> usize {
    let mark = b"\nLatchkey backup, its SHA-256 is:\n";
    backup.windows(mark.len()).rposition(|window| window == mark).expect("a checksum")
}

/// A backup of an installation with keys, two authenticators and some records, and the key's secret.
async fn with_history() -> (Product, Vec<u8>, PathBuf) {
    let product = Product::start(Engine::Sqlite).await;
    let (mut owner, mut browser) = product.signed_in("root").await;
    for _ in 0..2 {
        let key = browser.create_key().await;
        owner.reveal(&product, &mut browser, &key).await;
    }
    accounts::create_with_link(&product.app, "second").await.unwrap();
    let copy = product.store.dir.path().join("copy.db");
    says(&product.store, &["backup", path(&copy)]);
    (product, std::fs::read(&copy).unwrap(), copy)
}

/// Attack 25: no flipped bit of a backup is restored.
#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_is_noticed_wherever_it_is() {
    const FLIPS: usize = 120;
    let (product, backup, _) = with_history().await;
    let other = elsewhere(&product.store).await;
    let (file, restored) = (other.dir.path().join("flipped.db"), other.dir.path().join("data/latchkey.db"));
    let database = database_bytes(&backup);
    for flip in 0..FLIPS {
        let (at, bit) = (flip * backup.len() / FLIPS + flip % 7, flip % 8);
        let mut flipped = backup.clone();
        flipped[at] ^= 1 << bit;
        std::fs::write(&file, flipped).unwrap();
        let output = run(latchkey(&other, &["restore", path(&file)]), "");
        if output.status.success() {
            // Only a flip in the checksum itself does no harm.
            assert!(at >= database, "byte {at} of {database}, bit {bit}");
            assert_eq!(std::fs::read(&restored).unwrap()[..database], backup[..database]);
            std::fs::remove_file(&restored).unwrap();
        } else {
            let said = String::from_utf8(output.stderr).unwrap();
            assert_eq!((output.status.code(), said.lines().count()), (Some(1), 1), "byte {at}, bit {bit}: {said}");
            assert!(!restored.exists());
        }
    }
}

/// The same for a copy made with SQLite's own tool, which has no checksum: either it is refused, or every sealed value
/// opens and the chain is intact.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_checksum_secrets_open_and_the_record_is_whole() {
    const FLIPS: usize = 48;
    let (product, backup, _) = with_history().await;
    let other = elsewhere(&product.store).await;
    let (file, restored) = (other.dir.path().join("flipped.db"), other.dir.path().join("data/latchkey.db"));
    let plain = &backup[..database_bytes(&backup)];
    std::fs::write(&file, plain).unwrap();
    assert!(says(&other, &["restore", path(&file)]).1.contains("no checksum"));
    let (mut refused, mut taken) = (0, 0);
    // Only bytes other than 0, among which are the sealed values and the records.
    let all: Vec<usize> = (0..plain.len()).filter(|at| plain[*at] != 0).collect();
    for flip in 0..FLIPS {
        let at = all[flip * all.len() / FLIPS];
        let _ = std::fs::remove_file(&restored);
        let mut flipped = plain.to_vec();
        flipped[at] ^= 1 << (flip % 8);
        std::fs::write(&file, flipped).unwrap();
        let output = run(latchkey(&other, &["restore", path(&file)]), "");
        if !output.status.success() {
            refused += 1;
            assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
            continue;
        }
        taken += 1;
        assert!(says(&other, &["audit", "verify"]).0.contains("intact"), "byte {at}");
        assert!(says(&other, &["master-key", "rotate", "--keep-old"]).0.contains("resealed"), "byte {at}");
    }
    assert!(refused > 0 && taken > 0, "{refused} refused, {taken} taken");
}

/// Each kind of damage that a server can run with is named and refused, and accepted only on request.
#[tokio::test(flavor = "multi_thread")]
async fn damage_is_named_and_taken_only_if_asked_for() {
    for (statement, named) in [
        ("update audit_record set at = at + 1 where number = 3", "broken at record 3"),
        ("update api_key set secret = (select sealed from data_key where name = 'form')", "api_key.secret"),
        ("update account set totp_seed = x'00' where totp_seed is not null", "account.totp_seed"),
        ("drop index api_key_by_change", "api_key_by_change"),
        ("create trigger t after insert on session begin delete from audit_record; end", "t of the schema"),
    ] {
        let (product, _, _) = with_history().await;
        crate::support::statement(&product.app.db, statement).await;
        let copy = product.store.dir.path().join("damaged.db");
        says(&product.store, &["backup", path(&copy)]);
        let other = elsewhere(&product.store).await;
        let said = failure(latchkey(&other, &["restore", path(&copy)]), 1);
        assert!(
            said.contains("not a usable backup") && said.contains(named) && said.contains("--accept-damage"),
            "{said}"
        );
        let said = says(&other, &["restore", path(&copy), "--accept-damage"]).1;
        assert!(said.contains("ACCEPTED") && said.contains(named), "{said}");
        assert!(says(&other, &["account", "list"]).0.contains("root"));
    }
    // No server starts without the data keys.
    let (product, _, _) = with_history().await;
    crate::support::statement(&product.app.db, "update data_key set sealed = x'00' where name = 'audit'").await;
    let copy = product.store.dir.path().join("damaged.db");
    says(&product.store, &["backup", path(&copy)]);
    let other = elsewhere(&product.store).await;
    let said = failure(latchkey(&other, &["restore", path(&copy), "--accept-damage"]), 1);
    assert!(said.contains("data_key.sealed of row audit"), "{said}");
}

/// As documented, a backup can also be installed by hand.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_a_database_with_its_checksum_still_on() {
    let (product, _, copy) = with_history().await;
    let other = elsewhere(&product.store).await;
    std::fs::copy(&copy, other.dir.path().join("data/latchkey.db")).unwrap();
    assert!(says(&other, &["audit", "verify"]).0.contains("intact"));
    says(&other, &["account", "create", "third"]);
    let again = other.dir.path().join("again.db");
    says(&other, &["backup", path(&again)]);
    let third = elsewhere(&product.store).await;
    says(&third, &["restore", path(&again)]);
    assert!(says(&third, &["account", "list"]).0.contains("third"));
}

#[tokio::test(flavor = "multi_thread")]
async fn postgresql_has_tools_of_its_own() {
    let store = Store::new(Engine::Postgres).await;
    assert!(failure(latchkey(&store, &["backup", "x.db"]), 1).contains("pg_dump"));
    assert!(failure(latchkey(&store, &["restore", "x.db"]), 1).contains("pg_restore"));
}

/// `latchkey.db` of a stopped server is complete.
#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_server_leaves_one_file() {
    let store = Store::new(Engine::Sqlite).await;
    let mut server = Server::start(&store);
    says(&store, &["account", "create", "root"]);
    // The registry has a connection of its own.
    let unknown = Signer::new(server.api, &format!("AKID{}", "0".repeat(32)), "x");
    assert!(unknown.refusal(latchkey::types::clock::Clock::system().now()).await.is_some());
    assert_eq!(server.terminate().0, 0);
    let mut names: Vec<_> =
        std::fs::read_dir(store.dir.path().join("data")).unwrap().map(|file| file.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["latchkey.db", "master.key"]);
    let other = elsewhere(&store).await;
    std::fs::copy(store.dir.path().join("data/latchkey.db"), other.dir.path().join("data/latchkey.db")).unwrap();
    assert!(says(&other, &["account", "list"]).0.contains("root"));
}
