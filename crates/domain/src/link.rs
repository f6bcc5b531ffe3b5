//! Links that open a card.
//!
//! INVARIANT: a link decides, changes and connects to nothing. Any program can hand us one, so it is either exactly
//! `countersign://proposal/<id>`, or it is nothing.

use crate::id::ProposalId;

/// What stands before the id in a link.
pub const PREFIX: &str = "countersign://proposal/";

/// The proposal that a link names; only the one spelling that we write ourselves is a link, and only ids that we make.
pub fn proposal(link: &str) -> Option<ProposalId> {
    let id: ProposalId = link.strip_prefix(PREFIX)?.parse().ok()?;
    let bytes = id.as_bytes();
    // RFC 9562: version 7 in the high nibble of octet 6, variant 0b10 in the high bits of octet 8.
    (bytes[6] >> 4 == 7 && bytes[8] >> 6 == 0b10).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0192f3a4-0000-7000-8000-0123456789ab";

    #[test]
    fn a_link_names_its_proposal() {
        assert_eq!(proposal(&format!("{PREFIX}{ID}")), ID.parse().ok());
    }

    #[test]
    fn only_ids_that_we_make_are_links() {
        for id in [
            "0192f3a4-0000-4000-8000-0123456789ab",
            "0192f3a4-0000-7000-c000-0123456789ab",
        ] {
            assert_eq!(proposal(&format!("{PREFIX}{id}")), None, "{id} is no UUIDv7");
        }
    }

    #[test]
    fn what_is_only_near_a_link_is_none() {
        for near in [
            format!("{PREFIX}{ID}/approve"),
            format!("{PREFIX}{ID}?verdict=approve"),
            format!("{PREFIX}{ID}#decide"),
            format!("{PREFIX}{ID} "),
            format!(" {PREFIX}{ID}"),
            format!("{PREFIX}{ID}\0"),
            format!("{PREFIX}/{ID}"),
            format!("{PREFIX}../{ID}"),
            format!("{PREFIX}{{{ID}}}"),
            format!("{PREFIX}urn:uuid:{ID}"),
            format!("{PREFIX}{}", ID.to_uppercase()),
            format!("{PREFIX}{}", ID.replace('-', "")),
            format!("COUNTERSIGN://proposal/{ID}"),
            format!("countersign:proposal/{ID}"),
            format!("countersign://user@proposal/{ID}"),
            format!("countersign://proposal:1/{ID}"),
        ] {
            assert_eq!(proposal(&near), None, "{near:?}");
        }
    }
}
