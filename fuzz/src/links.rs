//! A link, or whatever argument another program starts ours with.

use countersign_domain::link::proposal;

/// A link has one spelling, and is a link whenever it has that.
pub(crate) fn link(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return false;
    };
    let named = proposal(text);
    assert_eq!(named.is_some(), is_link(bytes), "{text:?}");
    if let Some(id) = named {
        assert_eq!(text, format!("countersign://proposal/{id}"), "another card opens");
    }
    named.is_some()
}

/// RFC 9562's text of a version 7, in its own words and without the code under test.
fn is_link(bytes: &[u8]) -> bool {
    let Some(id) = bytes.strip_prefix(b"countersign://proposal/") else {
        return false;
    };
    let fits = |(at, byte): (usize, &u8)| match at {
        8 | 13 | 18 | 23 => *byte == b'-',
        14 => *byte == b'7',
        19 => matches!(byte, b'8' | b'9' | b'a' | b'b'),
        _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
    };
    id.len() == 36 && id.iter().enumerate().all(fits)
}
