//! The security headers of every console response, and the host names that the console accepts.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};

use super::problem::{PageError, Problem};
use crate::console::Console;
use crate::types::random;

/// The nonce that allows a page's style and script in its content security policy. Every response has a new one.
#[derive(Clone, Debug)]
pub struct Nonce(pub(crate) String);

/// The requested path, from which the navigation marks the current page.
#[derive(Clone, Debug)]
pub struct RequestPath(pub(crate) String);

const FIXED: [(HeaderName, &str); 6] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    // Sends no referrer to other sites. `no-referrer` would make browsers send forms with `Origin: null`.
    (header::REFERRER_POLICY, "same-origin"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (
        HeaderName::from_static("permissions-policy"),
        "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), microphone=(), payment=(), usb=()",
    ),
];

/// Middleware that creates the nonce and sets the security headers.
pub async fn secure(State(console): State<Console>, mut request: Request, next: Next) -> Response {
    let nonce = Nonce(data_encoding::BASE64URL_NOPAD.encode(&random::bytes::<16>()));
    request.extensions_mut().insert(nonce.clone());
    let path = RequestPath(request.uri().path().to_owned());
    request.extensions_mut().insert(path);
    let mut response = next.run(request).await;
    set(response.headers_mut(), &nonce.0, console.site.https);
    if console.site.secure_cookies {
        complete_cookies(response.headers_mut());
    }
    response
}

/// The session layer removes a cookie without the attributes that it was set with. Browsers ignore that for a `__Host-`
/// name, so the cookie would stay.
fn complete_cookies(headers: &mut HeaderMap) {
    let cookies: Vec<HeaderValue> = headers.get_all(header::SET_COOKIE).iter().cloned().collect();
    headers.remove(header::SET_COOKIE);
    for cookie in cookies {
        let complete = cookie
            .to_str()
            .ok()
            .filter(|text| !text.contains("; Secure"))
            .and_then(|text| HeaderValue::from_str(&format!("{text}; Secure; HttpOnly; SameSite=Strict")).ok());
        headers.append(header::SET_COOKIE, complete.unwrap_or(cookie));
    }
}

fn set(headers: &mut HeaderMap, nonce: &str, https: bool) {
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; img-src 'self'; connect-src 'self'; \
         form-action 'self'; frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'"
    );
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    for (name, value) in FIXED {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // Only static files have a different value.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if https {
        let year = HeaderValue::from_static("max-age=31536000; includeSubDomains");
        headers.insert(header::STRICT_TRANSPORT_SECURITY, year);
    }
}

/// Middleware that refuses requests with a host name that is not the console's. So no other site's name can be pointed
/// at the console (DNS rebinding), and no link or redirect is ever built from a header of the request.
pub async fn known_host(State(console): State<Console>, request: Request, next: Next) -> Response {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let host = hosts.next().and_then(|host| host.to_str().ok());
    match (host, hosts.next()) {
        (Some(host), None) if console.site.is_own_host(host) => match moved(&console, host, &request) {
            Some(moved) => moved.into_response(),
            None => next.run(request).await,
        },
        _ => PageError::from(Problem::WrongHost).into_response(),
    }
}

/// Redirects a browser that opens a page under another name of this machine to the same page under the console's own
/// name. Only requests that a browser declares as navigations are redirected; programs may use any of the names.
fn moved(console: &Console, host: &str, request: &Request) -> Option<Redirect> {
    let mut moved = console.site.moved_from(host)?.clone();
    let navigates = request.headers().get("sec-fetch-mode").is_some_and(|mode| mode == "navigate");
    if !navigates || request.method() != Method::GET {
        return None;
    }
    moved.set_path(request.uri().path());
    moved.set_query(request.uri().query());
    Some(Redirect::temporary(moved.as_str()))
}
