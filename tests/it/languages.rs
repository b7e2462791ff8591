//! No page in any state mixes two languages.

use latchkey::types::id::RequestId;

use crate::support::html::texts;
use crate::support::walk::every_page;

/// Names and terms that are the same in every language.
const NAMES: [&str; 37] = [
    "CSV",
    "JSON",
    "Latchkey",
    "API",
    "ID",
    "APPID",
    "SecretId",
    "SecretKey",
    "RequestId",
    "GetCallerIdentity",
    "UTC",
    "QR",
    "PIN",
    "URL",
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
    "TC3-HMAC-SHA256",
    "AWS4-HMAC-SHA256",
    "tccli",
    "Python",
    "Node",
    "curl",
    "nginx",
    "Enter",
    "--trusted-proxy",
    "X-Latchkey-Content-SHA256",
];

/// The words in ASCII letters in a text, without keys, request IDs and addresses.
fn ascii_words(text: &str) -> Vec<&str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '…' | '-'));
    let is_word =
        |word: &&str| word.len() > 1 && word.chars().any(|c| c.is_ascii_alphabetic()) && !word.starts_with("AKID");
    let is_word = |word: &&str| is_word(word) && word.parse::<RequestId>().is_err();
    words.filter(is_word).filter(|word| !NAMES.contains(word)).collect()
}

/// Characters in the Chinese texts that Japanese does not have.
const SIMPLIFIED: &str = "业丢两临为产仅份值关击刚创删务动单历发变另启员响处备复够头实对导尝带库应开录怀态您户扫拥择换时显暂权构查标样检\
    步毁每浏渐环现电码确种筛签简类紧纹组经绑结绝统继续维编缩脑节获见规览计认让议记许设访证词试话询该语误请读调败账贴转轮载较辑输边达过\
    运还这进连选释钟钥链销锁错键长问间际隐页须题额验骤";

/// Returns whether a text has ASCII punctuation next to ideographs. Chinese and Japanese have punctuation marks of
/// their own.
fn has_foreign_punctuation(text: &str) -> bool {
    let ideographic = |c: Option<char>| c.is_some_and(|c| ('\u{3040}'..'\u{a000}').contains(&c));
    let next_to = |mark: char| {
        let mut sides = text.split(mark).zip(text.split(mark).skip(1));
        sides.any(|(before, after)| ideographic(before.chars().last()) || ideographic(after.chars().next()))
    };
    text.ends_with('.') || [',', ';', ':', '?', '!', '(', ')'].into_iter().any(next_to)
}

/// Every text of every page in this language, after a check that it contains no English.
async fn texts_without_english(tag: &str) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    for (what, page) in every_page(tag).await {
        page.says(&format!("<html lang=\"{tag}\""));
        let texts = texts(&page.body);
        assert!(texts.len() > 4, "{what}: {texts:?}");
        for text in texts {
            assert_eq!(ascii_words(&text), [""; 0], "{what}: {text}");
            assert!(!has_foreign_punctuation(&text), "{what}: {text}");
            found.push((what, text));
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn no_page_in_chinese_has_another_language_on_it() {
    for (what, text) in texts_without_english("zh-CN").await {
        assert!(!text.contains(|c: char| ('\u{3040}'..'\u{3100}').contains(&c)), "{what}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_page_in_japanese_has_another_language_on_it() {
    for (what, text) in texts_without_english("ja").await {
        assert!(!text.contains(|c: char| SIMPLIFIED.contains(c) && !c.is_ascii_whitespace()), "{what}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_page_in_english_has_another_language_on_it() {
    for (what, page) in every_page("en").await {
        page.says("<html lang=\"en\"");
        for text in texts(&page.body) {
            let ideographic = |c: char| c > '\u{2e7f}' && c < '\u{ff60}';
            assert!(!text.contains(ideographic), "{what}: {text}");
        }
    }
}
