//! Checking signatures: pure functions of the request, the secret and nothing else.
//!
//! Invariant: no I/O, no clock, no randomness.

pub mod diagnosis;
pub mod v1;
pub mod v3;

/// The host as it may have been signed: as sent, and without its port.
///
/// Clients differ, and put odd things into the header (a scheme, even); nothing is normalised before it is tried.
fn hosts(sent: &str) -> impl Iterator<Item = &str> {
    let bare = without_port(sent);
    std::iter::once(sent).chain((bare != sent).then_some(bare))
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_the_part_after_the_last_colon_if_it_is_digits() {
        assert_eq!(without_port("127.0.0.1:8081"), "127.0.0.1");
        assert_eq!(without_port("http://127.0.0.1:8081"), "http://127.0.0.1");
        assert_eq!(without_port("http://localhost"), "http://localhost");
        assert_eq!(without_port("[::1]:80"), "[::1]");
        assert_eq!(without_port("[::1]"), "[::1]");
        assert_eq!(hosts("a:1").collect::<Vec<_>>(), ["a:1", "a"]);
        assert_eq!(hosts("a").collect::<Vec<_>>(), ["a"]);
    }
}
