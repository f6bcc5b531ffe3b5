//! Paths in one spelling (RFC 3986 §6.2.2), so that what is compared with an allow-list is what is sent.

/// Longest path, in bytes.
const MAX_BYTES: usize = 2_000;

/// Brings a path into its normal form: escapes in upper case, and none for what needs none.
///
/// # Errors
/// A sentence saying why it is not a path that is sent.
pub(super) fn normalise(path: &str) -> Result<String, &'static str> {
    if !path.starts_with('/') {
        return Err("A path begins with “/”.");
    }
    if path.len() > MAX_BYTES {
        return Err("The path is too long.");
    }
    let mut normal = String::with_capacity(path.len());
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let (Some(high), Some(low)) = (bytes.next().and_then(digit), bytes.next().and_then(digit)) else {
                return Err("A “%” in a path is followed by two hexadecimal digits.");
            };
            match high * 16 + low {
                // Servers disagree whether these separate, end or climb.
                b'/' | b'\\' | b'%' | 0..=0x1F | 0x7F => {
                    return Err("The path hides a separator or a control character.");
                }
                plain if is_unreserved(plain) => normal.push(char::from(plain)),
                escaped => normal.push_str(&format!("%{escaped:02X}")),
            }
        } else if is_unreserved(byte) || b"/:@!$&'()*+,;=".contains(&byte) {
            normal.push(char::from(byte));
        } else {
            return Err(
                "The path has a character that must be escaped, or a “?” or “#” that belongs elsewhere.",
            );
        }
    }
    // A segment with parameters, `..;x`, climbs on some servers.
    let climbs = |segment: &str| matches!(segment.split(';').next(), Some("." | ".."));
    let segments: Vec<_> = normal.split('/').skip(1).collect();
    if segments.iter().any(|segment| climbs(segment)) {
        return Err("The path has a “.” or “..” segment.");
    }
    if segments.iter().rev().skip(1).any(|segment| segment.is_empty()) {
        return Err("The path has an empty segment.");
    }
    Ok(normal)
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_one_spelling() {
        for (given, normal) in [
            ("/", "/"),
            ("/a/b/", "/a/b/"),
            ("/%61/%7e", "/a/~"),
            ("/caf%c3%a9", "/caf%C3%A9"),
            ("/a%20b", "/a%20b"),
            ("/v1/users/42:archive", "/v1/users/42:archive"),
        ] {
            assert_eq!(normalise(given).as_deref(), Ok(normal), "{given}");
            assert_eq!(normalise(normal).as_deref(), Ok(normal), "a fixed point");
        }
    }

    #[test]
    fn what_could_climb_or_leave_is_refused() {
        for path in [
            "",
            "a",
            "//evil.example",
            "/a//b",
            "/..",
            "/a/../b",
            "/a/%2e%2e/b",
            "/a/.%2E",
            "/%2E",
            "/.",
            "/a/..;/b",
            "/a/..;x=1/b",
            "/a%2fb",
            "/a%5Cb",
            "/a\\b",
            "/a?b",
            "/a#b",
            "/a b",
            "/a\r\nHost: x",
            "/a%0d%0aX",
            "/a%00",
            "/é",
            "/%",
            "/%4",
            "/%zz",
            "/%252e%252e",
            "https://evil.example/",
            "/a\tb",
            "/a|b",
            "/a\"b",
            "/\u{202E}",
        ] {
            assert!(normalise(path).is_err(), "{path:?}");
        }
    }
}
