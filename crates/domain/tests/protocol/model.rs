//! The model: which steps there are in a state, and the variants in which one of them is wrong.

use countersign_domain::{
    fold::Status,
    record::{EffectClass, Outcome},
};
use stateright::{Model, Property};

use crate::{
    calls::{Calls, LATEST},
    properties,
    state::{Disk, Ended, Event, Events, Hand, Memory, Sent, State, Until, Wrongs},
};

/// Most leases in one history.
pub(crate) const FENCES: u8 = 3;

/// One call of one class of effect, and so many executors that could run it.
pub(crate) struct Protocol {
    pub(crate) calls: Calls,
    pub(crate) effect: EffectClass,
    hands: usize,
    /// Most acts of people, policy and time in one history.
    acts: u32,
    pub(crate) broken: Option<Broken>,
}

/// A way in which the protocol could be wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Broken {
    /// An executor calls without asking for a begin.
    NoBegin,
    /// The server accepts each begin under a lease.
    BeginNotJudged,
    /// The stop is looked at when the lease is given, and not where the begin is journalled.
    StopReadBefore,
    /// So are the rules.
    RulesReadBefore,
    /// So is whether an approval is too old.
    AgeReadBefore,
    /// A begin is taken under any number.
    NoFenceCheck,
    /// A begun call whose executor is silent is leased again.
    LeasedAfterBegin,
    /// A lease gets the number that the last one had.
    FenceUsedTwice,
    /// A refused begin leaves its lease standing.
    RefusalKeepsLease,
    /// The intent is in memory alone.
    IntentNotDurable,
    /// The receipt is written before the call.
    ReceiptBeforeCall,
    /// No answer is taken for a failure.
    TimeoutIsFailure,
    /// A silent call is taken for one that failed.
    SilenceIsFailure,
    /// What was interrupted is called again, whatever its effect.
    EverythingTriedAgain,
    /// What the target knows by its key is tried again before the server has confirmed the fence.
    TriedAgainUnasked,
    /// What people say of an unknown outcome leaves the fence valid.
    WordKeepsFence,
    /// The target's no to a second request is taken for its no to the first.
    SecondNoIsFailure,
}

impl Broken {
    pub(crate) const ALL: [Self; 17] = [
        Self::NoBegin,
        Self::BeginNotJudged,
        Self::StopReadBefore,
        Self::RulesReadBefore,
        Self::AgeReadBefore,
        Self::NoFenceCheck,
        Self::LeasedAfterBegin,
        Self::FenceUsedTwice,
        Self::RefusalKeepsLease,
        Self::IntentNotDurable,
        Self::ReceiptBeforeCall,
        Self::TimeoutIsFailure,
        Self::SilenceIsFailure,
        Self::EverythingTriedAgain,
        Self::TriedAgainUnasked,
        Self::WordKeepsFence,
        Self::SecondNoIsFailure,
    ];

    /// The class of effect in which it does harm.
    pub(crate) const fn class(self) -> EffectClass {
        match self {
            Self::TriedAgainUnasked | Self::WordKeepsFence | Self::SecondNoIsFailure => {
                EffectClass::Idempotent
            }
            _ => EffectClass::Opaque,
        }
    }
}

/// One step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Action {
    Happens(Event),
    /// The server leases the call; the answer arrives, or nobody hears it.
    Lease(Option<usize>),
    /// The lease is over.
    LeaseOver,
    /// A begun call has been silent for a minute.
    Silence,
    /// The server says so.
    Lapse,
    /// The stored bytes are verified, and the begin is stored and sent.
    Ask(usize),
    /// A copy of the begin arrives; so does its answer, or not.
    Deliver(usize, bool),
    /// A copy of the begin is lost.
    Drop(usize),
    Intend(usize),
    /// The target is called; whether it does what it is asked, and what of that is heard.
    Call(usize, bool, Option<bool>),
    /// The receipt is stored.
    Keep(usize),
    /// The receipt arrives; so does its answer, or not.
    Send(usize, bool),
    /// The whole of a local call: begin, effect and receipt in one transaction.
    RunLocal(usize),
    /// The process ends, or gives up waiting.
    Crash(usize),
    /// What a crash has left is settled.
    Recover(usize),
    /// The server is asked whether the fence still stands, and the call is made again.
    TryAgain(usize),
}

impl Protocol {
    pub(crate) fn new(effect: EffectClass, hands: usize, acts: u32) -> Self {
        Self {
            calls: Calls::new(effect),
            effect,
            hands,
            acts,
            broken: None,
        }
    }

    pub(crate) fn broken(self, broken: Broken) -> Self {
        Self {
            broken: Some(broken),
            ..self
        }
    }

    pub(crate) fn is(&self, broken: Broken) -> bool {
        self.broken == Some(broken)
    }

