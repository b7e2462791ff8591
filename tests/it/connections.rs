//! The properties of connections to every listener, whatever is requested on them.

use std::convert::Infallible;
use std::future::pending;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::response::Response;
use axum::routing::get;
use futures_util::stream;
use latchkey::entry::api;
use latchkey::http::listener;
use latchkey::http::tracked::{CutWhen, Tracked};
use latchkey::metrics::Listener;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use crate::support::{Engine, Product};

/// A listener whose pages panic.
async fn panicking(product: &Product) -> (SocketAddr, watch::Sender<()>, JoinHandle<()>) {
    let panic = || get(async || -> &str { panic!("on purpose") });
    serving(product, Router::new().route("/", panic()).route("/forward-auth", panic())).await
}

async fn serving(product: &Product, routes: Router) -> (SocketAddr, watch::Sender<()>, JoinHandle<()>) {
    let routes = Tracked::new(Listener::Api, routes, api::panicked, [].into(), product.app.metrics.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopping) = watch::channel(());
    let serving = tokio::spawn(listener::serve(listener, None, routes, stopping));
    (address, stop, serving)
}

/// Sends a request, and reads the head of the response and this number of bytes of its body.
async fn ask(stream: &mut TcpStream, path: &str, body: usize) -> std::io::Result<String> {
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").as_bytes()).await?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(stream.read_u8().await?);
    }
    stream.read_exact(&mut vec![0; body]).await?;
    Ok(String::from_utf8(answer).unwrap())
}

/// A connection from another address of this machine.
async fn connect_from(from: &str, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(from.parse().unwrap()).unwrap();
    socket.connect(to).await.unwrap()
}

/// Stops the clock. Once the returned value is dropped, the clock continues by jumping.
fn stop_clock() -> std::sync::mpsc::Sender<()> {
    tokio::time::pause();
    let (sender, held) = std::sync::mpsc::channel();
    // Tokio's clock does not jump while such a task runs.
    tokio::task::spawn_blocking(move || held.recv());
    sender
}

/// Allows thousands of connections, each with two ends in this process.
fn allow_many_descriptors() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
}

