//! The database goes back to an earlier state, or disappears, under a running server.

use std::fs;

use latchkey::db::Db;
use latchkey::keys::lifecycle;
use latchkey::types::id::SecretId;

use crate::support::process::{self, latchkey};
use crate::support::signer::{Call, Signer, error_code};
use crate::support::{Browser, Engine, Owner, Product};

struct Installation {
    product: Product,
    owner: Owner,
    browser: Browser,
    id: SecretId,
    signer: Signer,
}

async fn installation(engine: Engine) -> Installation {
    let product = Product::start(engine).await;
    let (mut owner, mut browser) = product.signed_in("root").await;
    let key = browser.create_key().await;
    let secret = owner.reveal(&product, &mut browser, &key).await;
    let signer = Signer::new(product.api, &key, &secret);
    Installation { product, owner, browser, id: key.parse().unwrap(), signer }
}

impl Installation {
    async fn operate(&mut self, action: &str) {
        self.browser.operate(&format!("/cam/capi/keys/{}/{action}", self.id), &[]).await;
    }

    async fn code(&self) -> Option<String> {
        error_code(&self.signer.send(&Call::identity(self.product.clock.now())).await)
    }

    async fn execute(&self, statements: &'static str) {
        match &self.product.app.db {
            Db::Sqlite(pool, _) => sqlx::raw_sql(statements).execute(pool).await.map(drop),
            Db::Postgres(pool) => sqlx::raw_sql(statements).execute(pool).await.map(drop),
        }
        .unwrap();
    }

    async fn keep_a_copy(&self) {
        self.execute(
            "create table copy_of_number as select * from key_change;
            create table copy_of_history as select * from key_history;
            create table copy_of_keys as select * from api_key",
        )
        .await;
    }

    async fn put_back_the_copy(&self) {
        self.execute(
            "begin;
            delete from key_change; insert into key_change select * from copy_of_number;
            delete from key_history; insert into key_history select * from copy_of_history;
            delete from api_key; insert into api_key select * from copy_of_keys;
            commit",
        )
        .await;
    }
}

const UNKNOWN: &str = "AuthFailure.SecretIdNotFound";

/// With as many new changes as were lost, so that the change number reaches the one that was seen.
#[apply(on_both_engines!)]
async fn a_database_that_went_back_is_followed(engine: Engine) {
    let mut i = installation(engine).await;
    i.keep_a_copy().await;
    for others in 0..=7 {
        i.put_back_the_copy().await;
        assert_eq!(i.code().await, None, "put back, the key is enabled");
        for _ in 0..3 {
            i.operate("disable").await;
            i.operate("enable").await;
        }
        assert_eq!(i.code().await, None);
        i.put_back_the_copy().await;
        for _ in 0..others {
            lifecycle::set_remark(&i.product.app, &i.owner.proof(), &i.id, "again").await.unwrap();
        }
        lifecycle::disable(&i.product.app, &i.owner.proof(), &i.id).await.unwrap();
        assert_eq!(i.code().await.as_deref(), Some(UNKNOWN), "after {others} other changes");
    }
}

/// A key that exists only in the lost part of the history.
#[apply(on_both_engines!)]
async fn what_the_database_has_lost_is_forgotten(engine: Engine) {
    let mut i = installation(engine).await;
    i.execute("create table kept as select * from key_change; create table kept_history as select * from key_history")
        .await;
    let second = i.browser.create_key().await;
    let secret = i.owner.reveal(&i.product, &mut i.browser, &second).await;
    let signer = Signer::new(i.product.api, &second, &secret);
    let call = Call::identity(i.product.clock.now());
    assert_eq!(error_code(&signer.send(&call).await), None);
    i.execute(
        "delete from key_change; insert into key_change select * from kept; delete from key_history;
            insert into key_history select * from kept_history; delete from api_key where slot = 2",
    )
    .await;
    assert_eq!(error_code(&signer.send(&call).await).as_deref(), Some(UNKNOWN));
    assert_eq!(i.code().await, None);
}

/// A file that is no longer the database is not used, and no new one is created in its place.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_file_that_is_gone_is_missed() {
    let mut i = installation(Engine::Sqlite).await;
    let data = i.product.store.dir.path().join("data");
    let (file, away) = (data.join("latchkey.db"), data.join("away.db"));
    let ready = format!("http://{}/readyz", i.product.api);
    let page = i.browser.get("/cam/capi").await;
    page.is(203);
    for replaced in [false, true] {
        fs::rename(&file, &away).unwrap();
        if replaced {
            fs::copy(&away, &file).unwrap();
        }
        assert_eq!(i.code().await.as_deref(), Some("InternalError"));
        assert_eq!(reqwest::get(&ready).await.unwrap().status(), 503);
        i.browser.get("/cam/capi").await.is(503).says("is not available");
        let refused = lifecycle::disable(&i.product.app, &i.owner.proof(), &i.id).await;
        assert!(matches!(refused, Err(latchkey::types::error::Error::Unavailable(_))), "{refused:?}");
        if !replaced {
            let said = process::failure(latchkey(&i.product.store, &["key", "disable", i.id.as_str()]), 1);
            assert!(said.contains("there is no database at"), "{said}");
            let said = process::failure(latchkey(&i.product.store, &["migrate"]), 1);
            assert!(said.contains("its master key is there"), "{said}");
            assert!(!file.exists());
        }
        fs::rename(&away, &file).unwrap();
        assert_eq!(i.code().await, None);
        assert_eq!(reqwest::get(&ready).await.unwrap().status(), 200);
    }
    i.operate("disable").await;
    assert_eq!(i.code().await.as_deref(), Some(UNKNOWN));
}
