//! `latchkey sign`: prints a signed curl command, to try out a server.

use axum::http::{HeaderMap, HeaderValue, Method, header};
use secrecy::SecretString;
use url::{Position, Url};

use super::output;
use crate::config::{self, Aws4Scope, GuardScheme};
use crate::signature::aws4;
use crate::signature::tc3::{self, SignedRequest};
use crate::start_error::StartError;
use crate::types::clock::{Clock, Timestamp};

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
    /// The signature scheme; the API accepts tc3 only
    #[arg(long, value_name = "SCHEME", default_value = "tc3")]
    scheme: GuardScheme,
    /// The API action; empty for a guarded back end [default: GetCallerIdentity, with tc3]
    #[arg(long)]
    action: Option<HeaderValue>,
    /// The action's version
    #[arg(long, default_value = "2018-08-13")]
    api_version: HeaderValue,
    /// Region and service that an aws4 signature is for
    #[arg(long, value_name = "REGION/SERVICE", default_value = "any/any")]
    scope: Aws4Scope,
}

/// What is signed, apart from the headers.
struct Unsigned<'a> {
    method: &'a str,
    path: &'a str,
    query: &'a str,
    host: &'a str,
    body: &'a str,
    now: Timestamp,
}

/// Prints the command. The key comes from the environment, like that of the official clients, and the output does not
/// contain the secret.
pub(super) fn sign(asked: &Sign) -> Result<(), StartError> {
    let missing = "set TENCENTCLOUD_SECRET_ID and TENCENTCLOUD_SECRET_KEY to the key to sign with";
    let (secret_id, secret_key) = config::signing_key().ok_or_else(|| StartError::Setting(missing.to_owned()))?;
    output::line(command(asked, &secret_id, &secret_key, &Clock::system())?)
}

fn command(asked: &Sign, secret_id: &str, secret_key: &SecretString, clock: &Clock) -> Result<String, StartError> {
    let url = address(&asked.url)?;
    let has_body = asked.method != Method::GET && asked.method != Method::HEAD;
    let unsigned = Unsigned {
        method: asked.method.as_str(),
        path: url.path(),
        query: url.query().unwrap_or_default(),
        host: &url[Position::BeforeHost..Position::AfterPort],
        body: if has_body { asked.data.as_str() } else { "" },
        now: clock.now(),
    };
    let headers = match asked.scheme {
        GuardScheme::Tc3 => with_tc3(asked, &unsigned, secret_id, secret_key)?,
        GuardScheme::Aws4 => with_aws4(asked, &unsigned, secret_id, secret_key)?,
    };
    let mut words = AS_IT_STANDS.map(str::to_owned).to_vec();
    if asked.method == Method::HEAD {
        // With --request, curl would wait for a body.
        words.push("--head".to_owned());
    } else {
        words.extend(["--request".to_owned(), asked.method.to_string()]);
    }
    words.extend(["--url".to_owned(), url.to_string()]);
    for (name, value) in headers {
        words.extend(["--header".to_owned(), header_argument(name, &value)]);
    }
    if has_body {
        words.extend(["--data-raw".to_owned(), unsigned.body.to_owned()]);
    }
    shlex::try_join(words.iter().map(String::as_str)).map_err(|_| bad("a NUL byte"))
}

fn bad(what: &str) -> StartError {
    StartError::Setting(format!("{what} cannot be signed"))
}

fn text(value: &HeaderValue, name: &str) -> Result<String, StartError> {
    value.to_str().map(str::to_owned).map_err(|_| bad(name))
}

/// The headers of a request with signature version 3.
fn with_tc3(
    asked: &Sign,
    unsigned: &Unsigned<'_>,
    secret_id: &str,
    secret_key: &SecretString,
) -> Result<Vec<(&'static str, String)>, StartError> {
    let Unsigned { method, path, query, host, body, now } = *unsigned;
    let (payload_sha256, timestamp) = (tc3::payload_hash(false, body.as_bytes()), now.seconds().to_string());
    let mut headers = HeaderMap::new();
    headers.insert(header::HOST, HeaderValue::from_str(host).map_err(|_| bad("the host of --url"))?);
    headers.insert(header::CONTENT_TYPE, asked.content_type.clone());
    let (headers, payload_sha256) = (&headers, payload_sha256.as_str());
    let request = SignedRequest { method, path, query, headers, payload_sha256, timestamp: &timestamp };
    let service = host.split(['.', ':']).next().filter(|label| !label.is_empty()).unwrap_or("sts");
    let authorization =
        tc3::authorize(&request, secret_id, secret_key, &now.utc_date(), service).ok_or_else(|| bad("a header"))?;
    let mut sent = vec![
        ("Content-Type", text(&asked.content_type, "--content-type")?),
        ("X-TC-Timestamp", timestamp),
        ("X-TC-Content-SHA256", payload_sha256.to_owned()),
    ];
    let action = asked.action.clone().unwrap_or(HeaderValue::from_static("GetCallerIdentity"));
    if !action.is_empty() {
        sent.push(("X-TC-Action", text(&action, "--action")?));
        sent.push(("X-TC-Version", text(&asked.api_version, "--api-version")?));
    }
    sent.push(("Authorization", authorization));
    Ok(sent)
}

/// The headers of a request with AWS Signature Version 4.
fn with_aws4(
    asked: &Sign,
    unsigned: &Unsigned<'_>,
    secret_id: &str,
    secret_key: &SecretString,
) -> Result<Vec<(&'static str, String)>, StartError> {
    if asked.action.as_ref().is_some_and(|action| !action.is_empty()) {
        return Err(StartError::Setting("--action is for the API, which accepts --scheme tc3 only".to_owned()));
    }
    let Unsigned { method, path, query, host, body, now } = *unsigned;
    let (payload, time) = (tc3::payload_hash(false, body.as_bytes()), now.basic_format());
    let signed = [
        ("content-type", text(&asked.content_type, "--content-type")?),
        ("host", host.to_owned()),
        ("x-amz-content-sha256", payload.clone()),
        ("x-amz-date", time.clone()),
    ];
    let names = signed.each_ref().map(|(name, _)| *name).join(";");
    let mut headers = HeaderMap::new();
    for (name, value) in &signed {
        headers.insert(*name, HeaderValue::from_str(value).map_err(|_| bad(name))?);
    }
    let request = aws4::SignedRequest { method, path, query, headers: &headers, payload: &payload, time: &time };
    let Aws4Scope { region, service } = &asked.scope;
    let scope = aws4::canonical::Scope { date: &time[..8], region, service };
    let authorization = aws4::canonical::authorize(&request, secret_id, secret_key, scope, &names);
    let mut sent: Vec<_> = signed.into_iter().filter(|(name, _)| *name != "host").collect();
    sent.push(("Authorization", authorization.ok_or_else(|| bad("a header"))?));
    Ok(sent)
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
