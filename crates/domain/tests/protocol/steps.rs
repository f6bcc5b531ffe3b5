//! What each step does: the server's in the order of `tenant/run.rs`, the executor's in that of `executor::execute`.
//!
//! A step answers whether it could be taken at all.

use countersign_domain::{
    Millis, UnixMillis,
    execution::{self, Authority, Blocked, Lease, NotBegun, Step, after_crash, of_another_attempt},
    fold::Status,
    record::{EffectClass, Holder, Outcome, PolicyDecision, Reason},
};

use crate::{
    calls::{Entry, asks, now},
    model::{Broken, Protocol, sent},
    state::{Ask, Disk, Event, Memory, State, Until, Wrong},
};

impl Protocol {
    pub(crate) fn happens(&self, state: &mut State, event: Event) -> bool {
        match event {
            Event::Stopped | Event::Released | Event::RulesTighten | Event::KeyForgotten => {}
            Event::Tick1 | Event::Tick2 | Event::Tick3 => state.clock += 1,
            Event::AnaApproves | Event::BenApproves | Event::AnaRetracts | Event::BenRejects => {
                self.settle(state);
                self.reconsider(state);
                if !self.calls.takes(state.call, event, state.clock) {
                    return false;
                }
                self.enter(state, Entry::Decided(event));
            }
            Event::Withdrawn => {
                if !self.calls.get(state.call).status(now(state.clock)).is_open() {
                    return false;
                }
                self.enter(state, Entry::Withdrawn);
            }
            Event::AnaRevoked => {
                let call = self.calls.get(state.call);
                let hers = self.calls.approval(Event::AnaApproves);
                let standing = call.standing().any(|cast| cast.digest == hers);
                if !call.recorded_status().is_open() || !standing {
                    return false;
                }
                self.enter(state, Entry::Void(Event::AnaApproves, Reason::DeviceRevoked));
            }
            Event::ItHappened | Event::ItDidNot => {
                let fence = self.begun_under(state);
                if fence == 0 || !self.calls.takes(state.call, event, state.clock) {
                    return false;
                }
                self.enter(state, Entry::Word(event, fence));
            }
        }
        state.events = state.events.with(event);
        true
    }

    /// `claim`: a lease for what may begin now.
    pub(crate) fn lease(&self, state: &mut State, hand: Option<usize>) -> bool {
        let again = self.is(Broken::LeasedAfterBegin) && state.silent;
        let pending = self.calls.get(state.call).recorded_status() == Status::Pending;
        if self.newest(state).stands(now(state.clock)) || !(pending || again) || self.stopped(state) {
            return false;
        }
        self.settle(state);
        self.reconsider(state);
        let authority = loop {
            match Authority::of(self.calls.get(state.call), now(state.clock)) {
                Ok(authority) => break self.calls.authority(authority.approvals()),
                Err(Blocked::Stale(approval, reason)) => self.void(state, approval, reason),
                Err(Blocked::Status(_)) if again => break 1,
                // What was found out stays.
                Err(Blocked::Status(_) | Blocked::Held(_)) => return true,
            }
        };
        let fence = if self.is(Broken::FenceUsedTwice) {
            state.fence.max(1)
        } else {
            state.fence + 1
        };
        state.wrongs.note(Wrong::FenceNotFresh, fence <= state.fence);
        state.fence = fence;
        state.until = Until::Later;
        if let Some(hand) = hand {
            state.hands[hand].memory = Memory::Leased(Ask { fence, authority });
        }
        true
    }

    pub(crate) fn lapse(&self, state: &mut State) -> bool {
        let fence = self.begun_under(state);
        let entry = if self.is(Broken::SilenceIsFailure) {
            Entry::Ended(sent(fence, Outcome::Failed, false))
        } else {
            Entry::Lapsed(fence)
        };
        self.enter(state, entry);
        state.silent = false;
        true
    }

    pub(crate) fn ask(&self, state: &mut State, at: usize) -> bool {
        let hand = &mut state.hands[at];
        let Memory::Leased(ask) = hand.memory else {
            return false;
        };
        if self.is(Broken::NoBegin) {
            hand.disk = Disk::Begun(ask.fence);
            hand.memory = Memory::Begun(ask.fence);
        } else {
            hand.disk = Disk::Begin(ask);
            hand.memory = Memory::Asked(ask);
            hand.flying = Some(ask);
        }
        true
    }

    pub(crate) fn deliver(&self, state: &mut State, at: usize, heard: bool) -> bool {
        let Some(ask) = state.hands[at].flying else {
            return false;
        };
        let accepted = self.begin(state, ask);
        let hand = &mut state.hands[at];
        let fresh = hand.memory == Memory::Asked(ask);
        if !heard || !(fresh || hand.memory == Memory::Settling(ask)) {
            return true;
        }
        (hand.memory, hand.disk) = match (accepted, fresh) {
            (true, true) => (Memory::Begun(ask.fence), Disk::Begun(ask.fence)),
            (true, false) => (Memory::Idle, Disk::Begun(ask.fence)),
            (false, _) => (Memory::Idle, Disk::Empty),
        };
        true
    }