    fn hand_actions(&self, state: &State, at: usize, actions: &mut Vec<Action>) {
        let hand = &state.hands[at];
        match hand.memory {
            Memory::Idle => match hand.disk {
                Disk::Empty => {
                    let busy = state.hands.iter().filter(|hand| **hand != Hand::NEW).count();
                    let free = *hand != Hand::NEW || busy < self.hands;
                    if free && hand.outbox.is_none() && state.fence < FENCES {
                        actions.push(Action::Lease(Some(at)));
                    }
                }
                Disk::Begin(_) | Disk::Begun(_) => actions.push(Action::Recover(at)),
                Disk::Intended(_) => actions.extend([Action::Recover(at), Action::TryAgain(at)]),
            },
            Memory::Leased(_) if self.effect == EffectClass::Local => actions.push(Action::RunLocal(at)),
            Memory::Leased(_) => actions.push(Action::Ask(at)),
            Memory::Asked(_) | Memory::Settling(_) => {}
            Memory::Begun(_) => actions.push(Action::Intend(at)),
            Memory::Intended(_) | Memory::Again(_) => actions.extend([
                Action::Call(at, true, Some(true)),
                Action::Call(at, true, None),
                Action::Call(at, false, Some(false)),
                Action::Call(at, false, None),
            ]),
            Memory::Heard(_) => actions.push(Action::Keep(at)),
        }
        if hand.flying.is_some() {
            actions.extend([
                Action::Deliver(at, true),
                Action::Deliver(at, false),
                Action::Drop(at),
            ]);
        }
        if hand.outbox.is_some() {
            actions.extend([Action::Send(at, true), Action::Send(at, false)]);
        }
        // Without the network's answer an executor is in the same place as after a crash.
        if hand.memory != Memory::Idle && (!hand.crashed || hand.flying.is_none() && Self::waits(hand.memory))
        {
            actions.push(Action::Crash(at));
        }
    }

    const fn waits(memory: Memory) -> bool {
        matches!(memory, Memory::Asked(_) | Memory::Settling(_))
    }

    fn is_due(&self, state: &State, event: Event) -> bool {
        if state.events.has(event) || (event != Event::Tick1 && state.events.acts() >= self.acts) {
            return false;
        }
        // What comes too late for the begin changes nothing behind it.
        let begun = self.calls.get(state.call).begun.is_some();
        match event {
            Event::AnaApproves => false,
            Event::RulesTighten
            | Event::Stopped
            | Event::Released
            | Event::Tick1
            | Event::Tick2
            | Event::Tick3
                if begun =>
            {
                false
            }
            Event::Stopped => !state.events.has(Event::Released),
            Event::Released => state.events.has(Event::Stopped),
            Event::Tick1 => state.clock == 0,
            Event::Tick2 => state.clock == 1,
            Event::Tick3 => state.clock + 1 == LATEST,
            // It is declared with room for a call that was just confirmed.
            Event::KeyForgotten => {
                let calls = |hand: &Hand| matches!(hand.memory, Memory::Intended(_) | Memory::Again(_));
                self.effect == EffectClass::Idempotent && !state.hands.iter().any(calls)
            }
            Event::BenApproves
            | Event::AnaRetracts
            | Event::BenRejects
            | Event::Withdrawn
            | Event::AnaRevoked
            | Event::RulesTighten
            | Event::ItHappened
            | Event::ItDidNot => true,
        }
    }
}

impl Model for Protocol {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State {
            call: self.calls.approved(),
            clock: 0,
            events: Events::default().with(Event::AnaApproves),
            fence: 0,
            until: Until::Ended,
            silent: false,
            refused: 0,
            hands: [Hand::NEW; 3],
            calls: 0,
            effects: 0,
            wrongs: Wrongs::default(),
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        // What is wrong stays wrong: there is nothing more to find behind it.
        if state.wrongs != Wrongs::default() {
            return;
        }
        actions.extend(
            Event::LATER
                .into_iter()
                .filter(|event| self.is_due(state, *event))
                .map(Action::Happens),
        );
        if state.until == Until::Later {
            actions.push(Action::LeaseOver);
        }
        let call = self.calls.get(state.call);
        if call.recorded_status() == Status::Running {
            actions.push(if state.silent {
                Action::Lapse
            } else {
                Action::Silence
            });
        }
        if state.fence < FENCES {
            actions.push(Action::Lease(None));
        }
        for at in 0..state.hands.len() {
            self.hand_actions(state, at, actions);
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = *last;
        let done = match action {
            Action::Happens(event) => self.happens(&mut state, event),
            Action::Lease(hand) => self.lease(&mut state, hand),
            Action::LeaseOver => {
                state.until = Until::Past;
                true
            }
            Action::Silence => {
                state.silent = true;
                true
            }
            Action::Lapse => self.lapse(&mut state),
            Action::Ask(at) => self.ask(&mut state, at),
            Action::Deliver(at, heard) => self.deliver(&mut state, at, heard),
            Action::Drop(at) => {
                state.hands[at].flying = None;
                true
            }
            Action::Intend(at) => self.intend(&mut state, at),
            Action::Call(at, happens, heard) => self.call(&mut state, at, happens, heard),
            Action::Keep(at) => self.keep(&mut state, at),
            Action::Send(at, heard) => self.send(&mut state, at, heard),
            Action::RunLocal(at) => self.run_local(&mut state, at),
            Action::Crash(at) => {
                let waits = Self::waits(state.hands[at].memory) && state.hands[at].flying.is_none();
                state.hands[at].memory = Memory::Idle;
                state.hands[at].crashed |= !waits;
                true
            }
            Action::Recover(at) => self.recover(&mut state, at),
            Action::TryAgain(at) => self.try_again(&mut state, at),
        };
        // Hands have no names: states in which they have changed places are one.
        state.hands.sort_unstable();
        // And so are those that differ in what had happened before the begin.
        if self.calls.get(state.call).begun.is_some() {
            state.events = state.events.behind_begin();
            state.refused = 0;
            state.clock = 1;
        }
        (done && state != *last).then_some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all(self)
    }
}

/// A receipt that says so.
pub(crate) const fn sent(fence: u8, outcome: Outcome, dispatched: bool) -> Sent {
    Sent {
        fence,
        outcome: Ended(outcome),
        dispatched,
    }
}
