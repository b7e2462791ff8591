//! Rotating the master key while servers run.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use latchkey::db::sealed::{COLUMNS, count};
use latchkey::operate::master_key::{self, Resealed};
use latchkey::secret::vault::Vault;
use secrecy::ExposeSecret;

use crate::support::process::{failure, latchkey, run};
use crate::support::signer::Signer;
use crate::support::{Browser, Engine, Owner, Product};

struct Installation {
    product: Product,
    owner: Owner,
    browser: Browser,
    key: String,
    secret: String,
}

impl Installation {
    async fn new(engine: crate::support::Engine) -> Self {
        let product = Product::start(engine).await;
        let (mut owner, mut browser) = product.signed_in("root").await;
        let key = browser.create_key().await;
        let secret = owner.reveal(&product, &mut browser, &key).await;
        Self { product, owner, browser, key, secret }
    }

    fn file(&self) -> PathBuf {
        self.product.store.dir.path().join("data/master.key")
    }

    fn versions(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.file()).unwrap();
        text.lines().map(|line| line.split(':').next().unwrap().to_owned()).collect()
    }

    fn command(&self, arguments: &[&str]) -> String {
        let output = run(latchkey(&self.product.store, arguments), "");
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(output.status.success(), "{arguments:?}: {said}");
        said
    }

    async fn sealed_under(&self, version: i64) -> i64 {
        count(&self.product.app.db, version, version).await.unwrap()
    }

    /// Checks that Show, signed requests, sign-in and creating a key work through `process`.
    async fn all_opens(&mut self, process: &Product) {
        let mut signed_in = self.owner.sign_in(process).await;
        assert_eq!(self.owner.reveal(process, &mut signed_in, &self.key).await, self.secret);
        let signer = Signer::new(process.api, &self.key, &self.secret);
        assert_eq!(signer.refusal(process.clock.now()).await, None);
        let new = signed_in.create_key().await;
        for action in ["disable", "delete"] {
            signed_in.operate(&format!("/cam/capi/keys/{new}/{action}"), &[]).await;
        }
    }
}

/// The first step of `rotate`.
fn add_version(file: &std::path::Path, version: i64) {
    let mut text = std::fs::read_to_string(file).unwrap();
    text.push_str(Vault::generate_version(version).expose_secret());
    std::fs::write(file, text).unwrap();
}

#[apply(on_both_engines!)]
async fn secrets_open_in_running_and_in_new_processes(engine: Engine) {
    let mut it = Installation::new(engine).await;
    let running = it.product.sibling().await;
    let said = it.command(&["master-key", "rotate"]);
    assert!(said.contains("4 secrets were resealed under version 2"), "{said}");
    assert_eq!(it.versions(), ["2"]);
    assert_eq!((it.sealed_under(1).await, it.sealed_under(2).await), (0, 4));
    assert_eq!(std::fs::metadata(it.file()).unwrap().permissions().mode() & 0o777, 0o600);

    it.all_opens(&running).await;
    let new = it.product.sibling().await;
    it.all_opens(&new).await;
    assert_eq!(it.sealed_under(1).await, 0, "nobody seals under the old version");
    assert!(it.command(&["audit", "verify"]).contains("intact"));

    let said = it.command(&["master-key", "rotate", "--keep-old"]);
    assert!(said.contains("older versions were kept"), "{said}");
    assert_eq!(it.versions(), ["2", "3"]);
    it.all_opens(&running).await;
    it.command(&["master-key", "rotate"]);
    assert_eq!(it.versions(), ["4"]);
    it.all_opens(&new).await;
    assert_eq!(count(&it.product.app.db, 1, 3).await.unwrap(), 0);
}

