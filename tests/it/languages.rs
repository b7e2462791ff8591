//! English and Chinese: no page in any state is half in one and half in the other.

use crate::support::html::texts;
use crate::support::walk::every_page;

/// Names and terms that are the same in every language.
const NAMES: [&str; 32] = [
    "CSV",
    "Latchkey",
    "API",
    "ID",
    "APPID",
    "SecretId",
    "SecretKey",
    "RequestId",
    "GetCallerIdentity",
    "UTC",
    "Ctrl",
    "HTTP",
    "GET",
    "POST",
    "Host",
    "Content-Type",
    "charset",
    "Credential",
    "SHA-256",
    "UNSIGNED-PAYLOAD",
    "X-TC-Timestamp",
    "X-TC-Token",
    "X-TC-Content-SHA256",
    "v3",
    "tccli",
    "Python",
    "Node",
    "curl",
    "nginx",
    "Enter",
    "--trusted-proxy",
    "X-Latchkey-Content-SHA256",
];

/// The words of ASCII letters in a text, without keys and addresses.
fn ascii_words(text: &str) -> Vec<&str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '…' | '-'));
    let is_word =
        |word: &&str| word.len() > 1 && word.chars().any(|c| c.is_ascii_alphabetic()) && !word.starts_with("AKID");
    words.filter(is_word).filter(|word| !NAMES.contains(word)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_page_in_chinese_has_english_left_on_it() {
    for (what, page) in every_page("zh-CN").await {
        page.says("<html lang=\"zh-CN\"");
        let texts = texts(&page.body);
        assert!(texts.len() > 4, "{what}: {texts:?}");
        for text in texts {
            assert_eq!(ascii_words(&text), [""; 0], "{what}: {text}");
            // Chinese has punctuation of its own.
            let next_to = |mark: char| {
                text.split(mark).zip(text.split(mark).skip(1)).any(|(before, after)| {
                    let han = |c: Option<char>| c.is_some_and(|c| ('\u{4e00}'..'\u{a000}').contains(&c));
                    han(before.chars().last()) || han(after.chars().next())
                })
            };
            for mark in [',', ';', ':', '?', '!', '(', ')'] {
                assert!(!next_to(mark), "{what}: {mark} in {text}");
            }
            assert!(!text.ends_with('.'), "{what}: {text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_page_in_english_has_chinese_on_it() {
    for (what, page) in every_page("en").await {
        page.says("<html lang=\"en\"");
        for text in texts(&page.body) {
            let han = |c: char| c > '\u{2e7f}' && c < '\u{ff60}';
            assert!(!text.contains(han), "{what}: {text}");
        }
    }
}
