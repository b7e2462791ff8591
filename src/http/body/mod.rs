//! Reading a request's body: up to its limit, at a pace, and within what all bodies together may take.
//!
//! Until a body is there whole, nobody knows whether its signature is right: whoever sends one may be a stranger. So it
//! takes memory for what has arrived of it and not for what it announces, has to go on arriving, and gives way when
//! memory is short (`budget`).

mod budget;
mod pace;

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::{Bytes, HttpBody};
use axum::http::{HeaderMap, header};

use self::budget::Shares;
use self::pace::Pace;

/// Of a refused body, this much is still read, and thrown away, so that its sender hears the answer: most clients do not
/// listen before they have sent all.
const DISCARD_LIMIT: u64 = 64 * 1024 * 1024;
/// The same of a body that announces more than that. Whoever listens while sending will have heard the answer by then.
const HEARD_OF_ENDLESS: u64 = 1024 * 1024;
/// A body up to this long is read without further ado.
const SHORT: u64 = 64 * 1024;

/// Why a body was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unread {
    /// It is longer than its limit.
    #[error("the body is too long")]
    TooLong,
    /// It did not arrive in time, or not at a pace.
    #[error("the body did not arrive in time")]
    Incomplete,
    /// It had to give way to others.
    #[error("there was no memory for the body")]
    Crowded,
}

/// What is known of a body before it is read.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    limit: u64,
    from: IpAddr,
    /// Does the client send it only once it is told to go ahead?
    waits_for_leave: bool,
}

impl Terms {
    /// Of a body that comes with these headers from this address.
    pub fn new(limit: usize, from: IpAddr, headers: &HeaderMap) -> Self {
        Self { limit: limit as u64, from, waits_for_leave: headers.contains_key(header::EXPECT) }
    }
}

/// What long bodies may take of the memory.
#[derive(Debug, Default)]
pub struct BodyBudget(Arc<Shares>);

/// A body that has been read, with its share of the memory until it is dropped.
#[derive(Debug)]
pub struct ReadBody {
    /// All of it.
    pub bytes: Bytes,
    _share: Option<budget::Share>,
}

impl BodyBudget {
    /// The whole body, if it is no longer than its limit. What is left of a refused one is read on in the background for
    /// a while, unless its client waits for leave to send it.
    pub async fn read<B>(&self, mut body: B, terms: Terms) -> Result<ReadBody, Unread>
    where
        B: HttpBody<Data = Bytes, Error: Send> + Send + Unpin + 'static,
    {
        let announced = body.size_hint().lower();
        if announced > terms.limit {
            // Before the body is asked for: to ask is to give leave.
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

/// Refuses a body unread: for a while it is read on in the background, unless its client waits for leave to send it.
pub fn refuse<B>(body: B, headers: &HeaderMap)
where
    B: HttpBody<Data = Bytes, Error: Send> + Send + Unpin + 'static,
{
    if !headers.contains_key(header::EXPECT) {
        hear_out(body);
    }
}

/// Is it, or may it be, longer than what is read without further ado?
pub fn is_long(body: &impl HttpBody) -> bool {
    body.size_hint().exact().is_none_or(|length| length > SHORT)
}

/// A body that announces a short length, to which the HTTP library holds it.
async fn read_short(body: &mut (impl HttpBody<Data = Bytes> + Unpin)) -> Result<Bytes, Unread> {
    let (mut pace, mut read) = (Pace::default(), Vec::new());
    while let Some(frame) = pace.frame(body).await? {
        if let Some(data) = frame.data_ref() {
            read.extend_from_slice(data);
        }
    }
    Ok(read.into())
}

/// Reads on, at the same pace as ever, and throws away.
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
