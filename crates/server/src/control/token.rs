//! The secrets that we hand out: 256 random bits as text, with a prefix that says what they are for.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use countersign_domain::Digest;
use zeroize::Zeroizing;

use crate::random;

/// What a token is for. The prefix lets people and secret scanners recognise one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum TokenKind {
    Session,
    Agent,
    Invite,
}

impl TokenKind {
    const ALL: [Self; 3] = [Self::Session, Self::Agent, Self::Invite];

    const fn prefix(self) -> &'static str {
        match self {
            Self::Session => "cs_session_",
            Self::Agent => "cs_agent_",
            Self::Invite => "cs_invite_",
        }
    }
}

/// A secret in its text form. It never prints; [`Token::reveal`] is for the one answer that shows it.
#[derive(Clone)]
pub struct Token(Zeroizing<String>);

impl Token {
    /// A fresh one.
    pub(crate) fn new(kind: TokenKind) -> Self {
        let bytes = Zeroizing::new(random::bytes::<32>());
        Self(Zeroizing::new(format!(
            "{}{}",
            kind.prefix(),
            URL_SAFE_NO_PAD.encode(*bytes)
        )))
    }

    /// What the store keeps: SHA-256 of the text. The token has 256 random bits, so nothing slower is needed, and
    /// looking a hash up tells nobody how close a guess came.
    pub(crate) fn hash(&self) -> Digest {
        Digest::of(self.0.as_bytes())
    }

    /// The text, to be shown once.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Reads what a caller brought: its kind and hash, if it has the form of a token at all.
    pub(crate) fn read(text: &str) -> Option<(TokenKind, Digest)> {
        let kind = TokenKind::ALL
            .into_iter()
            .find(|kind| text.starts_with(kind.prefix()))?;
        let random = text.strip_prefix(kind.prefix())?;
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(random).ok()?);
        (bytes.len() == 32).then(|| (kind, Digest::of(text.as_bytes())))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_reads_back_as_what_it_is_and_never_prints() {
        for kind in TokenKind::ALL {
            let token = Token::new(kind);
            assert_eq!(Token::read(token.reveal()), Some((kind, token.hash())));
            assert!(
                !format!("{token:?}").contains(&token.reveal()[12..]),
                "a log line must not hold it"
            );
        }
        assert_ne!(
            Token::new(TokenKind::Agent).reveal(),
            Token::new(TokenKind::Agent).reveal()
        );
    }

    #[test]
    fn what_has_not_the_form_of_a_token_is_none() {
        let token = Token::new(TokenKind::Session);
        let text = token.reveal();
        let (short, long) = (&text[..text.len() - 1], format!("{text}A"));
        for other in [
            "",
            "nothing",
            "cs_session_",
            "null",
            "undefined",
            short,
            &long,
            &text.to_uppercase(),
            &text[3..],
        ] {
            assert_eq!(Token::read(other), None, "{other:?} must not reach the store");
        }
    }
}
