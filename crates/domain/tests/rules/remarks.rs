//! Asking the proposer, and the answer: said beside the request, and changing nothing about it.

use countersign_domain::{
    Digest, Millis,
    fold::Status,
    id::AgentId,
    record::{Actor, Assurance, Reason, Remark, Role, Void},
    remarks,
};
use proptest::prelude::*;

use crate::{
    people::Book,
    support::{Story, at, digest, needs, nonce, person, uuid},
};

/// A company of an owner, an approver and a member; what an agent has proposed.
struct Talk {
    book: Book,
    story: Story,
}

impl Talk {
    fn new() -> Self {
        let mut book = Book::solo();
        book.member(1, 2, Some(Role::Approver));
        book.member(2, 3, Some(Role::Member));
        let story = Story::needing(needs(1, Assurance::Session));
        Self { book, story }
    }

    fn agent(&self) -> Actor {
        Actor::Agent(self.story.proposal.proposer.id.parse().unwrap())
    }

    fn says(&self, by: Actor, answers: Option<Digest>, text: &str) -> Remark {
        Remark {
            answers,
            at: at(20),
            by,
            device: None,
            device_seq: None,
            nonce: nonce(u8::try_from(self.story.entries.len()).unwrap()),
            previous: None,
            proposal: self.story.proposal.id,
            proposal_digest: self.story.digest(),
            text: text.to_owned(),
        }
    }

    fn judge(&self, remark: &Remark) -> Result<(), Reason> {
        remarks::remark(&self.book.0, &self.story.state(), remark, at(30))
    }

    fn enter(&mut self, remark: &Remark) -> Result<Digest, Reason> {
        self.judge(remark)?;
        Ok(self.story.enter(at(30), remark))
    }
}

#[test]
fn who_decides_asks_and_the_proposer_answers_once() {
    let mut talk = Talk::new();
    let ask = talk.says(Actor::User(person(2)), None, "Which invoice is it?");
    let question = talk.enter(&ask).unwrap();
    let state = talk.story.state();
    assert_eq!(state.open_question().unwrap().text, "Which invoice is it?");
    assert_eq!(
        state.status(at(30)),
        Status::Proposed,
        "a question decides nothing"
    );

    let answer = talk.says(talk.agent(), Some(question), "Number 7.");
    talk.enter(&answer).unwrap();
    let state = talk.story.state();
    assert!(state.open_question().is_none());
    assert_eq!(state.questions[0].answer.as_ref().unwrap().text, "Number 7.");
    let again = talk.says(talk.agent(), Some(question), "Number 8.");
    assert_eq!(
        talk.judge(&again),
        Err(Reason::Decided),
        "the first answer stands"
    );
    let elsewhere = talk.says(talk.agent(), Some(digest("another question")), "Number 8.");
    assert_eq!(talk.judge(&elsewhere), Err(Reason::Decided));
}

#[test]
fn nobody_else_asks_or_answers() {
    let mut talk = Talk::new();
    let stranger = Actor::Agent(AgentId::from_uuid(uuid(0x999)));
    for by in [
        talk.agent(),
        stranger,
        Actor::Server,
        Actor::User(person(3)),
        Actor::User(person(9)),
    ] {
        let ask = talk.says(by, None, "Why?");
        assert_eq!(
            talk.judge(&ask),
            Err(Reason::NotEligible),
            "{by:?} decides nothing here"
        );
    }
    let ask = talk.says(Actor::User(person(1)), None, "Why?");
    let question = talk.enter(&ask).unwrap();
    for by in [
        stranger,
        Actor::Server,
        Actor::User(person(1)),
        Actor::User(person(2)),
        Actor::User(person(3)),
    ] {
        let answer = talk.says(by, Some(question), "Because.");
        assert_eq!(
            talk.judge(&answer),
            Err(Reason::NotEligible),
            "{by:?} has not proposed it"
        );
    }
}

#[test]
fn a_remark_has_a_text_and_is_about_these_bytes_and_there_are_not_many() {
    let mut talk = Talk::new();
    let long = "x".repeat(2_001);
    for text in ["", " \n ", long.as_str()] {
        let ask = talk.says(Actor::User(person(2)), None, text);
        assert_eq!(talk.judge(&ask), Err(Reason::ViewMismatch));
    }
    let mut other = talk.says(Actor::User(person(2)), None, "Why?");
    other.proposal_digest = digest("other bytes");
    assert_eq!(talk.judge(&other), Err(Reason::DigestMismatch));
    for number in 0..20 {
        let ask = talk.says(Actor::User(person(2)), None, &format!("Question {number}?"));
        talk.enter(&ask).unwrap();
    }
    let more = talk.says(Actor::User(person(1)), None, "One more?");
    assert_eq!(talk.judge(&more), Err(Reason::NotEligible));
}

#[test]
fn the_clock_goes_on_and_what_is_over_is_not_discussed() {
    let mut talk = Talk::new();
    let ask = talk.says(Actor::User(person(2)), None, "Why?");
    talk.enter(&ask).unwrap();
    let state = talk.story.state();
    let last = state.expires_at;
    for (after, verdict) in [(-1, Ok(())), (0, Err(Reason::Expired)), (1, Err(Reason::Expired))] {
        let judged = remarks::remark(&talk.book.0, &state, &ask, last + Millis(after));
        assert_eq!(judged, verdict, "{after} ms from its end");
    }
    talk.story.reject(at(40), 1);
    let late = talk.says(Actor::User(person(2)), None, "Really?");
    assert_eq!(talk.judge(&late), Err(Reason::Decided));
    assert!(
        talk.story.state().open_question().is_none(),
        "nobody waits for an answer any more"
    );
}

proptest! {
    #[test]
    fn remarks_change_nothing_but_what_was_said(
        steps in prop::collection::vec((0..4_u8, any::<bool>()), 0..12),
        decisions in prop::collection::vec((1..4_u8, any::<bool>()), 0..4),
    ) {
        let mut talk = Talk::new();
        let mut silent = Story::needing(needs(2, Assurance::Session));
        talk.story = Story::needing(needs(2, Assurance::Session));
        let mut asked = vec![digest("nothing")];
        for (index, (who, refused)) in steps.iter().enumerate() {
            let answers = (*who == 0).then(|| asked[index % asked.len()]);
            let by = if *who == 0 { talk.agent() } else { Actor::User(person(*who)) };
            let remark = talk.says(by, answers, "Said.");
            if *refused {
                let name = countersign_domain::Record::unsigned(&remark).unwrap().digest;
                let void = Void { at: at(30), decision: name, proposal: talk.story.proposal.id, reason: Reason::NotEligible };
                talk.story.enter(at(30), &void);
            }
            asked.push(talk.story.enter(at(30), &remark));
        }
        for (who, yes) in decisions {
            for story in [&mut talk.story, &mut silent] {
                if yes { story.approve(at(50), who) } else { story.reject(at(50), who) };
            }
        }
        let (said, unsaid) = (talk.story.state(), silent.state());
        for now in [at(60), said.expires_at] {
            prop_assert_eq!(said.status(now), unsaid.status(now));
        }
        prop_assert_eq!(said.merged(), unsaid.merged());
        prop_assert_eq!(said.expires_at, unsaid.expires_at);
        let refused = steps.iter().filter(|(who, refused)| *who != 0 && *refused).count();
        let questions = steps.iter().filter(|(who, _)| *who != 0).count();
        prop_assert_eq!(said.questions.len(), questions - refused);
    }
}
