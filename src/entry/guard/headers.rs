//! The headers that are sent to the back end: those of the client, except hop-by-hop headers, and except those that
//! back ends trust a proxy, not a client, to send.

use std::net::IpAddr;

use axum::http::header::{self, HeaderName};
use axum::http::{HeaderMap, HeaderValue};

use crate::http::headers::only;
use crate::http::tracked::Caller;
use crate::signature::SchemeName;

/// The hop-by-hop headers (RFC 9110, section 7.6.1).
const HOP_BY_HOP: [HeaderName; 7] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
];

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The headers that this guard sets itself. A client's are never passed on, even if signed, because programs differ in
/// which of two values they use.
const OURS: [&str; 4] = ["x-latchkey-", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"];

/// Prefixes of headers in which back ends trust a proxy to say who sends a request, from where, and for what.
const FAMILIES: [&str; 13] = [
    "x-forwarded-",
    "x-original-",
    "x-originating-",
    "remote-",
    "x-remote-",
    "x-auth-request-",
    "x-authenticated-",
    "x-authentik-",
    "x-webauth-",
    "x-goog-authenticated-user-",
    "x-ms-client-principal",
    "tailscale-user-",
    "ssl-client-",
];

/// Complete names of such headers.
const SINGLE: [&str; 38] = [
    // The sender.
    "x-user",
    "x-user-id",
    "x-username",
    "x-auth-user",
    "x-proxy-user",
    "x-ssl-client-cert",
    "x-ssl-client-dn",
    "x-ssl-client-s-dn",
    "x-ssl-client-verify",
    "x-client-cert",
    "x-client-dn",
    "client-cert",
    "client-cert-chain",
    // The address.
    "forwarded",
    "x-forwarded",
    "forwarded-for",
    "x-real-ip",
    "true-client-ip",
    "client-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-envoy-external-address",
    "cf-connecting-ip",
    "cf-connecting-ipv6",
    "cf-pseudo-ipv4",
    "fastly-client-ip",
    "fly-client-ip",
    "proxy-client-ip",
    "wl-proxy-client-ip",
    // The requested resource.
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-host",
    "x-http-host-override",
    "x-rewrite-url",
    "x-scheme",
    "x-url-scheme",
    "front-end-https",
];

/// Never passed on: CGI programs read `Proxy` as the address of a proxy, and `HTTP2-Settings` belongs to an upgrade.
const NEVER: [&str; 2] = ["proxy", "http2-settings"];

/// Folds a name as many back ends (CGI, WSGI, PHP, and their imitators) do. They know a header by its name in capitals,
/// with an underscore for any character that is not a letter or digit, so `X.Latchkey_Uin` and `X-Latchkey-Uin` are the
/// same.
fn folded(name: &HeaderName) -> String {
    name.as_str().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect()
}

/// Returns `true` if the header with this name is passed on to the back end.
fn passes(name: &HeaderName, signed_headers: &[&str]) -> bool {
    let folded = folded(name);
    let begins = |families: &[&str]| families.iter().any(|family| folded.starts_with(family));
    if begins(&OURS) || NEVER.contains(&folded.as_str()) {
        return false;
    }
    let believed = begins(&FAMILIES) || SINGLE.contains(&folded.as_str());
    !believed || signed_headers.contains(&name.as_str())
}

/// The headers of `sent` for the back end, with the identity that the check has found, if there is one. `proto` is the scheme of this
/// listener.
pub(crate) fn forwarded(
    sent: &HeaderMap,
    signed_headers: &[&str],
    identity: impl IntoIterator<Item = (HeaderName, HeaderValue)>,
    caller: &Caller,
    proto: &'static str,
    upgrading: bool,
) -> HeaderMap {
    let mut headers = without_hop_by_hop(sent, upgrading);
    let forged: Vec<HeaderName> = headers.keys().filter(|name| !passes(name, signed_headers)).cloned().collect();
    for name in forged {
        headers.remove(name);
    }
    headers.extend(identity);
    headers.insert(FORWARDED_FOR, address(caller.address));
    headers.insert(FORWARDED_PROTO, HeaderValue::from_static(proto_of(sent, caller, proto)));
    if let Some(host) = sent.get(header::HOST) {
        headers.insert(FORWARDED_HOST, host.clone());
    }
    headers
}

fn address(address: IpAddr) -> HeaderValue {
    HeaderValue::from_str(&address.to_string()).expect("an address has digits, letters, dots and colons")
}

/// The scheme that the client used: that of this listener, or the one that a trusted proxy reports.
fn proto_of(sent: &HeaderMap, caller: &Caller, own: &'static str) -> &'static str {
    let said = only(sent, FORWARDED_PROTO).filter(|_| caller.peer_is_trusted);
    match said {
        Some(said) if said.eq_ignore_ascii_case("https") => "https",
        Some(said) if said.eq_ignore_ascii_case("http") => "http",
        _ => own,
    }
}

/// The names in `Connection`, in lower case.
pub(crate) fn connection_names(headers: &HeaderMap) -> impl Iterator<Item = String> {
    let values = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(|name| name.trim().to_ascii_lowercase())
}

/// Returns `true` if `Connection` names a header that was signed under `scheme`, and so would remove it after the
/// check.
pub(crate) fn takes_signed_header(headers: &HeaderMap, scheme: SchemeName, signed_headers: &[&str]) -> bool {
    connection_names(headers).any(|name| {
        scheme.reads_header(&name) || name.starts_with("content-") || signed_headers.contains(&name.as_str())
    })
}

/// Removes the hop-by-hop headers. If `upgrading`, keeps the upgrade itself.
pub(crate) fn without_hop_by_hop(sent: &HeaderMap, upgrading: bool) -> HeaderMap {
    let mut headers = sent.clone();
    let named: Vec<String> = connection_names(sent).collect();
    let upgrade = sent.get(header::UPGRADE).cloned();
    for name in named.iter().map(String::as_str).chain(HOP_BY_HOP.iter().map(HeaderName::as_str)) {
        headers.remove(name);
    }
    headers.remove(header::UPGRADE);
    if upgrading && let Some(upgrade) = upgrade {
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, upgrade);
    }
    headers
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The characters that header names may contain besides letters and digits (RFC 9110, section 5.6.2).
    const MARKS: [char; 15] = ['!', '#', '$', '%', '&', '\'', '*', '+', '-', '.', '^', '_', '`', '|', '~'];

    /// One of the trusted names in some spelling, and the name itself.
    fn spelt() -> impl Strategy<Value = (String, String)> {
        let names: Vec<&str> = OURS.iter().chain(&FAMILIES).chain(&SINGLE).copied().collect();
        let name = prop::sample::select(names);
        (name, prop::collection::vec((prop::sample::select(MARKS.to_vec()), any::<bool>()), 64)).prop_map(
            |(name, how)| {
                // A prefix needs something after it.
                let name = if name.ends_with('-') { format!("{name}name") } else { name.to_owned() };
                let spelt = name.chars().zip(how).map(|(c, (mark, upper))| match c {
                    '-' => mark,
                    c if upper => c.to_ascii_uppercase(),
                    c => c,
                });
                (spelt.collect(), name)
            },
        )
    }

    proptest! {
        #[test]
        fn no_spelling_of_a_believed_name_passes((spelt, name) in spelt()) {
            let header: HeaderName = spelt.parse().unwrap();
            prop_assert!(!passes(&header, &["content-type", "host"]), "{} for {}", spelt, name);
            // A signed header is the client's own statement, and passes, except for those that this guard sets itself.
            let ours = OURS.iter().any(|ours| name.starts_with(ours));
            prop_assert_eq!(passes(&header, &[header.as_str()]), !ours);
        }
    }

    #[test]
    fn other_names_pass() {
        for name in
            ["accept", "user-agent", "cookie", "x-tc-action", "x-request-id", "x-api-user", "x-hostname", "x_users"]
        {
            assert!(passes(&name.parse().unwrap(), &[]), "{name}");
        }
        for name in ["content-type", "authorization", "origin", "x-latchkeyring", "remote", "traceparent"] {
            assert!(passes(&name.parse().unwrap(), &[]), "{name}");
        }
    }
}
