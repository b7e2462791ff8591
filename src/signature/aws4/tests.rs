use std::path::PathBuf;
use std::process::Command;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::signature::SigningKeys;
use crate::signature::diagnosis::Cause;
use crate::signature::{Claim, SchemeName};

/// The official test suite, in the sources of the crate that carries it.
fn suite() -> PathBuf {
    let asked = Command::new(env!("CARGO")).args(["metadata", "--format-version=1", "--locked"]).output().unwrap();
    assert!(asked.status.success(), "{}", String::from_utf8_lossy(&asked.stderr));
    let told: Value = serde_json::from_slice(&asked.stdout).unwrap();
    let packages = told["packages"].as_array().unwrap();
    let package = packages.iter().find(|package| package["name"] == "aws-sigv4").unwrap();
    let manifest: PathBuf = package["manifest_path"].as_str().unwrap().into();
    manifest.parent().unwrap().join("aws-signing-test-suite/v4")
}

/// A request as it is on the wire.
struct Sent {
    method: String,
    path: String,
    query: String,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Sent {
    /// Reads a request of the test suite. The lines of a folded header are joined, as parsers of HTTP do.
    fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\n\n").unwrap_or((text.trim_end(), ""));
        let mut lines = head.lines();
        let (method, rest) = lines.next().unwrap().split_once(' ').unwrap();
        let target = rest.rsplit_once(' ').unwrap().0;
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut pairs: Vec<(String, String)> = Vec::new();
        for line in lines {
            if line.starts_with(' ') {
                let (_, value) = pairs.last_mut().unwrap();
                value.push_str(line);
            } else {
                let (name, value) = line.split_once(':').unwrap();
                pairs.push((name.to_lowercase(), value.to_owned()));
            }
        }
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers
                .append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_bytes(value.trim().as_bytes()).unwrap());
        }
        Self { method: method.into(), path: path.into(), query: query.into(), headers, body: body.into() }
    }

    fn request(&self) -> SentRequest<'_> {
        let Self { method, path, query, headers, body } = self;
        SentRequest { method, path, query, headers, body: SentBody::Whole(body), parameters: &[] }
    }

    fn checked<T>(
        &self,
        secret: &str,
        look: impl FnOnce(&Claim<'_>, &SecretString) -> T,
    ) -> Result<T, crate::signature::Malformed> {
        let request = self.request();
        let payload = SchemeName::Aws4.payload(&request)?;
        Ok(look(&SchemeName::Aws4.read(&request, &payload)?, &secret.to_owned().into()))
    }

    fn matches(&self, secret: &str) -> bool {
        self.checked(secret, |claim, secret| claim.matches(secret, &SigningKeys::default())).unwrap_or(false)
    }

    fn cause(&self, secret: &str) -> Option<Cause> {
        self.checked(secret, |claim, secret| claim.diagnose(secret).unwrap().cause).unwrap()
    }
}

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

/// Every request of the suite that is signed in the header is accepted, unless its signer has folded the path: then
/// what was signed is not what was sent.
#[test]
fn the_official_suite() {
    let (accepted, folded) = run_suite("header");
    assert!(accepted >= 28 && folded >= 4, "{accepted} accepted, {folded} folded");
}

/// The same for the requests that are signed in the query, of those with a method that a URL alone may ask for.
#[test]
fn the_official_suite_of_presigned_urls() {
    let (accepted, folded) = run_suite("query");
    assert!(accepted >= 22 && folded >= 6, "{accepted} accepted, {folded} folded");
}

/// Returns how many requests were accepted, and how many were refused for a folded path.
fn run_suite(signed_in: &str) -> (usize, usize) {
    let (mut accepted, mut folded) = (0, 0);
    for case in std::fs::read_dir(suite()).unwrap() {
        let case = case.unwrap().path();
        // Two cases do not say which secret they are signed with.
        if !case.join("context.json").exists() {
            continue;
        }
        let read = |file: &str| std::fs::read_to_string(case.join(file)).unwrap();
        let context: Value = serde_json::from_str(&read("context.json")).unwrap();
        let sent = Sent::parse(&read(&format!("{signed_in}-signed-request.txt")));
        let secret = context["credentials"]["secret_access_key"].as_str().unwrap();
        let signed_path = read(&format!("{signed_in}-canonical-request.txt")).lines().nth(1).unwrap().to_owned();
        let name = case.file_name().unwrap().to_string_lossy().into_owned();
        if name == "post-sts-header-after" && signed_in == "header" {
            // Its signer adds the token after signing, which anybody on the way could do as well.
            assert!(refused(&sent).contains("must be signed"));
        } else if signed_in == "query" && (sent.method != "GET" || !sent.body.is_empty()) {
            assert!(refused(&sent).contains("GET and HEAD only, without a body"), "{name}");
        } else if canonical::paths(&sent.path).any(|path| path == signed_path) {
            assert!(sent.matches(secret), "{name}");
            assert!(!sent.matches("another secret"), "{name}");
            accepted += 1;
        } else {
            assert!(!sent.matches(secret), "{name}");
            assert_eq!(sent.cause(secret), Some(Cause::FoldedPath), "{name}");
            folded += 1;
        }
    }
    (accepted, folded)
}

