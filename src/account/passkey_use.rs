//! Using a passkey: what a browser is asked, and the claim its answer makes. The use of one stands in for password and code
//! together, at sign-in and at verification.
//!
//! Invariant: a challenge is made here, is known to the browser or session that asked, and is taken by the first answer,
//! right or wrong. A passkey is only ever looked for among those of the account it is to prove.
//!
//! Anybody can ask, and each question is a row. So of one asker only so many wait for their answers, and of all only so
//! many; those who have signed in before do not share with strangers of their address.

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

/// How many questions of one asker may wait for their answers.
pub const MOST_WAITING: i64 = 50;
/// The same of all together. Beyond, the oldest are forgotten: nobody can keep the others from asking.
const MOST_WAITING_IN_ALL: i64 = 10_000;

/// A question to the browser that waits for its answer, once and for a short time. Kept in the session, or by a browser
/// that has none.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Challenge {
    #[serde(serialize_with = "for_the_session")]
    token: Token,
}

/// The one token that a session holds, and no digest: at sign-in, the browser holds it instead.
fn for_the_session<S: Serializer>(token: &Token, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(token.expose_secret())
}

impl From<&str> for Challenge {
    /// As its browser kept it, or says so.
    fn from(token: &str) -> Self {
        Self { token: token.into() }
    }
}

impl Challenge {
    /// For the browser to keep.
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

    /// What it is checked against. None if it has been answered, or waited too long.
    pub(super) async fn take(self, app: &App) -> Result<Option<Ceremony>, Error> {
        let ceremony = db::take_challenge(&app.db, &self.token.digest(), app.clock.now()).await?;
        ceremony.map(|ceremony| serde_json::from_str(&ceremony)).transpose().map_err(Error::internal)
    }
}

/// Who has a browser asked about a passkey.
pub(super) enum Asker {
    /// Somebody signed in.
    Account(Uin),
    /// A browser that has signed in before, by the digest of its token.
    Browser(TokenDigest),
    /// Anybody else.
    Address(Subscriber),
}

impl std::fmt::Display for Asker {
    /// As it is stored.
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

/// A browser's answer to a [`Challenge`], as its script sends it.
pub struct Answer<'a> {
    /// The console that has asked.
    pub site: &'a RelyingParty,
    /// What it is an answer to, if the session has asked at all.
    pub challenge: Option<Challenge>,
    /// The credential, in the JSON of the browser.
    pub credential: &'a str,
}

/// Asks a browser nobody is signed in with for the use of any passkey. `device` is the token of a browser that has signed in
/// before. [`Error::AddressBlocked`] if too many such questions wait for their answers.
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

/// Asks for the use of one of the account's. [`Error::PasskeyNotFound`] if it has none.
pub async fn ask_for_own(app: &App, site: &RelyingParty, owner: &Owner) -> Result<(Options, Challenge), Error> {
    let own = db::credential_ids(&app.db, owner.uin()).await?;
    if own.is_empty() {
        return Err(Error::PasskeyNotFound);
    }
    let (options, ceremony) = site.ask_for_use(&own)?;
    Ok((options, Challenge::keep(app, &Asker::Account(owner.uin()), &ceremony).await?))
}

/// The claim that a passkey was used, not checked yet.
pub(super) struct Claim<'a> {
    site: &'a RelyingParty,
    assertion: Assertion,
    credential: CredentialRow,
}

impl<'a> Claim<'a> {
    /// Takes the challenge and reads the answer. None if the challenge has been answered or waited too long, the answer
    /// is not the shape of one, or no account has such a passkey.
    pub(super) async fn read(app: &App, answer: Answer<'a>) -> Result<Option<Self>, Error> {
        let Some(challenge) = answer.challenge else { return Ok(None) };
        let Some(ceremony) = challenge.take(app).await? else { return Ok(None) };
        let Some(assertion) = Assertion::parse(ceremony, answer.credential) else { return Ok(None) };
        let found = db::by_credential_id(&app.db, assertion.credential_id()).await?;
        Ok(found.map(|credential| Self { site: answer.site, assertion, credential }))
    }

    /// Whose passkey it is.
    pub(super) fn uin(&self) -> Uin {
        self.credential.uin
    }

    /// Does the authenticator itself say so? None if it says nothing.
    pub(super) fn names_its_owner(&self) -> Option<bool> {
        self.assertion.names(self.credential.uin)
    }

    /// Was the passkey used, by somebody it knows? Notes the use.
    pub(super) async fn holds(self, app: &App, tx: &mut Tx) -> Result<bool, Error> {
        let CredentialRow { handle, credential: before, .. } = self.credential;
        let passkey = serde_json::from_str(&before).map_err(Error::internal)?;
        let Some(after) = self.site.check_use(self.assertion, passkey) else { return Ok(false) };
        let after = serde_json::to_string(&after).map_err(Error::internal)?;
        Ok(db::note_use(tx, &handle, &before, &after, app.clock.now()).await?)
    }
}
