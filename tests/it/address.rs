//! PostgreSQL's address: several hosts, of which one accepts writes, and the messages for an address that cannot be
//! used.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::support::process::{failure, latchkey};
use crate::support::{Engine, Product, Store};

/// Another address of the tests' PostgreSQL, which can act as a standby or go down.
struct Host {
    address: SocketAddr,
    standby: Arc<AtomicBool>,
    cut: watch::Sender<()>,
}

impl Host {
    async fn before(server: SocketAddr, standby: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let standby = Arc::new(AtomicBool::new(standby));
        let (cut, is_cut) = watch::channel(());
        let plays_standby = standby.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (standby, mut is_cut) = (plays_standby.load(Ordering::SeqCst), is_cut.clone());
                is_cut.mark_unchanged();
                tokio::spawn(async move {
                    tokio::select! {
                        () = pass(client, server, standby) => {}
                        _ = is_cut.changed() => {}
                    }
                });
            }
        });
        Self { address, standby, cut }
    }

    /// Changes the role, as a restart of the server would.
    fn becomes_standby(&self, standby: bool) {
        self.standby.store(standby, Ordering::SeqCst);
        self.cut.send_replace(());
    }
}

/// Passes a session on. For a standby, a setting in the first message makes the session read-only.
async fn pass(mut client: TcpStream, server: SocketAddr, standby: bool) {
    let mut server = TcpStream::connect(server).await.unwrap();
    let Ok(length) = client.read_u32().await else { return };
    let mut message = vec![0; length as usize - 4];
    client.read_exact(&mut message).await.unwrap();
    if standby {
        message.pop();
        message.extend_from_slice(b"options\0-c default_transaction_read_only=on\0\0");
    }
    server.write_u32(u32::try_from(message.len()).unwrap() + 4).await.unwrap();
    server.write_all(&message).await.unwrap();
    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
}

/// The user, the address and the database of the tests.
fn parts(store: &Store) -> (String, SocketAddr, String) {
    let url: url::Url = store.database.as_ref().unwrap().parse().unwrap();
    let host = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
    (url.username().to_owned(), host.parse().unwrap(), url.path().to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_hosts_the_one_that_takes_writes_is_used_also_after_a_failover() {
    let store = Store::new(Engine::Postgres).await;
    let (user, server, path) = parts(&store);
    let (one, other) = (Host::before(server, true).await, Host::before(server, false).await);
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let url = format!("postgres://{user}@{nobody},{},{}{path}?sslmode=disable", one.address, other.address);
    let product = Product::start_with(Engine::Postgres, |mut given| {
        given.database = Some(url.into());
        given
    })
    .await;
    let (_, mut browser) = product.signed_in("root").await;
    let first = browser.create_key().await;

    other.becomes_standby(true);
    one.becomes_standby(false);
    // In the meantime, requests wait or fail, but none is acknowledged without having been performed.
    let served_again = async {
        loop {
            let page = browser.get("/cam/capi").await;
            if !page.status.is_server_error() {
                break page;
            }
        }
    };
    tokio::time::timeout(Duration::from_mins(1), served_again).await.expect("the other host is found").says(&first);
    let second = browser.create_key().await;
    browser.get("/cam/capi").await.says(&first).says(&second);
    product.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_without_a_host_that_takes_writes_says_of_each_why() {
    let store = Store::new(Engine::Postgres).await;
    let (user, server, path) = parts(&store);
    let standby = Host::before(server, true).await;
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    for (hosts, target) in [
        (format!("{nobody},{}", standby.address), ""),
        (standby.address.to_string(), "&target_session_attrs=read-write"),
    ] {
        let url = format!("postgres://{user}@{hosts}{path}?sslmode=disable{target}");
        let line = refusal(&url);
        let expected = format!("cannot open the database postgres://{user}@{hosts}{path}: none of its hosts will do: ");
        assert!(line.starts_with(&format!("latchkey: {expected}")) || line.contains(&expected), "{line}");
        assert!(line.contains(&format!("{} does not take writes", standby.address)), "{line}");
    }
}

/// The error message of a start with this address.
fn refusal(url: &str) -> String {
    let store = Store { dir: tempfile::tempdir().unwrap(), database: Some(url.to_owned()) };
    let line = failure(latchkey(&store, &["--console", "127.0.0.1:0", "--api", "127.0.0.1:0"]), 1);
    let lines: Vec<&str> = line.lines().filter(|line| !line.starts_with('{')).collect();
    assert_eq!(lines.len(), 1, "{line}");
    lines[0].to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_cannot_be_read_says_what_to_do_and_shows_nothing_of_it() {
    for password in ["se/cret", "se?cret", "se#cret", "77/cret", "77#cret"] {
        let line = refusal(&format!("postgres://latchkey:{password}@127.0.0.1:1/latchkey"));
        assert!(line.contains("percent-encode @ as %40, / as %2F, ? as %3F, # as %23"), "{line}");
        assert!(!line.contains("cret") && !line.contains("77"), "{line}");
    }
    for (url, says) in [
        ("postgres://u@h:port/d", "a host is NAME, NAME:PORT or [IPV6]:PORT"),
        ("postgres://u@h1,h2/d?port=1,2,3", "port= has one number"),
        ("postgres://u@h1,h2/d?target_session_attrs=standby", "target_session_attrs"),
        ("postgres://u@127.0.0.1/d?sslmode=perhaps", "perhaps"),
    ] {
        let line = refusal(url);
        assert!(line.contains(says), "{line}");
    }
}

/// A server, or a proxy, that answers the first message, or else the first statement, with this error.
async fn refusing(code: &'static str, message: &'static str, at_once: bool) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let framed = |kind: u8, body: &[u8]| {
        let length = u32::try_from(body.len()).unwrap() + 4;
        [&[kind][..], &length.to_be_bytes(), body].concat()
    };
    let error = framed(b'E', format!("SFATAL\0VFATAL\0C{code}\0M{message}\0\0").as_bytes());
    let welcome = [framed(b'R', &[0; 4]), framed(b'Z', b"I")].concat();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let (error, welcome) = (error.clone(), welcome.clone());
            let ready = framed(b'Z', b"I");
            tokio::spawn(async move {
                let length = client.read_u32().await.unwrap();
                client.read_exact(&mut vec![0; length as usize - 4]).await.unwrap();
                if at_once {
                    let _ = client.write_all(&error).await;
                    return;
                }
                client.write_all(&welcome).await.unwrap();
                // The client's messages belong to statements, each of which ends with Sync.
                while let Ok(kind) = client.read_u8().await {
                    let length = client.read_u32().await.unwrap();
                    client.read_exact(&mut vec![0; length as usize - 4]).await.unwrap();
                    if kind == b'S' {
                        let _ = client.write_all(&[&error[..], &ready].concat()).await;
                    }
                }
            });
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pooler_or_a_password_that_will_not_do_is_said_with_what_to_do() {
    for (code, message, at_once, says) in [
        ("26000", "prepared statement \"sqlx_s_1\" does not exist", false, "pool_mode = session"),
        ("42P05", "prepared statement \"sqlx_s_1\" already exists", false, "pool_mode = session"),
        ("08P01", "unsupported startup parameter: extra_float_digits", true, "ignore_startup_parameters"),
        ("28P01", "password authentication failed for user \"u\"", true, "percent-encoded: @ as %40"),
    ] {
        let address = refusing(code, message, at_once).await;
        let line = refusal(&format!("postgres://u:secret@{address}/d?sslmode=disable"));
        assert!(line.contains(says) && line.contains(message) && !line.contains("secret"), "{line}");
    }
}
