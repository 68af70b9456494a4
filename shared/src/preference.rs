//! A client's preferences, from the headers whose names begin with `Accept`.

/// Maximum number of values that are read.
const MAX_RANGES: usize = 64;

/// The values of such a header, each with its quality in thousandths (RFC 9110, 12.4.2). Parameters other than `q` are ignored, and a malformed quality
/// counts as 1.
pub(crate) fn liked(header: &str) -> impl Iterator<Item = (&str, u16)> {
    header.split(',').take(MAX_RANGES).filter_map(|range| {
        let mut parts = range.split(';').map(str::trim);
        let value = parts.next().filter(|value| !value.is_empty())?;
        let is_quality = |part: &str| {
            part.split_once('=').filter(|(name, _)| name.trim_end().eq_ignore_ascii_case("q")).map(|(_, value)| quality(value))
        };
        Some((value, parts.find_map(is_quality).unwrap_or(1000)))
    })
}

/// A quality in thousandths. Java writes `.2` for `0.2`.
fn quality(text: &str) -> u16 {
    let (whole, fraction) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
    let is_number =
        [whole, fraction].iter().all(|digits| digits.bytes().all(|digit| digit.is_ascii_digit())) && (whole.len() + fraction.len() > 0);
    if !is_number || whole.bytes().any(|digit| digit != b'0') {
        return 1000;
    }
    fraction.bytes().chain([b'0'; 3]).take(3).fold(0, |sum, digit| 10 * sum + u16::from(digit - b'0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn qualities_are_read_as_clients_write_them() {
        let of = |header: &'static str| liked(header).collect::<Vec<_>>();
        assert_eq!(of("text/html, image/gif, *; q=.2, */*; q=.2"), [("text/html", 1000), ("image/gif", 1000), ("*", 200), ("*/*", 200)]);
        assert_eq!(of("de_DE;q=0.75 ,en ; Q = 0.5;x=y,, ;q=1"), [("de_DE", 750), ("en", 500)]);
        for (text, thousandths) in [
            ("0", 0),
            ("0.", 0),
            ("0.000", 0),
            ("0.001", 1),
            ("0.0009", 0),
            ("1", 1000),
            ("1.000", 1000),
            ("2", 1000),
            ("01", 1000),
            ("nan", 1000),
            ("-1", 1000),
            ("", 1000),
            (".", 1000),
            ("0.5.5", 1000),
        ] {
            assert_eq!(quality(text), thousandths, "{text}");
        }
        assert_eq!(liked(&"a,".repeat(100)).count(), MAX_RANGES);
    }
}