/// A request signed by the product itself, which the parts of below are changed in.
fn signed(method: &str, target: &str, more: &[(&str, &str)], body: &str) -> Sent {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut headers = HeaderMap::new();
    for (name, value) in [("host", "shop.example:8000"), ("x-amz-date", "20261128T120000Z")].iter().chain(more) {
        headers.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
    }
    let mut names: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    let payload = Payload::of(body.as_bytes());
    let stated = headers.get(X_AMZ_CONTENT_SHA256).map_or(payload.shown(), |said| said.to_str().unwrap());
    let request = SignedRequest { method, path, query, headers: &headers, payload: stated, time: "20261128T120000Z" };
    let scope = canonical::Scope { date: "20261128", region: "eu-west-1", service: "shop" };
    let header = canonical::authorize(&request, "AKIDx", &SECRET.to_owned().into(), scope, &names.join(";")).unwrap();
    headers.insert(header::AUTHORIZATION, header.parse().unwrap());
    Sent { method: method.into(), path: path.into(), query: query.into(), headers, body: body.into() }
}

fn refused(sent: &Sent) -> String {
    sent.checked(SECRET, |_, _| ()).unwrap_err().to_string()
}

#[test]
fn what_differs_is_found() {
    let sent = || signed("POST", "/orders?b=2&a=1", &[("content-type", "text/plain")], "body");
    assert!(sent().matches(SECRET));
    assert_eq!(Sent { body: "other".into(), ..sent() }.cause(SECRET), None, "any other body is not guessed");
    let empty = signed("POST", "/orders?b=2&a=1", &[("content-type", "text/plain")], "");
    assert_eq!(Sent { body: "body".into(), ..empty }.cause(SECRET), Some(Cause::EmptyBody));
    assert_eq!(Sent { body: "body\n".into(), ..sent() }.cause(SECRET), Some(Cause::TrailingNewline));
    let json = signed("POST", "/", &[("content-type", "application/json")], r#"{"b":1,"a":2}"#);
    let spaced = Sent { body: r#"{"b": 1, "a": 2}"#.into(), ..json };
    assert_eq!(spaced.cause(SECRET), Some(Cause::Reserialised));
    let mut twice = sent();
    twice.headers.append("content-type", HeaderValue::from_static("text/html"));
    assert_eq!(twice.cause(SECRET), Some(Cause::RepeatedHeader));
    let mut kind = signed("POST", "/", &[("content-type", "application/json")], "{}");
    kind.headers.insert("content-type", HeaderValue::from_static("application/json;x"));
    assert_eq!(kind.cause(SECRET), Some(Cause::ContentType));
    assert_eq!(Sent { method: "PUT".into(), ..sent() }.cause(SECRET), Some(Cause::Method));
    assert_eq!(Sent { path: "/orders/7".into(), ..signed("GET", "/", &[], "") }.cause(SECRET), Some(Cause::Path));
    assert_eq!(Sent { query: "a=1".into(), ..signed("GET", "/", &[], "") }.cause(SECRET), Some(Cause::Query));
    let mut moved = sent();
    moved.headers.insert(header::HOST, HeaderValue::from_static("inner:9000"));
    moved.headers.insert("x-forwarded-host", HeaderValue::from_static("shop.example:8000"));
    assert_eq!(moved.cause(SECRET), Some(Cause::Host));
    let mut yesterday = sent();
    let dated = yesterday.headers[header::AUTHORIZATION].to_str().unwrap().replace("20261128", "20261127");
    yesterday.headers.insert(header::AUTHORIZATION, dated.parse().unwrap());
    assert_eq!(yesterday.cause(SECRET), Some(Cause::Date));
    let folded = signed("GET", "/a/c", &[], "");
    assert_eq!(Sent { path: "/a//b/../c".into(), ..folded }.cause(SECRET), Some(Cause::FoldedPath));
}

/// Each rule answers a fault that another server of this scheme has had.
#[test]
fn what_could_be_added_on_the_way_is_refused() {
    let with = |name: &'static str, value: &'static str| {
        let mut sent = signed("GET", "/", &[], "");
        sent.headers.append(name, HeaderValue::from_static(value));
        sent
    };
    assert!(refused(&with("x-amz-copy-source", "/secret")).contains("must be signed"));
    assert!(refused(&with("x-amz-security-token", "t")).contains("must be signed"));
    assert!(refused(&with("x-amz-date", "20261128T120000Z")).contains("given once"));
    assert!(refused(&with("authorization", "AWS4-HMAC-SHA256 x")).contains("exactly one Authorization header"));
    assert!(refused(&with("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD")).contains("signed in chunks"));
    assert!(refused(&with("x-amz-content-sha256", "nonsense")).contains("64 lower-case"));
    assert!(with("accept", "text/html").matches(SECRET), "any other header may be added");
    // The hash that the client states is what it has signed, and has to be that of the body.
    let hash = Payload::of(b"body").sha256;
    let right = signed("PUT", "/", &[("x-amz-content-sha256", &hash)], "body");
    assert!(right.matches(SECRET));
    let wrong = Sent { body: "other".into(), ..right };
    assert!(!wrong.matches(SECRET));
    assert_eq!(wrong.cause(SECRET), Some(Cause::Body));
    let unsigned = signed("PUT", "/", &[("x-amz-content-sha256", "UNSIGNED-PAYLOAD")], "body");
    assert!(unsigned.matches(SECRET) && SchemeName::Aws4.payload(&unsigned.request()).unwrap().is_unsigned());
    // A signature in the query beside another one.
    let both = Sent { query: "X-Amz-Signature=00".into(), ..signed("GET", "/", &[], "") };
    assert!(refused(&both).contains("nothing in the query"));
    assert!(SchemeName::Aws4.is_used_by(&Sent { headers: HeaderMap::new(), ..both }.request()));
    // What the scheme needs at least.
    for (from, to, why) in [
        ("host;x-amz-date", "host", "must name host and x-amz-date"),
        ("host;x-amz-date", "x-amz-date", "must name host and x-amz-date"),
        ("host;x-amz-date", "host;host;x-amz-date", "must name host and x-amz-date"),
        ("/aws4_request", "/tc3_request", "the Credential is not"),
        ("/eu-west-1", "", "the Credential is not"),
        ("Signature=", "Signature=AA", "64 lower-case"),
        ("SHA256 ", "SHA512 ", "is not `AWS4-HMAC-SHA256"),
    ] {
        let mut sent = signed("GET", "/", &[], "");
        let changed = sent.headers[header::AUTHORIZATION].to_str().unwrap().replace(from, to);
        sent.headers.insert(header::AUTHORIZATION, changed.parse().unwrap());
        assert!(refused(&sent).contains(why), "{to}: {}", refused(&sent));
    }
}

/// A URL that the product itself has presigned.
fn presigned(method: &str, target: &str, service: &str) -> Sent {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let and = if query.is_empty() { "" } else { "&" };
    let query = format!(
        "{query}{and}X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDx%2F20261128%2Feu-west-1%2F{service}%2Faws4_request\
         &X-Amz-Date=20261128T120000Z&X-Amz-Expires=600&X-Amz-SignedHeaders=host"
    );
    let mut headers = HeaderMap::new();
    headers.insert(header::HOST, HeaderValue::from_static("shop.example"));
    let payload = if service == "s3" { UNSIGNED_PAYLOAD.to_owned() } else { Payload::of(b"").sha256 };
    let time = "20261128T120000Z";
    let request = SignedRequest { method, path, query: &query, headers: &headers, payload: &payload, time };
    let scope = canonical::Scope { date: "20261128", region: "eu-west-1", service };
    let header = canonical::authorize(&request, "AKIDx", &SECRET.to_owned().into(), scope, "host").unwrap();
    let (_, signature) = header.rsplit_once('=').unwrap();
    let query = format!("{query}&X-Amz-Signature={signature}");
    Sent { method: method.into(), path: path.into(), query, headers, body: Vec::new() }
}

#[test]
fn a_presigned_url_is_bound_to_what_it_was_made_for() {
    let sent = || presigned("GET", "/report?month=7", "shop");
    assert!(sent().matches(SECRET) && !sent().matches("another secret"));
    assert!(presigned("HEAD", "/", "s3").matches(SECRET));
    let claim = |sent: &Sent| sent.checked(SECRET, |claim, _| (claim.lifetime(), claim.has_token())).unwrap();
    assert_eq!(claim(&sent()), (Some(600), false));
    let query = sent().query;
    for (from, to) in [("month=7", "month=8"), ("=600", "=601"), ("month=7", "month=7&more"), ("AKIDx", "AKIDy")] {
        assert!(!Sent { query: query.replace(from, to), ..sent() }.matches(SECRET), "{to}");
    }
    assert!(!Sent { method: "HEAD".into(), ..sent() }.matches(SECRET));
    assert_eq!(Sent { path: "/other".into(), ..presigned("GET", "/", "shop") }.cause(SECRET), Some(Cause::Path));
    for (from, to, why) in [
        ("&X-Amz-Expires=600", "", "once"),
        ("&X-Amz-Expires=600", "&X-Amz-Expires=-1", "once"),
        ("&X-Amz-Date=", "&X-Amz-Date=&X-Amz-Date=", "once"),
        ("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA512", "once"),
        ("20261128T120000Z", "20261128", "X-Amz-Date"),
        ("=host", "=x-more", "must name host"),
        ("=host", "=host%3Bhost", "must name host"),
        ("%2Faws4_request", "", "the Credential is not"),
        ("AKIDx", "AKID%78", "the Credential is not"),
    ] {
        let changed = Sent { query: query.replace(from, to), ..sent() };
        assert!(refused(&changed).contains(why), "{to}: {}", refused(&changed));
    }
    assert!(refused(&Sent { body: b"body".into(), ..sent() }).contains("without a body"));
    assert!(refused(&Sent { method: "DELETE".into(), ..sent() }).contains("GET and HEAD only"));
    let mut instructed = sent();
    instructed.headers.insert("x-amz-copy-source", HeaderValue::from_static("/secret"));
    assert!(refused(&instructed).contains("must be signed"));
    let mut both = sent();
    both.headers.insert(header::AUTHORIZATION, HeaderValue::from_static("Basic x"));
    assert!(refused(&both).contains("nothing in the query"));
    assert!(claim(&Sent { query: format!("{query}&X-Amz-Security-Token=t"), ..sent() }).1);
}

/// Two queries that a back end tells apart have no reading in common, apart from `+` and `%20`, and `a` and `a=`.
#[test]
fn different_bytes_have_different_readings() {
    let sent = signed("GET", "/?q=%FE", &[], "");
    assert!(sent.matches(SECRET));
    for other in ["q=%FF", "q=%EF%BF%BD", "q=%25FE", "q=%fe%20", "Q=%FE"] {
        assert!(!Sent { query: other.into(), ..signed("GET", "/?q=%FE", &[], "") }.matches(SECRET), "{other}");
    }
    for sent in ["a+b=c", "a%20b=c"] {
        assert!(Sent { query: sent.into(), ..signed("GET", "/?a%20b=c", &[], "") }.matches(SECRET), "{sent}");
    }
}

proptest! {
    /// No part of a signed request can be changed.
    #[test]
    fn a_changed_request_does_not_match(
        path in "/[a-zA-Z0-9%/._~+ -]{0,24}", query in "[a-zA-Z0-9%=&._~+-]{0,24}", body in ".{0,24}",
        at in any::<prop::sample::Index>(), with in "[a-zA-Z0-9._~-]",
    ) {
        let sent = || signed("POST", &format!("{path}?{query}"), &[("x-more", "a b")], &body);
        prop_assert!(sent().matches(SECRET));
        let change = |text: &str| {
            let mut chars: Vec<char> = text.chars().collect();
            let place = at.index(chars.len() + 1);
            chars.insert(place, with.chars().next().unwrap());
            chars.into_iter().collect::<String>()
        };
        let mut more = sent();
        more.headers.insert("x-more", change("a b").parse().unwrap());
        for changed in [
            Sent { path: format!("/{}", change(&path)), ..sent() },
            Sent { body: change(&body).into(), ..sent() },
            Sent { method: change("POST"), ..sent() },
            Sent { query: change(&query), ..sent() },
            more,
        ] {
            prop_assert!(!changed.matches(SECRET));
        }
        prop_assert!(!sent().matches(&change(SECRET)));
    }
}
