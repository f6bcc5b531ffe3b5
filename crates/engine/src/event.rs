//! Hints to the shell. They carry ids, never state: losing one costs a repaint.

use countersign_domain::id::ProposalId;

/// Something may have changed: ask again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EngineEvent {
    ProposalChanged(ProposalId),
    InboxChanged,
    ConnectionChanged,
    /// The phase, the person, the settings, or people and connections of the tenant.
    StateChanged,
    /// The person pressed a notice.
    Open(ProposalId),
    /// The person pressed a notice about several.
    OpenInbox,
}
