//! A state of the model.

use countersign_domain::record::Outcome;

use crate::calls::CallId;

/// What people, policy and time do, each at most once in a history.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Event {
    AnaApproves,
    BenApproves,
    AnaRetracts,
    BenRejects,
    Withdrawn,
    AnaRevoked,
    /// The rules ask for two people from here on.
    RulesTighten,
    Stopped,
    Released,
    ItHappened,
    ItDidNot,
    /// The target forgets the key of the call.
    KeyForgotten,
    /// Time passes to the next of [`crate::calls::now`].
    Tick1,
    Tick2,
    Tick3,
}

impl Event {
    pub(crate) const LATER: [Self; 14] = [
        Self::BenApproves,
        Self::AnaRetracts,
        Self::BenRejects,
        Self::Withdrawn,
        Self::AnaRevoked,
        Self::RulesTighten,
        Self::Stopped,
        Self::Released,
        Self::ItHappened,
        Self::ItDidNot,
        Self::KeyForgotten,
        Self::Tick1,
        Self::Tick2,
        Self::Tick3,
    ];
}

/// Which events there have been.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Events(u16);

impl Events {
    pub(crate) const fn has(self, event: Event) -> bool {
        self.0 >> event as u16 & 1 == 1
    }

    pub(crate) const fn with(self, event: Event) -> Self {
        Self(self.0 | 1 << event as u16)
    }

    /// Those that say something of a call that has begun.
    pub(crate) const fn behind_begin(self) -> Self {
        Self(
            self.0
                & (1 << Event::KeyForgotten as u16
                    | 1 << Event::ItHappened as u16
                    | 1 << Event::ItDidNot as u16),
        )
    }

    /// How many acts there were. Ana's approval and the end of its hold, without which nothing runs, are none.
    pub(crate) const fn acts(self) -> u32 {
        (self.0 & !(1 << Event::Tick1 as u16 | 1 << Event::AnaApproves as u16)).count_ones()
    }
}

/// What must never be. Noted by the model's own simple account of what has happened, not by the product's rules.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Wrong {
    /// A begin was accepted after a no, a stop or an expiry, or without enough people.
    BegunWithoutRight,
    /// The target was called by somebody whose begin was not accepted.
    CalledWithoutBegin,
    /// A number was leased that was not above all others.
    FenceNotFresh,
    /// A begin was accepted under a fence for which it had been refused.
    RefusalTakenBack,
    /// The target was called again after people had said how it ended, or when it did not know the call any more.
    TriedAgainAfterTheEnd,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Wrongs(u8);

impl Wrongs {
    pub(crate) const fn has(self, wrong: Wrong) -> bool {
        self.0 >> wrong as u8 & 1 == 1
    }

    pub(crate) const fn note(&mut self, wrong: Wrong, is: bool) {
        self.0 |= (is as u8) << wrong as u8;
    }
}

/// Until when the newest lease stands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Until {
    /// There is none, or it was used.
    Ended,
    Later,
    Past,
}

/// What an executor asks to begin with: the number of its lease, and the approvals that it has checked.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Ask {
    pub(crate) fence: u8,
    pub(crate) authority: u8,
}

/// An [`Outcome`] in the order that sorting needs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Ended(pub(crate) Outcome);

/// A receipt.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Sent {
    pub(crate) fence: u8,
    pub(crate) outcome: Ended,
    pub(crate) dispatched: bool,
}

/// What an executor has in its memory, which a crash takes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Memory {
    Idle,
    Leased(Ask),
    /// Its begin is on its way.
    Asked(Ask),
    /// It finds out what became of a begin from before the crash.
    Settling(Ask),
    Begun(u8),
    Intended(u8),
    /// Its request is made again under the same key.
    Again(u8),
    /// The call is over.
    Heard(Sent),
}

/// What is in an executor's own database.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Disk {
    Empty,
    /// A begin that is not answered.
    Begin(Ask),
    Begun(u8),
    Intended(u8),
}

/// One of several executors in one name, as after a restart whose old process lives on: what they share is the server.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Hand {
    pub(crate) memory: Memory,
    pub(crate) disk: Disk,
    /// A copy of its begin that is still on the network.
    pub(crate) flying: Option<Ask>,
    /// A receipt that is not answered; on its disk.
    pub(crate) outbox: Option<Sent>,
    pub(crate) crashed: bool,
}

impl Hand {
    pub(crate) const NEW: Self = Self {
        memory: Memory::Idle,
        disk: Disk::Empty,
        flying: None,
        outbox: None,
        crashed: false,
    };
}

/// Everything. The hands stand in order: which of them did it makes no difference.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct State {
    pub(crate) call: CallId,
    pub(crate) clock: u8,
    pub(crate) events: Events,
    /// Number of the newest lease.
    pub(crate) fence: u8,
    pub(crate) until: Until,
    /// A minute has passed since the begin, without a receipt.
    pub(crate) silent: bool,
    /// Fences under which a begin was refused, as bits.
    pub(crate) refused: u8,
    pub(crate) hands: [Hand; 3],
    /// How often the target was called.
    pub(crate) calls: u8,
    /// How often it has done what it was asked.
    pub(crate) effects: u8,
    pub(crate) wrongs: Wrongs,
}
