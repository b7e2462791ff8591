//! Every text of the console and of the signed API, one file a language.
//!
//! A language is complete or it does not compile: each file fills in the same [`Texts`]. A text with a value in it is a
//! function of whole sentences, so that each language orders its own words. This room knows no other but `types`: which
//! text goes with which error or event is said beside that error or event.

mod en;
mod fields;
mod ja;
mod zh;

pub use self::fields::*;

/// A text without anything filled in.
pub type Text = &'static str;

/// The languages, as the menu lists them. The first is for whoever asks for none of them.
pub static LANGUAGES: [&Texts; 3] = [&en::TEXTS, &zh::TEXTS, &ja::TEXTS];

/// The texts of one language, by page.
#[derive(Debug)]
pub struct Texts {
    /// The language's BCP 47 tag, as in `<html lang>`.
    pub tag: Text,
    /// What the language calls itself, for those who read no other.
    pub own_name: Text,
    /// Used on several pages.
    pub common: Common,
    /// Names, passwords and codes: their fields, and what is wrong with them.
    pub credentials: Credentials,
    /// Around every page.
    pub frame: Frame,
    /// Signing in.
    pub sign_in: SignIn,
    /// Setting up an account.
    pub setup: Setup,
    /// Adding an authenticator.
    pub authenticator: Authenticator,
    /// The page that shows new recovery codes.
    pub recovery_codes: RecoveryCodes,
    /// Verification before what cannot be taken back.
    pub step_up: StepUp,
    /// The page of the keys.
    pub keys: Keys,
    /// What the owner should look after.
    pub advice: Advice,
    /// The page of one key.
    pub key: Key,
    /// How to use a key.
    pub snippets: Snippets,
    /// Replacing a key.
    pub rotation: Rotation,
    /// Why a call was refused.
    pub refused: Refused,
    /// The page of the records.
    pub records: Records,
    /// What is recorded.
    pub events: Events,
    /// The security page.
    pub security: Security,
    /// Passkeys.
    pub passkeys: Passkeys,
    /// What has just been done.
    pub flash: Flash,
    /// Pages that say what went wrong.
    pub errors: Errors,
    /// The messages of the signed API.
    pub api: Api,
}

impl Texts {
    /// The language of a tag such as `zh-CN`, if it is one of ours. Variants of a language are answered alike.
    pub fn of_tag(tag: &str) -> Option<&'static Self> {
        LANGUAGES.into_iter().find(|texts| primary(texts.tag).eq_ignore_ascii_case(primary(tag)))
    }

    /// For whoever asks for none of our languages.
    pub fn fallback() -> &'static Self {
        LANGUAGES[0]
    }

    /// What an `Accept-Language` header likes best; of two it likes alike, the one it names first.
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

/// The language itself, without region or script.
fn primary(tag: &str) -> &str {
    tag.trim().split(['-', '_']).next().unwrap_or_default()
}

/// `q=0.8` in thousandths. What cannot be read says nothing.
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
