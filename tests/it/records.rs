//! `/cam/records`: the operations of an account, in words, for its owner only.

mod download;
mod page;
mod scale;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use latchkey::account::records::PAGE;
use latchkey::account::setup as account_setup;
use latchkey::audit::Event;
use latchkey::db::Db;
use latchkey::db::audit as chain;
use latchkey::db::records::Position;
use latchkey::operate::accounts;
use latchkey::types::event::{Action, Actor, Origin};
use latchkey::types::id::{RequestId, SecretId, Uin};
use serde_json::{Value, json};

use crate::setup::{enrol, path_of, token_of};
use crate::support::owner::PASSWORD;
use crate::support::signer::{Call, Signer, error_code};
use crate::support::{Browser, Engine, Owner, Page, Product, START, execute};

const ADDRESS: &str = "127.0.0.1";

/// A record as the page shows it, by column.
type Shown = BTreeMap<&'static str, String>;

/// The records on a page, in their order.
fn shown(page: &Page) -> Vec<Shown> {
    let body = page.body.split("<tbody>").nth(1).unwrap_or_default();
    let cell = |row: &str, label: &str| {
        let start = row.find(&format!("data-label=\"{label}\">")).unwrap() + label.len() + "data-label=\"\">".len();
        let html = row[start..].split("</td>").next().unwrap();
        // The text outside of tags.
        html.split('<').map(|part| part.rsplit_once('>').map_or(part, |(_, text)| text)).collect::<String>()
    };
    let labels = ["Time", "Event", "Result", "Key", "Who", "Address", "Request ID"];
    body.split("<tr>").skip(1).map(|row| labels.map(|label| (label, cell(row, label))).into()).collect()
}

/// The event, the result and the actor of each record.
fn said(page: &Page) -> Vec<(String, String, String)> {
    shown(page).into_iter().map(|row| (row["Event"].clone(), row["Result"].clone(), row["Who"].clone())).collect()
}

fn events(page: &Page) -> Vec<String> {
    shown(page).into_iter().map(|row| row["Event"].clone()).collect()
}

/// The URL of a link on the page.
fn link(page: &Page, text: &str) -> Option<String> {
    let before = &page.body[..page.body.find(&format!("\">{text}</a>"))?];
    Some(before[before.rfind("href=\"")? + 6..].replace("&#38;", "&"))
}

async fn records(browser: &mut Browser, query: &str) -> Page {
    let page = browser.get(&format!("/cam/records{query}")).await;
    page.is_account_page();
    page
}

/// The lines of the CSV, by column.
async fn csv(browser: &mut Browser, query: &str) -> Vec<BTreeMap<String, String>> {
    let page = browser.get(&format!("/cam/records.csv{query}")).await;
    page.is(200);
    lines(&page.body)
}

fn lines(csv: &str) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    reader.deserialize().map(Result::unwrap).collect()
}