/// A route whose response never ends, and a receiver that is told when it is dropped.
fn endless(cut: Option<CutWhen>) -> (Router, oneshot::Receiver<()>) {
    let (held, given_up) = oneshot::channel::<()>();
    let held = Arc::new(Mutex::new(Some(held)));
    let answer = async move || {
        let held = held.lock().unwrap().take();
        let parts = stream::repeat_with(move || {
            let _ = &held;
            Ok::<_, Infallible>(Bytes::from_static(&[b'x'; 16 * 1024]))
        });
        let mut response = Response::new(Body::from_stream(parts));
        if let Some(cut) = cut {
            response.extensions_mut().insert(cut);
        }
        response
    };
    (Router::new().route("/", get(answer)).route("/ok", get(async || "ok")), given_up)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_is_a_fault_of_one_request() {
    let product = Product::start(Engine::Sqlite).await;
    let (address, stop, serving) = panicking(&product).await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut ids = Vec::new();
    for _ in 0..2 {
        let answer: serde_json::Value =
            client.get(format!("http://{address}/")).send().await.unwrap().json().await.unwrap();
        assert_eq!(answer["Response"]["Error"]["Code"], "InternalError");
        assert!(!answer.to_string().contains("on purpose"), "{answer}");
        ids.push(answer["Response"]["RequestId"].as_str().unwrap().to_owned());
    }
    assert!(ids[0].len() == 36 && ids[0] != ids[1], "{ids:?}");
    let asked_by_a_proxy = client.get(format!("http://{address}/forward-auth")).send().await.unwrap();
    assert_eq!(asked_by_a_proxy.status(), 503, "which no proxy takes for a yes");
    assert_eq!(client.get(format!("http://{address}/x")).send().await.unwrap().status(), 404, "it goes on");
    drop(stop);
    serving.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_ends_idle_connections_and_refuses_new_ones() {
    let product = Product::start(Engine::Sqlite).await;
    let api = product.api;
    let mut idle = TcpStream::connect(api).await.unwrap();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let mut answer = [0; 15];
    idle.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
    tokio::time::timeout(Duration::from_secs(5), product.stop()).await.expect("nobody waits for an idle client");
    idle.read_to_end(&mut Vec::new()).await.unwrap();
    assert!(TcpStream::connect(api).await.is_err(), "nobody listens any more");
}

/// The clock jumps to the next timer once nothing else can happen.
#[tokio::test]
async fn the_headers_of_every_request_have_ten_seconds() {
    let product = Product::start(Engine::Sqlite).await;
    let (address, stop, serving) = panicking(&product).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    tokio::time::pause();
    for pause in [0, 9, 9] {
        tokio::time::sleep(Duration::from_secs(pause)).await;
        stream.write_all(b"GET /healthy HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
        let mut answer = [0; 1024];
        let read = stream.read(&mut answer).await.unwrap();
        assert!(answer[..read].starts_with(b"HTTP/1.1 404"), "{}", String::from_utf8_lossy(&answer[..read]));
    }
    let begun = tokio::time::Instant::now();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: local").await.unwrap();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    let took = begun.elapsed();
    assert!(took >= Duration::from_secs(10) && took < Duration::from_mins(1), "{took:?}");
    assert!(!rest.starts_with(b"HTTP/1.1 2"), "{}", String::from_utf8_lossy(&rest));
    tokio::time::resume();
    drop(stop);
    serving.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_http_is_hung_up_on() {
    let product = Product::start(Engine::Sqlite).await;
    for address in [product.api, product.console] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 4") || answer.starts_with("HTTP/1.1 505"),
            "{answer}"
        );
    }
    product.stop().await;
}

/// The clock jumps to the next timer.
#[tokio::test]
async fn a_client_that_does_not_read_is_hung_up_on() {
    let product = Product::start(Engine::Sqlite).await;
    let (routes, given_up) = endless(None);
    let (address, stop, serving) = serving(&product, routes).await;
    let mut deaf = TcpStream::connect(address).await.unwrap();
    deaf.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    deaf.readable().await.unwrap();
    tokio::time::pause();
    let begun = tokio::time::Instant::now();
    given_up.await.unwrap_err();
    let took = begun.elapsed();
    assert!(took > Duration::from_secs(9) && took < Duration::from_secs(30), "{took:?}");
    tokio::time::resume();
    drop(stop);
    serving.await.unwrap();
}

#[tokio::test]
async fn an_answer_is_cut_off_when_it_is_time_though_nobody_reads_it() {
    let product = Product::start(Engine::Sqlite).await;
    let (cut, time) = oneshot::channel::<()>();
    let (routes, given_up) = endless(Some(CutWhen::new(async {
        let _ = time.await;
    })));
    let (address, stop, serving) = serving(&product, routes).await;
    let mut deaf = TcpStream::connect(address).await.unwrap();
    deaf.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    deaf.readable().await.unwrap();
    tokio::time::pause();
    let begun = tokio::time::Instant::now();
    cut.send(()).unwrap();
    given_up.await.unwrap_err();
    assert!(begun.elapsed() < Duration::from_secs(9), "it was not waited until the client reads");
    tokio::time::resume();
    drop(stop);
    serving.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_address_cannot_have_all_places() {
    allow_many_descriptors();
    let product = Product::start(Engine::Sqlite).await;
    let (asked, mut waiting) = tokio::sync::mpsc::unbounded_channel();
    let stuck = get(async move || {
        asked.send(()).unwrap();
        pending::<&str>().await
    });
    let routes = Router::new().route("/", stuck).route("/ok", get(async || "ok"));
    let (address, _stop, serving) = serving(&product, routes).await;
    let mut held = Vec::new();
    for _ in 0..256 {
        let mut stream = connect_from("127.0.0.1:0", address).await;
        stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
        held.push(stream);
        waiting.recv().await.unwrap();
    }
    let mut refused = connect_from("127.0.0.1:0", address).await;
    assert!(ask(&mut refused, "/ok", 2).await.is_err(), "it has its share");
    let mut other = connect_from("127.0.0.2:0", address).await;
    assert!(ask(&mut other, "/ok", 2).await.unwrap().starts_with("HTTP/1.1 200"));
    drop(held);
    serving.abort();
}

/// A proxy may occupy all connection slots with idle connections.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_at_rest_make_way() {
    allow_many_descriptors();
    let product = Product::start_with(Engine::Sqlite, |mut given| {
        given.trusted_proxy = Some(vec!["127.0.0.1/32".parse().unwrap()]);
        given
    })
    .await;
    let mut at_rest = Vec::new();
    for _ in 0..1030 {
        let mut stream = TcpStream::connect(product.api).await.unwrap();
        assert!(ask(&mut stream, "/readyz", 6).await.unwrap().starts_with("HTTP/1.1 200"));
        at_rest.push(stream);
    }
    assert!(ask(&mut at_rest[0], "/readyz", 6).await.is_err(), "the first has made way");
    assert!(ask(&mut at_rest[1029], "/readyz", 6).await.unwrap().starts_with("HTTP/1.1 200"), "the last has not");
    let silent: Vec<_> = futures_util::future::join_all((0..1030).map(|_| TcpStream::connect(product.api))).await;
    let mut stream = TcpStream::connect(product.api).await.unwrap();
    assert!(ask(&mut stream, "/readyz", 6).await.unwrap().starts_with("HTTP/1.1 200"), "nobody waits for silent ones");
    drop(silent);
    product.stop().await;
}

/// The clock jumps to the next timer.
#[tokio::test]
async fn a_stop_answers_what_is_on_its_way() {
    let product = Product::start(Engine::Sqlite).await;
    let (address, stop, serving) = serving(&product, Router::new().route("/ok", get(async || "ok"))).await;
    let mut first = TcpStream::connect(address).await.unwrap();
    let mut second = TcpStream::connect(address).await.unwrap();
    for stream in [&mut first, &mut second] {
        assert!(!ask(stream, "/ok", 2).await.unwrap().contains("connection: close"));
    }
    let clock = stop_clock();
    drop(stop);
    // An idle connection, and a new one.
    for stream in [&mut first, &mut TcpStream::connect(address).await.unwrap()] {
        let answer = ask(stream, "/ok", 2).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("connection: close"), "{answer}");
        assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
    }
    drop(clock);
    let begun = tokio::time::Instant::now();
    assert_eq!(second.read(&mut [0]).await.unwrap(), 0, "it had its chance");
    serving.await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
}

/// The clock jumps to the next timer.
#[tokio::test]
async fn between_requests_a_connection_may_rest_longer_than_proxies_keep_it() {
    let product = Product::start(Engine::Sqlite).await;
    let slow = get(async || {
        tokio::task::yield_now().await;
        "ok"
    });
    let (address, _stop, serving) = serving(&product, Router::new().route("/ok", slow)).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let clock = stop_clock();
    for rest in [0, 11, 121, 179] {
        tokio::time::advance(Duration::from_secs(rest)).await;
        assert!(ask(&mut stream, "/ok", 2).await.unwrap().starts_with("HTTP/1.1 200"), "after {rest} s");
    }
    drop(clock);
    assert_eq!(stream.read(&mut [0]).await.unwrap(), 0, "but not for ever");
    serving.abort();
}
