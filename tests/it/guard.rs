//! The built-in guard in front of a back end that misbehaves, and the rules that it shares with the other two entry
//! points for back ends.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use latchkey::config::GivenSettings;
use reqwest::Response;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::signer::{Call, Signer};
use crate::support::{Engine, Product};
use crate::tls::{connect, with_tls, write_certificate};

/// The way in which a connection to the back end ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ends {
    /// Not by itself.
    Not,
    /// It is closed when another request arrives.
    WithTheSecondRequest,
    /// It is closed when the first request arrives.
    WithTheFirstRequest,
}

/// A back end, with the requests that it has read completely.
struct BackEnd {
    address: SocketAddr,
    received: Arc<Mutex<Vec<String>>>,
}

impl BackEnd {
    async fn start(ends: Ends) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let received = Arc::<Mutex<Vec<String>>>::default();
        let kept = received.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, ends, kept.clone()));
            }
        });
        Self { address, received }
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.received.lock().unwrap())
    }
}

async fn serve(mut stream: TcpStream, ends: Ends, received: Arc<Mutex<Vec<String>>>) {
    let mut served = 0;
    while let Some(request) = read_request(&mut stream).await {
        received.lock().unwrap().push(request);
        if ends == Ends::WithTheFirstRequest || (ends == Ends::WithTheSecondRequest && served == 1) {
            return;
        }
        served += 1;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
    }
}

/// Head and body as they came over the wire. `None` at the end of the connection.
async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut got = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&got).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                return Some(text);
            }
        }
        if stream.read_buf(&mut got).await.unwrap_or(0) == 0 {
            return None;
        }
    }
}

struct Guarded {
    product: Product,
    back_end: BackEnd,
    signer: Signer,
}

impl Guarded {
    async fn start(ends: Ends, change: impl FnOnce(GivenSettings) -> GivenSettings) -> Self {
        let back_end = BackEnd::start(ends).await;
        let upstream = format!("http://{}", back_end.address);
        let product = Product::start_with(Engine::Sqlite, |mut given| {
            given.guard = Some("127.0.0.1:0".parse().unwrap());
            given.guard_upstream = Some(upstream.parse().unwrap());
            change(given)
        })
        .await;
        let (mut owner, mut browser) = product.signed_in("root").await;
        let key = browser.create_key().await;
        let secret = owner.reveal(&product, &mut browser, &key).await;
        let signer = Signer::new(product.guard.unwrap(), &key, &secret);
        Self { product, back_end, signer }
    }

    fn call(&self, method: &'static str, body: &str) -> Call {
        Call { method, body: body.to_owned(), ..Call::identity(self.product.clock.now()) }
    }

