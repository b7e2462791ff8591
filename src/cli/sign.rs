//! `latchkey sign`: prints a signed curl command, to try out a server.

use axum::http::{HeaderMap, HeaderValue, Method, header};
use secrecy::SecretString;
use url::{Position, Url};

use super::output;
use crate::config;
use crate::signature::tc3::{self, SignedRequest};
use crate::start_error::StartError;
use crate::types::clock::Clock;

/// Makes curl send exactly what was signed: without the user's configuration file, and with brackets, braces and dots
/// in the URL left as they are.
const AS_IT_STANDS: [&str; 4] = ["curl", "--disable", "--globoff", "--path-as-is"];

#[derive(Debug, clap::Args)]
pub(super) struct Sign {
    /// The URL to call: the API at /, or any address behind a guard
    #[arg(long, default_value = "http://127.0.0.1:8081/")]
    url: Url,
    /// The HTTP method
    #[arg(long, default_value = "POST")]
    method: Method,
    /// The request body
    #[arg(long, default_value = "{}")]
    data: String,
    /// The content type of the body
    #[arg(long, default_value = "application/json")]
    content_type: HeaderValue,
    /// The API action; empty for a guarded back end
    #[arg(long, default_value = "GetCallerIdentity")]
    action: HeaderValue,
    /// The action's version
    #[arg(long, default_value = "2018-08-13")]
    api_version: HeaderValue,
}

/// Prints the command. The key comes from the environment, like that of the official clients, and the output does not
/// contain the secret.
pub(super) fn sign(asked: &Sign) -> Result<(), StartError> {
    let missing = "set TENCENTCLOUD_SECRET_ID and TENCENTCLOUD_SECRET_KEY to the key to sign with";
    let (secret_id, secret_key) = config::signing_key().ok_or_else(|| StartError::Setting(missing.to_owned()))?;
    output::line(command(asked, &secret_id, &secret_key, &Clock::system())?)
}

fn command(asked: &Sign, secret_id: &str, secret_key: &SecretString, clock: &Clock) -> Result<String, StartError> {
    let bad = |what: &str| StartError::Setting(format!("{what} cannot be signed"));
    let url = address(&asked.url)?;
    let host = &url[Position::BeforeHost..Position::AfterPort];
    let has_body = asked.method != Method::GET && asked.method != Method::HEAD;
    let body = if has_body { asked.data.as_str() } else { "" };
    let payload_sha256 = tc3::payload_hash(false, body.as_bytes());
    let mut headers = HeaderMap::new();
    headers.insert(header::HOST, HeaderValue::from_str(host).map_err(|_| bad("the host of --url"))?);
    headers.insert(header::CONTENT_TYPE, asked.content_type.clone());
    let now = clock.now();
    let timestamp = now.seconds().to_string();
    let request = SignedRequest {
        method: asked.method.as_str(),
        path: url.path(),
        query: url.query().unwrap_or_default(),
        headers: &headers,
        payload_sha256: &payload_sha256,
        timestamp: &timestamp,
    };
    let service = host.split(['.', ':']).next().filter(|label| !label.is_empty()).unwrap_or("sts");
    let authorization =
        tc3::authorize(&request, secret_id, secret_key, &now.utc_date(), service).ok_or_else(|| bad("a header"))?;

    let text = |value: &'_ HeaderValue, name: &str| value.to_str().map(str::to_owned).map_err(|_| bad(name));
    let mut words = AS_IT_STANDS.map(str::to_owned).to_vec();
    if asked.method == Method::HEAD {
        // With --request, curl would wait for a body.
        words.push("--head".to_owned());
    } else {
        words.extend(["--request".to_owned(), asked.method.to_string()]);
    }
    words.extend(["--url".to_owned(), url.to_string()]);
    let mut header = |name: &str, value: &str| words.extend(["--header".to_owned(), header_argument(name, value)]);
    header("Content-Type", &text(&asked.content_type, "--content-type")?);
    header("X-TC-Timestamp", &timestamp);
    header("X-TC-Content-SHA256", &payload_sha256);
    if !asked.action.is_empty() {
        header("X-TC-Action", &text(&asked.action, "--action")?);
        header("X-TC-Version", &text(&asked.api_version, "--api-version")?);
    }
    header("Authorization", &authorization);
    if has_body {
        words.extend(["--data-raw".to_owned(), body.to_owned()]);
    }
    shlex::try_join(words.iter().map(String::as_str)).map_err(|_| bad("a NUL byte"))
}

/// The URL as it is sent, without the parts that stay with the client.
fn address(url: &Url) -> Result<Url, StartError> {
    let wrong = |what: &str| Err(StartError::Setting(format!("--url is an http or https address {what}")));
    if !matches!(url.scheme(), "http" | "https") {
        return wrong("such as http://127.0.0.1:8081/");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return wrong("without a user name and password; the key signs the request");
    }
    let mut url = url.clone();
    url.set_fragment(None);
    Ok(url)
}

/// A header as a curl argument. curl takes `Name:` as a header to leave out, and `Name;` as one without a value.
fn header_argument(name: &str, value: &str) -> String {
    if value.trim().is_empty() { format!("{name};") } else { format!("{name}: {value}") }
}
