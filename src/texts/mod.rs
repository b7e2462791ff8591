//! All texts of the console and of the signed API, one file per language.
//!
//! A language that is incomplete does not compile, because each file fills in the same [`Texts`]. A text that contains
//! a value is a function that returns whole sentences, so that each language can order its own words. This module
//! imports no other: the text for an error or an event is chosen where that error or event is rendered.

mod en;
mod fields;
mod ja;
mod zh;

pub use self::fields::*;

/// A text without anything filled in.
pub type Text = &'static str;

/// The languages, in the order of the menu. The first is the fallback.
pub static LANGUAGES: [&Texts; 3] = [&en::TEXTS, &zh::TEXTS, &ja::TEXTS];

/// The texts of one language, by page.
#[derive(Debug)]
pub struct Texts {
    /// The language's BCP 47 tag, as in `<html lang>`.
    pub tag: Text,
    /// The language's own name, for those who read no other.
    pub own_name: Text,
    /// The language that the official clients are set to in examples. They know Chinese and English.
    pub sdk_language: Text,
    /// Texts used on several pages.
    pub common: Common,
    /// Names, passwords and codes: their fields and their errors.
    pub credentials: Credentials,
    /// The frame of every page.
    pub frame: Frame,
    /// Signing in.
    pub sign_in: SignIn,
    /// Setting up an account.
    pub setup: Setup,
    /// Adding an authenticator.
    pub authenticator: Authenticator,
    /// The page that shows new recovery codes.
    pub recovery_codes: RecoveryCodes,
    /// Verification before an operation that cannot be undone.
    pub step_up: StepUp,
    /// The page of the keys.
    pub keys: Keys,
    /// Advice for the owner.
    pub advice: Advice,
    /// The page of a key.
    pub key: Key,
    /// Instructions for using a key.
    pub snippets: Snippets,
    /// Replacing a key.
    pub rotation: Rotation,
    /// Looking up a refused call.
    pub refused: Refused,
    /// The page of the audit records.
    pub records: Records,
    /// The events of the audit log.
    pub events: Events,
    /// The security page.
    pub security: Security,
    /// Passkeys.
    pub passkeys: Passkeys,
    /// Messages about what has just been done.
    pub flash: Flash,
    /// Error pages.
    pub errors: Errors,
    /// The messages of the signed API.
    pub api: Api,
}

impl Texts {
    /// The language for a tag such as `zh-CN`, if there is one. Only the primary language of the tag counts.
    pub fn of_tag(tag: &str) -> Option<&'static Self> {
        LANGUAGES.into_iter().find(|texts| primary(texts.tag).eq_ignore_ascii_case(primary(tag)))
    }

    /// The texts for readers who ask for none of the languages.
    pub fn fallback() -> &'static Self {
        LANGUAGES[0]
    }

    /// The language that an `Accept-Language` header prefers. Among languages with the same weight, the first one wins.
    pub fn preferred(accept_language: &str) -> &'static Self {
        let mut best = (0, Self::fallback());
        for range in accept_language.split(',') {
            let (tag, parameters) = range.split_once(';').unwrap_or((range, "q=1"));
            let texts = if tag.trim() == "*" { Some(Self::fallback()) } else { Self::of_tag(tag) };
            if let (Some(texts), Some(weight)) = (texts, weight(parameters))
                && weight > best.0
            {
                best = (weight, texts);
            }
        }
        best.1
    }
}

/// The primary language of a tag, without region or script.
fn primary(tag: &str) -> &str {
    tag.trim().split(['-', '_']).next().unwrap_or_default()
}

/// Parses a weight such as `q=0.8`, in thousandths. Returns `None` if it is malformed.
fn weight(parameters: &str) -> Option<u16> {
    let value = parameters.trim().strip_prefix("q=").or_else(|| parameters.trim().strip_prefix("Q="))?;
    let (whole, decimals) = value.trim().split_once('.').unwrap_or((value.trim(), ""));
    if decimals.len() > 3 || !decimals.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    match whole {
        "0" => format!("{decimals:0<3}").parse().ok(),
        "1" => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_preferred_language_is_the_one_with_the_highest_quality() {
        for (header, expected) in [
            ("", "en"),
            ("zh", "zh-CN"),
            ("ja", "ja"),
            ("zh-CN,zh;q=0.9,en;q=0.8", "zh-CN"),
            ("en-GB,en;q=0.9,zh-CN;q=0.8", "en"),
            ("ja-JP,ja;q=0.9,en-US;q=0.8", "ja"),
            ("en;q=0.4, zh-Hans ; q=0.5", "zh-CN"),
            ("zh;q=0.4, ja ; q=0.5", "ja"),
            ("en;q=0.45,zh;q=0.450", "en"),
            ("zh,en", "zh-CN"),
            ("en,zh", "en"),
            ("de-CH, fr;q=0.9, zh;q=0.1", "zh-CN"),
            ("de, *;q=0.5, zh;q=0.4", "en"),
            ("zh;q=0, *", "en"),
            ("zh;q=0", "en"),
            ("ZH-TW;Q=0.3", "zh-CN"),
            ("zh;q=2, zh;q=x, zh;q=0.1234, zh;q=-1, zh;level=1, zhx, x-zh", "en"),
            (",;,;q=,zh;q=0.1,", "zh-CN"),
        ] {
            assert_eq!(Texts::preferred(header).tag, expected, "{header:?}");
        }
    }

    #[test]
    fn a_language_is_found_by_its_own_tag_and_no_other() {
        for texts in LANGUAGES {
            assert_eq!(Texts::of_tag(texts.tag).map(|found| found.tag), Some(texts.tag));
        }
        assert_eq!(Texts::of_tag("JA_jp").map(|found| found.tag), Some("ja"));
        for unknown in ["klingon", "", "-", "j"] {
            assert!(Texts::of_tag(unknown).is_none(), "{unknown:?}");
        }
    }
}
