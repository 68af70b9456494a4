//! Bodies of `multipart/form-data` (RFC 7578), parsed as leniently as by the DRF API.
//!
//! A part that cannot be read is skipped, and the parts after it are read. Only values that are kept are copied, so that no password is left in a
//! buffer.

use base64::{
    Engine as _,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use memchr::memmem;
use zeroize::Zeroizing;

/// Maximum size of a part's header in bytes, as in the DRF API (Django's `MAX_TOTAL_HEADER_SIZE`).
const MAX_HEADER_BYTES: usize = 1024;
/// Maximum length of a boundary. RFC 2046 (5.1.1) allows 70 characters, the DRF API 201.
const MAX_BOUNDARY_LENGTH: usize = 201;

/// The content of a named part.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// Text.
    Text(Zeroizing<String>),
    /// A file with any content.
    File,
}

/// A part that has a name.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) name: String,
    pub(super) content: Content,
}

/// Why a body cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum MultipartError {
    /// It is malformed in this way.
    Body(&'static str),
    /// It has too many parts.
    TooManyParts,
}

/// The named parts of a body with this `Content-Type`, in order. At most `most` parts are read.
pub(super) fn parts(content_type: &str, body: &[u8], most: usize) -> Result<Vec<Part>, MultipartError> {
    let boundary = boundary(content_type).ok_or(MultipartError::Body("the Content-Type names no boundary that can be one"))?;
    let delimiter = format!("--{boundary}");
    let delimiters = memmem::find_iter(body, &delimiter).count();
    // The texts before the first and after the last delimiter are not parts.
    if delimiters > most + 1 {
        return Err(MultipartError::TooManyParts);
    }
    let mut named = Vec::new();
    let mut rest = body;
    while !rest.is_empty() {
        let end = memmem::find(rest, delimiter.as_bytes());
        let part = end.map_or(rest, |end| without_line_end(&rest[..end]));
        rest = end.map_or(&[], |end| &rest[end + delimiter.len()..]);
        named.extend(read(part)?);
    }
    Ok(named)
}

/// The boundary in a `Content-Type`.
fn boundary(content_type: &str) -> Option<String> {
    let (_, boundary) = parameters(content_type).into_iter().rfind(|(name, _)| name == "boundary")?;
    let is_one = content_type.is_ascii()
        && (1..=MAX_BOUNDARY_LENGTH).contains(&boundary.len())
        && boundary.bytes().all(|byte| matches!(byte, b' '..=b'~'))
        && !boundary.ends_with(' ');
    is_one.then_some(boundary)
}

/// Reads the text between two delimiters, if it is a part with a name. It begins with the end of the delimiter's line.
fn read(part: &[u8]) -> Result<Option<Part>, MultipartError> {
    let Some(end) = memmem::find(&part[..part.len().min(MAX_HEADER_BYTES)], b"\r\n\r\n") else {
        return if part.len() < MAX_HEADER_BYTES { Ok(None) } else { Err(MultipartError::Body("the header of a part is too long")) };
    };
    let mut disposition = None;
    let mut is_base64 = false;
    for (name, value) in lines(&part[..end]).filter_map(|line| line.trim_start().split_once(':')) {
        if name.eq_ignore_ascii_case("content-disposition") {
            disposition = Some(parameters(value));
        } else if name.eq_ignore_ascii_case("content-transfer-encoding") {
            is_base64 = value.split(';').next().is_some_and(|encoding| encoding.trim().eq_ignore_ascii_case("base64"));
        }
    }
    let parameter = |wanted: &str| disposition.iter().flatten().rfind(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
    let Some(name) = parameter("name").map(|name| name.trim_ascii().to_owned()) else { return Ok(None) };
    let is_file = ["filename", "filename*"].into_iter().filter_map(parameter).any(|filename| !filename.is_empty());
    let content = if is_file { Content::File } else { Content::Text(text(&part[end + 4..], is_base64)) };
    Ok(Some(Part { name, content }))
}

/// The lines of a header that are text.
fn lines(header: &[u8]) -> impl Iterator<Item = &str> {
    let mut start = 0;
    let ends = memmem::find_iter(header, b"\r\n").chain([header.len()]);
    ends.filter_map(move |end| std::str::from_utf8(&header[std::mem::replace(&mut start, end)..end]).ok())
}

/// The text in the bytes of a part. It is UTF-8 whatever charset the part claims (RFC 7578, 5.1.2); other bytes become U+FFFD.
fn text(bytes: &[u8], is_base64: bool) -> Zeroizing<String> {
    let decoded = is_base64.then(|| from_base64(bytes)).flatten();
    Zeroizing::new(String::from_utf8_lossy(decoded.as_ref().map_or(bytes, |decoded| decoded.as_slice())).into_owned())
}

/// Decodes base64 and ignores characters outside its alphabet, such as line ends. `None` if its padding is missing.
fn from_base64(bytes: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    const ANY_LAST_BITS: GeneralPurposeConfig =
        GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true).with_decode_padding_mode(DecodePaddingMode::RequireNone);
    let mut digits = Zeroizing::new(Vec::with_capacity(bytes.len()));
    let mut padding = 0;
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || b"+/".contains(byte) {
            digits.push(*byte);
            padding = 0;
        } else if *byte == b'=' && digits.len() % 4 >= 2 {
            padding += 1;
            if digits.len() % 4 + padding == 4 {
                break;
            }
        }
    }
    let is_whole = (digits.len() % 4 + padding).is_multiple_of(4);
    is_whole.then(|| GeneralPurpose::new(&STANDARD, ANY_LAST_BITS).decode(digits.as_slice()).ok().map(Zeroizing::new)).flatten()
}

