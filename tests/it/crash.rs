//! Attack 21: `kill -9` during a stream of operations. Everything acknowledged is there after the restart, and nothing
//! is half done.

use latchkey::app::App;
use latchkey::audit::Verdict;
use latchkey::config::Settings;
use latchkey::types::clock::Clock;

use crate::support::browser::key_ids;
use crate::support::process::Server;
use crate::support::{Browser, Engine, Store};

const ROUNDS: u32 = 50;
/// Creates, disables and deletes keys until the server is gone. Returns the page after the last acknowledged operation,
/// as (id, enabled) pairs, and the operation in progress.
async fn operate_until_killed(
    browser: &mut Browser,
    mut keys: Vec<(String, bool)>,
    after: u32,
    server: &mut Server,
) -> Vec<(String, bool)> {
    let token = browser.get("/cam/capi").await.form_token();
    for operation in 0..after {
        let path = match keys.as_slice() {
            [] | [_] if operation % 3 == 0 => "/cam/capi/keys".to_owned(),
            [(id, true), ..] => format!("/cam/capi/keys/{id}/disable"),
            [(id, false), ..] => format!("/cam/capi/keys/{id}/delete"),
            [] => "/cam/capi/keys".to_owned(),
        };
        browser.post(&path, &token, &[]).await.is(303);
        keys = shown(browser).await;
    }
    // The last operation is cut off: the server dies during it, and it may or may not have been performed.
    let last = browser.clone();
    let under_way = tokio::spawn(async move {
        let request = last.request(reqwest::Method::POST, "/cam/capi/keys").form(&[("form_token", token)]);
        let _ = request.send().await;
    });
    tokio::task::yield_now().await;
    server.kill();
    under_way.await.unwrap();
    keys
}

async fn shown(browser: &mut Browser) -> Vec<(String, bool)> {
    let page = browser.get("/cam/capi").await;
    let ids = key_ids(page.is_account_page());
    let enabled = |id: &String| page.body.contains(&format!("/cam/capi/keys/{id}/disable"));
    ids.iter().map(|id| (id.clone(), enabled(id))).collect()
}

#[apply(on_both_engines!)]
async fn what_was_acknowledged_survives(engine: Engine) {
    let store = Store::new(engine).await;
    let mut server = Server::start(&store);
    let (mut browser, _) = server.signed_in(&store).await;

    let mut keys = Vec::new();
    for round in 0..ROUNDS {
        let acknowledged = operate_until_killed(&mut browser, keys, 1 + round % 4, &mut server).await;
        server = Server::start(&store);
        // The session survives the process, too.
        browser = browser.at(format!("http://localhost:{}", server.console.port()));
        keys = shown(&mut browser).await;
        for key in &acknowledged {
            assert!(keys.contains(key), "round {round}: {key:?} of {acknowledged:?} is not in {keys:?}");
        }
        assert!(keys.len() <= acknowledged.len() + 1);
    }
    server.terminate();

    let settings = Settings::resolve(store.given()).unwrap();
    let app = App::open(settings, Clock::system()).await.unwrap();
    assert!(matches!(app.audit.verify(&app.db, None).await.unwrap(), Verdict::Intact { .. }));
}
