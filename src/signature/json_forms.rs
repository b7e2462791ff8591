//! The same JSON with blanks in other places. A client that signs one form and sends another has serialised it twice.

use std::io::{self, Write};

use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter};

/// The forms in which common libraries write the JSON in `body`: without blanks, with one after each comma and colon, and
/// on indented lines. Empty if it is no JSON.
pub(super) fn of(body: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let forms = [
        written(body, CompactFormatter),
        written(body, Spaced),
        written(body, PrettyFormatter::new()),
        written(body, PrettyFormatter::with_indent(b"    ")),
    ];
    forms.into_iter().flatten()
}

/// Keeps the order of members, unlike a parsed value.
fn written(body: &[u8], formatter: impl Formatter) -> Option<Vec<u8>> {
    let mut written = Vec::with_capacity(body.len());
    let mut reader = serde_json::Deserializer::from_slice(body);
    let mut writer = serde_json::Serializer::with_formatter(&mut written, formatter);
    serde_transcode::transcode(&mut reader, &mut writer).ok()?;
    reader.end().ok()?;
    Some(written)
}

/// As Python's `json.dumps` writes it.
struct Spaced;

impl Formatter for Spaced {
    fn begin_array_value<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_of_common_libraries() {
        let forms: Vec<String> =
            of(br#"{"b" :1,"a":[true,"x, y"]}"#).map(|form| String::from_utf8(form).unwrap()).collect();
        assert_eq!(forms[0], r#"{"b":1,"a":[true,"x, y"]}"#);
        assert_eq!(forms[1], r#"{"b": 1, "a": [true, "x, y"]}"#);
        assert!(forms[2].starts_with("{\n  \"b\": 1,\n") && forms[3].starts_with("{\n    \"b\": 1,\n"), "{forms:?}");
        for no_json in ["", "a=1", "{} {}", "{"] {
            assert_eq!(of(no_json.as_bytes()).count(), 0, "{no_json}");
        }
    }
}
