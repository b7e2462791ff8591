//! A forwarder to a server, with a delay that tests can set.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub struct Forwarder {
    pub address: SocketAddr,
    /// The delay in each direction, in milliseconds.
    delay: Arc<AtomicU64>,
}

impl Forwarder {
    pub async fn to(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, delay) = (listener.local_addr().unwrap(), Arc::<AtomicU64>::default());
        let (server, delays) = (server.to_owned(), delay.clone());
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let Ok(far) = TcpStream::connect(&server).await else { continue };
                let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
                tokio::spawn(pass(near_in, far_out, delays.clone()));
                tokio::spawn(pass(far_in, near_out, delays.clone()));
            }
        });
        Self { address, delay }
    }

    pub fn delay(&self, each_way: Duration) {
        self.delay.store(each_way.as_millis().try_into().unwrap(), Ordering::Relaxed);
    }
}

async fn pass(mut from: impl AsyncReadExt + Unpin, mut to: impl AsyncWriteExt + Unpin, delay: Arc<AtomicU64>) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        tokio::time::sleep(Duration::from_millis(delay.load(Ordering::Relaxed))).await;
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}
