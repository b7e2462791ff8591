//! Socket options of a listener. Without them, more response data is in flight, or a shutdown occasionally resets a
//! connection.

use tokio::net::TcpListener;

/// The most response data that the kernel accepts ahead of what is on the wire, in bytes, so that a client that does
/// not read is soon noticed. A client that reads half of this within the time limit is not cut off.
#[cfg(target_os = "linux")]
const UNSENT: u32 = 64 * 1024;

/// Sets the option for all connections that will be accepted.
pub(super) fn prepare(listener: &TcpListener) {
    #[cfg(target_os = "linux")]
    if let Err(error) = socket2::SockRef::from(listener).set_tcp_notsent_lowat(UNSENT) {
        tracing::debug!(%error, "the kernel buffers responses without a limit");
    }
    #[cfg(not(target_os = "linux"))]
    let _ = listener;
}

/// Prevents new connections from being established. Those already being established can still be accepted; closing the
/// listener would reset them. A client that asks for a connection from now on retries a second later, and then learns
/// that nobody listens.
pub(super) fn turn_away(listener: &TcpListener) {
    #[cfg(target_os = "linux")]
    {
        use socket2::SockFilter;
        // A filter on the TCP header: drop packets with the SYN flag, keep all others.
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
            tracing::debug!(%error, "connections that are being established may be reset");
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = listener;
}
