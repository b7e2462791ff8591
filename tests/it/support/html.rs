//! The parts of a page that people read, or that are read out to them.

/// The texts of a page in its language: the text between tags, and attributes that are read out or shown. Does not
/// include code, times, text that is marked as another language, and what the owner has written.
pub fn texts(html: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        keep(&mut found, &rest[..at]);
        let end = at + tag_end(&rest[at..]);
        let tag = &rest[at + 1..end];
        rest = &rest[end + 1..];
        let name = tag.split(|c: char| c.is_ascii_whitespace() || c == '/').next().unwrap_or_default();
        for attribute in READ_OUT {
            if let Some(value) = value(tag, attribute) {
                keep(&mut found, value);
            }
        }
        let foreign = name != "html" && value(tag, "lang").is_some();
        let written = matches!(value(tag, "class"), Some("name" | "text"));
        if ["code", "pre", "time", "textarea", "script", "style"].contains(&name) || foreign || written {
            let close = format!("</{name}>");
            rest = &rest[rest.find(&close).unwrap_or_else(|| panic!("{close} is missing: {html}"))..];
        }
    }
    found
}

const READ_OUT: [&str; 12] = [
    "aria-label",
    "aria-description",
    "title",
    "alt",
    "placeholder",
    "data-label",
    "data-left",
    "data-copied",
    "data-copy-failed",
    "data-cancelled",
    "data-known",
    "data-failed",
];

fn keep(found: &mut Vec<String>, text: &str) {
    let text = text.trim();
    if !text.is_empty() {
        found.push(text.replace("&#34;", "\"").replace("&#39;", "'").replace("&amp;", "&"));
    }
}

/// The position of the `>` that ends the tag at the start, ignoring those within quotes.
fn tag_end(tag: &str) -> usize {
    let mut quoted = false;
    let end = tag.char_indices().find(|(_, c)| {
        quoted ^= *c == '"';
        *c == '>' && !quoted
    });
    end.expect("the tag ends").0
}

/// The value of an attribute.
fn value<'a>(tag: &'a str, attribute: &str) -> Option<&'a str> {
    let start = tag.find(&format!(" {attribute}=\""))? + attribute.len() + 3;
    let length = tag[start..].find('"')?;
    Some(&tag[start..start + length])
}