#[apply(on_both_engines!)]
async fn an_interrupted_rotation_goes_on(engine: Engine) {
    let mut it = Installation::new(engine).await;
    add_version(&it.file(), 2);
    let app = it.product.app.clone();
    assert!(master_key::begin(&app, 2).await.unwrap());
    let mut so_far = Resealed::default();
    master_key::reseal_page(&app, COLUMNS[0], 2, "", &mut so_far).await.unwrap();
    assert_eq!((it.sealed_under(1).await, it.sealed_under(2).await), (2, 2));
    // New values are sealed under the new version, and everything works.
    let key = it.browser.create_key().await;
    assert_eq!((it.sealed_under(1).await, it.sealed_under(2).await), (2, 3));
    it.browser.operate(&format!("/cam/capi/keys/{key}/disable"), &[]).await;
    it.browser.operate(&format!("/cam/capi/keys/{key}/delete"), &[]).await;
    let started = it.product.sibling().await;
    it.all_opens(&started).await;

    let said = it.command(&["master-key", "rotate"]);
    assert!(said.contains("2 secrets were resealed under version 2"), "{said}");
    assert_eq!(it.versions(), ["2"]);
    assert_eq!(it.sealed_under(1).await, 0);
    it.all_opens(&started).await;
}

/// As if `rotate` had been killed before the database knew the new version.
#[apply(on_both_engines!)]
async fn a_version_that_only_the_file_has_is_taken_up(engine: Engine) {
    let mut it = Installation::new(engine).await;
    add_version(&it.file(), 2);
    it.command(&["master-key", "rotate"]);
    assert_eq!((it.versions(), it.sealed_under(1).await), (vec!["2".to_owned()], 0));
    let running = it.product.sibling().await;
    it.all_opens(&running).await;
}

#[apply(on_both_engines!)]
async fn changes_meanwhile_are_not_lost(engine: Engine) {
    let mut it = Installation::new(engine).await;
    let store = it.product.store.clone();
    let rotating = tokio::task::spawn_blocking(move || {
        for _ in 0..5 {
            let output = run(latchkey(&store, &["master-key", "rotate"]), "");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
    });
    while !rotating.is_finished() {
        let key = it.browser.create_key().await;
        it.browser.operate(&format!("/cam/capi/keys/{key}/disable"), &[]).await;
        it.browser.operate(&format!("/cam/capi/keys/{key}/delete"), &[]).await;
    }
    rotating.await.unwrap();
    let key = it.browser.create_key().await;
    assert_eq!((it.versions(), it.sealed_under(6).await), (vec!["6".to_owned()], 5));
    assert_eq!(count(&it.product.app.db, 1, 5).await.unwrap(), 0);
    let new = it.product.sibling().await;
    it.owner.reveal(&new, &mut it.browser.at(new.url()), &key).await;
}

#[apply(on_both_engines!)]
async fn a_key_that_cannot_be_written_is_changed_by_hand(engine: Engine) {
    let mut it = Installation::new(engine).await;
    let given = |text: &str, arguments: &[&str]| {
        let mut command = latchkey(&it.product.store, arguments);
        command.env("LATCHKEY_MASTER_KEY", text);
        command
    };
    let first = std::fs::read_to_string(it.file()).unwrap();
    let said = failure(given(&first, &["master-key", "rotate"]), 1);
    assert!(said.contains("LATCHKEY_MASTER_KEY") && said.contains("version 2"), "{said}");
    let second = Vault::generate_version(2);
    let second = second.expose_secret();
    let output = run(given(&format!("{first}{second}"), &["master-key", "rotate"]), "");
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("remove them from LATCHKEY_MASTER_KEY"), "{said}");
    assert!(run(given(second, &["account", "list"]), "").status.success());
    // With the first version alone, nothing starts any more.
    assert!(failure(given(&first, &["account", "list"]), 1).contains("version 2"));
    std::fs::write(it.file(), second).unwrap();
    let running = it.product.sibling().await;
    it.all_opens(&running).await;
}

#[apply(on_both_engines!)]
async fn what_does_not_open_keeps_the_old_version(engine: Engine) {
    let it = Installation::new(engine).await;
    let spoil = "update api_key set secret = (select sealed from data_key where name = 'form')";
    match &it.product.app.db {
        latchkey::db::Db::Sqlite(pool, _) => sqlx::query(spoil).execute(pool).await.map(drop).unwrap(),
        latchkey::db::Db::Postgres(pool) => sqlx::query(spoil).execute(pool).await.map(drop).unwrap(),
    }
    let said = failure(latchkey(&it.product.store, &["master-key", "rotate"]), 1);
    assert!(said.contains("1 secrets do not open"), "{said}");
    assert_eq!(it.versions(), ["1", "2"]);
    assert!(it.command(&["account", "list"]).contains("root"));
}
