//! What holds for the connections of every listener, whatever is asked on them.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use latchkey::metrics::Listener;
use latchkey::requests::Tracked;
use latchkey::{api, connections};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::support::{Engine, Product};

/// A listener whose pages panic.
async fn panicking(product: &Product) -> (SocketAddr, watch::Sender<()>, JoinHandle<()>) {
    let panic = || get(async || -> &str { panic!("on purpose") });
    let routes = Router::new().route("/", panic()).route("/forward-auth", panic());
    let routes = Tracked::new(product.app.clone(), Listener::Api, routes, api::panicked);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopping) = watch::channel(());
    let serving = tokio::spawn(connections::serve(listener, None, routes, stopping));
    (address, stop, serving)
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

/// Whose clock jumps to what is waited for, once nothing else can happen.
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
    assert!(took >= Duration::from_secs(10) && took < Duration::from_millis(10_100), "{took:?}");
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
