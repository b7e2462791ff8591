//! The `WebAuthn` challenges for browsers and authenticators, and the verification of their responses. This is the only
//! module that uses the `WebAuthn` library. User verification (fingerprint, face, PIN) is always required, and so are
//! discoverable credentials.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::Url;
use webauthn_rs::prelude::{
    DiscoverableAuthentication, Passkey, PasskeyRegistration, PublicKeyCredential, RegisterPublicKeyCredential, Uuid,
    Webauthn, WebauthnBuilder, WebauthnError,
};

use crate::types::error::Error;
use crate::types::id::Uin;

/// The time that a browser has to answer a challenge.
pub const CHALLENGE_LIFETIME: Duration = Duration::from_mins(5);

/// The console as a `WebAuthn` relying party. A passkey created for one host name does not work for another.
#[derive(Debug)]
pub struct RelyingParty(Webauthn);

/// The state that a browser's response is checked against, above all the challenge. Kept on the server.
#[derive(Serialize, Deserialize)]
pub(super) enum Ceremony {
    /// The creation of a passkey.
    Registration(Box<PasskeyRegistration>),
    /// The use of a passkey.
    Assertion(Box<DiscoverableAuthentication>),
}

/// The options of a challenge, which the page's script passes to the browser.
pub type Options = Value;

/// A browser's response that claims the use of a passkey. It has not been checked yet.
pub(super) struct Assertion {
    answer: PublicKeyCredential,
    ceremony: DiscoverableAuthentication,
}

impl RelyingParty {
    /// The console at `public_url`, whose pages may also come from `origins` with the same host name. Returns `None` if
    /// browsers support no passkeys there: for an IP address, or without HTTPS except on localhost.
    pub fn new(public_url: &Url, secure: bool, origins: &[Url]) -> Option<Self> {
        let host = public_url.domain().filter(|_| secure)?;
        let builder = WebauthnBuilder::new(host, public_url).ok()?.rp_name("Latchkey").timeout(CHALLENGE_LIFETIME);
        let same_host = origins.iter().filter(|origin| origin.domain() == Some(host));
        same_host.fold(builder, WebauthnBuilder::append_allowed_origin).build().ok().map(Self)
    }

    /// Creates a challenge for a new passkey of the account, to be made by an authenticator that holds none of `known`.
    pub(super) fn ask_for_new(&self, uin: Uin, name: &str, known: Vec<Vec<u8>>) -> Result<(Options, Ceremony), Error> {
        let (options, state) =
            self.0.start_passkey_registration(user_handle(uin), name, name, Some(known)).map_err(Error::internal)?;
        let mut options = serde_json::to_value(options).map_err(Error::internal)?;
        set(&mut options, "/publicKey/authenticatorSelection", "residentKey", json!("required"))?;
        set(&mut options, "/publicKey/authenticatorSelection", "requireResidentKey", json!(true))?;
        Ok((options, Ceremony::Registration(Box::new(state))))
    }

    /// The new passkey, if `answer` is a valid response to `ceremony`.
    pub(super) fn check_new(&self, ceremony: &Ceremony, answer: &str) -> Option<Passkey> {
        let Ceremony::Registration(state) = ceremony else { return None };
        let answer: RegisterPublicKeyCredential = serde_json::from_str(answer).ok()?;
        noted(self.0.finish_passkey_registration(&answer, state))
    }

    /// Creates a challenge to use one of these passkeys, or, if none is given, any passkey for this console.
    pub(super) fn ask_for_use(&self, of: &[Vec<u8>]) -> Result<(Options, Ceremony), Error> {
        let (options, state) = self.0.start_discoverable_authentication().map_err(Error::internal)?;
        let mut options = serde_json::to_value(options).map_err(Error::internal)?;
        let id = |id: &Vec<u8>| json!({ "type": "public-key", "id": data_encoding::BASE64URL_NOPAD.encode(id) });
        set(&mut options, "/publicKey", "allowCredentials", of.iter().map(id).collect())?;
        Ok((options, Ceremony::Assertion(Box::new(state))))
    }

    /// The state of `passkey` after this use. Returns `None` if the use is not proved.
    pub(super) fn check_use(&self, assertion: Assertion, mut passkey: Passkey) -> Option<Passkey> {
        let Assertion { answer, ceremony } = assertion;
        let result = noted(self.0.finish_discoverable_authentication_v2(&answer, ceremony, &passkey))?;
        passkey.update_credential(&result)?;
        result.user_verified().then_some(passkey)
    }
}

impl Assertion {
    /// Parses a response to `ceremony`. Returns `None` if it is malformed.
    pub(super) fn parse(ceremony: Ceremony, answer: &str) -> Option<Self> {
        let Ceremony::Assertion(state) = ceremony else { return None };
        let answer = serde_json::from_str(answer).ok()?;
        Some(Self { answer, ceremony: *state })
    }

    /// The ID of the passkey that the response names.
    pub(super) fn credential_id(&self) -> &[u8] {
        self.answer.get_credential_id()
    }

    /// Returns whether the response says that the passkey belongs to this account. `None` if it does not say:
    /// authenticators may omit that if they were told which passkeys to look for.
    pub(super) fn names(&self, uin: Uin) -> Option<bool> {
        self.answer.get_user_unique_id().map(|handle| handle == user_handle(uin).as_bytes())
    }
}

/// The user handle, by which authenticators know the account. It is the account's number, which is not secret, so that
/// a new passkey on the same authenticator replaces the old one.
fn user_handle(uin: Uin) -> Uuid {
    Uuid::from_u128(uin.0.unsigned_abs().into())
}

fn set(options: &mut Options, at: &str, name: &str, value: Value) -> Result<(), Error> {
    let object = options.pointer_mut(at).and_then(Value::as_object_mut);
    object
        .ok_or_else(|| Error::internal("the WebAuthn options have an unexpected structure"))?
        .insert(name.to_owned(), value);
    Ok(())
}

/// Logs the reason for a refusal, which the page does not show.
fn noted<T>(outcome: Result<T, WebauthnError>) -> Option<T> {
    outcome.inspect_err(|cause| tracing::info!(%cause, "a passkey was refused")).ok()
}
