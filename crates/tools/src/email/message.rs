//! A mail as bytes. The same call gives the same bytes: Message-ID from the proposal, date from the call's start.

use std::time::{Duration, SystemTime};

use countersign_domain::{UnixMillis, id::ProposalId};
use lettre::{
    Message,
    address::Envelope,
    message::{Mailbox, SinglePart, header::ContentType},
};

use super::{Mail, address::Address};

/// The mail is not one after all; it was checked at ingress, so this is not expected.
#[derive(Debug, thiserror::Error)]
pub(super) enum BuildError {
    #[error(transparent)]
    Address(#[from] lettre::address::AddressError),
    #[error(transparent)]
    Message(#[from] lettre::error::Error),
    #[error("the mail's bytes are not plain lines")]
    Bytes,
}

/// What goes over the wire.
#[derive(Debug)]
pub(super) struct Built {
    pub(super) envelope: Envelope,
    pub(super) bytes: Vec<u8>,
}

/// The Message-ID of a proposal's mail: how people and a second look find it again.
pub(super) fn message_id(proposal: ProposalId, from: &Address) -> String {
    format!("<{proposal}@{}>", from.ascii_domain())
}

/// Builds the mail. Bcc recipients are in the envelope and in no header.
pub(super) fn build(
    mail: &Mail,
    from: &Address,
    proposal: ProposalId,
    now: UnixMillis,
) -> Result<Built, BuildError> {
    let mailbox = |address: &Address| address.on_the_wire().map(|address| Mailbox::new(None, address));
    let since_epoch = Duration::from_secs(u64::try_from(now.0 / 1000).unwrap_or_default());
    let mut builder = Message::builder()
        .from(mailbox(from)?)
        .subject(&mail.subject)
        .date(SystemTime::UNIX_EPOCH + since_epoch)
        .message_id(Some(message_id(proposal, from)));
    for address in &mail.to {
        builder = builder.to(mailbox(address)?);
    }
    for address in &mail.cc {
        builder = builder.cc(mailbox(address)?);
    }
    let mut recipients = Vec::new();
    for address in mail.everyone() {
        let address = address.on_the_wire()?;
        if !recipients.contains(&address) {
            recipients.push(address);
        }
    }
    let envelope = Envelope::new(Some(from.on_the_wire()?), recipients)?;
    let bytes = builder
        .envelope(envelope.clone())
        .singlepart(
            SinglePart::builder()
                .header(ContentType::TEXT_PLAIN)
                .body(mail.body.clone()),
        )?
        .formatted();
    if plain_lines(&bytes) {
        Ok(Built { envelope, bytes })
    } else {
        Err(BuildError::Bytes)
    }
}

/// ASCII in lines that end with CRLF and nothing else: what every server understands in one way, so that no line end
/// can be taken for the end of the mail.
fn plain_lines(bytes: &[u8]) -> bool {
    let mut previous = 0_u8;
    bytes.iter().all(|&byte| {
        let fits = byte.is_ascii() && byte != 0 && (previous == b'\r') == (byte == b'\n');
        previous = byte;
        fits
    }) && previous != b'\r'
}
