//! The languages people are spoken to in.

/// A language of pages and messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// English.
    English,
    /// Simplified Chinese.
    Chinese,
}

impl Language {
    /// The language of a tag such as `zh-CN`, if it is one of ours. Any Chinese is answered in Simplified Chinese.
    pub fn of_tag(tag: &str) -> Option<Self> {
        let primary = tag.trim().split(['-', '_']).next().unwrap_or_default();
        match primary.to_ascii_lowercase().as_str() {
            "en" => Some(Self::English),
            "zh" => Some(Self::Chinese),
            _ => None,
        }
    }

    /// What an `Accept-Language` header likes best; of two it likes alike, the one it names first. English if it likes
    /// neither.
    pub fn preferred(accept_language: &str) -> Self {
        let mut best = (0, Self::English);
        for range in accept_language.split(',') {
            let (tag, parameters) = range.split_once(';').unwrap_or((range, "q=1"));
            let language = if tag.trim() == "*" { Some(Self::English) } else { Self::of_tag(tag) };
            if let (Some(language), Some(weight)) = (language, weight(parameters))
                && weight > best.0
            {
                best = (weight, language);
            }
        }
        best.1
    }

    /// Its BCP 47 tag, as in `<html lang>`.
    pub fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Chinese => "zh-CN",
        }
    }

    /// Its name in itself, for those who read no other.
    pub fn own_name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::Chinese => "中文",
        }
    }

    /// The language that is not this one.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::English => Self::Chinese,
            Self::Chinese => Self::English,
        }
    }
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
    use super::Language::{Chinese, English};
    use super::*;

    #[test]
    fn the_preferred_language_is_the_one_with_the_highest_quality() {
        for (header, expected) in [
            ("", English),
            ("zh", Chinese),
            ("zh-CN,zh;q=0.9,en;q=0.8", Chinese),
            ("en-GB,en;q=0.9,zh-CN;q=0.8", English),
            ("en;q=0.4, zh-Hans ; q=0.5", Chinese),
            ("en;q=0.45,zh;q=0.450", English),
            ("zh,en", Chinese),
            ("en,zh", English),
            ("de-CH, fr;q=0.9, zh;q=0.1", Chinese),
            ("de, *;q=0.5, zh;q=0.4", English),
            ("zh;q=0, *", English),
            ("zh;q=0", English),
            ("ZH-TW;Q=0.3", Chinese),
            ("zh;q=2, zh;q=x, zh;q=0.1234, zh;q=-1, zh;level=1, zhx, x-zh", English),
            (",;,;q=,zh;q=0.1,", Chinese),
        ] {
            assert_eq!(Language::preferred(header), expected, "{header:?}");
        }
    }

    #[test]
    fn a_language_is_found_by_its_own_tag() {
        for language in [English, Chinese] {
            assert_eq!(Language::of_tag(language.tag()), Some(language));
            assert_ne!(language.other(), language);
            assert_eq!(language.other().other(), language);
        }
        assert_eq!(Language::of_tag("klingon"), None);
    }
}