    pub(crate) fn intend(&self, state: &mut State, at: usize) -> bool {
        let hand = &mut state.hands[at];
        let Memory::Begun(fence) = hand.memory else {
            return false;
        };
        hand.memory = Memory::Intended(fence);
        if self.is(Broken::ReceiptBeforeCall) {
            hand.disk = Disk::Empty;
            hand.outbox = Some(sent(fence, Outcome::Completed, true));
        } else if !self.is(Broken::IntentNotDurable) {
            hand.disk = Disk::Intended(fence);
        }
        true
    }

    pub(crate) fn call(&self, state: &mut State, at: usize, happens: bool, heard: Option<bool>) -> bool {
        let (Memory::Intended(fence) | Memory::Again(fence)) = state.hands[at].memory else {
            return false;
        };
        let again = matches!(state.hands[at].memory, Memory::Again(_)) && !self.is(Broken::SecondNoIsFailure);
        let known = self.effect == EffectClass::Idempotent
            && state.effects > 0
            && !state.events.has(Event::KeyForgotten);
        let begun = self.begun_under(state);
        state.wrongs.note(Wrong::CalledWithoutBegin, begun != fence);
        state.calls += 1;
        state.effects += u8::from(happens && !known && self.effect != EffectClass::Read);
        let heard = match heard {
            Some(true) => sent(fence, Outcome::Completed, true),
            Some(false) if again => sent(fence, of_another_attempt(Outcome::Failed), true),
            Some(false) => sent(fence, Outcome::Failed, true),
            None if self.is(Broken::TimeoutIsFailure) => sent(fence, Outcome::Failed, false),
            None => sent(fence, Outcome::Unknown, true),
        };
        state.hands[at].memory = Memory::Heard(heard);
        true
    }

    pub(crate) fn keep(&self, state: &mut State, at: usize) -> bool {
        let hand = &mut state.hands[at];
        let Memory::Heard(receipt) = hand.memory else {
            return false;
        };
        hand.memory = Memory::Idle;
        hand.disk = Disk::Empty;
        hand.outbox = Some(receipt);
        true
    }

    pub(crate) fn send(&self, state: &mut State, at: usize, heard: bool) -> bool {
        let Some(sent) = state.hands[at].outbox else {
            return false;
        };
        let (receipt, digest) = self.calls.receipt(sent);
        match execution::complete(self.calls.get(state.call), receipt, *digest, now(state.clock)) {
            Ok(Step::New) => {
                self.enter(state, Entry::Ended(sent));
                state.silent = false;
            }
            Ok(Step::Again) | Err(_) => {}
        }
        if heard {
            state.hands[at].outbox = None;
        }
        true
    }

    /// `run_local`: begin, effect and receipt in one transaction.
    pub(crate) fn run_local(&self, state: &mut State, at: usize) -> bool {
        let Memory::Leased(ask) = state.hands[at].memory else {
            return false;
        };
        state.hands[at].memory = Memory::Idle;
        let began = self.begun_under(state);
        if self.begin(state, ask) && began == 0 {
            state.calls += 1;
            state.effects += 1;
            self.enter(state, Entry::Ended(sent(ask.fence, Outcome::Completed, true)));
        }
        true
    }

    pub(crate) fn recover(&self, state: &mut State, at: usize) -> bool {
        let hand = &mut state.hands[at];
        let (fence, intended) = match hand.disk {
            Disk::Empty => return false,
            Disk::Begin(ask) => {
                hand.memory = Memory::Settling(ask);
                hand.flying = Some(ask);
                return true;
            }
            Disk::Begun(fence) => (fence, false),
            Disk::Intended(fence) => (fence, true),
        };
        if intended && self.is(Broken::EverythingTriedAgain) {
            hand.memory = Memory::Intended(fence);
            return state.calls < 2;
        }
        let outcome = after_crash(self.effect, intended);
        hand.disk = Disk::Empty;
        hand.outbox = Some(sent(fence, outcome, outcome == Outcome::Unknown));
        true
    }

    /// `settle`: the server confirms the fence, and the request is made again.
    pub(crate) fn try_again(&self, state: &mut State, at: usize) -> bool {
        let Disk::Intended(fence) = state.hands[at].disk else {
            return false;
        };
        // Twice in all: a third attempt finds nothing that the second did not.
        if self.effect != EffectClass::Idempotent || state.calls > 1 {
            return false;
        }
        let call = self.calls.get(state.call);
        let said = call.resolved.is_some();
        let forgotten = state.events.has(Event::KeyForgotten);
        let over = call.ended.is_some() || forgotten;
        // Behind the begin a stop is not in the state: under one the executor waits.
        let stands = execution::confirm(call, Holder::Tenant, u64::from(fence), false).is_ok()
            || said && !over && self.is(Broken::WordKeepsFence);
        let confirmed = stands && !forgotten;
        if !confirmed && !self.is(Broken::TriedAgainUnasked) {
            return false;
        }
        state
            .wrongs
            .note(Wrong::TriedAgainAfterTheEnd, state.calls > 0 && (said || over));
        state.hands[at].memory = Memory::Again(fence);
        true
    }

