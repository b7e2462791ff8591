//! Reading request bodies: up to a size limit, at a minimum pace, and within a memory budget that all bodies share.
//!
//! A signature can be verified only once the whole body has arrived, so anybody may have sent it. A body therefore uses
//! memory only for the bytes that have arrived, not for its announced length; it has to keep arriving; and it is
//! evicted when memory is short (see `budget`).

mod budget;
mod pace;

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::{Bytes, HttpBody};
use axum::http::{HeaderMap, header};

use self::budget::Shares;
use self::pace::Pace;

/// The number of bytes of a refused body that are still read and discarded, so that its sender sees the response: most
/// clients do not read before they have sent everything.
const DISCARD_LIMIT: u64 = 64 * 1024 * 1024;
/// The same limit for a body that announces more than [`DISCARD_LIMIT`]. A client that reads while it sends will have
/// seen the response by then.
const HEARD_OF_ENDLESS: u64 = 1024 * 1024;
/// The longest body that is read without being counted, in bytes.
const SHORT: u64 = 64 * 1024;

/// The reason why a body was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unread {
    /// The body is longer than its limit.
    #[error("the body is too long")]
    TooLong,
    /// The body did not arrive in time, or arrived too slowly.
    #[error("the body did not arrive in time")]
    Incomplete,
    /// The body was evicted in favour of others.
    #[error("there was no memory for the body")]
    Crowded,
}

/// The terms under which a body is read.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    limit: u64,
    from: IpAddr,
    /// `true` if the client waits for `100 Continue` before it sends the body.
    waits_for_leave: bool,
}

impl Terms {
    /// The terms of a body that comes with `headers` from the address `from`, and may be `limit` bytes long.
    pub fn new(limit: usize, from: IpAddr, headers: &HeaderMap) -> Self {
        Self { limit: limit as u64, from, waits_for_leave: headers.contains_key(header::EXPECT) }
    }
}

/// The memory budget for long bodies.
#[derive(Debug, Default)]
pub struct BodyBudget(Arc<Shares>);

/// A body that has been read. It holds its share of the memory budget until it is dropped.
#[derive(Debug)]
pub struct ReadBody {
    /// The whole body.
    pub bytes: Bytes,
    _share: Option<budget::Share>,
}

impl BodyBudget {
    /// Reads the whole body, if it is no longer than its limit. The rest of a refused body is read and discarded in the
    /// background, up to a limit, unless its client waits for `100 Continue`.
    pub async fn read<B>(&self, mut body: B, terms: Terms) -> Result<ReadBody, Unread>
    where
        B: HttpBody<Data = Bytes, Error: Send> + Send + Unpin + 'static,
    {
        let announced = body.size_hint().lower();
        if announced > terms.limit {
            // This must come before the body is polled, because polling it sends `100 Continue`.
            if !terms.waits_for_leave {
                hear_out(body);
            }
            return Err(Unread::TooLong);
        }
        if !is_long(&body) {
            let bytes = read_short(&mut body).await?;
            return Ok(ReadBody { bytes, _share: None });
        }
        match self.read_long(&mut body, terms).await {
            Err(refused @ (Unread::TooLong | Unread::Crowded)) => {
                hear_out(body);
                Err(refused)
            }
            read => read,
        }
    }

    async fn read_long<B>(&self, body: &mut B, terms: Terms) -> Result<ReadBody, Unread>
    where
        B: HttpBody<Data = Bytes> + Unpin,
    {
        let longest = body.size_hint().exact().unwrap_or(terms.limit);
        let mut share = Shares::enter(&self.0, terms.from.into(), usize::try_from(longest).unwrap_or(usize::MAX));
        let (mut pace, mut length) = (Pace::default(), 0);
        loop {
            let frame = tokio::select! {
                biased;
                frame = pace.frame(body) => frame?,
                () = share.given_way() => return Err(Unread::Crowded),
            };
            let Some(frame) = frame else { break };
            let Some(data) = frame.data_ref() else { continue };
            length += data.len() as u64;
            if length > terms.limit {
                return Err(Unread::TooLong);
            }
            share.take_in(data)?;
        }
        let bytes = share.complete()?;
        Ok(ReadBody { bytes, _share: Some(share) })
    }
}

/// Refuses a body without using it. It is read and discarded in the background, up to a limit, unless its client waits
/// for `100 Continue`.
pub fn refuse<B>(body: B, headers: &HeaderMap)
where
    B: HttpBody<Data = Bytes, Error: Send> + Send + Unpin + 'static,
{
    if !headers.contains_key(header::EXPECT) {
        hear_out(body);
    }
}

/// Returns `true` if the body is, or may be, too long to be read without being counted.
pub fn is_long(body: &impl HttpBody) -> bool {
    body.size_hint().exact().is_none_or(|length| length > SHORT)
}

/// Reads a body that announces a short length. The HTTP library makes sure that it is no longer.
async fn read_short(body: &mut (impl HttpBody<Data = Bytes> + Unpin)) -> Result<Bytes, Unread> {
    let (mut pace, mut read) = (Pace::default(), Vec::new());
    while let Some(frame) = pace.frame(body).await? {
        if let Some(data) = frame.data_ref() {
            read.extend_from_slice(data);
        }
    }
    Ok(read.into())
}

/// Reads and discards the rest of a body, at the usual minimum pace.
fn hear_out<B>(mut body: B)
where
    B: HttpBody<Data = Bytes, Error: Send> + Send + Unpin + 'static,
{
    let most = if body.size_hint().lower() > DISCARD_LIMIT { HEARD_OF_ENDLESS } else { DISCARD_LIMIT };
    tokio::spawn(async move {
        let (mut pace, mut length) = (Pace::default(), 0);
        while let Ok(Some(frame)) = pace.frame(&mut body).await {
            length += frame.data_ref().map_or(0, Bytes::len) as u64;
            if length > most {
                break;
            }
        }
    });
}

#[cfg(test)]
mod tests;