/// The parameters of a header's value: names in lower case, values without their quotes (RFC 9110, 5.6.6).
fn parameters(value: &str) -> Vec<(String, String)> {
    let mut is_quoted = false;
    let mut before = '\0';
    let separators = |char: char| {
        is_quoted ^= char == '"' && before != '\\';
        before = char;
        char == ';' && !is_quoted
    };
    let named = value.split(separators).skip(1).filter_map(|parameter| parameter.split_once('='));
    named.map(|(name, value)| (name.trim().to_ascii_lowercase(), unquoted(value.trim()))).collect()
}

fn unquoted(value: &str) -> String {
    match value.strip_prefix('"').and_then(|value| value.strip_suffix('"')) {
        Some(quoted) => quoted.replace("\\\\", "\\").replace("\\\"", "\""),
        None => value.to_owned(),
    }
}

/// Removes the line end that belongs to the following delimiter.
fn without_line_end(part: &[u8]) -> &[u8] {
    let part = part.strip_suffix(b"\n").unwrap_or(part);
    part.strip_suffix(b"\r").unwrap_or(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TYPE: &str = "multipart/form-data; boundary=XX";

    fn read(content_type: &str, body: &[u8]) -> Vec<(String, Option<String>)> {
        let parts = parts(content_type, body, 10).unwrap();
        let text = |content| match content {
            Content::Text(text) => Some(text.to_string()),
            Content::File => None,
        };
        parts.into_iter().map(|part| (part.name, text(part.content))).collect()
    }

    /// Reads one part with this header and value.
    fn one(header: &str, value: &[u8]) -> Option<(String, Option<String>)> {
        let body = [format!("--XX\r\n{header}\r\n\r\n").as_bytes(), value, b"\r\n--XX--\r\n"].concat();
        read(TYPE, &body).pop()
    }

    /// Reads the value of a part with a name and this further header.
    fn value(header: &str, bytes: &[u8]) -> String {
        one(&format!("Content-Disposition: form-data; name=\"a\"{header}"), bytes).unwrap().1.unwrap()
    }

    #[test]
    fn a_boundary_is_read_as_clients_write_it() {
        for (boundary, written) in [
            ("XX", "XX"),
            ("XX", "\"XX\""),
            ("----WebKitFormBoundaryAb1", "----WebKitFormBoundaryAb1"),
            ("a'()+_,-./:=?", "\"a'()+_,-./:=?\""),
            ("a'()+_,-./:=?", "a'()+_,-./:=?"),
            ("===1===", "===1==="),
            ("a b", "\"a b\""),
            ("a;b", "\"a;b\""),
            ("a\"b", "\"a\\\"b\""),
        ] {
            let body = format!("--{boundary}\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--{boundary}--\r\n");
            let plain = format!("multipart/form-data; boundary={written}");
            let odd = format!("Multipart/Form-Data;charset=UTF-8 ;BOUNDARY = {written} ; x=\"a;b\"");
            for content_type in [plain, odd] {
                assert_eq!(read(&content_type, body.as_bytes()), [("a".to_owned(), Some("1".to_owned()))], "{content_type}");
            }
        }
    }

    #[test]
    fn without_a_boundary_that_can_be_one_nothing_is_read() {
        let long = |length| format!("multipart/form-data; boundary={}", "x".repeat(length));
        for content_type in [
            "multipart/form-data",
            "multipart/form-data; boundary=",
            "multipart/form-data; boundary=\"\"",
            "multipart/form-data; boundary=\"a \"",
            "multipart/form-data; boundary=é",
            &long(202),
        ] {
            assert!(matches!(parts(content_type, b"--x", 10), Err(MultipartError::Body(_))), "{content_type}");
        }
        assert_eq!(parts(&long(201), b"x", 10), Ok(vec![]));
    }

    #[test]
    fn names_are_read_as_clients_write_them() {
        for disposition in [
            "form-data; name=\"a\"",
            "form-data; name=a",
            "form-data;name=a",
            "form-data; Name = \"a\" ",
            "form-data; name=\" a \"",
            "x; name=b; name=a",
            "form-data; name=\"a\"; filename=\"\"",
        ] {
            for header in ["Content-Disposition", "content-disposition", "CONTENT-DISPOSITION"] {
                assert_eq!(one(&format!("{header}: {disposition}"), b"1"), Some(("a".to_owned(), Some("1".to_owned()))), "{disposition}");
            }
        }
        for nameless in ["form-data", "form-data; filename=a", "form-data; x=\"; name=a\"", "form-data; \u{e9}name=a"] {
            assert_eq!(one(&format!("Content-Disposition: {nameless}"), b"1"), None, "{nameless}");
        }
    }

    #[test]
    fn whatever_has_a_filename_is_a_file() {
        for filename in ["filename=f", "filename=\"f.txt\"", "FILENAME=\"a;b\"", "filename*=UTF-8''%41"] {
            assert_eq!(
                one(&format!("Content-Disposition: form-data; name=a; {filename}"), b"1"),
                Some(("a".to_owned(), None)),
                "{filename}"
            );
        }
    }

    #[test]
    fn text_is_utf_8_whatever_its_part_claims_and_is_never_trimmed() {
        assert_eq!(value("", b" p\xc3\xa4ss \r\n"), " p\u{e4}ss \r\n");
        assert_eq!(value("\r\nContent-Type: text/plain; charset=iso-8859-1", b"p\xe4ss"), "p\u{fffd}ss");
        assert_eq!(value("", b""), "");
    }

    #[test]
    fn base64_is_decoded_and_no_other_transfer_encoding_is() {
        for (encoded, decoded) in
            [("YQ==", "a"), ("YW\r\nJj", "abc"), ("YWI=ignored", "ab"), ("YQ", "YQ"), ("=", ""), ("", ""), ("YR==", "a")]
        {
            for header in ["Content-Transfer-Encoding: base64", "content-transfer-encoding:BASE64 "] {
                assert_eq!(value(&format!("\r\n{header}"), encoded.as_bytes()), decoded, "{encoded}");
            }
        }
        assert_eq!(value("\r\nContent-Transfer-Encoding: quoted-printable", b"=41"), "=41");
        assert_eq!(value("\r\nContent-Transfer-Encoding: 8bit", b"YQ=="), "YQ==");
    }

    #[test]
    fn a_part_that_cannot_be_read_is_passed_over() {
        let good = "--XX\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n";
        for bad in [
            "",
            "--XX\r\n",
            "--XX\r\n\r\n\r\n",
            "--XX\r\n\r\n",
            "--XX\r\nno header\r\n\r\n2\r\n",
            "--XX\r\nContent-Disposition: form-data; name=b\n\n2\n",
            "preamble\r\n",
        ] {
            let body = format!("{bad}{good}{bad}{}--XX--\r\nepilogue", good.replace("name=a", "name=c"));
            let names: Vec<String> = read(TYPE, body.as_bytes()).into_iter().map(|(name, _)| name).collect();
            assert_eq!(names, ["a", "c"], "{bad:?}");
        }
    }

    #[test]
    fn a_body_that_ends_early_is_read_as_far_as_it_goes() {
        let body = b"--XX\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--XX\r\nContent-Disposition: form-data; name=b\r\n\r\n2";
        assert_eq!(read(TYPE, body).len(), 2);
        for length in 0..=body.len() {
            let read = read(TYPE, &body[..length]);
            assert!(read.iter().all(|(name, text)| ["a", "b"].contains(&name.as_str()) && text.is_some()), "{length}");
        }
        assert_eq!(read(TYPE, b"garbage"), []);
        assert_eq!(read(TYPE, b"--XX--\r\n"), []);
    }

    #[test]
    fn lines_that_end_without_a_carriage_return_make_no_part() {
        assert_eq!(read(TYPE, b"--XX\nContent-Disposition: form-data; name=a\n\n1\n--XX--\n"), []);
    }

    #[test]
    fn a_header_of_a_part_is_at_most_a_kibibyte() {
        let body = |length: usize| format!("--XX\r\nX: {}\r\n\r\n", "y".repeat(length - 9));
        assert_eq!(parts(TYPE, body(MAX_HEADER_BYTES).as_bytes(), 10), Ok(vec![]));
        assert!(matches!(parts(TYPE, body(MAX_HEADER_BYTES + 1).as_bytes(), 10), Err(MultipartError::Body(_))));
    }
}
