//! E-mail addresses as the tools take them: `local@domain`, nothing around it, nothing to be quoted.

use crate::InputError;

/// Most bytes of an address (RFC 5321 §4.5.3.1.3, without the angle brackets).
const MAX_BYTES: usize = 254;

/// One address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Address {
    local: String,
    domain: String,
    /// The domain as DNS and SMTP know it.
    ascii_domain: String,
}

impl Address {
    /// Reads an address; `field` is named when it is not one.
    ///
    /// Quoted local parts, comments, display names, address literals and local parts outside ASCII are refused: what is
    /// rare in good mail is common in attempts to put something else into a header or a command.
    pub(crate) fn parse(text: &str, field: &str) -> Result<Self, InputError> {
        let wrong = |why: &str| {
            let shown = crate::text::line(text, 100);
            InputError::field(field, format!("“{shown}” is not an e-mail address: {why}."))
        };
        let text = text.trim();
        if text.len() > MAX_BYTES {
            return Err(wrong("it is too long"));
        }
        let (local, domain) = text
            .rsplit_once('@')
            .ok_or_else(|| wrong("it has the form name@domain"))?;
        if !local.is_ascii() || local.contains('"') {
            return Err(wrong("the part before the @ is plain letters, digits and signs"));
        }
        let domain = domain.to_lowercase();
        let ascii_domain = idna::domain_to_ascii_strict(&domain)
            .map_err(|_| wrong("the part after the @ is not a domain name"))?;
        if numeric(&ascii_domain) {
            return Err(wrong(
                "the part after the @ is a domain name, not an address of a machine",
            ));
        }
        lettre::Address::new(local, &ascii_domain).map_err(|error| wrong(&error.to_string()))?;
        Ok(Self {
            local: local.to_owned(),
            domain,
            ascii_domain,
        })
    }

    /// The domain in ASCII, when that is not how it was written, or when it stands for letters outside ASCII.
    pub(crate) fn foreign_domain(&self) -> Option<&str> {
        let encoded = self
            .ascii_domain
            .split('.')
            .any(|label| label.starts_with("xn--"));
        (encoded || self.ascii_domain != self.domain).then_some(&self.ascii_domain)
    }

    /// As it goes over the wire.
    pub(crate) fn on_the_wire(&self) -> Result<lettre::Address, lettre::address::AddressError> {
        lettre::Address::new(&self.local, &self.ascii_domain)
    }

    /// The domain in ASCII.
    pub(crate) fn ascii_domain(&self) -> &str {
        &self.ascii_domain
    }
}

impl core::fmt::Display for Address {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}@{}", self.local, self.domain)
    }
}

/// A last label of digits alone is no domain, whatever else it may be taken for.
fn numeric(domain: &str) -> bool {
    domain
        .rsplit('.')
        .next()
        .is_none_or(|last| last.is_empty() || last.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_domain_is_lower_case_and_the_local_part_stays() {
        let address = Address::parse("  Ada.Lovelace+x@Example.COM ", "to").unwrap();
        assert_eq!(address.to_string(), "Ada.Lovelace+x@example.com");
        assert_eq!(address.foreign_domain(), None);
    }

    #[test]
    fn a_domain_outside_ascii_is_kept_and_told() {
        let address = Address::parse("ada@Bücher.example", "to").unwrap();
        assert_eq!(address.to_string(), "ada@bücher.example");
        assert_eq!(address.foreign_domain(), Some("xn--bcher-kva.example"));
        let encoded = Address::parse("ada@xn--bcher-kva.example", "to").unwrap();
        assert!(
            encoded.foreign_domain().is_some(),
            "the encoded form hides the same letters"
        );
    }

    #[test]
    fn what_could_be_more_than_an_address_is_refused() {
        for text in [
            "",
            "ada",
            "@example.com",
            "ada@",
            "Ada <ada@example.com>",
            "<ada@example.com>",
            "ada@example.com, bob@example.com",
            "ada@example.com\r\nBcc: eve@example.com",
            "ada@example.com\nRCPT TO:<eve@example.com>",
            "ada\r\n@example.com",
            "ada@exam\u{0}ple.com",
            "\"ada bob\"@example.com",
            "\"a\r\nb\"@example.com",
            "ada@[127.0.0.1]",
            "ada@127.0.0.1",
            "ada@example.com> SIZE=1",
            "ada@bob@example.com",
            "ada@example..com",
            "ada@-example.com",
            ".ada@example.com",
            "ada.@example.com",
            "a..b@example.com",
            "ädä@example.com",
            "ada@exa mple.com",
            "-oQ/tmp@",
        ] {
            assert!(Address::parse(text, "to").is_err(), "{text:?}");
        }
        let long = format!("{}@example.com", "a".repeat(250));
        assert!(Address::parse(&long, "to").is_err(), "longer than SMTP carries");
    }
}
