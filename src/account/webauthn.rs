//! What browsers and authenticators are asked for and how their answers are checked: the one place that knows the
//! `WebAuthn` library. User verification (fingerprint, face, PIN) is demanded every time, and so are passkeys that are
//! found without naming the account.

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

/// How long a challenge waits for its answer.
pub const CHALLENGE_LIFETIME: Duration = Duration::from_mins(5);

/// The console as passkeys know it. A passkey made for one host name does not work for another.
#[derive(Debug)]
pub struct RelyingParty(Webauthn);

/// What a browser's answer is checked against: above all, the challenge. Kept on the server.
#[derive(Serialize, Deserialize)]
pub(super) enum Ceremony {
    /// A new passkey is awaited.
    Registration(Box<PasskeyRegistration>),
    /// The use of one is awaited.
    Assertion(Box<DiscoverableAuthentication>),
}

/// What a browser is asked, as the script hands it on.
pub type Options = Value;

/// A browser's answer to the question for a passkey, not checked yet.
pub(super) struct Assertion {
    answer: PublicKeyCredential,
    ceremony: DiscoverableAuthentication,
}

impl RelyingParty {
    /// The console at `public_url`, whose pages may also come from `origins` under the same host name. None where
    /// browsers know no passkeys: under an IP address, and without https off this machine.
    pub fn new(public_url: &Url, secure: bool, origins: &[Url]) -> Option<Self> {
        let host = public_url.domain().filter(|_| secure)?;
        let builder = WebauthnBuilder::new(host, public_url).ok()?.rp_name("Latchkey").timeout(CHALLENGE_LIFETIME);
        let same_host = origins.iter().filter(|origin| origin.domain() == Some(host));
        same_host.fold(builder, WebauthnBuilder::append_allowed_origin).build().ok().map(Self)
    }

    /// Asks for a new passkey of the account, made by an authenticator that has none of `known` yet.
    pub(super) fn ask_for_new(&self, uin: Uin, name: &str, known: Vec<Vec<u8>>) -> Result<(Options, Ceremony), Error> {
        let (options, state) =
            self.0.start_passkey_registration(user_handle(uin), name, name, Some(known)).map_err(Error::internal)?;
        let mut options = serde_json::to_value(options).map_err(Error::internal)?;
        set(&mut options, "/publicKey/authenticatorSelection", "residentKey", json!("required"))?;
        set(&mut options, "/publicKey/authenticatorSelection", "requireResidentKey", json!(true))?;
        Ok((options, Ceremony::Registration(Box::new(state))))
    }

    /// The new passkey, if the answer is one to this ceremony.
    pub(super) fn check_new(&self, ceremony: &Ceremony, answer: &str) -> Option<Passkey> {
        let Ceremony::Registration(state) = ceremony else { return None };
        let answer: RegisterPublicKeyCredential = serde_json::from_str(answer).ok()?;
        noted(self.0.finish_passkey_registration(&answer, state))
    }

    /// Asks for the use of one of these passkeys; of any for this console, if none is named.
    pub(super) fn ask_for_use(&self, of: &[Vec<u8>]) -> Result<(Options, Ceremony), Error> {
        let (options, state) = self.0.start_discoverable_authentication().map_err(Error::internal)?;
        let mut options = serde_json::to_value(options).map_err(Error::internal)?;
        let id = |id: &Vec<u8>| json!({ "type": "public-key", "id": data_encoding::BASE64URL_NOPAD.encode(id) });
        set(&mut options, "/publicKey", "allowCredentials", of.iter().map(id).collect())?;
        Ok((options, Ceremony::Assertion(Box::new(state))))
    }

    /// `passkey` as it is after this use of it; none if the use is not proved.
    pub(super) fn check_use(&self, assertion: Assertion, mut passkey: Passkey) -> Option<Passkey> {
        let Assertion { answer, ceremony } = assertion;
        let result = noted(self.0.finish_discoverable_authentication_v2(&answer, ceremony, &passkey))?;
        passkey.update_credential(&result)?;
        result.user_verified().then_some(passkey)
    }
}

impl Assertion {
    /// The answer to this ceremony, if it is the shape of one.
    pub(super) fn parse(ceremony: Ceremony, answer: &str) -> Option<Self> {
        let Ceremony::Assertion(state) = ceremony else { return None };
        let answer = serde_json::from_str(answer).ok()?;
        Some(Self { answer, ceremony: *state })
    }

    /// Which passkey it says it is.
    pub(super) fn credential_id(&self) -> &[u8] {
        self.answer.get_credential_id()
    }

    /// Does it say that the passkey is of this account? Authenticators may leave that out where they were told which
    /// passkeys to look for.
    pub(super) fn names(&self, uin: Uin) -> Option<bool> {
        self.answer.get_user_unique_id().map(|handle| handle == user_handle(uin).as_bytes())
    }
}

/// What authenticators know the account by. Its number, which is no secret, so that a passkey made again on the same
/// authenticator takes the place of the old one.
fn user_handle(uin: Uin) -> Uuid {
    Uuid::from_u128(uin.0.unsigned_abs().into())
}

fn set(options: &mut Options, at: &str, name: &str, value: Value) -> Result<(), Error> {
    let object = options.pointer_mut(at).and_then(Value::as_object_mut);
    object.ok_or_else(|| Error::internal("the WebAuthn options have another shape"))?.insert(name.to_owned(), value);
    Ok(())
}

/// Why an answer was refused is for the log of whoever looks for it; the page says what to do.
fn noted<T>(outcome: Result<T, WebauthnError>) -> Option<T> {
    outcome.inspect_err(|cause| tracing::info!(%cause, "a passkey was refused")).ok()
}
