//! Using a passkey: the challenge that a browser is sent, and the claim that its response makes. At sign-in and at
//! verification, the use of a passkey replaces both password and code.
//!
//! Invariant: a challenge is created here, is known only to the browser or session that requested it, and is used up by
//! the first response, right or wrong. A passkey proves only the account that it belongs to.
//!
//! Anybody can request a challenge, and each challenge is a row in the database. So the number of pending challenges is
//! limited, both per requester and in total. Browsers that have signed in before do not share the limit of their
//! address with anonymous clients.

use std::net::IpAddr;

use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize, Serializer};

use super::owner::Owner;
use super::webauthn::{Assertion, CHALLENGE_LIFETIME, Ceremony, Options, RelyingParty};
use crate::app::App;
use crate::db::Tx;
use crate::db::accounts;
use crate::db::passkeys::{self as db, CredentialRow};
use crate::secret::token::{Token, TokenDigest};
use crate::types::error::Error;
use crate::types::id::Uin;
use crate::types::subscriber::Subscriber;

/// The most challenges that one requester may have pending.
pub const MOST_WAITING: i64 = 50;
/// The most challenges that may be pending in total. Beyond that, the oldest are deleted, so that nobody can keep
/// others from requesting one.
const MOST_WAITING_IN_ALL: i64 = 10_000;

/// A challenge that a browser has been sent. It can be answered once, and for a short time. Kept in the session, or by
/// the browser if there is no session.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Challenge {
    #[serde(serialize_with = "for_the_session")]
    token: Token,
}

/// Serializes the token in plain text. No other token is kept in a session without being hashed: at sign-in, where
/// there is no session, the browser holds it instead.
fn for_the_session<S: Serializer>(token: &Token, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(token.expose_secret())
}

impl From<&str> for Challenge {
    /// The challenge whose token a browser presents.
    fn from(token: &str) -> Self {
        Self { token: token.into() }
    }
}

impl Challenge {
    /// The token, for the browser to keep.
    pub fn token(&self) -> &Token {
        &self.token
    }

    pub(super) async fn keep(app: &App, asker: &Asker, ceremony: &Ceremony) -> Result<Self, Error> {
        let (asker, now) = (asker.to_string(), app.clock.now());
        let (waiting, ends) = db::waiting_challenges(&app.db, &asker, now).await?;
        if waiting >= MOST_WAITING {
            return Err(Error::AddressBlocked { wait: ends.unwrap_or(now).since(now) });
        }
        let token = Token::generate();
        let ceremony = serde_json::to_string(ceremony).map_err(Error::internal)?;
        let (digest, expires_at) = (token.digest(), now.plus(CHALLENGE_LIFETIME));
        db::insert_challenge(&app.db, &digest, &ceremony, &asker, expires_at, MOST_WAITING_IN_ALL).await?;
        Ok(Self { token })
    }

    /// Takes the state that the response is checked against. Returns `None` if the challenge has already been answered
    /// or has expired.
    pub(super) async fn take(self, app: &App) -> Result<Option<Ceremony>, Error> {
        let ceremony = db::take_challenge(&app.db, &self.token.digest(), app.clock.now()).await?;
        ceremony.map(|ceremony| serde_json::from_str(&ceremony)).transpose().map_err(Error::internal)
    }
}

/// The requester of a challenge.
pub(super) enum Asker {
    /// A signed-in owner.
    Account(Uin),
    /// A browser that has signed in before, by the digest of its token.
    Browser(TokenDigest),
    /// Anybody else, by address.
    Address(Subscriber),
}

impl std::fmt::Display for Asker {
    /// The stored form.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Account(uin) => write!(f, "account/{uin}"),
            Self::Browser(digest) => write!(f, "browser/{}", digest.to_hex()),
            Self::Address(subscriber) => write!(f, "address/{subscriber}"),
        }
    }
}

impl Asker {
    async fn not_signed_in(app: &App, address: IpAddr, device: Option<&Token>) -> Result<Self, Error> {
        if let Some(digest) = device.map(Token::digest)
            && accounts::is_known_device_of_any(&app.db, &digest, app.clock.now()).await?
        {
            return Ok(Self::Browser(digest));
        }
        Ok(Self::Address(address.into()))
    }
}

/// A browser's response to a [`Challenge`], as the page's script sends it.
pub struct Answer<'a> {
    /// The console that sent the challenge.
    pub site: &'a RelyingParty,
    /// The challenge that this is the response to, if there is one.
    pub challenge: Option<Challenge>,
    /// The credential, as JSON from the browser.
    pub credential: &'a str,
}

/// Creates a challenge for a browser in which nobody is signed in, to use any passkey. `device` is the token of a
/// browser that has signed in before. Fails with [`Error::AddressBlocked`] if the requester has too many pending
/// challenges.
pub async fn ask_for_any(
    app: &App,
    site: &RelyingParty,
    address: IpAddr,
    device: Option<&Token>,
) -> Result<(Options, Challenge), Error> {
    let asker = Asker::not_signed_in(app, address, device).await?;
    let (options, ceremony) = site.ask_for_use(&[])?;
    Ok((options, Challenge::keep(app, &asker, &ceremony).await?))
}

/// Creates a challenge to use one of the account's own passkeys. Fails with [`Error::PasskeyNotFound`] if it has none.
pub async fn ask_for_own(app: &App, site: &RelyingParty, owner: &Owner) -> Result<(Options, Challenge), Error> {
    let own = db::credential_ids(&app.db, owner.uin()).await?;
    if own.is_empty() {
        return Err(Error::PasskeyNotFound);
    }
    let (options, ceremony) = site.ask_for_use(&own)?;
    Ok((options, Challenge::keep(app, &Asker::Account(owner.uin()), &ceremony).await?))
}

/// The claim that a passkey was used. It has not been checked yet.
pub(super) struct Claim<'a> {
    site: &'a RelyingParty,
    assertion: Assertion,
    credential: CredentialRow,
}

impl<'a> Claim<'a> {
    /// Takes the challenge and reads the response. Returns `None` if the challenge has already been answered or has
    /// expired, if the response is malformed, or if no account has such a passkey.
    pub(super) async fn read(app: &App, answer: Answer<'a>) -> Result<Option<Self>, Error> {
        let Some(challenge) = answer.challenge else { return Ok(None) };
        let Some(ceremony) = challenge.take(app).await? else { return Ok(None) };
        let Some(assertion) = Assertion::parse(ceremony, answer.credential) else { return Ok(None) };
        let found = db::by_credential_id(&app.db, assertion.credential_id()).await?;
        Ok(found.map(|credential| Self { site: answer.site, assertion, credential }))
    }

    /// The account that the passkey belongs to.
    pub(super) fn uin(&self) -> Uin {
        self.credential.uin
    }

    /// Returns whether the authenticator itself names this account, or `None` if it names no account.
    pub(super) fn names_its_owner(&self) -> Option<bool> {
        self.assertion.names(self.credential.uin)
    }

    /// Checks that the passkey was used by somebody it recognises, and records the use.
    pub(super) async fn holds(self, app: &App, tx: &mut Tx) -> Result<bool, Error> {
        let CredentialRow { handle, credential: before, .. } = self.credential;
        let passkey = serde_json::from_str(&before).map_err(Error::internal)?;
        let Some(after) = self.site.check_use(self.assertion, passkey) else { return Ok(false) };
        let after = serde_json::to_string(&after).map_err(Error::internal)?;
        Ok(db::note_use(tx, &handle, &before, &after, app.clock.now()).await?)
    }
}
