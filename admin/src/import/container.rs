//! Finds the list of users inside a JSON object without reading the whole object.

use std::io::{self, BufRead};

/// Reads an object up to and including the `[` of the list with this name. Returns whether there is one. Lists in nested objects do not count.
pub(super) fn enter(source: &mut impl BufRead, name: &str) -> io::Result<bool> {
    let (mut depth, mut text) = (0_usize, None::<Vec<u8>>);
    // The last string at the depth of the object's names, and whether a colon followed it.
    let (mut key, mut is_value) = (Vec::new(), false);
    let mut is_escaped = false;
    loop {
        let buffer = source.fill_buf()?;
        if buffer.is_empty() {
            return Ok(false);
        }
        let mut read = 0;
        for byte in buffer {
            read += 1;
            if let Some(open) = &mut text {
                match byte {
                    _ if is_escaped => is_escaped = false,
                    b'\\' => is_escaped = true,
                    b'"' => key = text.take().unwrap_or_default(),
                    // No name is longer than this, but a value may be.
                    byte if open.len() <= name.len() => open.push(*byte),
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => (text, is_value) = (Some(Vec::new()), false),
                b':' => is_value = true,
                b'[' if depth == 1 && is_value && key == name.as_bytes() => {
                    source.consume(read);
                    return Ok(true);
                }
                b'{' | b'[' => (depth, is_value) = (depth + 1, false),
                b'}' | b']' => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        source.consume(read);
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Read as _};

    use super::*;

    /// The rest of the file from the beginning of the list, read in small pieces.
    fn entered(json: &str) -> Option<String> {
        let mut source = BufReader::with_capacity(3, json.as_bytes());
        let mut rest = String::new();
        enter(&mut source, "users").unwrap().then(|| source.read_to_string(&mut rest).unwrap()).map(|_| rest)
    }

    #[test]
    fn the_list_of_a_name_is_found_and_no_deeper_one_and_no_text_that_looks_like_it() {
        assert_eq!(entered(r#"{"users":[1]}"#).as_deref(), Some("1]}"));
        assert_eq!(entered("{ \"realm\" : \"x\",\n \"users\" :\n [ 1 ] }").as_deref(), Some(" 1 ] }"));
        assert_eq!(entered(r#"{"a":{"users":[2]},"b":["users",[3]],"users":[1]}"#).as_deref(), Some("1]}"));
        assert_eq!(entered(r#"{"a":"\"users\":[","users":[1]}"#).as_deref(), Some("1]}"));
        assert_eq!(entered(r#"{"a":"users","b":[3],"users":[1]}"#).as_deref(), Some("1]}"));
        for none in ["", "{}", r#"{"users":{}}"#, r#"{"Users":[1]}"#, r#"{"usersx":[1]}"#, r#"{"a":["users",[1]]}"#, r#"{"users""#] {
            assert_eq!(entered(none), None, "{none}");
        }
    }
}
