//! Forms that no other site can send: extracting the form checks its token, so that no handler can forget to.

use axum::Form;
use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::header;
use serde::de::DeserializeOwned;

use super::visitor::Visitor;
use crate::console::Console;
use crate::console::frame::form_token;
use crate::console::frame::problem::{PageError, Problem};

/// The name of the hidden field.
const FIELD: &str = "form_token";

/// A form from one of the console's own pages, as this visitor saw it.
pub struct OwnForm<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Console> for OwnForm<T> {
    type Rejection = PageError;

    async fn from_request(request: Request, console: &Console) -> Result<Self, PageError> {
        let (mut parts, body) = request.into_parts();
        let visitor = Visitor::from_request_parts(&mut parts, console).await?;
        // The CSRF layer accepts a request without these headers. A request that names another origin is never
        // accepted.
        if let Some(origin) = parts.headers.get(header::ORIGIN)
            && !origin.to_str().is_ok_and(|origin| console.site.is_own_origin(origin))
        {
            return Err(Problem::CrossSite.into());
        }
        let body = Request::from_parts(parts.clone(), body);
        let bytes = Bytes::from_request(body, console).await.map_err(|_| Problem::TooLarge)?;
        let mut sent = url::form_urlencoded::parse(&bytes).filter(|(name, _)| name == FIELD);
        let once = sent.next().filter(|_| sent.next().is_none());
        if !once.is_some_and(|(_, sent)| form_token::is_of(&console.app, &visitor.binding(console), &sent)) {
            return Err(super::form_refused(&visitor, &parts, console));
        }
        let body = Request::from_parts(parts, Body::from(bytes));
        let Form(form) = Form::<T>::from_request(body, console).await.map_err(|_| Problem::FormMalformed)?;
        Ok(Self(form))
    }
}

/// A form with no field except its token.
#[derive(Debug, serde::Deserialize)]
pub struct Nothing {}
