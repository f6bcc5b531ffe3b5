//! Which headers a caller may set. Those that frame the message, route it, or say who is asking are not among them.

use crate::InputError;

/// Longest header value, in bytes.
const MAX_VALUE: usize = 1_000;

/// Whether a name is an HTTP token (RFC 9110 §5.6.2).
pub(super) fn is_token(name: &str) -> bool {
    let sign = |byte: u8| b"!#$%&'*+-.^_`|~".contains(&byte);
    (1..=100).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || sign(byte))
}

/// Headers that say where a message begins, ends and goes: nobody but the HTTP client sets them.
pub(super) fn is_framing(name: &str) -> bool {
    const NAMES: [&str; 13] = [
        "host",
        "content-length",
        "content-type",
        "transfer-encoding",
        "te",
        "trailer",
        "connection",
        "keep-alive",
        "upgrade",
        "expect",
        "accept-encoding",
        "idempotency-key",
        "http2-settings",
    ];
    let name = name.to_ascii_lowercase();
    NAMES.contains(&name.as_str()) || name.starts_with("proxy-") || name.starts_with(':')
}

/// Headers that speak for somebody, or change what the request is behind the back of who reads the card.
fn is_identity(name: &str) -> bool {
    const NAMES: [&str; 16] = [
        "authorization",
        "cookie",
        "set-cookie",
        "origin",
        "referer",
        "forwarded",
        "via",
        "from",
        "max-forwards",
        "user-agent",
        "x-http-method",
        "x-http-method-override",
        "x-method-override",
        "x-original-url",
        "x-rewrite-url",
        "x-real-ip",
    ];
    NAMES.contains(&name) || name.starts_with("x-forwarded-") || name.starts_with("sec-")
}

/// A header in its normal form: name in lower case, value without white space around it.
pub(super) fn normalise(name: &str, value: &str) -> Result<(String, String), InputError> {
    let field = || format!("headers/{}", crate::text::line(name, 60));
    let lower = name.trim().to_ascii_lowercase();
    if !is_token(&lower) {
        return Err(InputError::field(field(), "That is not the name of a header."));
    }
    if is_framing(&lower) || is_identity(&lower) {
        return Err(InputError::field(field(), "That header cannot be set."));
    }
    let value = value.trim_matches([' ', '\t']);
    if value.len() > MAX_VALUE || !value.bytes().all(|byte| (0x20..0x7F).contains(&byte)) {
        return Err(InputError::field(
            field(),
            "The value of a header is one line of at most 1,000 ASCII characters.",
        ));
    }
    Ok((lower, value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_custom_header_is_kept_in_lower_case() {
        assert_eq!(
            normalise("X-Request-Id", " 42 "),
            Ok(("x-request-id".to_owned(), "42".to_owned()))
        );
    }

    #[test]
    fn framing_identity_and_injection_are_refused() {
        for name in [
            "Host",
            "Authorization",
            "cookie",
            "Content-Length",
            "CONTENT-TYPE",
            "Transfer-Encoding",
            "TE",
            "Connection",
            "Keep-Alive",
            "Upgrade",
            "Proxy-Authorization",
            "Proxy-Connection",
            "Expect",
            "Trailer",
            "Idempotency-Key",
            "Forwarded",
            "X-Forwarded-For",
            "X-Forwarded-Host",
            "Origin",
            "Referer",
            "X-HTTP-Method-Override",
            "X-Original-URL",
            "Sec-Fetch-Site",
            ":authority",
            "",
            "a b",
            "a:b",
            "a\r\nb",
            "ä",
            "User-Agent",
            "Via",
        ] {
            assert!(normalise(name, "x").is_err(), "{name:?}");
        }
        for value in ["a\r\nHost: evil", "a\nb", "a\u{0}", "é", "a\u{7f}"] {
            assert!(normalise("x-ok", value).is_err(), "{value:?}");
        }
    }
}
