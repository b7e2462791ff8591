//! `latchkey sign`: a signed curl command, to try a server with.

use axum::http::{HeaderMap, HeaderValue, header};
use secrecy::SecretString;
use url::Url;

use super::output;
use crate::clock::Clock;
use crate::config::{self, StartError};
use crate::signature::v3::{self, SignedRequest};

#[derive(Debug, clap::Args)]
pub(super) struct Sign {
    /// What to call: the API at /, or any address behind a guard
    #[arg(long, default_value = "http://127.0.0.1:8081/")]
    url: Url,
    /// The method
    #[arg(long, default_value = "POST")]
    method: axum::http::Method,
    /// The body
    #[arg(long, default_value = "{}")]
    data: String,
    /// The body's type
    #[arg(long, default_value = "application/json")]
    content_type: HeaderValue,
    /// The API's action; empty for a guarded back end
    #[arg(long, default_value = "GetCallerIdentity")]
    action: String,
    /// The action's version
    #[arg(long, default_value = "2018-08-13")]
    api_version: String,
}

/// Prints the command. The key comes from the environment, as the official clients take it, and the secret is not in it.
pub(super) fn sign(asked: &Sign) -> Result<(), StartError> {
    let missing = "set TENCENTCLOUD_SECRET_ID and TENCENTCLOUD_SECRET_KEY to the key to sign with";
    let (secret_id, secret_key) = config::signing_key().ok_or_else(|| StartError::Setting(missing.to_owned()))?;
    output::line(command(asked, &secret_id, &secret_key, &Clock::system())?)
}

fn command(asked: &Sign, secret_id: &str, secret_key: &SecretString, clock: &Clock) -> Result<String, StartError> {
    let bad = |what: &str| StartError::Setting(format!("{what} cannot be signed"));
    let host = asked.url.authority();
    let has_body = asked.method != axum::http::Method::GET && asked.method != axum::http::Method::HEAD;
    let body = if has_body { asked.data.as_str() } else { "" };
    let payload_sha256 = v3::payload_hash(false, body.as_bytes());
    let mut headers = HeaderMap::new();
    headers.insert(header::HOST, HeaderValue::from_str(host).map_err(|_| bad("the host of --url"))?);
    headers.insert(header::CONTENT_TYPE, asked.content_type.clone());
    let now = clock.now();
    let timestamp = now.seconds().to_string();
    let request = SignedRequest {
        method: asked.method.as_str(),
        path: asked.url.path(),
        query: asked.url.query().unwrap_or_default(),
        headers: &headers,
        payload_sha256: &payload_sha256,
        timestamp: &timestamp,
    };
    let service = host.split(['.', ':']).next().unwrap_or("sts");
    let authorization =
        v3::authorize(&request, secret_id, secret_key, &now.utc_date(), service).ok_or_else(|| bad("a header"))?;

    let content_type = asked.content_type.to_str().map_err(|_| bad("--content-type"))?;
    let mut words = vec!["curl".to_owned(), "-X".to_owned(), asked.method.to_string(), asked.url.to_string()];
    let mut header = |name: &str, value: &str| words.extend(["-H".to_owned(), format!("{name}: {value}")]);
    header("Content-Type", content_type);
    header("X-TC-Timestamp", &timestamp);
    header("X-TC-Content-SHA256", &payload_sha256);
    if !asked.action.is_empty() {
        header("X-TC-Action", &asked.action);
        header("X-TC-Version", &asked.api_version);
    }
    header("Authorization", &authorization);
    if has_body {
        words.extend(["--data-binary".to_owned(), body.to_owned()]);
    }
    shlex::try_join(words.iter().map(String::as_str)).map_err(|_| bad("a NUL byte"))
}