    /// `begin`, with everything that it depends on as of this moment.
    fn begin(&self, state: &mut State, ask: Ask) -> bool {
        let call = self.calls.get(state.call);
        match self
            .newest(state)
            .admits(call, Holder::Tenant, u64::from(ask.fence), now(state.clock))
        {
            Ok(Step::New) => {}
            Ok(Step::Again) => {
                let (_, digest) = self.calls.begin(ask);
                return call.begun.as_ref().is_some_and(|begun| begun.digest == *digest);
            }
            Err(_) if self.is(Broken::NoFenceCheck) && call.begun.is_some() => return true,
            Err(_) if self.is(Broken::LeasedAfterBegin) && ask.fence == state.fence => return true,
            Err(_) => {
                state.refused |= 1 << ask.fence;
                return false;
            }
        }
        let lease = state.until;
        state.until = Until::Ended;
        let accepted = self.is(Broken::BeginNotJudged) || self.judge(state, ask);
        if !accepted {
            state.refused |= 1 << ask.fence;
            if self.is(Broken::RefusalKeepsLease) {
                state.until = lease;
            }
            return false;
        }
        state.wrongs.note(Wrong::BegunWithoutRight, !has_right(state));
        state
            .wrongs
            .note(Wrong::RefusalTakenBack, state.refused >> ask.fence & 1 == 1);
        self.enter(state, Entry::Begun(ask));
        true
    }

    fn judge(&self, state: &mut State, ask: Ask) -> bool {
        let stopped = self.stopped(state) && !self.is(Broken::StopReadBefore);
        if !stopped {
            self.settle(state);
            if !self.is(Broken::RulesReadBefore) {
                self.reconsider(state);
            }
        }
        loop {
            let call = self.calls.get(state.call);
            match execution::begin(call, &self.calls.begin(ask).0, stopped, now(state.clock)) {
                Ok(()) => return true,
                Err(NotBegun::Refused(_)) => return false,
                Err(NotBegun::Stale(..)) if self.is(Broken::AgeReadBefore) => return true,
                Err(NotBegun::Stale(approval, reason)) => self.void(state, approval, reason),
            }
        }
    }

    /// The `expire` entry that a call whose time is up is still owed.
    fn settle(&self, state: &mut State) {
        let call = self.calls.get(state.call);
        if call.status(now(state.clock)) == Status::Expired && call.recorded_status() != Status::Expired {
            self.enter(state, Entry::Expired);
        }
    }

    /// Policy is asked again.
    fn reconsider(&self, state: &mut State) {
        let call = self.calls.get(state.call);
        if state.events.has(Event::RulesTighten)
            && call.status(now(state.clock)).is_open()
            && call.is_tightened_by(PolicyDecision::RequiresApproval, asks(2))
        {
            self.enter(state, Entry::Tightened);
        }
    }

    fn void(&self, state: &mut State, approval: countersign_domain::Digest, reason: Reason) {
        let events = [Event::AnaApproves, Event::BenApproves];
        let whose = events
            .into_iter()
            .find(|event| self.calls.approval(*event) == approval);
        self.enter(state, Entry::Void(whose.expect("one of the two"), reason));
    }

    fn enter(&self, state: &mut State, entry: Entry) {
        state.call = self.calls.after(state.call, entry, state.clock);
    }

    fn stopped(&self, state: &State) -> bool {
        self.calls
            .is_stopped(state.events.has(Event::Stopped) && !state.events.has(Event::Released))
    }

    fn newest(&self, state: &State) -> Lease {
        let now = now(state.clock);
        let until: Option<UnixMillis> = match state.until {
            Until::Ended => None,
            Until::Later => Some(now + Millis(1)),
            Until::Past => Some(now),
        };
        Lease {
            fence: u64::from(state.fence),
            until,
        }
    }

    /// The fence of the accepted begin; 0 when there is none.
    fn begun_under(&self, state: &State) -> u8 {
        let call = self.calls.get(state.call);
        call.begun
            .as_ref()
            .map_or(0, |begun| u8::try_from(begun.fence).expect("a small fence"))
    }
}

/// Whether a begin is right, by a count of what has happened: nobody said no, nothing stands still, it is due and not
/// expired, and enough people want it.
fn has_right(state: &State) -> bool {
    let has = |event| state.events.has(event);
    let ana = state.clock < 2 && !has(Event::AnaRetracts) && !has(Event::AnaRevoked);
    let people = u8::from(ana) + u8::from(has(Event::BenApproves));
    let needed = if has(Event::RulesTighten) { 2 } else { 1 };
    let enough = people >= needed;
    let free = !has(Event::Stopped) || has(Event::Released);
    enough && free && (1..3).contains(&state.clock) && !has(Event::BenRejects) && !has(Event::Withdrawn)
}
