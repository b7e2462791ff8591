//! The names of browsers and systems, as users know them: "Firefox on Linux".
//!
//! They are a hint for people who look for a session that they do not recognise, never proof, because the client
//! chooses the header. Versions and models are left out.

use axum::http::{HeaderMap, header};

/// The maximum length; no real header is as long.
const MAX_CHARS: usize = 512;

/// The request's `User-Agent` header, truncated. `None` if it is missing or not printable ASCII.
pub fn of(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(header::USER_AGENT)?.to_str().ok()?;
    Some(text.chars().take(MAX_CHARS).collect())
}

/// Marks and names of browsers. The first mark found in the text counts, because most browsers also name those that
/// they descend from.
const BROWSERS: [(&str, &str); 15] = [
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("YaBrowser/", "Yandex Browser"),
    ("Vivaldi/", "Vivaldi"),
    ("MicroMessenger/", "WeChat"),
    ("QQBrowser/", "QQ Browser"),
    ("UCBrowser/", "UC Browser"),
    ("FxiOS/", "Firefox"),
    ("Firefox/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chromium/", "Chromium"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
];

const SYSTEMS: [(&str, &str); 9] = [
    ("Android", "Android"),
    ("iPhone", "iOS"),
    ("iPad", "iPadOS"),
    ("Windows", "Windows"),
    ("Macintosh", "macOS"),
    ("CrOS", "ChromeOS"),
    ("FreeBSD", "FreeBSD"),
    ("OpenBSD", "OpenBSD"),
    ("Linux", "Linux"),
];

/// The names of browser and system, if they are known.
pub fn families(user_agent: &str) -> (Option<&'static str>, Option<&'static str>) {
    let first = |known: &[(&str, &'static str)]| {
        known.iter().find(|(mark, _)| user_agent.contains(mark)).map(|(_, name)| *name)
    };
    (first(&BROWSERS), first(&SYSTEMS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_browsers_are_known() {
        for (user_agent, browser, system) in [
            ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox", "Linux"),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
                "Chrome",
                "Windows",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0",
                "Edge",
                "Windows",
            ),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15",
                "Safari",
                "macOS",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/140.0.0.0 Mobile/15E148 Safari/604.1",
                "Chrome",
                "iOS",
            ),
            (
                "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36",
                "Samsung Internet",
                "Android",
            ),
        ] {
            assert_eq!(families(user_agent), (Some(browser), Some(system)), "{user_agent}");
        }
    }

    #[test]
    fn what_is_not_known_is_not_guessed() {
        assert_eq!(families(""), (None, None));
        assert_eq!(families("<script>alert(1)</script>"), (None, None));
        assert_eq!(families("Something/1.0 (Linux)"), (None, Some("Linux")));
    }

    #[test]
    fn a_long_or_unprintable_one_is_cut_or_left_out() {
        let mut headers = HeaderMap::new();
        assert_eq!(of(&headers), None);
        headers.insert(header::USER_AGENT, "x".repeat(9000).parse().unwrap());
        assert_eq!(of(&headers).unwrap().len(), MAX_CHARS);
        headers.insert(header::USER_AGENT, axum::http::HeaderValue::from_bytes(b"\xff\xfe").unwrap());
        assert_eq!(of(&headers), None);
    }
}
