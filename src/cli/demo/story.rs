//! The story that the demo starts with: a month in the life of an account, up to a rotation that is half done.
//!
//! It is not written into tables but lived, on a clock that the story moves: the owner signs in, creates keys and shows a
//! secret, and programs send signed requests to the check. So every page shows what it would show after such a month.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, header};
use secrecy::SecretString;

use crate::account::owner::Owner;
use crate::account::second_factor::SecondFactor;
use crate::account::{sessions, sign_in, verification};
use crate::app::App;
use crate::check::context::{CheckContext, Requested};
use crate::keys::lifecycle::{self, Created};
use crate::keys::reveal;
use crate::metrics::EntryPoint;
use crate::secret::totp::Seed;
use crate::signature::SchemeName;
use crate::signature::scheme::{SentBody, SentRequest};
use crate::signature::tc3::{self, SignedRequest};
use crate::types::clock::Timestamp;
use crate::types::error::Error;
use crate::types::event::{Actor, Origin};
use crate::types::id::RequestId;

/// The days that the story takes.
pub(super) const DAYS: u32 = 30;
/// The day on which the new key is created.
const ROTATION: u32 = 24;

// Addresses that are set aside for examples (RFC 5737).
const HOME: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 24));
const SHOP: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 10));
const REPORTS: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 77));
const STRANGER: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 9));

const HOST: &str = "shop.example";
const HOUR: Duration = Duration::from_hours(1);
pub(super) const DAY: Duration = Duration::from_hours(24);

/// The owner of the demo's account.
pub(super) struct Person<'a> {
    /// The account's name.
    pub(super) name: &'a str,
    /// The account's password.
    pub(super) password: &'a SecretString,
    /// The seed in the account's authenticator.
    pub(super) seed: &'a Seed,
}