/// Adds records of an account with many failed sign-ins and a busy program, a millisecond apart, starting a minute
/// after the start.
async fn fill(db: &Db, uin: Uin, count: i64) {
    let key = SecretId::generate();
    let first = START.0 + 60_000;
    execute(db, &format!("with recursive n (x) as (select 1 union all select x + 1 from n where x < {count})
        insert into audit_record (number, format, at, uin, actor, actor_key, action, target, address, request_id, result, detail, mac)
        select 1000 + x, 1, {first} + x, {uin},
            case when x % 10 < 7 then 'stranger' when x % 1000 = 999 then 'account' else 'key' end,
            case when x % 10 < 7 or x % 1000 = 999 then null else '{key}' end,
            case when x % 10 < 7 then 'sign-in' when x % 1000 = 999 then 'sign-in' when x % 10 = 7 then 'key.enable'
                else 'key.disable' end,
            case when x % 10 < 7 or x % 1000 = 999 then null else '{key}' end,
            '203.0.113.7', 'aaaaaaaa-0000-4000-8000-000000000000',
            case when x % 10 < 7 then 'refused' else 'done' end,
            case when x % 10 < 7 then 'password' end,
            (select mac from audit_record where number = 1)
        from n")).await;
    // Only records up to the head are part of the chain.
    execute(db, "update audit_head set number = (select max(number) from audit_record)").await;
}

/// Records sign-outs of the account, each by a different request, and returns the request IDs.
async fn sign_outs(product: &Product, uin: Uin, count: usize) -> Vec<String> {
    let mut tx = product.app.db.begin().await.unwrap();
    let mut ids = Vec::new();
    for _ in 0..count {
        let request_id = RequestId::generate();
        let address = Some(ADDRESS.parse().unwrap());
        let origin = Origin { actor: Actor::Account, address, request_id: Some(request_id) };
        product.app.audit.append(&mut tx, &origin, Event::done(Action::SignOut, uin)).await.unwrap();
        ids.push(request_id.to_string());
    }
    tx.commit().await.unwrap();
    ids
}

/// An owner with a key, with which a program has created another key, and disabled, enabled and deleted it.
struct Journey {
    product: Product,
    owner: Owner,
    browser: Browser,
    by_hand: String,
    by_program: String,
}

async fn journey(engine: Engine) -> Journey {
    let product = Product::start(engine).await;
    let mut owner = product.owner("root").await;
    let wrong = [("name", "root"), ("password", "wrong")];
    product.browser().submit("/login", "/login", &wrong).await.is(422);
    let mut half_way = product.browser();
    owner.give_password(&mut half_way).await;
    let wrong = [("kind", "totp"), ("code", "000000")];
    half_way.submit("/login/code", "/login/code", &wrong).await.is(422);
    let mut browser = owner.sign_in(&product).await;

    let by_hand = browser.create_key().await;
    let show = format!("/cam/capi/keys/{by_hand}/show");
    let wrong = [("password", "wrong"), ("code", "000000")];
    browser.submit(&show, &show, &wrong).await.is(422);
    let secret = owner.reveal(&product, &mut browser, &by_hand).await;
    browser.operate(&format!("/cam/capi/keys/{by_hand}/remark"), &[("remark", "=1+1")]).await;

    let signer = Signer::new(product.api, &by_hand, &secret);
    let cam = async |action: &'static str, body: Value| {
        let call = Call { action, body: body.to_string(), ..Call::list_keys(product.clock.now()) };
        let answer = signer.send(&call).await;
        assert_eq!(error_code(&answer), None, "{action}");
        answer
    };
    let made = cam("CreateAccessKey", json!({})).await;
    let by_program = made["AccessKey"]["AccessKeyId"].as_str().unwrap().to_owned();
    for status in ["Inactive", "Active", "Inactive"] {
        cam("UpdateAccessKey", json!({ "AccessKeyId": by_program, "Status": status })).await;
    }
    cam("DeleteAccessKey", json!({ "AccessKeyId": by_program })).await;
    Journey { product, owner, browser, by_hand, by_program }
}

#[apply(on_both_engines!)]
async fn every_event_of_a_journey_is_there_in_words(engine: Engine) {
    let Journey { product, mut owner, mut browser, by_hand, by_program } = journey(engine).await;
    for action in ["disable", "enable", "disable", "delete"] {
        browser.operate(&format!("/cam/capi/keys/{by_hand}/{action}"), &[]).await;
    }
    browser.submit("/cam/capi", "/logout", &[]).await;
    let recovery = [("kind", "recovery"), ("code", owner.recovery_codes[0].as_str())];
    owner.give_password(&mut browser).await;
    browser.submit("/login/code", "/login/code", &recovery).await.leads_to("/cam/capi");
    accounts::unlock(&product.app, "root").await.unwrap();
    accounts::end_sessions(&product.app, "root").await.unwrap();
    owner.sign_in_with(&product, &mut browser).await;
    csv(&mut browser, "").await;

    let (me, operator, stranger) = ("Account owner", "Server operator", "Not signed in");
    let program = format!("Key {by_hand}");
    let wrong_code = "Refused: code not accepted";
    let wrong_password = "Refused: password not accepted";
    let with_totp = "Done: password and code";
    let expected = [
        ("Account created", "Done", operator, ""),
        ("Account set up", "Done", operator, ""),
        ("Sign-in", wrong_password, stranger, ""),
        ("Password accepted", "Done", stranger, ""),
        ("Sign-in", wrong_code, stranger, ""),
        ("Password accepted", "Done", stranger, ""),
        ("Sign-in", with_totp, me, ""),
        ("Key created", "Done", me, &by_hand),
        ("Identity verification", wrong_password, me, ""),
        ("Identity verification", "Done", me, ""),
        ("SecretKey shown", "Done", me, &by_hand),
        ("Remark changed", "Done", me, &by_hand),
        ("Key created", "Done", &program, &by_program),
        ("Key disabled", "Done", &program, &by_program),
        ("Key enabled", "Done", &program, &by_program),
        ("Key disabled", "Done", &program, &by_program),
        ("Key deleted", "Done", &program, &by_program),
        ("Key disabled", "Done", me, &by_hand),
        ("Key enabled", "Done", me, &by_hand),
        ("Key disabled", "Done", me, &by_hand),
        ("Key deleted", "Done", me, &by_hand),
        ("Sign-out", "Done", me, ""),
        ("Password accepted", "Done", stranger, ""),
        ("Sign-in", "Done: password and recovery code", me, ""),
        ("Failed attempts cleared", "Done", operator, ""),
        ("Sessions ended", "Done", operator, ""),
        ("Password accepted", "Done", stranger, ""),
        ("Sign-in", with_totp, me, ""),
        ("Records downloaded", "Done", me, ""),
    ];
    let page = records(&mut browser, "").await;
    let rows = shown(&page);
    assert_eq!(rows.len(), expected.len(), "{:?}", said(&page));
    for (row, (event, result, who, key)) in rows.iter().rev().zip(expected) {
        assert_eq!((&*row["Event"], &*row["Result"], &*row["Who"], &*row["Key"]), (event, result, who, key));
        let by_operator = who == operator;
        assert_eq!(row["Address"], if by_operator { "" } else { ADDRESS }, "{row:?}");
        assert_eq!(row["Request ID"].len(), if by_operator { 0 } else { 36 }, "{row:?}");
        assert!(row["Time"].starts_with("2027-01-15 08:0"), "{row:?}");
    }
    page.says("<time datetime=\"2027-01-15T08:0").does_not_say("=1+1").does_not_say(PASSWORD);
    page.says("<a href=\"/cam/records\" aria-current=\"page\">Operation Records</a>");
    browser.get("/cam/capi").await.says("<a href=\"/cam/records\">Operation Records</a>");
}

#[apply(on_both_engines!)]
async fn a_lost_authenticator_and_a_blocked_address_are_there(engine: Engine) {
    let product = Product::start(engine).await;
    product.owner("root").await;
    let token = accounts::reset_mfa(&product.app, "root").await.unwrap();
    let link = path_of(&account_setup::link_address(&product.url().parse().unwrap(), &token));
    let mut browser = product.browser();
    for password in ["wrong", PASSWORD] {
        let fields = [("token", token_of(&link)), ("name", "root"), ("password", password)];
        browser.submit(&link, "/setup", &fields).await;
    }
    browser.submit("/setup/authenticator", "/setup/authenticator", &[("code", "000000")]).await.is(422);
    enrol(&mut browser, product.clock.now()).await.is_account_page();
    for at in 1..=20 {
        let name = if at == 20 { "root".to_owned() } else { format!("guess{at}") };
        let fields = [("name", name.as_str()), ("password", "wrong")];
        product.browser().submit("/login", "/login", &fields).await.is(422);
    }
    let said = said(&records(&mut browser, "").await);
    let stories: Vec<(&str, &str)> = said.iter().map(|(event, result, _)| (&**event, &**result)).collect();
    assert_eq!(
        stories,
        [
            ("Sign-in", "Refused: too many tries"),
            ("Sign-in", "Done: at the end of the set-up"),
            ("Account set up", "Done"),
            ("Account set up", "Refused: code not accepted"),
            ("Account set up", "Refused: password not accepted"),
            ("Authenticator removed", "Done"),
            ("Account set up", "Done"),
            ("Account created", "Done"),
        ]
    );
    // Records about no account are in the chain all the same.
    let store = Product::start(engine).await;
    accounts::first_setup_link(&store.app).await.unwrap().unwrap();
    let rows = chain::page(&store.app.db, 0, 10).await.unwrap();
    assert_eq!((rows[0].action.as_str(), rows[0].uin, rows.len()), ("account.set-up-link", None, 1));
}

#[apply(on_both_engines!)]
async fn changes_of_factors_and_ended_sessions_are_there(engine: Engine) {
    let product = Product::start(engine).await;
    let (mut owner, mut browser) = product.signed_in("root").await;
    for _ in 0..2 {
        owner.sign_in(&product).await;
    }
    let key = browser.create_key().await;
    owner.reveal(&product, &mut browser, &key).await;
    let sessions = browser.get("/cam/security").await;
    let one = sessions.body.rsplit("/cam/security/sessions/").next().unwrap().split('/').next().unwrap();
    for act in [&*format!("/cam/security/sessions/{one}/end"), "/cam/security/sessions/end-others"] {
        browser.submit("/cam/security", act, &[]).await.leads_to("/cam/security");
    }
    let (codes, password) = ("/cam/security/recovery-codes", "/cam/security/password");
    let code = owner.code(&product);
    browser.submit(codes, codes, &[("password", PASSWORD), ("code", &code)]).await.is_account_page();
    let code = owner.code(&product);
    let new = "seven tin kettles hum";
    let fields = [("password", PASSWORD), ("code", code.as_str()), ("new", new), ("again", new)];
    browser.submit(password, password, &fields).await.leads_to("/cam/security");
    let page = records(&mut browser, "").await;
    let said: Vec<(String, String)> = said(&page).into_iter().map(|(event, result, _)| (event, result)).collect();
    let expected = [
        ("Password changed", "Done"),
        ("Identity verification", "Done"),
        ("Recovery codes replaced", "Done"),
        ("Identity verification", "Done"),
        ("Sessions ended", "Done: all other sessions"),
        ("Session ended", "Done"),
    ];
    assert_eq!(said[..6], expected.map(|(event, result)| (event.to_owned(), result.to_owned())));
    page.does_not_say(one);
}

#[apply(on_both_engines!)]
async fn each_filter_finds_what_it_names(engine: Engine) {
    let Journey { product, mut owner, by_hand, by_program, .. } = journey(engine).await;
    let (_, mut other) = product.signed_in("other").await;
    let foreign = other.create_key().await;
    product.advance(Duration::from_hours(24));
    let mut browser = owner.sign_in(&product).await;
    let count = async |browser: &mut Browser, query: &str| events(&records(browser, query).await).len();
    let everything = count(&mut browser, "").await;
    assert_eq!(everything, 19);

    let page = records(&mut browser, "?event=key.disable").await;
    assert_eq!(events(&page), ["Key disabled", "Key disabled"]);
    page.says("<option value=\"key.disable\" selected>Key disabled</option>");
    assert_eq!(events(&records(&mut browser, "?event=key.reveal&from=&to=&key=&result=").await), ["SecretKey shown"]);

    let refused = records(&mut browser, "?result=refused").await;
    assert_eq!(events(&refused), ["Identity verification", "Sign-in", "Sign-in"]);
    assert_eq!(count(&mut browser, "?result=done").await, everything - 3);
    assert_eq!(events(&records(&mut browser, "?event=sign-in&result=refused").await), ["Sign-in", "Sign-in"]);
    assert_eq!(count(&mut browser, "?event=sign-in").await, 4);
    records(&mut browser, "?event=sign-out").await.says("No matching records").says("Clear filter");

    // The operations on a key and those made with it. A deleted key can be found, and is suggested.
    let of_program = records(&mut browser, &format!("?key={by_program}")).await;
    assert_eq!(events(&of_program), ["Key deleted", "Key disabled", "Key enabled", "Key disabled", "Key created"]);
    of_program.says(&format!("<option value=\"{by_program}\">Deleted</option>"));
    of_program.says(&format!("<option value=\"{by_hand}\">Enabled</option>"));
    let of_hand = records(&mut browser, &format!("?key=+{by_hand}+")).await;
    assert_eq!(events(&of_hand).len(), 8, "{:?}", events(&of_hand));
    let both = records(&mut browser, &format!("?key={by_hand}&event=key.create&result=done")).await;
    assert_eq!(events(&both), ["Key created", "Key created"]);
    assert_eq!(count(&mut browser, &format!("?key={foreign}")).await, 0);

    // Days are whole UTC days, including the last one.
    assert_eq!(count(&mut browser, "?from=2027-01-15&to=2027-01-15").await, everything - 2);
    assert_eq!(events(&records(&mut browser, "?from=2027-01-16").await), ["Sign-in", "Password accepted"]);
    assert_eq!(count(&mut browser, "?to=2027-01-14").await, 0);
    assert_eq!(count(&mut browser, "?to=2027-01-16&event=key.create").await, 2);
    assert_eq!(count(&mut browser, "?from=0001-01-01&to=9999-12-31").await, everything);
    let page = records(&mut browser, "?from=2027-01-16&to=2027-01-16").await;
    page.says("type=\"date\" value=\"2027-01-16\"");
}

#[apply(on_both_engines!)]
async fn a_bad_filter_is_answered_beside_its_field(engine: Engine) {
    let product = Product::start(engine).await;
    let (_, mut browser) = product.signed_in("root").await;
    for (query, field, sent, words) in [
        ("from=yesterday", "from", "value=\"yesterday\"", "This is not a date"),
        ("to=2026-02-30", "to", "value=\"2026-02-30\"", "This is not a date"),
        ("to=2026-2-3", "to", "value=\"2026-2-3\"", "This is not a date"),
        ("from=2026-02-02&to=2026-02-01", "to", "value=\"2026-02-02\"", "before the start day"),
        ("event=key.lost", "event", "<option value=\"key.lost\" selected>", "no such event"),
        ("result=maybe", "result", "<option value=\"maybe\" selected>", "no such result"),
        (
            "key=AKIDx%22%3E%3Cscript%3E",
            "key",
            "value=\"AKIDx&#34;&#62;&#60;script&#62;\"",
            "AKID followed by 32 letters",
        ),
    ] {
        for path in ["/cam/records", "/cam/records.csv"] {
            let page =
                browser.get(&format!("{path}?event=sign-in&{query}").replace("event=sign-in&event", "event")).await;
            page.is(422)
                .says(sent)
                .says(words)
                .says(&format!("id=\"{field}-error\""))
                .says(&format!("id=\"{field}\" name=\"{field}\" autofocus"));
            assert_eq!(page.body.matches("aria-invalid").count(), 1, "{query}");
            if field != "event" {
                page.says("<option value=\"sign-in\" selected>");
            }
            page.does_not_say("<tbody>").does_not_say("Download CSV");
        }
    }
    // Several errors at once, each beside its field.
    let page = browser.get("/cam/records?from=x&to=y&event=z&key=k&result=r").await;
    assert_eq!(page.is(422).body.matches("aria-invalid").count(), 5);
    browser.get("/cam/records?from=2026-01-01&from=2026-01-02").await.is(400).says("could not be read");
    // An invalid position leads to the first page.
    for page in ["before=x", "after=-", "before=1", "before=99999999999999999999-1"] {
        assert_eq!(events(&records(&mut browser, &format!("?{page}")).await).len(), 4);
    }
    let refused = chain::page(&product.app.db, 0, 100).await.unwrap();
    assert!(refused.iter().all(|row| row.action != "records.download"), "nothing was downloaded");
}

#[apply(on_both_engines!)]
async fn paging_shows_each_record_once_while_new_ones_come_in(engine: Engine) {
    let product = Product::start(engine).await;
    let (owner, mut browser) = product.signed_in("root").await;
    let (other, _) = product.signed_in("other").await;
    let mut expected = Vec::new();
    // Most records have the same time. Those of another account are in between.
    for count in [1, 119, 1] {
        product.advance(Duration::from_secs(1));
        expected.extend(sign_outs(&product, owner.uin, count).await);
        sign_outs(&product, other.uin, 2).await;
    }
    let ids = |page: &Page| shown(page).into_iter().map(|row| row["Request ID"].clone()).collect::<Vec<_>>();
    let mut page = records(&mut browser, "?event=sign-out").await;
    assert_eq!(link(&page, "Newer"), None);
    let mut visited = ids(&page);
    let mut newer = Vec::new();
    while let Some(older) = link(&page, "Older") {
        newer.extend(sign_outs(&product, owner.uin, 3).await);
        page = browser.get(&older).await;
        visited.extend(ids(&page));
    }
    expected.reverse();
    assert_eq!(visited, expected, "each once, newest first");

    // Back again, with the records that have been added in the meantime.
    assert_eq!(ids(&page).len(), 21);
    let mut seen: BTreeSet<String> = ids(&page).into_iter().collect();
    let mut pages = 0;
    while let Some(next) = link(&page, "Newer") {
        page = browser.get(&next).await;
        assert_eq!(ids(&page).len(), PAGE);
        seen.extend(ids(&page));
        pages += 1;
    }
    assert_eq!(pages, 3);
    assert_eq!(ids(&page)[..6], newer.iter().rev().cloned().collect::<Vec<_>>());
    assert_eq!(seen.len(), 121 + 6);
    assert_eq!(ids(&records(&mut browser, "?event=sign-out").await), ids(&page));
}

#[apply(on_both_engines!)]
async fn records_of_others_are_never_shown(engine: Engine) {
    let Journey { product, browser: mut theirs, by_hand, by_program, .. } = journey(engine).await;
    let (_, mut mine) = product.signed_in("other").await;
    let position = link(&records(&mut theirs, "").await, "Download CSV");
    assert_eq!(position.as_deref(), Some("/cam/records.csv"));
    let anchor = chain::page(&product.app.db, 0, 100).await.unwrap().pop().unwrap();
    for query in [
        String::new(),
        format!("?key={by_hand}"),
        format!("?key={by_program}&event=key.create"),
        format!("?before={}", Position::of(&anchor)),
        format!("?after={}-0", i64::MIN),
        "?event=key.create".to_owned(),
    ] {
        let page = records(&mut mine, &query).await;
        let body = page.body.split("</form>").last().unwrap();
        assert!(!body.contains("AKID"), "{query}");
        assert!(events(&page).iter().all(|event| !event.contains("Key") && !event.contains("verification")), "{query}");
        for line in csv(&mut mine, &query).await {
            assert!(line["target"].is_empty() && line["actor_key"].is_empty(), "{query}");
        }
    }
    // Attempts with a name that does not exist are not shown either.
    product.browser().submit("/login", "/login", &[("name", "nobody"), ("password", "wrong")]).await.is(422);
    assert_eq!(events(&records(&mut mine, "?result=refused").await).len(), 0);
    assert_eq!(events(&records(&mut theirs, "?result=refused").await).len(), 3);
}

#[test]
fn what_another_version_has_stored_is_no_event_of_this_one() {
    assert_eq!(Action::parse("of a later version"), None);
    assert_eq!(Action::parse("key.reveal"), Some(Action::KeyRevealed));
}
