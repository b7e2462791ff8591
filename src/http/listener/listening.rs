//! What the kernel does for a listener. Where it does not, more is in flight, or a stop costs a connection now and then.

use tokio::net::TcpListener;

/// Of an answer, the kernel takes no more than this ahead of what is on the wire, so that what a client does not read is
/// soon noticed. A client that takes half of it within the limit goes on.
#[cfg(target_os = "linux")]
const UNSENT: u32 = 64 * 1024;

/// For all connections that will be accepted.
pub(super) fn prepare(listener: &TcpListener) {
    #[cfg(target_os = "linux")]
    if let Err(error) = socket2::SockRef::from(listener).set_tcp_notsent_lowat(UNSENT) {
        tracing::debug!(%error, "the kernel keeps as much of an answer as it likes");
    }
    #[cfg(not(target_os = "linux"))]
    let _ = listener;
}

/// From here on no connection begins, but those that have begun can still be accepted: to close a listener is to reset
/// those. Whoever asks for a connection now asks again a second later, and is then told that nobody listens.
pub(super) fn turn_away(listener: &TcpListener) {
    #[cfg(target_os = "linux")]
    {
        use socket2::SockFilter;
        // On the header of TCP: drop what has the flag SYN, keep the rest.
        const LOAD_BYTE: u16 = 0x30;
        const JUMP_IF_SET: u16 = 0x45;
        const RETURN: u16 = 0x06;
        const FLAGS: u32 = 13;
        const SYN: u32 = 0x02;
        let no_new_ones = [
            SockFilter::new(LOAD_BYTE, 0, 0, FLAGS),
            SockFilter::new(JUMP_IF_SET, 0, 1, SYN),
            SockFilter::new(RETURN, 0, 0, 0),
            SockFilter::new(RETURN, 0, 0, u32::MAX),
        ];
        if let Err(error) = socket2::SockRef::from(listener).attach_filter(&no_new_ones) {
            tracing::debug!(%error, "connections that begin at this moment may be reset");
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = listener;
}
