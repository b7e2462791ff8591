//! Forms that cannot be sent from elsewhere: the token is checked in extraction, so no handler can forget it.

use axum::Form;
use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::header;
use hmac::{Hmac, KeyInit, Mac};
use serde::de::DeserializeOwned;
use sha2::Sha256;

use super::error::{PageError, Problem};
use crate::app::App;
use crate::console::Console;
use crate::console::session::{self, Visitor};
use crate::types::random;

/// The name of the hidden field.
const FIELD: &str = "form_token";

/// Makes each page's token another, so that the lengths of compressed pages tell nothing of it.
type Salt = [u8; 16];

/// The token for forms sent under `binding` (a session's id, or a cookie of the browser).
pub fn token(app: &App, binding: &str) -> String {
    let salt: Salt = random::bytes();
    let mac = mac(app, &salt, binding).finalize().into_bytes();
    data_encoding::BASE64URL_NOPAD.encode(&[&salt, mac.as_slice()].concat())
}

fn mac(app: &App, salt: &Salt, binding: &str) -> Hmac<Sha256> {
    Hmac::<Sha256>::new_from_slice(&app.form_key.0)
        .expect("HMAC takes a key of any length")
        .chain_update(salt)
        .chain_update(binding.as_bytes())
}

fn is_token_of(app: &App, binding: &str, sent: &str) -> bool {
    let sent = data_encoding::BASE64URL_NOPAD.decode(sent.as_bytes()).unwrap_or_default();
    sent.split_first_chunk().is_some_and(|(salt, sent)| mac(app, salt, binding).verify_slice(sent).is_ok())
}

/// A form from one of our own pages, as this visitor saw it.
pub struct OwnForm<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Console> for OwnForm<T> {
    type Rejection = PageError;

    async fn from_request(request: Request, console: &Console) -> Result<Self, PageError> {
        let (mut parts, body) = request.into_parts();
        let visitor = Visitor::from_request_parts(&mut parts, console).await?;
        // The layer before lets a request without these headers pass; one that names another origin never may.
        if let Some(origin) = parts.headers.get(header::ORIGIN)
            && !origin.to_str().is_ok_and(|origin| console.site.is_own_origin(origin))
        {
            return Err(Problem::CrossSite.into());
        }
        let body = Request::from_parts(parts.clone(), body);
        let bytes = Bytes::from_request(body, console).await.map_err(|_| Problem::TooLarge)?;
        let mut sent = url::form_urlencoded::parse(&bytes).filter(|(name, _)| name == FIELD);
        let once = sent.next().filter(|_| sent.next().is_none());
        if !once.is_some_and(|(_, sent)| is_token_of(&console.app, &visitor.binding(console), &sent)) {
            return Err(session::form_refused(&visitor, &parts, console));
        }
        let body = Request::from_parts(parts, Body::from(bytes));
        let Form(form) = Form::<T>::from_request(body, console).await.map_err(|_| Problem::FormMalformed)?;
        Ok(Self(form))
    }
}

/// A form that carries nothing but its token.
#[derive(Debug, serde::Deserialize)]
pub struct Nothing {}