impl Person<'_> {
    async fn sign_in(&self, app: &App) -> Result<Owner, Error> {
        let origin = Origin::of_request(Actor::Stranger, HOME, RequestId::generate());
        let password = self.password.clone();
        let accepted = sign_in::check_password(app, &origin, HOME, self.name, password, None).await?;
        let code = self.seed.code_at(app.clock.now());
        let done = sign_in::check_code(app, &origin, &accepted, SecondFactor::Totp(&code)).await?;
        let owner = sessions::owner(app, &origin, done.uin, done.epoch).await?;
        owner.map(|(owner, _)| owner).ok_or(Error::SessionOver)
    }

    async fn sign_in_at(&self, app: &App, at: Timestamp) -> Result<Owner, Error> {
        app.clock.set(at);
        self.sign_in(app).await
    }

    async fn guess_password(&self, app: &App) -> Result<(), Error> {
        let origin = Origin::of_request(Actor::Stranger, STRANGER, RequestId::generate());
        let guess = SecretString::from("letmein2026");
        match sign_in::check_password(app, &origin, STRANGER, self.name, guess, None).await {
            Ok(_) | Err(Error::SignInRefused) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// A mistake of a client.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mistake {
    None,
    /// The clock is twelve minutes slow.
    Clock,
    /// The client signs the path `/`, as clients of the API do.
    Path,
}

/// Lives the story. `app` has a clock that the story moves, by [`DAYS`] days.
pub(super) async fn live(app: &App, person: &Person<'_>) -> Result<(), Error> {
    let start = app.clock.now();
    let owner = person.sign_in(app).await?;
    let old = lifecycle::create(app, &owner, Some("Shop back end")).await?;
    let mut new = None;
    for day in 0..DAYS {
        let morning = start.plus(DAY * day);
        match day {
            9 | 17 => drop(person.sign_in_at(app, morning.plus(HOUR)).await?),
            27 => {
                app.clock.set(morning.plus(HOUR * 2));
                person.guess_password(app).await?;
                person.guess_password(app).await?;
            }
            ROTATION => new = Some(begin_rotation(app, person, morning.plus(HOUR)).await?),
            _ => {}
        }
        work_a_day(app, day, morning.plus(HOUR * 3), &old, new.as_ref()).await?;
    }
    app.clock.set(start.plus(DAY * DAYS));
    Ok(())
}

/// Creates the new key and shows its secret, as its owner would.
async fn begin_rotation(app: &App, person: &Person<'_>, at: Timestamp) -> Result<Created, Error> {
    let owner = person.sign_in_at(app, at).await?;
    let new = lifecycle::create(app, &owner, Some("Shop back end, new")).await?;
    app.clock.advance(Duration::from_mins(1));
    let code = person.seed.code_at(app.clock.now());
    let verified = verification::verify(app, &owner, person.password.clone(), &code).await?;
    let ticket = reveal::record_reveal(app, &verified, &new.secret_id).await?;
    reveal::reveal(app, &owner, &ticket).await?;
    Ok(new)
}

/// The calls of ten working hours: the shop has moved to the new key, the reports have not.
async fn work_a_day(app: &App, day: u32, from: Timestamp, old: &Created, new: Option<&Created>) -> Result<(), Error> {
    for hour in 0..10 {
        app.clock.set(from.plus(HOUR * hour));
        for call in 0..busy(day, hour) {
            app.clock.advance(Duration::from_secs(97));
            let path = if call % 3 == 0 { "/orders" } else { "/stock" };
            send(app, new.unwrap_or(old), SHOP, path, Mistake::None).await;
        }
        if hour % 5 == 4 {
            send(app, old, REPORTS, "/reports/daily", Mistake::None).await;
        }
    }
    match day {
        12 => send(app, old, SHOP, "/orders", Mistake::Clock).await,
        26 | 29 => send(app, new.unwrap_or(old), SHOP, "/stock", Mistake::Path).await,
        _ => {}
    }
    app.usage.flush().await;
    Ok(())
}

/// The number of calls in an hour: fewer at the edges of the day and at the weekend.
fn busy(day: u32, hour: u32) -> u32 {
    let weekend = matches!(day % 7, 5 | 6);
    let edge = !(2..=7).contains(&hour);
    match (weekend, edge) {
        (true, _) => 1,
        (false, true) => 3,
        (false, false) => 6 + hour % 3,
    }
}

/// Sends a signed request to the check. Its outcome is in the key's records.
async fn send(app: &App, key: &Created, address: IpAddr, path: &str, mistake: Mistake) {
    let now = app.clock.now();
    let at = if mistake == Mistake::Clock { now.minus(Duration::from_mins(12)) } else { now };
    let (timestamp, body) = (at.seconds().to_string(), b"{}");
    let mut headers = HeaderMap::new();
    headers.insert(header::HOST, HeaderValue::from_static(HOST));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let signed = SignedRequest {
        method: "POST",
        path: if mistake == Mistake::Path { "/" } else { path },
        query: "",
        headers: &headers,
        payload_sha256: &tc3::payload_hash(false, body),
        timestamp: &timestamp,
    };
    let authorization = tc3::authorize(&signed, key.secret_id.as_str(), &key.secret_key, &at.utc_date(), "shop");
    for (name, value) in [(tc3::X_TC_TIMESTAMP, Some(timestamp.clone())), (header::AUTHORIZATION, authorization)] {
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(&value).ok()) {
            headers.insert(name, value);
        }
    }
    let body = SentBody::Whole(body);
    let request = SentRequest { method: "POST", path, query: "", headers: &headers, body, parameters: &[] };
    let context = CheckContext {
        entry_point: EntryPoint::Guard,
        requested: Requested::OfBackEnd { method: "POST", path },
        address,
        request_id: RequestId::generate(),
    };
    let payload = SchemeName::Tc3.payload(&request).unwrap_or_default();
    let claim = SchemeName::Tc3.read(&request, &payload);
    // Refusals are part of the story.
    let _ = app.checker.check(claim, context).await;
}