    async fn send(&self, call: &Call) -> Response {
        self.signer.request(call, &self.signer.authorization(call)).send().await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kept_connection_that_is_dead_fails_nothing_that_may_be_done_twice() {
    let guarded = Guarded::start(Ends::WithTheSecondRequest, |given| given).await;
    for method in ["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"] {
        let body = if method == "PUT" { "{\"item\":\"book\"}" } else { "" };
        for at in 0..6 {
            let answer = guarded.send(&guarded.call(method, body)).await;
            assert_eq!(answer.status().as_u16(), 200, "{method}, the request number {at}");
        }
        let received = guarded.back_end.take();
        assert!(received.len() > 6, "{method}: no connection was used twice");
        for request in received {
            assert!(request.starts_with(&format!("{method} / HTTP/1.1\r\n")) && request.ends_with(body), "{request}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_does_twice_what_may_be_done_once() {
    let guarded = Guarded::start(Ends::WithTheSecondRequest, |given| given).await;
    for method in ["POST", "PATCH"] {
        let mut statuses = Vec::new();
        for at in 0..6 {
            let body = format!("{{\"number\":{at}}}");
            let answer = guarded.send(&guarded.call(method, &body)).await;
            statuses.push(answer.status().as_u16());
            if statuses[at] == 502 {
                let answer: Value = answer.json().await.unwrap();
                assert_eq!(answer["Response"]["Error"]["Code"], "InternalError.UpstreamFailure");
            }
        }
        assert!(statuses.iter().all(|status| [200, 502].contains(status)) && statuses.contains(&502), "{statuses:?}");
        let received = guarded.back_end.take();
        for at in 0..6 {
            let times = received.iter().filter(|request| request.ends_with(&format!("{{\"number\":{at}}}"))).count();
            assert_eq!(times, 1, "{method} {at}: {received:?}");
        }
    }
}

/// A new connection that is closed without a response is the back end's own failure, and a second attempt could do
/// harm.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_connection_that_is_closed_is_not_tried_again() {
    let guarded = Guarded::start(Ends::WithTheFirstRequest, |given| given).await;
    for _ in 0..3 {
        assert_eq!(guarded.send(&guarded.call("GET", "")).await.status().as_u16(), 502);
        assert_eq!(guarded.back_end.take().len(), 1);
    }
}

/// The values of all headers whose names a CGI back end takes for this one.
fn believed(request: &str, name: &str) -> Vec<String> {
    let fold = |name: &str| name.to_lowercase().replace(|c: char| !c.is_ascii_alphanumeric(), "_");
    let head = request.split("\r\n\r\n").next().unwrap();
    let headers =
        head.lines().skip(1).filter_map(|line| line.split_once(": ").or(line.strip_suffix(':').map(|name| (name, ""))));
    headers.filter(|(sent, _)| fold(sent) == fold(name)).map(|(_, value)| value.to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_identity_in_whatever_spelling_is_not_passed_on() {
    let guarded = Guarded::start(Ends::Not, |given| given).await;
    let ours = [
        "X.Latchkey.Uin",
        "X_Latchkey_Uin",
        "x-latchkey_uin",
        "X!Latchkey~Uin",
        "X_Latchkey-App.Id",
        "X-Latchkey-Secret_Id",
        "X`Latchkey`Content`SHA256",
        "X-Latchkey-Anything",
        "X_Forwarded_For",
        "X.Forwarded.Host",
        "x-forwarded_proto",
    ];
    let believed_of_proxies = [
        "Remote-User",
        "Remote_User",
        "X-Remote-User",
        "X-Forwarded-User",
        "X-Authenticated-User",
        "True-Client-IP",
        "X-Real-IP",
        "CF-Connecting-IP",
        "X-Client-IP",
        "Forwarded",
        "X-HTTP-Method-Override",
        "X-HTTP-Method",
        "X-Method-Override",
        "X-Host",
        "X-Original-URL",
        "X-Rewrite-URL",
        "X-Forwarded-Server",
        "X-Forwarded-Prefix",
        "X.Real.IP",
        "X_Original_URL",
        "Proxy",
    ];
    let mut call = guarded.call("GET", "");
    let forged = ours.iter().chain(&believed_of_proxies);
    call.extra_headers = forged.map(|name| (*name, "forged".to_owned())).collect();
    call.extra_headers.push(("X-Own", "kept".to_owned()));
    assert_eq!(guarded.send(&call).await.status().as_u16(), 200);
    let [request] = &guarded.back_end.take()[..] else { panic!() };
    assert!(!request.contains("forged"), "{request}");
    let host = guarded.signer.address.to_string();
    for (name, value) in [
        ("X-Latchkey-Secret-Id", guarded.signer.secret_id.as_str()),
        ("X-Forwarded-For", "127.0.0.1"),
        ("X-Forwarded-Host", &host),
        ("X-Forwarded-Proto", "http"),
        ("X-Own", "kept"),
    ] {
        assert_eq!(believed(request, name), [value], "{name}: {request}");
    }
    assert_eq!(believed(request, "X-Latchkey-Uin").len(), 1);

    // A header that the client has signed is its own statement, and passes. The identity does not.
    let mut call = guarded.call("GET", "");
    call.signed_headers =
        "content-type;host;x-http-method-override;x-latchkey-uin;x_latchkey_uin;x-forwarded-for".to_owned();
    call.extra_headers = ["X-HTTP-Method-Override", "X-Latchkey-Uin", "X_Latchkey_Uin", "X-Forwarded-For"]
        .map(|name| (name, String::new()))
        .to_vec();
    assert_eq!(guarded.send(&call).await.status().as_u16(), 200);
    let [request] = &guarded.back_end.take()[..] else { panic!() };
    assert_eq!(believed(request, "X-HTTP-Method-Override"), [""]);
    assert!(believed(request, "X-Latchkey-Uin").concat().len() == 12, "{request}");
    assert_eq!(believed(request, "X-Forwarded-For"), ["127.0.0.1"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_scheme_is_the_listeners_or_what_a_trusted_proxy_says() {
    let said = ["https", "HTTPS", "http", "javascript", "https, http", "", "wss"];
    for (trusted, expected) in
        [(false, ["http"; 7]), (true, ["https", "https", "http", "http", "http", "http", "http"])]
    {
        let guarded = Guarded::start(Ends::Not, |mut given| {
            given.trusted_proxy = trusted.then(|| vec!["127.0.0.0/8".parse().unwrap()]);
            given
        })
        .await;
        for (said, expected) in said.into_iter().zip(expected) {
            let mut call = guarded.call("GET", "");
            call.extra_headers = vec![("X-Forwarded-Proto", said.to_owned())];
            assert_eq!(guarded.send(&call).await.status().as_u16(), 200);
            let [request] = &guarded.back_end.take()[..] else { panic!() };
            assert_eq!(believed(request, "X-Forwarded-Proto"), [expected], "{said}, trusted: {trusted}");
        }
        // A way in which proxies write IPv6 addresses.
        let mut call = guarded.call("GET", "");
        call.extra_headers = vec![("X-Forwarded-For", "[2001:db8::7]".to_owned())];
        guarded.send(&call).await;
        let [request] = &guarded.back_end.take()[..] else { panic!() };
        assert_eq!(believed(request, "X-Forwarded-For"), [if trusted { "2001:db8::7" } else { "127.0.0.1" }]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_path_of_the_upstream_comes_before_the_requested_one() {
    for (path, received) in
        [("", "/"), ("/", "/"), ("/shop", "/shop/"), ("/shop/", "/shop/"), ("/a%2fb/c", "/a%2fb/c/")]
    {
        let guarded = Guarded::start(Ends::Not, |given| {
            let upstream = given.guard_upstream.as_ref().unwrap().join(path).unwrap();
            GivenSettings { guard_upstream: Some(upstream), ..given }
        })
        .await;
        assert_eq!(guarded.send(&guarded.call("GET", "")).await.status().as_u16(), 200, "{path}");
        let requests = guarded.back_end.take();
        assert!(requests[0].starts_with(&format!("GET {received} HTTP/1.1\r\n")), "{path}: {requests:?}");
    }
}

/// Browsers cannot sign a preflight. Whatever is not exactly one has to be signed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn preflights_pass_where_the_setting_says_so() {
    let ask = async |guarded: &Guarded, method: &str, headers: &[(&str, &str)], body: &'static str| {
        let url = format!("http://{}/orders?a=1", guarded.signer.address);
        let mut request = guarded.signer.client.request(method.parse().unwrap(), url).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap().status().as_u16()
    };
    let (origin, asked) = (("origin", "https://shop.example"), ("access-control-request-method", "POST"));
    let off = Guarded::start(Ends::Not, |given| given).await;
    assert_eq!(ask(&off, "OPTIONS", &[origin, asked], "").await, 401);
    let on = |given| GivenSettings { guard_cors_preflight: Some(true), ..given };
    let guarded = Guarded::start(Ends::Not, on).await;
    let forged = [origin, asked, ("x-latchkey-uin", "1"), ("x-latchkey-secret-id", "AKIDx")];
    assert_eq!(ask(&guarded, "OPTIONS", &forged, "").await, 200);
    let requests = guarded.back_end.take();
    assert!(requests[0].starts_with("OPTIONS /orders?a=1 HTTP/1.1\r\n"), "{requests:?}");
    assert!(
        requests[0].contains("origin: https://shop.example") && !requests[0].contains("x-latchkey"),
        "{requests:?}"
    );
    for (method, headers, body) in [
        ("OPTIONS", &[origin][..], ""),
        ("OPTIONS", &[asked], ""),
        ("OPTIONS", &[origin, asked], "body"),
        ("POST", &[origin, asked], ""),
        ("GET", &[origin, asked], ""),
    ] {
        assert_eq!(ask(&guarded, method, headers, body).await, 401, "{method} {headers:?}");
    }
    assert!(guarded.back_end.take().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn within_tls_the_scheme_is_https() {
    let dir = tempfile::tempdir().unwrap();
    let trusted = write_certificate(dir.path());
    let guarded = Guarded::start(Ends::Not, |given| given).await;
    let upstream = format!("http://{}", guarded.back_end.address);
    let secure = guarded.product.sibling_with(|mut given| {
        given.guard = Some("127.0.0.1:0".parse().unwrap());
        given.guard_upstream = Some(upstream.parse().unwrap());
        with_tls(given, dir.path())
    });
    let secure = secure.await;
    let signer = Signer { address: secure.guard.unwrap(), ..guarded.signer.clone() };
    let call = guarded.call("GET", "");
    for said in ["", "x-forwarded-proto: http\r\n"] {
        let request = format!(
            "GET / HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\nx-tc-timestamp: {}\r\nauthorization: {}\r\n\
             connection: close\r\n{said}\r\n",
            signer.address,
            call.timestamp,
            signer.authorization(&call)
        );
        let mut stream = connect(signer.address, &trusted, &[]).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // This test does not depend on an orderly TLS shutdown.
        let _ = stream.read_to_end(&mut answer).await;
        assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
        let [request] = &guarded.back_end.take()[..] else { panic!() };
        assert_eq!(believed(request, "X-Forwarded-Proto"), ["https"]);
    }
}

/// The error codes for a target at each of the three entry points, with a wrong signature. An error in the target takes
/// precedence.
async fn codes(guarded: &Guarded, target: &str) -> [Option<String>; 3] {
    let call = guarded.call("GET", "");
    let authorization = guarded.signer.authorization(&Call { query: "another".to_owned(), ..call.clone() });
    let host = guarded.signer.address.to_string();
    let head = |target: &str, more: &str| {
        format!(
            "GET {target} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\nx-tc-timestamp: {}\r\n\
             authorization: {authorization}\r\nconnection: close\r\n{more}\r\n",
            call.timestamp
        )
    };
    let of_guard = raw(guarded.signer.address, &head(target, "")).await;
    let more = format!("x-original-method: GET\r\nx-original-uri: {target}\r\n");
    let of_proxy = raw(guarded.product.api, &head("/forward-auth", &more)).await;
    let question = json!({
        "method": "GET", "uri": target, "body_sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "headers": {
            "Host": host, "Content-Type": "application/json", "X-TC-Timestamp": call.timestamp.to_string(),
            "Authorization": authorization,
        },
    });
    let verify = guarded.signer.client.post(format!("http://{}/v1/verify", guarded.product.api));
    let answer: Value =
        verify.bearer_auth("a-token-of-this-test").json(&question).send().await.unwrap().json().await.unwrap();
    let code = |answer: (u16, String)| {
        let body: Value = serde_json::from_str(&answer.1).ok()?;
        let code = body["Response"]["Error"]["Code"].as_str()?.to_owned();
        let status = if code == "InvalidParameter" { 403 } else { 401 };
        assert_eq!(answer.0, status, "{target}: {}", answer.1);
        Some(code)
    };
    [code(of_guard), code(of_proxy), answer["code"].as_str().map(str::to_owned)]
}

/// The status and the body.
async fn raw(address: SocketAddr, request: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), body.to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_three_entry_points_take_the_same_targets() {
    let tokens = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(tokens.path(), "a-token-of-this-test").unwrap();
    let guarded = Guarded::start(Ends::Not, |mut given| {
        given.trusted_proxy = Some(vec!["127.0.0.0/8".parse().unwrap()]);
        given.verify_token_file = Some(tokens.path().to_owned());
        given
    })
    .await;
    for target in ["/a", "//a/../b", "/a|b^c\\d{e}[f]~", "/?a[b]={c}|d^e\\f`g", "/%E4%BD%A0?%3C", "/a;b=c,d'e()!$&*+:@"]
    {
        let taken = Some("AuthFailure.SignatureFailure".to_owned());
        assert_eq!(codes(&guarded, target).await, [taken.clone(), taken.clone(), taken], "{target}");
    }
    let refused = Some("InvalidParameter".to_owned());
    // These reach the guard itself.
    for target in ["/a\"b", "/你好", "/?q=é", "*", "x", "http://other.example"] {
        let [of_guard, others @ ..] = codes(&guarded, target).await;
        // The guard reads an absolute URL as its path.
        let of_path = Some("AuthFailure.SignatureFailure".to_owned()).filter(|_| target.starts_with("http:"));
        assert_eq!(of_guard, of_path.or(refused.clone()), "{target}");
        assert_eq!(others, [refused.clone(), refused.clone()], "{target}");
    }
    // The HTTP library refuses these itself, with 400 and no body.
    for target in ["/a<b", "/a>b", "/a`b", "/?a\"b", "/?<"] {
        let [of_guard, others @ ..] = codes(&guarded, target).await;
        assert_eq!((of_guard, others), (None, [refused.clone(), refused.clone()]), "{target}");
        let (status, body) = raw(guarded.signer.address, &format!("GET {target} HTTP/1.1\r\nhost: x\r\n\r\n")).await;
        assert_eq!((status, body.as_str()), (400, ""), "{target}");
    }
    // It removes this part before the guard sees it: the forwarded target is the one that was checked.
    let [_, others @ ..] = codes(&guarded, "/a#b").await;
    assert_eq!(others, [refused.clone(), refused]);
    let call = guarded.call("GET", "");
    let head = format!(
        "GET /#b HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\nx-tc-timestamp: {}\r\nauthorization: {}\r\n\
         content-length: 0\r\nconnection: close\r\n\r\n",
        guarded.signer.address,
        call.timestamp,
        guarded.signer.authorization(&call)
    );
    assert_eq!(raw(guarded.signer.address, &head).await.0, 200);
    assert!(guarded.back_end.take()[0].starts_with("GET / HTTP/1.1\r\n"));
}
