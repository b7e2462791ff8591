//! Fills a database as years of use would: a million records of one account, and 90 days of calls with its two keys.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use latchkey::account::owner::Owner;
use latchkey::app::App;
use latchkey::audit::{Event, Verdict};
use latchkey::db::refused_calls::{self, NewRefusedCall};
use latchkey::db::usage::{self, LastUse, NewUse, ROWS};
use latchkey::db::{Db, Tx};
use latchkey::keys::lifecycle;
use latchkey::operate::accounts;
use latchkey::secret::totp::Seed;
use latchkey::types::clock::{Clock, Timestamp};
use latchkey::types::event::{Action, Actor, Detail, Origin};
use latchkey::types::id::{RequestId, SecretId, Uin};
use latchkey::types::reason::Reason;
use secrecy::ExposeSecret;

use crate::visitor::PASSWORD;

/// The time that the records and the calls go back.
pub(crate) const SPAN: Duration = Duration::from_hours(90 * 24);
/// The calls that are listed for each key, which is as many as are kept.
const LISTED: i64 = 10_000;
/// The diagnosed calls that are kept for each key.
const DIAGNOSED: i64 = 100;
pub(crate) const NAME: &str = "root";

/// What the pages are asked for.
pub(crate) struct Filled {
    pub(crate) seed: Seed,
    /// An enabled key.
    pub(crate) enabled: SecretId,
    /// A disabled key.
    pub(crate) disabled: SecretId,
    /// A diagnosed call.
    pub(crate) refused: RequestId,
    /// The token of another account's setup link.
    pub(crate) setup: String,
}

/// Fills an empty database with `count` records through the product's own code, and verifies their chain. `clock` is
/// the app's, and ends at the time of now.
pub(crate) async fn fill(app: &App, clock: &Clock, count: u32) -> Filled {
    let now = Clock::system().now();
    clock.set(now.minus(SPAN));
    let made = accounts::create_complete(app, NAME, PASSWORD.to_owned().into()).await.unwrap();
    let owner = Owner::by_operator(made.uin);
    let enabled = lifecycle::create(app, &owner, Some("The shop")).await.unwrap().secret_id;
    let disabled = lifecycle::create(app, &owner, None).await.unwrap().secret_id;
    lifecycle::disable(app, &owner, &disabled).await.unwrap();
    let since = clock.now();
    records(app, clock, made.uin, [&enabled, &disabled], count).await;
    clock.set(now);

    let mut tx = app.db.begin().await.unwrap();
    counts(&mut tx, since, now, [&enabled, &disabled]).await;
    let day = Duration::from_hours(24);
    // One key is called often, so that all of its listed calls are of the last day. The other one's are of all days.
    calls(&mut tx, &enabled, (now, day), None).await;
    calls(&mut tx, &disabled, (now, SPAN), Some(Reason::Disabled)).await;
    let refused = diagnoses(&mut tx, &enabled, now).await;
    tx.commit().await.unwrap();
    let setup = accounts::create_with_link(app, "second").await.unwrap().expose_secret().to_owned();
    settle(&app.db).await;
    let verdict = app.audit.verify(&app.db, None).await.unwrap();
    assert!(matches!(verdict, Verdict::Intact { records, .. } if records >= i64::from(count)), "{verdict:?}");
    Filled { seed: made.seed, enabled, disabled, refused, setup }
}

/// Adds records at equal distances: attempts of strangers, sign-ins and sign-outs, and a program that keeps changing
/// the account's keys.
async fn records(app: &App, clock: &Clock, uin: Uin, keys: [&SecretId; 2], count: u32) {
    const A_TIME: u32 = 5000;
    let step = SPAN / (count + 1);
    for first in (0..count).step_by(A_TIME as usize) {
        let mut tx = app.db.begin().await.unwrap();
        for at in first..count.min(first + A_TIME) {
            clock.advance(step);
            let key = keys[(at / 10 % 2) as usize];
            let (actor, event) = match at % 10 {
                0..6 => (Actor::Stranger, Event::refused(Action::SignIn, uin, Detail::Password)),
                6 => (Actor::Key(keys[0].clone()), Event::done(Action::KeyDisabled, uin).on_key(key)),
                7 => (Actor::Key(keys[0].clone()), Event::done(Action::KeyEnabled, uin).on_key(key)),
                8 => (Actor::Account, Event::done(Action::SignIn, uin).with_detail(Detail::PasswordAndTotp)),
                _ => (Actor::Account, Event::done(Action::SignOut, uin)),
            };
            let origin = Origin::of_request(actor, address(at), RequestId::generate());
            app.audit.append(&mut tx, &origin, event).await.unwrap();
        }
        tx.commit().await.unwrap();
    }
}

fn address(at: u32) -> IpAddr {
    Ipv4Addr::from(0xc633_6400 + at % 250).into()
}

/// Adds the counts of every hour.
async fn counts(tx: &mut Tx, since: Timestamp, now: Timestamp, [enabled, disabled]: [&SecretId; 2]) {
    let hours = since.hour()..=now.hour();
    let counts: Vec<_> =
        hours.flat_map(|hour| [((enabled, since, hour), (5000, 40)), ((disabled, since, hour), (0, 30))]).collect();
    usage::add_counts(tx, &counts).await.unwrap();
}

/// Adds as many listed calls as are kept, at equal distances.
async fn calls(tx: &mut Tx, key: &SecretId, (now, span): (Timestamp, Duration), refusal: Option<Reason>) {
    let action = "DescribeInstances";
    let step = i64::try_from(span.as_millis()).unwrap() / LISTED;
    let call = |at: i64| NewUse {
        secret_id: key,
        at: Timestamp(now.0 - at * step),
        request_id: RequestId::generate(),
        action,
        address: address(u32::try_from(at).unwrap()),
        refusal: refusal.or((at % 100 == 0).then_some(Reason::WrongSignature)),
    };
    let listed: Vec<NewUse<'_>> = (1..=LISTED).map(call).collect();
    for some in listed.chunks(ROWS) {
        usage::insert(tx, some).await.unwrap();
    }
    if refusal.is_none() {
        let last = LastUse { at: now, action: action.to_owned(), address: address(1) };
        usage::note_last_uses(tx, &[(key, &last)]).await.unwrap();
    }
}

/// Adds as many diagnosed calls as are kept, and returns the ID of the latest one.
async fn diagnoses(tx: &mut Tx, key: &SecretId, now: Timestamp) -> RequestId {
    let canonical_request = "POST\n/\n\ncontent-type:application/json; charset=utf-8\n".repeat(20);
    let mut latest = RequestId::generate();
    for at in (1..=DIAGNOSED).rev() {
        latest = RequestId::generate();
        let record = NewUse {
            secret_id: key,
            at: Timestamp(now.0 - at * 1000),
            request_id: latest,
            action: "DescribeInstances",
            address: address(7),
            refusal: Some(Reason::WrongSignature),
        };
        let call = NewRefusedCall {
            signed_at: record.at,
            canonical_request: &canonical_request,
            string_to_sign: "TC3-HMAC-SHA256\n1800000000\n2027-01-15/cvm/tc3_request\nba7816bf",
            cause: "content-type",
        };
        refused_calls::insert(tx, record, call, DIAGNOSED).await.unwrap();
    }
    latest
}

/// Lets the planner see what was added, as the database does by itself in the course of time.
async fn settle(db: &Db) {
    if let Db::Postgres(pool) = db {
        sqlx::query("vacuum analyze").execute(pool).await.unwrap();
    }
}
